//! Timers that go over the orders of an account, twice: at once, and again when every request has ended that read the
//! account before it changed, and whose order was committed after the first time. Nothing is done twice to an order.

use kernel::{SignedDuration, Timestamp, UserId, Uuid};
use service::TimerKind;
use service::storage::{Batch, Error};

use crate::domain::{Order, Status};
use crate::{Ctx, store};

/// Orders that are looked at in one read, and changed in one commit at the most.
const PAGE: i64 = 100;

/// The time after which nothing that was let in before a change of the account is still to be committed: far longer than
/// a request may take.
const NOBODY_IS_IN_AFTER: SignedDuration = SignedDuration::from_mins(2);

/// Set when a customer is banned.
pub(crate) const CANCEL_OF_BANNED: AccountTimers = AccountTimers {
    at_once: TimerKind::internal("cancel_of_banned"),
    late: TimerKind::internal("cancel_late_of_banned"),
};

/// Set when an account has another address.
pub(crate) const FOLLOW_ACCOUNT: AccountTimers =
    AccountTimers { at_once: TimerKind::internal("follow_account"), late: TimerKind::internal("follow_account_late") };

/// Set when a customer closes their account, until no order knows them.
pub(crate) const FORGET_CUSTOMER: AccountTimers = AccountTimers {
    at_once: TimerKind::internal("forget_customer"),
    late: TimerKind::internal("forget_customer_late"),
};

/// Two timers with the same handler. It takes some orders in each commit, and sets the first one again until none is
/// left.
pub(crate) struct AccountTimers {
    pub at_once: TimerKind,
    pub late: TimerKind,
}

impl AccountTimers {
    /// Sets both.
    pub fn set(&self, user_id: UserId, now: Timestamp) -> Batch {
        self.go_on(user_id, now).schedule(self.late.name, user_id, now + NOBODY_IS_IN_AFTER)
    }

    /// Sets the first one again.
    pub fn go_on(&self, user_id: UserId, at: Timestamp) -> Batch {
        Batch::new().schedule(self.at_once.name, user_id, at)
    }
}

/// The next orders of an account that are changed, of those in one of these statuses. A page may hold none of them: the
/// one after it is looked at then.
pub(crate) async fn next_changes<T>(
    ctx: &Ctx,
    user_id: UserId,
    statuses: &[Status],
    change: impl Fn(&Order) -> Option<T>,
) -> Result<Vec<T>, Error> {
    let mut after = Uuid::nil().into();
    loop {
        let orders = store::orders_of_user_after(&ctx.db, user_id, after, statuses, PAGE).await?;
        let Some(last) = orders.last() else { return Ok(Vec::new()) };
        after = last.order_id;
        let changes: Vec<T> = orders.iter().filter_map(&change).collect();
        if !changes.is_empty() {
            return Ok(changes);
        }
    }
}
