//! Writes the e-mail address of an account into its open orders that were placed with the one before, some in each
//! commit.

use service::storage::Batch;
use service::{Committed, Failure, Timer};

use crate::account_timers::{FOLLOW_ACCOUNT, next_changes};
use crate::domain::Status;
use crate::{Ctx, store};

/// The statuses in which mails about an order may follow.
const OPEN: [Status; 7] = [
    Status::Placed,
    Status::Backordered,
    Status::Reserved,
    Status::Paid,
    Status::Cancelling,
    Status::Shipped,
    Status::Delivered,
];

pub(crate) async fn handle(ctx: Ctx, timer: Timer) -> Result<Committed, Failure> {
    let user_id = timer.key.into();
    let mut batch = Batch::new();
    // Also of a closed account: its open orders keep an address until they are settled.
    let account = store::account(&ctx.db, user_id).await?;
    if let Some(email) = account.and_then(|account| account.email) {
        let changed = next_changes(&ctx, user_id, &OPEN, |order| order.with_address_of_account(&email)).await?;
        if !changed.is_empty() {
            batch = changed.iter().fold(batch, |batch, order| batch.and(store::set_email(order)));
            batch = batch.and(FOLLOW_ACCOUNT.go_on(user_id, ctx.clock.now()));
        }
    }
    Ok(ctx.commit(batch, timer.cause()).await?)
}
