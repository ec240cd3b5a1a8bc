//! Shipping has not answered if a paid order can still be cancelled: it is asked again.

use events::OrderId;
use service::storage::Batch;
use service::{Committed, Failure, Timer};

use crate::{Ctx, store};

pub(crate) async fn handle(ctx: Ctx, timer: Timer) -> Result<Committed, Failure> {
    let order = store::order(&ctx.db, OrderId::from(timer.key)).await?;
    let decision = order.and_then(|order| order.ask_again(ctx.clock.now()));
    let batch = decision.map_or_else(Batch::new, |decision| store::apply(&decision));
    Ok(ctx.commit(batch, timer.cause()).await?)
}
