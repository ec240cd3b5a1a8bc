use kernel::{Currency, Uuid};
use proptest::prelude::*;

use super::*;

fn now() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().unwrap()
}

fn ttl() -> SignedDuration {
    SignedDuration::from_mins(15)
}

/// Payments of an order that may be declined.
const ATTEMPTS: i64 = 3;

fn decline(is_final: bool) -> Decline<'static> {
    Decline { error: "the card was declined", is_final }
}

fn payment(n: u128) -> PaymentId {
    Uuid::from_u128(n).into()
}

fn product(n: u128, cents: i64) -> Product {
    Product {
        product_id: Uuid::from_u128(n).into(),
        sku: n.to_string(),
        name: "Thing".to_owned(),
        price: Money::new(cents, Currency::EUR),
    }
}

fn draft(lines: Vec<(u128, i64)>, token: Option<&str>) -> Draft {
    Draft {
        order_id: Uuid::from_u128(7).into(),
        number: 1,
        user_id: None,
        email: "ada@example.com".to_owned(),
        ship_to: None,
        lines: lines.into_iter().map(|(id, quantity)| (Uuid::from_u128(id).into(), quantity)).collect(),
        currency: Currency::EUR,
        payment_token: token.map(str::to_owned),
        placed_from: None,
        expected_total: None,
        access_digest: vec![0; 32],
    }
}

fn placed(token: Option<&str>) -> Order {
    place(draft(vec![(1, 2)], token), &[product(1, 500)], &[], now()).unwrap()
}

fn reserved(token: Option<&str>) -> Order {
    stored(placed(token).stock_reserved(payment(1), now(), ttl()).unwrap())
}

/// The order as it is read back after the decision was written.
fn stored(decision: Decision) -> Order {
    Order { version: decision.order.version.next(), ..decision.order }
}

#[test]
fn the_total_is_computed_from_the_lines() {
    let order = place(draft(vec![(1, 2), (2, 3)], None), &[product(1, 500), product(2, 10)], &[], now()).unwrap();
    assert_eq!(order.total, Money::new(1_030, Currency::EUR));
}

#[test]
fn products_that_are_not_for_sale_are_named() {
    let refused = place(draft(vec![(1, 1), (9, 1)], None), &[product(1, 500)], &[], now());
    assert_eq!(refused, Err(CannotPlace::ProductUnknown(vec![1])));
}

#[test]
fn a_total_that_cannot_be_counted_is_refused() {
    let refused = place(draft(vec![(1, 2)], None), &[product(1, i64::MAX)], &[], now());
    assert_eq!(refused, Err(CannotPlace::TotalTooLarge));
}

#[test]
fn a_reserved_order_with_a_token_asks_for_its_money() {
    let decision = placed(Some("tok_ok")).stock_reserved(payment(1), now(), ttl()).unwrap();
    assert!(matches!(&decision.event, Some(OrderEvent::PaymentRequested(ask)) if ask.token == "tok_ok"));
    assert_eq!(decision.order.payment_token, None, "a token is for one use");
    assert_eq!(decision.expiry, Expiry::At(expires_at(now(), ttl())));
}

#[test]
fn a_reserved_order_without_a_token_waits_for_one() {
    let order = reserved(None);
    assert_eq!(order.payment_status, PaymentStatus::None);
    let decision = order.request_payment(payment(2), "tok_ok".to_owned(), now()).unwrap();
    assert_eq!(decision.order.payment_id, Some(payment(2)));
    assert_eq!(stored(decision).request_payment(payment(3), "tok".to_owned(), now()), Err(CannotPay::Pending));
}

#[test]
fn a_paid_order_cannot_be_cancelled() {
    let paid = stored(reserved(Some("tok_ok")).payment_captured(payment(1), now()).unwrap());
    assert_eq!(paid.cancel(now()), Err(TooLate(Status::Paid)));
    assert_eq!(paid.expire(now()), None);
}

#[test]
fn a_soft_decline_takes_another_token_and_a_final_one_ends_the_order() {
    let order = reserved(Some("tok_soft"));
    let soft = stored(order.payment_failed(payment(1), decline(false), ATTEMPTS, now()).unwrap());
    assert_eq!((soft.status, soft.payment_status), (Status::Reserved, PaymentStatus::Failed));
    assert!(soft.request_payment(payment(2), "tok_ok".to_owned(), now()).is_ok());

    let hard = order.payment_failed(payment(1), decline(true), ATTEMPTS, now()).unwrap();
    assert!(matches!(&hard.event, Some(OrderEvent::Cancelled(ended)) if ended.reason == "payment_failed"));
}

#[test]
fn as_many_payments_are_declined_as_an_order_may_have() {
    let mut order = reserved(Some("tok_soft"));
    for attempt in 1..ATTEMPTS {
        let declined = order.payment_failed(order.payment_id.unwrap(), decline(false), ATTEMPTS, now()).unwrap();
        assert!(matches!(declined.event, Some(OrderEvent::Declined(_))), "attempt {attempt} leaves another");
        let next = payment(u128::from(attempt.unsigned_abs()) + 1);
        order = stored(stored(declined).request_payment(next, "tok".to_owned(), now()).unwrap());
    }
    let last = order.payment_failed(order.payment_id.unwrap(), decline(false), ATTEMPTS, now()).unwrap();
    assert!(matches!(&last.event, Some(OrderEvent::Cancelled(end)) if end.reason == "too_many_attempts"
        && end.error.as_deref() == Some("the card was declined") && end.payment_id == order.payment_id));
    let refused = stored(last).request_payment(payment(9), "tok".to_owned(), now());
    assert_eq!(refused, Err(CannotPay::TooManyAttempts));
}

#[test]
fn a_decline_that_reaches_a_cancelled_order_is_recorded_and_emits_nothing() {
    let order = stored(reserved(Some("tok_soft")).cancel(now()).unwrap().unwrap());
    let late = order.payment_failed(payment(1), decline(false), ATTEMPTS, now()).unwrap();
    assert_eq!((late.event, late.order.payment_status), (None, PaymentStatus::Failed));
    let voided = order.payment_voided(payment(1), now()).unwrap();
    assert_eq!((voided.event, voided.order.payment_status), (None, PaymentStatus::Voided));
}

#[test]
fn a_product_whose_change_is_not_carried_out_is_not_sold() {
    let changing = [Uuid::from_u128(2).into()];
    let both = draft(vec![(1, 1), (2, 1)], None);
    let refused = place(both, &[product(1, 500), product(2, 10)], &changing, now());
    assert_eq!(refused, Err(CannotPlace::ProductChanging(vec![1])));
}

#[test]
fn an_order_is_at_the_total_that_was_shown_or_refused() {
    let expecting = |amount, currency: &str| Draft {
        expected_total: Some(Money::new(amount, currency.parse().unwrap())),
        ..draft(vec![(1, 2)], None)
    };
    let placed = |draft| place(draft, &[product(1, 500)], &[], now()).map(|order| order.total);
    let total = Money::new(1_000, Currency::EUR);
    assert_eq!(placed(expecting(1_000, "EUR")), Ok(total));
    for other in [expecting(999, "EUR"), expecting(1_001, "EUR"), expecting(1_000, "USD")] {
        assert_eq!(placed(other), Err(CannotPlace::PriceChanged { total }));
    }
}

#[test]
fn a_product_in_another_currency_than_the_shops_is_not_sold() {
    let dollars = Product { price: Money::new(10, "USD".parse().unwrap()), ..product(2, 10) };
    for lines in [vec![(1, 1), (2, 1)], vec![(2, 1)]] {
        let refused = place(draft(lines, None), &[product(1, 500), dollars.clone()], &[], now());
        assert_eq!(refused, Err(CannotPlace::CurrenciesDiffer));
    }
}

#[test]
fn an_order_expires_after_the_promised_time_and_not_at_it() {
    assert!(expires_at(now(), ttl()) > now() + ttl());
    assert_eq!(expires_at(now(), SignedDuration::MAX), Timestamp::MAX);
}

#[test]
fn late_facts_make_a_cancelled_order_emit_its_end_again() {
    let order = stored(reserved(Some("tok_ok")).cancel(now()).unwrap().unwrap());
    let late = order.payment_captured(payment(1), now()).unwrap();
    assert!(matches!(late.event, Some(OrderEvent::Cancelled(_))));
    assert!(!late.has_moved);
    let refunded = stored(stored(late).payment_refunded(payment(1), now()).unwrap());
    assert_eq!(refunded.payment_status, PaymentStatus::Refunded);
    assert!(matches!(order.stock_reserved(payment(9), now(), ttl()).unwrap().event, Some(OrderEvent::Cancelled(_))));
}

#[test]
fn every_status_has_a_name_that_reads_back() {
    for status in Status::ALL {
        assert_eq!(status.as_str().parse(), Ok(*status));
    }
    for status in PaymentStatus::ALL {
        assert_eq!(status.as_str().parse(), Ok(*status));
    }
}

#[derive(Clone, Debug)]
enum Step {
    Reserved,
    Rejected,
    Token,
    Captured(u128),
    Failed(u128, bool),
    Voided(u128),
    Refunded(u128),
    Cancel,
    Expire,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Reserved),
        Just(Step::Rejected),
        Just(Step::Token),
        (1_u128..4).prop_map(Step::Captured),
        (1_u128..4, any::<bool>()).prop_map(|(id, is_final)| Step::Failed(id, is_final)),
        (1_u128..4).prop_map(Step::Voided),
        (1_u128..4).prop_map(Step::Refunded),
        Just(Step::Cancel),
        Just(Step::Expire),
    ]
}

fn take(order: &Order, step: &Step, next_payment: u128) -> Option<Decision> {
    match step {
        Step::Reserved => order.stock_reserved(payment(next_payment), now(), ttl()),
        Step::Rejected => order.stock_rejected(now()),
        Step::Token => order.request_payment(payment(next_payment), "tok".to_owned(), now()).ok(),
        Step::Captured(id) => order.payment_captured(payment(*id), now()),
        Step::Failed(id, is_final) => order.payment_failed(payment(*id), decline(*is_final), ATTEMPTS, now()),
        // Payments voids only what an ended order asked for.
        Step::Voided(id) if order.status == Status::Cancelled => order.payment_voided(payment(*id), now()),
        Step::Voided(_) => None,
        Step::Refunded(id) => order.payment_refunded(payment(*id), now()),
        Step::Cancel => order.cancel(now()).ok().flatten(),
        Step::Expire => order.expire(now()),
    }
}

fn may_follow(before: Status, after: Status) -> bool {
    use Status::{Cancelled, Paid, Placed, Rejected, Reserved};
    before == after
        || matches!((before, after), (Placed, Reserved | Rejected | Cancelled) | (Reserved, Paid | Cancelled))
}

proptest! {
    /// Whatever arrives in whatever order, late, early or twice, an order follows its state machine.
    #[test]
    fn an_order_follows_its_state_machine(with_token: bool, steps in prop::collection::vec(step(), 0..40)) {
        let mut order = placed(with_token.then_some("tok"));
        let (mut asked, mut paid_emitted, mut next_payment, mut has_ended) = (0, 0, 1, false);
        for step in steps {
            let Some(decision) = take(&order, &step, next_payment) else { continue };
            prop_assert!(may_follow(order.status, decision.order.status), "{:?} by {step:?}", order.status);
            prop_assert_eq!(decision.has_moved, order.status != decision.order.status);
            prop_assert_eq!(decision.order.total, order.total);
            prop_assert_eq!(&decision.order.lines, &order.lines);
            match &decision.event {
                Some(OrderEvent::PaymentRequested(ask)) => {
                    prop_assert_eq!(decision.order.status, Status::Reserved);
                    prop_assert_eq!(ask.amount, order.total);
                    asked += 1;
                    next_payment += 1;
                }
                Some(OrderEvent::Paid(_)) => paid_emitted += 1,
                // No mail says that the order waits for another payment unless it does, and none after its end.
                Some(OrderEvent::Declined(_)) => {
                    prop_assert!(decision.order.awaits_customer());
                    prop_assert!(!has_ended);
                }
                Some(OrderEvent::Cancelled(_)) => {
                    prop_assert_eq!(decision.order.status, Status::Cancelled);
                    has_ended = true;
                }
                Some(OrderEvent::Updated(_)) => prop_assert_eq!(decision.order.status, Status::Rejected),
                None => {}
            }
            // A state that ends takes its timer along; a state that waits keeps it.
            if decision.has_moved && decision.order.status != Status::Reserved {
                prop_assert_eq!(decision.expiry, Expiry::Clear);
            }
            order = stored(decision);
            prop_assert!(order.declines <= ATTEMPTS);
            prop_assert!(order.payment_error.is_none() || order.declines > 0);
        }
        prop_assert!(paid_emitted <= 1);
        prop_assert!(paid_emitted <= asked);
        prop_assert_eq!(paid_emitted == 1, order.status == Status::Paid);
    }
}
