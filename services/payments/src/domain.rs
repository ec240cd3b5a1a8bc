//! A payment's life: requested → charging → captured or failed; captured → refunding → refunded;
//! and requested → voided, when its order ended before anyone asked the provider.

use std::fmt;

use events::{OrderId, PaymentCaptured, PaymentFailed, PaymentId, PaymentRefunded, PaymentRequested, PaymentVoided};
use kernel::{Money, SignedDuration, Timestamp, Version};

/// The time for which a charge is tried before it counts as failed.
const FAIL_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// The status of a payment. `failed`, `voided` and `refunded` are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// Nobody asked the provider yet.
    Requested,
    /// The provider was asked, or is about to be: money may have moved.
    Charging,
    Captured,
    Failed,
    Voided,
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
        Self::Declined { error: "the payment provider could not be reached".to_owned(), is_final: true }
    }
}

/// The decision about a charge, and if it was looked up because its answer was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decided {
    pub charge: Charge,
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
    /// The provider has the money, and gives it back.
    Refunding(Payment),
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
    pub fn decide(&self, decided: &Decided, now: Timestamp) -> Option<(Self, ChargeEvent)> {
        if self.status != Status::Charging {
            return None;
        }
        let Decided { charge, looked_up } = decided.clone();
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
    /// and a capture comes back as another cancellation.
    pub fn cancel(&self, now: Timestamp) -> Option<Cancelled> {
        match self.status {
            Status::Requested => {
                let voided = Self { token: None, ..self.moved(Status::Voided, now) };
                let event = PaymentVoided { payment_id: self.payment_id, order_id: self.order_id };
                Some(Cancelled::Voided(voided, event))
            }
            Status::Captured => Some(Cancelled::Refunding(self.moved(Status::Refunding, now))),
            Status::Charging | Status::Failed | Status::Voided | Status::Refunding | Status::Refunded => None,
        }
    }

    /// The provider gave the money back.
    pub fn refund(&self, now: Timestamp) -> Option<(Self, PaymentRefunded)> {
        (self.status == Status::Refunding).then(|| {
            let refunded = Self { refunded_amount: self.amount.amount, ..self.moved(Status::Refunded, now) };
            let (payment_id, order_id, amount) = (self.payment_id, self.order_id, self.amount);
            (refunded, PaymentRefunded { payment_id, order_id, amount })
        })
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
pub(crate) mod tests {
    use kernel::{Clock, Currency, Ids};
    use proptest::prelude::*;

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
        };
        Payment::requested(&event, clock.now())
    }

    #[derive(Clone, Copy, Debug)]
    enum Input {
        Begin,
        Charged,
        Declined,
        Cancel,
        Refund,
    }

    #[derive(Default)]
    struct Published {
        captured: usize,
        failed: usize,
        voided: usize,
        refunded: usize,
    }

    fn step(payment: &Payment, input: Input, published: &mut Published) -> Payment {
        let now = payment.updated_at + SignedDuration::from_secs(1);
        let decide = |charge, published: &mut Published| {
            let (after, event) = payment.decide(&Decided { charge, looked_up: false }, now)?;
            match event {
                ChargeEvent::Captured(_) => published.captured += 1,
                ChargeEvent::Failed(_) => published.failed += 1,
            }
            Some(after)
        };
        let after = match input {
            Input::Begin => payment.begin(now),
            Input::Charged => decide(Charge::Charged, published),
            Input::Declined => decide(Charge::abandoned(), published),
            Input::Cancel => payment.cancel(now).map(|cancelled| match cancelled {
                Cancelled::Voided(after, _) => {
                    published.voided += 1;
                    after
                }
                Cancelled::Refunding(after) => after,
            }),
            Input::Refund => payment.refund(now).map(|(after, _)| {
                published.refunded += 1;
                after
            }),
        };
        after.unwrap_or_else(|| payment.clone())
    }

    fn inputs() -> impl Strategy<Value = Vec<Input>> {
        let input = prop_oneof![
            Just(Input::Begin),
            Just(Input::Charged),
            Just(Input::Declined),
            Just(Input::Cancel),
            Just(Input::Refund),
        ];
        prop::collection::vec(input, 0..20)
    }

    proptest! {
        #[test]
        fn whatever_comes_each_outcome_is_published_once_and_the_money_adds_up(inputs in inputs()) {
            let mut published = Published::default();
            let mut payment = payment();
            for input in inputs {
                let before = payment.clone();
                payment = step(&before, input, &mut published);
                if matches!(before.status, Status::Failed | Status::Voided | Status::Refunded) {
                    prop_assert_eq!(&payment, &before);
                }
                prop_assert_eq!(published.voided, usize::from(payment.status == Status::Voided));
                prop_assert!(published.captured + published.failed + published.voided <= 1 && published.refunded <= published.captured);
                let is_undecided = matches!(payment.status, Status::Requested | Status::Charging);
                prop_assert_eq!(payment.token.is_some(), is_undecided);
                prop_assert_eq!(payment.error.is_some(), payment.status == Status::Failed);
                prop_assert_eq!(payment.refunded_amount > 0, payment.status == Status::Refunded);
            }
            let holds_money = matches!(payment.status, Status::Captured | Status::Refunding);
            prop_assert_eq!(holds_money, published.captured > published.refunded);
        }

        #[test]
        fn no_money_is_kept_for_a_cancelled_order(inputs in inputs(), charge_succeeds: bool) {
            let mut published = Published::default();
            let mut payment = inputs.into_iter().fold(payment(), |payment, input| step(&payment, input, &mut published));
            // The order is cancelled; what is in flight ends, and a capture is answered by another cancellation.
            let decided = if charge_succeeds { Input::Charged } else { Input::Declined };
            for input in [Input::Cancel, decided, Input::Cancel, Input::Refund] {
                payment = step(&payment, input, &mut published);
            }
            prop_assert!(matches!(payment.status, Status::Failed | Status::Voided | Status::Refunded));
            prop_assert_eq!(published.captured, published.refunded);
        }
    }

    #[test]
    fn a_charge_that_began_is_not_voided() {
        let payment = payment();
        let begun = payment.begin(payment.created_at).unwrap();
        assert_eq!(begun.cancel(payment.created_at), None);
        let Some(Cancelled::Voided(voided, event)) = payment.cancel(payment.created_at) else {
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
