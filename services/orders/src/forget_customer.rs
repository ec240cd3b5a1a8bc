//! The orders of a closed account keep what books need; name, address and e-mail go, a day after the order is settled,
//! and with the last of them the address of the account.

use events::OrderAnonymized;
use kernel::{SignedDuration, Uuid};
use service::storage::Batch;
use service::{Committed, Failure, Timer};

use crate::account_timers::FORGET_CUSTOMER;
use crate::{Ctx, store};

/// Orders that are looked at in one commit.
const PAGE: i64 = 100;

/// The wait before the next look at an order that is not settled yet, or only since a short time.
const LOOK_AGAIN_AFTER: SignedDuration = SignedDuration::from_hours(1);

pub(crate) async fn handle(ctx: Ctx, timer: Timer) -> Result<Committed, Failure> {
    let (user_id, now) = (timer.key.into(), ctx.clock.now());
    let orders = store::orders_of_user(&ctx.db, user_id, Uuid::max().into(), None, PAGE).await?;
    let mut batch = Batch::new();
    let mut forgotten = 0;
    for order in &orders {
        let Some(anonymous) = order.without_customer(now) else { continue };
        let event = OrderAnonymized { order_id: order.order_id, version: order.version.next().get() };
        batch = batch.and(store::forget_customer(&anonymous)).emit(order.version.next(), &event);
        forgotten += 1;
    }
    let next = match (forgotten == orders.len(), orders.is_empty()) {
        (true, true) => None,
        // There may be more on the next page.
        (true, false) => Some(now),
        (false, _) => Some(now + LOOK_AGAIN_AFTER),
    };
    if let Some(next) = next {
        batch = batch.and(FORGET_CUSTOMER.go_on(user_id, next));
    } else if let Some(closed_in) = store::account(&ctx.db, user_id).await?.and_then(|account| account.closed_in) {
        batch = batch.and(store::forget_address(user_id, closed_in));
    }
    Ok(ctx.commit(batch, timer.cause()).await?)
}
