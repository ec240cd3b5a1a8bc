//! The common shape of reactions about orders: read the orders, decide each, commit one batch.

use events::OrderId;
use service::storage::Batch;
use service::{Committed, Delivery, Failure, causes};

use crate::domain::{Decision, Order};
use crate::{Ctx, store};

/// Decides each delivery on its own order. `decide` answers `None` where nothing follows.
pub(crate) async fn decide_each<E>(
    ctx: Ctx,
    deliveries: Vec<Delivery<E>>,
    order_of: impl Fn(&E) -> OrderId,
    decide: impl Fn(&Order, &E) -> Option<Decision>,
) -> Result<Committed, Failure> {
    let unknown = || Failure::park("the event is about an order that was never placed here");
    decide_each_or(ctx, deliveries, order_of, unknown, decide).await
}

/// The same where an order that is `unknown` may be reported later.
pub(crate) async fn decide_each_or<E>(
    ctx: Ctx,
    deliveries: Vec<Delivery<E>>,
    order_of: impl Fn(&E) -> OrderId,
    unknown: impl Fn() -> Failure,
    decide: impl Fn(&Order, &E) -> Option<Decision>,
) -> Result<Committed, Failure> {
    let ids = deliveries.iter().map(|delivery| order_of(&delivery.event)).collect();
    let orders = store::orders(&ctx.db, ids).await?;
    let mut batch = Batch::new();
    let mut reached = Vec::new();
    for delivery in &deliveries {
        let Some(order) = orders.get(&order_of(&delivery.event)) else {
            return Err(unknown());
        };
        if let Some(decision) = decide(order, &delivery.event) {
            batch = batch.and(store::apply(&decision).caused_by(delivery.origin()));
            if decision.has_moved {
                reached.push(decision.order.status);
            }
        }
    }
    let committed = ctx.commit(batch, causes(deliveries)).await?;
    for status in reached {
        ctx.state.by_status.count([status.as_str()]);
    }
    Ok(committed)
}
