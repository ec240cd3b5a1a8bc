//! The end of an order before it is shipped: at once until it is paid, and then by shipping's answer.

use events::{CancellationRequested, OrderStuck, OrderUpdated};
use kernel::{SignedDuration, Timestamp};

use super::{Decision, Due, Order, OrderEvent, Status};

/// The one who cancels an order of their own.
pub(crate) const CUSTOMER: &str = "customer";

/// The one who cancels the orders of a banned customer.
pub(crate) const BAN: &str = "ban";

/// The reason of an order that ended because its customer was banned.
pub(super) const ACCOUNT_BANNED: &str = "account_banned";

/// The reason of an order that goes on because something had left when it was to be cancelled.
pub(super) const TOO_LATE_TO_CANCEL: &str = "too_late_to_cancel";

/// The wait for shipping's answer to a cancellation before it is asked again. The answer takes seconds; it takes longer
/// only where shipping is down, or holds back the order behind a dead letter.
pub(super) const ASK_AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// The state of a wish to cancel a paid order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Cancellation {
    Requested,
    /// Something had left: the order goes on.
    TooLate,
}

kernel::named!(Cancellation { Requested = "requested", TooLate = "too_late" });

/// The reason why an order can't be cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CannotCancel {
    /// The order is past the point of no return.
    TooLate(Status),
    /// It was placed elsewhere, and is settled there.
    SettledElsewhere,
}

impl Order {
    /// The customer, or the shop, no longer wants it. Shipping says if a paid one can still be cancelled. `None` if that
    /// is asked already, or the order was cancelled before.
    pub fn cancel(&self, by: &str, now: Timestamp) -> Result<Option<Decision>, CannotCancel> {
        if self.external.is_some() {
            return Err(CannotCancel::SettledElsewhere);
        }
        let wanted = || Self { cancelled_by: Some(by.to_owned()), ..self.clone() };
        match self.status {
            Status::Placed | Status::Backordered | Status::Reserved => {
                let order = wanted();
                let reason = order.why_cancelled();
                Ok(Some(order.end(reason).after(self, now)))
            }
            Status::Paid if self.shipments.is_empty() && self.cancellation.is_none() => {
                let cancellation = Some(Cancellation::Requested);
                let order = Self { status: Status::Cancelling, cancellation, ..wanted() };
                Ok(Some(order.ask_shipping(now).after(self, now)))
            }
            Status::Cancelling | Status::Cancelled => Ok(None),
            Status::Paid | Status::Shipped | Status::Delivered | Status::Rejected | Status::Refunded => {
                Err(CannotCancel::TooLate(self.status))
            }
        }
    }

    /// No answer came to the question if it can be cancelled. The first time that is reported: no other status lasts
    /// without end.
    pub fn ask_again(&self, now: Timestamp) -> Option<Decision> {
        if self.status != Status::Cancelling {
            return None;
        }
        let stuck = self.stuck_at.is_none().then(|| OrderStuck {
            order_id: self.order_id,
            number: self.number,
            status: self.status.as_str().to_owned(),
            // Other changes may have come since, and the timer may be late.
            since: self.updated_at.min(now - ASK_AGAIN_AFTER),
        });
        let order = Self { stuck_at: self.stuck_at.or(Some(now)), ..self.clone() };
        Some(Decision { stuck, ..order.ask_shipping(now) }.after(self, now))
    }

    /// Shipping's answer: the order ends if nothing had left, and goes on if something had.
    pub fn shipment_stopped(&self, has_left: bool, now: Timestamp) -> Option<Decision> {
        if self.status != Status::Cancelling {
            return None;
        }
        let decision = if has_left {
            let going_on = Self { status: Status::Paid, cancellation: Some(Cancellation::TooLate), ..self.clone() };
            let order = going_on.rested();
            let reason = Some(TOO_LATE_TO_CANCEL.to_owned());
            let event = OrderEvent::Updated(OrderUpdated { reason, ..order.updated(self.status) });
            Decision { event: Some(event), ..Decision::of(order) }
        } else {
            self.clone().end(self.why_cancelled())
        };
        Some(Decision { ask_again: Due::Clear, ..decision }.after(self, now))
    }

    fn ask_shipping(self, now: Timestamp) -> Decision {
        let event = OrderEvent::CancellationRequested(CancellationRequested {
            order_id: self.order_id,
            number: self.number,
            requested_by: self.cancelled_by.clone().unwrap_or_default(),
        });
        let ask_again = Due::At(now + ASK_AGAIN_AFTER);
        Decision { event: Some(event), ask_again, ..Decision::of(self) }
    }

    fn why_cancelled(&self) -> &'static str {
        if self.cancelled_by.as_deref() == Some(BAN) { ACCOUNT_BANNED } else { "cancelled" }
    }
}
