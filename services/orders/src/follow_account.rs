//! Writes the e-mail address of an account into its open orders that were placed with the one before, some in each
//! commit.

use kernel::Uuid;
use service::storage::Batch;
use service::{Committed, Failure, Timer};

use crate::domain::Status;
use crate::{Ctx, store};

/// Orders that are looked at in one read.
const PAGE: i64 = 100;

/// The statuses in which mails about an order may follow.
const OPEN: [Status; 6] =
    [Status::Placed, Status::Reserved, Status::Paid, Status::Cancelling, Status::Shipped, Status::Delivered];

pub(crate) async fn handle(ctx: Ctx, timer: Timer) -> Result<Committed, Failure> {
    let user_id = timer.key.into();
    let mut batch = Batch::new();
    // A closed account has no address: its orders forget theirs by themselves.
    let email = store::user_email(&ctx.db, user_id).await?.filter(|email| !email.is_empty());
    if let Some(email) = email {
        let mut after = Uuid::nil().into();
        loop {
            let orders = store::orders_of_user_after(&ctx.db, user_id, after, &OPEN, PAGE).await?;
            let Some(last) = orders.last() else { break };
            after = last.order_id;
            let changed: Vec<_> = orders.iter().filter_map(|order| order.with_address_of_account(&email)).collect();
            if !changed.is_empty() {
                batch = changed.iter().fold(batch, |batch, order| batch.and(store::set_email(order)));
                batch = batch.schedule(store::FOLLOW_ACCOUNT.name, timer.key, ctx.clock.now());
                break;
            }
        }
    }
    Ok(ctx.commit(batch, timer.cause()).await?)
}
