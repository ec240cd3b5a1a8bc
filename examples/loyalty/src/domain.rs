//! The decisions: one point for each full unit of money that was paid, less the share that went back.

use events::{OrderPaid, PaymentId, PaymentRefunded};
use kernel::{UserId, Version};

/// The facts about a payment that decide its points. Its events come from two services, in any order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Payment {
    pub payment_id: PaymentId,
    /// The customer; none if a guest paid, and until the order is known to be paid.
    pub user_id: Option<UserId>,
    /// Money that was paid, in the smallest unit of its currency.
    pub paid: i64,
    /// Points that were given for it.
    pub given: i64,
    /// Money that went back.
    pub refunded: i64,
    /// The version that was read; `None` if there was no row.
    pub read: Option<Version>,
}

impl Payment {
    /// A payment of which nothing is known yet.
    pub fn unknown(payment_id: PaymentId) -> Self {
        Self { payment_id, user_id: None, paid: 0, given: 0, refunded: 0, read: None }
    }

    /// The payment after its order was paid: a point for each full unit of money, such as a euro or a yen.
    pub fn order_paid(self, event: &OrderPaid) -> Self {
        let unit = 10_i64.pow(event.amount.currency.decimals());
        Self { user_id: event.user_id, paid: event.amount.amount, given: event.amount.amount / unit, ..self }
    }

    /// The payment after money went back. The event has the sum of all refunds, so a repetition and an older one change
    /// nothing.
    pub fn refunded(self, event: &PaymentRefunded) -> Self {
        let total = event.refunded_total.unwrap_or(event.amount).amount;
        Self { refunded: self.refunded.max(total), ..self }
    }

    /// The points that are left: those that were given, less the share of the money that went back, in full points.
    pub fn points(&self) -> i64 {
        let refunded = self.refunded.clamp(0, self.paid.max(0));
        let share = i128::from(self.given) * i128::from(refunded) / i128::from(self.paid.max(1));
        self.given - i64::try_from(share).unwrap_or(self.given)
    }
}

#[cfg(test)]
mod tests {
    use kernel::{Currency, Money, Uuid};
    use proptest::prelude::*;

    use super::*;

    fn payment_id() -> PaymentId {
        Uuid::from_u128(1).into()
    }

    fn paid(amount: i64, currency: Currency) -> OrderPaid {
        OrderPaid {
            order_id: Uuid::from_u128(2).into(),
            number: 1,
            user_id: Some(Uuid::from_u128(3).into()),
            email: "ada@example.com".to_owned(),
            payment_id: payment_id(),
            amount: Money::new(amount, currency),
            ship_to: None,
            lines: Vec::new(),
        }
    }

    fn refunded(amount: i64, total: Option<i64>) -> PaymentRefunded {
        let money = |amount| Money::new(amount, Currency::EUR);
        PaymentRefunded {
            payment_id: payment_id(),
            refund_id: None,
            order_id: Uuid::from_u128(2).into(),
            amount: money(amount),
            refunded_total: total.map(money),
            restock: Vec::new(),
            reason: None,
            of_cancellation: None,
        }
    }

    #[test]
    fn a_full_unit_of_money_is_a_point() {
        for (amount, currency, points) in [(1999, "EUR", 19), (99, "EUR", 0), (500, "JPY", 500), (1999, "KWD", 1)] {
            let payment = Payment::unknown(payment_id()).order_paid(&paid(amount, currency.parse().unwrap()));
            assert_eq!((payment.points(), payment.user_id.is_some()), (points, true), "{amount} {currency}");
        }
    }

    #[test]
    fn a_refund_takes_the_share_of_the_money_that_went_back() {
        let payment = Payment::unknown(payment_id()).order_paid(&paid(10_000, Currency::EUR));
        for (total, left) in [(1, 100), (100, 99), (150, 99), (5_000, 50), (9_999, 1), (10_000, 0), (20_000, 0)] {
            assert_eq!(payment.clone().refunded(&refunded(1, Some(total))).points(), left, "{total}");
        }
        assert_eq!(payment.refunded(&refunded(2_500, None)).points(), 75, "an old event gave back all");
    }

    #[test]
    fn a_refund_of_an_order_that_was_never_paid_gives_and_takes_nothing() {
        let payment = Payment::unknown(payment_id()).refunded(&refunded(500, Some(500)));
        assert_eq!((payment.points(), payment.user_id), (0, None));
    }

    /// An event about the payment.
    #[derive(Clone, Debug)]
    enum Fact {
        Paid(OrderPaid),
        Refunded(PaymentRefunded),
    }

    fn after(facts: &[Fact]) -> Payment {
        facts.iter().fold(Payment::unknown(payment_id()), |payment, fact| match fact {
            Fact::Paid(event) => payment.order_paid(event),
            Fact::Refunded(event) => payment.refunded(event),
        })
    }

    prop_compose! {
        /// An order that was paid, its refunds in their order, and all of it in another order with repetitions.
        fn histories()(
            amount in 0..i64::MAX, parts in prop::collection::vec(1..1_000_000_i64, 0..5),
            repeated in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        )(
            arrived in {
                let mut total = 0;
                let mut facts = vec![Fact::Paid(paid(amount, Currency::EUR))];
                for part in parts {
                    let part = part.min(amount - total);
                    total += part;
                    facts.push(Fact::Refunded(refunded(part, Some(total))));
                }
                let again: Vec<Fact> = repeated.iter().map(|index| index.get(&facts).clone()).collect();
                (Just(facts.clone()), Just([facts, again].concat()).prop_shuffle())
            }
        ) -> (Vec<Fact>, Vec<Fact>) {
            arrived
        }
    }

    proptest! {
        #[test]
        fn points_are_the_same_in_any_order_of_arrival_and_with_repetitions((facts, arrived) in histories()) {
            let (expected, payment) = (after(&facts), after(&arrived));
            prop_assert_eq!(&payment, &expected);
            prop_assert!((0..=payment.given).contains(&payment.points()));
        }

        #[test]
        fn what_was_given_goes_with_the_last_of_the_money(amount in 0..i64::MAX) {
            let payment = Payment::unknown(payment_id()).order_paid(&paid(amount, Currency::EUR));
            prop_assert_eq!(payment.refunded(&refunded(amount, Some(amount))).points(), 0);
        }
    }
}
