//! A payment's life: requested → charging → captured or failed; captured → refunding → refunded;
//! and requested → voided, when its order ended before anyone asked the provider.
//!
//! The refunds of a payment have lives of their own: see [`refund`].

pub(crate) mod refund;

use std::fmt;

use events::orders::OrderLine;
use events::{OrderId, PaymentCaptured, PaymentFailed, PaymentId, PaymentRequested, PaymentVoided, RefundId};
use kernel::{Money, SignedDuration, Timestamp, Version};

use refund::RefundIntent;

/// The time for which a charge or a refund is tried before it counts as failed.
const FAIL_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// The reason of a charge or a refund that no answer of the provider decided in that time.
const UNREACHABLE: &str = "the payment provider could not be reached";

/// The status of a payment. `failed`, `voided` and `refunded` are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// Nobody asked the provider yet.
    Requested,
    /// The provider was asked, or is about to be: money may have moved.
    Charging,
    /// Some of the money stays: it was not refunded, or not all of it.
    Captured,
    Failed,
    Voided,
    /// All of the money is back or held for pending refunds.
    Refunding,
    Refunded,
}

kernel::named!(Status {
    Requested = "requested",
    Charging = "charging",
    Captured = "captured",
    Failed = "failed",
    Voided = "voided",
    Refunding = "refunding",
    Refunded = "refunded",
});

/// The token with which the customer pays. `Debug` never shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The token's text.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Token {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// The provider's decision about a charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Charge {
    /// It took the money.
    Charged,
    /// It did not. Unless that is final, another token may do.
    Declined {
        /// The reason, for people.
        error: String,
        /// Another token won't do either.
        is_final: bool,
    },
}

impl Charge {
    /// The provider knows of no charge, and it is too late for one.
    pub fn abandoned() -> Self {
        Self::Declined { error: UNREACHABLE.to_owned(), is_final: true }
    }
}

/// The decision of the provider, and if it was looked up because its answer was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decided<T> {
    /// `None`: the provider knows of nothing under the key, and it is too late to begin.
    pub answer: Option<T>,
    pub looked_up: bool,
}

/// The event of a decided charge.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ChargeEvent {
    Captured(PaymentCaptured),
    Failed(PaymentFailed),
}

/// A payment whose order was cancelled.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cancelled {
    /// Nobody had asked the provider, and nobody will.
    Voided(Payment, PaymentVoided),
    /// The provider has the money, and what is left of it goes back.
    Refunding(Payment, RefundIntent),
    /// All of the money is held for refunds that are pending already. If one of them fails, it is to go back again.
    Marked(Payment),
}

/// One attempt to be paid for an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Payment {
    pub payment_id: PaymentId,
    pub order_id: OrderId,
    pub number: i64,
    pub email: String,
    pub amount: Money,
    /// Until the charge is decided.
    pub token: Option<Token>,
    pub status: Status,
    pub error: Option<String>,
    pub looked_up: bool,
    pub refunded_amount: i64,
    /// Money that is held for refunds whose outcome is not known yet.
    pub pending_refunds: i64,
    /// The lines that it pays for. None are known of payments from before they were recorded.
    pub lines: Vec<OrderLine>,
    /// Its order was cancelled after the money was taken: what can go back, goes back.
    pub order_was_cancelled: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// As it was read: a transition leaves it, and its commit is guarded by it.
    pub version: Version,
}

impl Payment {
    pub fn requested(event: &PaymentRequested, now: Timestamp) -> Self {
        Self {
            payment_id: event.payment_id,
            order_id: event.order_id,
            number: event.number,
            email: event.email.clone(),
            amount: event.amount,
            token: Some(event.token.clone().into()),
            status: Status::Requested,
            error: None,
            looked_up: false,
            refunded_amount: 0,
            pending_refunds: 0,
            lines: event.lines.clone(),
            order_was_cancelled: false,
            created_at: now,
            updated_at: now,
            version: Version::FIRST,
        }
    }

    /// The provider is going to be asked. From here on the payment can't be voided.
    pub fn begin(&self, now: Timestamp) -> Option<Self> {
        (self.status == Status::Requested).then(|| self.moved(Status::Charging, now))
    }

    /// As it is once its transition is committed.
    pub fn stored(self) -> Self {
        Self { version: self.version.next(), ..self }
    }

    /// The charge was decided.
    pub fn decide(&self, decided: &Decided<Charge>, now: Timestamp) -> Option<(Self, ChargeEvent)> {
        if self.status != Status::Charging {
            return None;
        }
        let Decided { answer, looked_up } = decided.clone();
        let charge = answer.unwrap_or_else(Charge::abandoned);
        let settled = Self { token: None, looked_up, ..self.clone() };
        Some(match charge {
            Charge::Charged => {
                let (payment_id, order_id, amount) = (self.payment_id, self.order_id, self.amount);
                let event = ChargeEvent::Captured(PaymentCaptured { payment_id, order_id, amount });
                (settled.moved(Status::Captured, now), event)
            }
            Charge::Declined { error, is_final } => {
                let event = ChargeEvent::Failed(PaymentFailed {
                    payment_id: self.payment_id,
                    order_id: self.order_id,
                    number: self.number,
                    email: self.email.clone(),
                    error: error.clone(),
                    is_final,
                });
                (Self { error: Some(error), ..settled.moved(Status::Failed, now) }, event)
            }
        })
    }

    /// The order ended. A charge that is in flight is left alone: when it is decided it is emitted as usual,
    /// and a capture comes back as another cancellation. What was captured goes back once; `refund_id` is the id of that
    /// refund.
    pub fn cancel(&self, refund_id: RefundId, now: Timestamp) -> Option<Cancelled> {
        match self.status {
            Status::Requested => {
                let voided = Self { token: None, ..self.moved(Status::Voided, now) };
                let event = PaymentVoided { payment_id: self.payment_id, order_id: self.order_id };
                Some(Cancelled::Voided(voided, event))
            }
            Status::Captured | Status::Refunding if !self.order_was_cancelled => {
                let marked = Self { order_was_cancelled: true, ..self.clone() };
                Some(match marked.cancellation(refund_id, now) {
                    Some((payment, refund)) => Cancelled::Refunding(payment, refund),
                    None => Cancelled::Marked(marked),
                })
            }
            Status::Charging
            | Status::Captured
            | Status::Failed
            | Status::Voided
            | Status::Refunding
            | Status::Refunded => None,
        }
    }

    /// Too much time has passed to begin a charge.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        now.duration_since(self.created_at) >= FAIL_AFTER
    }

    fn moved(&self, status: Status, now: Timestamp) -> Self {
        Self { status, updated_at: now, ..self.clone() }
    }
}

#[cfg(test)]
mod properties;

#[cfg(test)]
pub(crate) mod tests {
    use kernel::{Clock, Currency, Ids};

    use super::*;

    pub(crate) fn payment() -> Payment {
        let clock = Clock::mock("2026-01-01T00:00:00Z".parse().unwrap()).0;
        let ids = Ids::new(clock.clone());
        let event = PaymentRequested {
            payment_id: ids.next(),
            order_id: ids.next(),
            number: 1042,
            email: "ada@example.com".to_owned(),
            amount: Money::new(1999, Currency::EUR),
            token: "tok_ok".to_owned(),
            lines: Vec::new(),
        };
        Payment::requested(&event, clock.now())
    }

    #[test]
    fn a_charge_that_began_is_not_voided() {
        let (payment, refund_id) = (payment(), RefundId::from(kernel::Uuid::nil()));
        let begun = payment.begin(payment.created_at).unwrap();
        assert_eq!(begun.cancel(refund_id, payment.created_at), None);
        let Some(Cancelled::Voided(voided, event)) = payment.cancel(refund_id, payment.created_at) else {
            panic!("nobody asked the provider yet")
        };
        assert_eq!(event.payment_id, payment.payment_id);
        assert_eq!((voided.status, voided.begin(payment.created_at)), (Status::Voided, None));
    }

    #[test]
    fn a_status_survives_its_name() {
        for &status in Status::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
    }

    #[test]
    fn a_token_is_not_shown() {
        assert!(!format!("{:?}", payment()).contains("tok_ok"));
    }
}
