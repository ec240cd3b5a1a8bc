//! A supplier of a shop to play with delivers by itself all that is still to come.
//!
//! Nothing outside is asked: the goods are as real as the supplier.

use service::storage::Batch;
use service::{Committed, Failure, Timer};

use crate::Ctx;
use crate::domain::Delivered;
use crate::store::purchase_orders as store;

/// The actor who receives what is simulated.
const SIMULATION: &str = "simulation";

pub(crate) async fn handle(ctx: Ctx, timer: Timer) -> Result<Committed, Failure> {
    let order = store::order(&ctx.db, timer.key.into()).await?;
    let all = Delivered { lines: None, over: false, by: SIMULATION.to_owned() };
    // A shop that simulates no deliveries any more has nothing that could come, and a refusal is an end.
    let order = order.filter(|_| ctx.state.settings.simulated_delivery.is_some());
    let happened = order.and_then(|order| order.receive(&all, &[], ctx.ids.next(), ctx.clock.now()).ok());
    let batch = happened.map_or_else(Batch::new, |happened| store::apply(&happened));
    Ok(ctx.commit(batch, timer.cause()).await?)
}
