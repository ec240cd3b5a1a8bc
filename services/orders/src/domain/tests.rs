use kernel::{Currency, Uuid};
use proptest::prelude::*;

use super::*;

fn now() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().unwrap()
}

fn ttl() -> SignedDuration {
    SignedDuration::from_mins(15)
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
        payment_token: token.map(str::to_owned),
        access_digest: vec![0; 32],
    }
}

fn placed(token: Option<&str>) -> Order {
    place(draft(vec![(1, 2)], token), &[product(1, 500)], now()).unwrap()
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
    let order = place(draft(vec![(1, 2), (2, 3)], None), &[product(1, 500), product(2, 10)], now()).unwrap();
    assert_eq!(order.total, Money::new(1_030, Currency::EUR));
}

#[test]
fn products_that_are_not_for_sale_are_named() {
    let refused = place(draft(vec![(1, 1), (9, 1)], None), &[product(1, 500)], now());
    assert_eq!(refused, Err(CannotPlace::ProductUnknown(vec![1])));
}

#[test]
fn a_total_that_cannot_be_counted_is_refused() {
    let refused = place(draft(vec![(1, 2)], None), &[product(1, i64::MAX)], now());
    assert_eq!(refused, Err(CannotPlace::TotalTooLarge));
}

#[test]
fn a_reserved_order_with_a_token_asks_for_its_money() {
    let decision = placed(Some("tok_ok")).stock_reserved(payment(1), now(), ttl()).unwrap();
    assert!(matches!(&decision.tell, Some(Tell::PaymentRequested(ask)) if ask.token == "tok_ok"));
    assert_eq!(decision.order.payment_token, None, "a token is for one use");
    assert_eq!(decision.expiry, Expiry::At(now() + ttl()));
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
    let soft = stored(order.payment_failed(payment(1), false, now()).unwrap());
    assert_eq!((soft.status, soft.payment_status), (Status::Reserved, PaymentStatus::Failed));
    assert!(soft.request_payment(payment(2), "tok_ok".to_owned(), now()).is_ok());

    let hard = order.payment_failed(payment(1), true, now()).unwrap();
    assert!(matches!(&hard.tell, Some(Tell::Cancelled(told)) if told.reason == "payment_failed"));
}

#[test]
fn late_facts_make_a_cancelled_order_tell_its_end_again() {
    let order = stored(reserved(Some("tok_ok")).cancel(now()).unwrap().unwrap());
    let late = order.payment_captured(payment(1), now()).unwrap();
    assert!(matches!(late.tell, Some(Tell::Cancelled(_))));
    assert!(!late.has_moved);
    let refunded = stored(stored(late).payment_refunded(payment(1), now()).unwrap());
    assert_eq!(refunded.payment_status, PaymentStatus::Refunded);
    assert!(matches!(order.stock_reserved(payment(9), now(), ttl()).unwrap().tell, Some(Tell::Cancelled(_))));
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
        Step::Failed(id, is_final) => order.payment_failed(payment(*id), *is_final, now()),
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
        let (mut asked, mut paid_told, mut next_payment) = (0, 0, 1);
        for step in steps {
            let Some(decision) = take(&order, &step, next_payment) else { continue };
            prop_assert!(may_follow(order.status, decision.order.status), "{:?} by {step:?}", order.status);
            prop_assert_eq!(decision.has_moved, order.status != decision.order.status);
            prop_assert_eq!(decision.order.total, order.total);
            prop_assert_eq!(&decision.order.lines, &order.lines);
            match &decision.tell {
                Some(Tell::PaymentRequested(ask)) => {
                    prop_assert_eq!(decision.order.status, Status::Reserved);
                    prop_assert_eq!(ask.amount, order.total);
                    asked += 1;
                    next_payment += 1;
                }
                Some(Tell::Paid(_)) => paid_told += 1,
                Some(Tell::Cancelled(_)) => prop_assert_eq!(decision.order.status, Status::Cancelled),
                Some(Tell::Updated(_)) => prop_assert_eq!(decision.order.status, Status::Rejected),
                None => {}
            }
            // A state that ends takes its timer along; a state that waits keeps it.
            if decision.has_moved && decision.order.status != Status::Reserved {
                prop_assert_eq!(decision.expiry, Expiry::Clear);
            }
            order = stored(decision);
        }
        prop_assert!(paid_told <= 1);
        prop_assert!(paid_told <= asked);
        prop_assert_eq!(paid_told == 1, order.status == Status::Paid);
    }
}
