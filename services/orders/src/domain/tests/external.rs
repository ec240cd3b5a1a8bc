//! Orders that were placed elsewhere.

use std::collections::HashSet;

use events::bridge::ExternalLine;
use events::inventory::ReservedLine;
use events::{ExternalOrderPlaced, ExternalOrderSettled, Shortage};

use super::*;

fn elsewhere() -> ExternalOrderPlaced {
    ExternalOrderPlaced {
        order_id: Uuid::from_u128(7).into(),
        contract: "erp".to_owned(),
        via: events::bridge::MESSAGE.to_owned(),
        foreign_id: Some("SO-1".to_owned()),
        user_id: Some(Uuid::from_u128(3).into()),
        email: Some("ada@example.com".to_owned()),
        lines: vec![of_elsewhere(1, 2, None), of_elsewhere(2, 1, Some(Money::new(700, Currency::EUR)))],
    }
}

fn of_elsewhere(id: u128, quantity: i64, unit_price: Option<Money>) -> ExternalLine {
    ExternalLine { product_id: Uuid::from_u128(id).into(), quantity, unit_price }
}

fn recorded_with(placed: &ExternalOrderPlaced, closed: &[u128], is_last_attempt: bool) -> Result<Order, CannotRecord> {
    let products = [product(1, 500), product(2, 900)];
    let closed: HashSet<UserId> = closed.iter().map(|id| Uuid::from_u128(*id).into()).collect();
    record(placed, Recorded { products: &products, closed: &closed, currency: Currency::EUR, is_last_attempt }, now())
}

fn recorded() -> Order {
    recorded_with(&elsewhere(), &[], false).unwrap()
}

fn settled(shortages: Vec<Shortage>) -> ExternalOrderSettled {
    let lines = vec![ReservedLine { product_id: Uuid::from_u128(1).into(), quantity: 2 }];
    let lines = if shortages.is_empty() { lines } else { Vec::new() };
    ExternalOrderSettled { order_id: Uuid::from_u128(7).into(), contract: "erp".to_owned(), lines, shortages }
}

#[test]
fn an_order_of_elsewhere_has_the_prices_that_were_said_and_awaits_nobody() {
    let order = recorded();
    let prices: Vec<i64> = order.lines.iter().map(|line| line.unit_price.amount).collect();
    assert_eq!((prices, order.total.amount), (vec![500, 700], 1_700));
    assert_eq!((order.status, order.payment_status), (Status::Placed, PaymentStatus::None));
    assert!(!order.awaits_customer());
}

#[test]
fn an_unknown_product_is_waited_for_and_then_named_by_its_id() {
    let placed = ExternalOrderPlaced { lines: vec![of_elsewhere(9, 1, None)], ..elsewhere() };
    let id: ProductId = Uuid::from_u128(9).into();
    assert_eq!(recorded_with(&placed, &[], false), Err(CannotRecord::ProductUnknown(id)));
    let order = recorded_with(&placed, &[], true).unwrap();
    assert_eq!((order.lines[0].name.as_str(), order.total.amount), (id.to_string().as_str(), 0));
}

#[test]
fn what_can_not_be_an_order_is_refused() {
    let euros = |amount| Some(Money::new(amount, Currency::EUR));
    let yen: Currency = "JPY".parse().unwrap();
    for (lines, refusal) in [
        (vec![], CannotRecord::NoUnits),
        (vec![of_elsewhere(1, 0, None)], CannotRecord::NoUnits),
        (vec![of_elsewhere(1, 1, euros(-1))], CannotRecord::NegativePrice(Money::new(-1, Currency::EUR))),
        (vec![of_elsewhere(1, 1, Some(Money::new(1, yen)))], CannotRecord::OtherCurrency(yen)),
        (vec![of_elsewhere(1, 2, euros(i64::MAX))], CannotRecord::TotalTooLarge),
    ] {
        assert_eq!(recorded_with(&ExternalOrderPlaced { lines, ..elsewhere() }, &[], true), Err(refusal));
    }
    let placed = ExternalOrderPlaced { email: Some("ada".to_owned()), ..elsewhere() };
    assert_eq!(recorded_with(&placed, &[], false), Err(CannotRecord::NotAnAddress));
}

#[test]
fn an_order_of_a_closed_account_is_nobodys() {
    let order = recorded_with(&elsewhere(), &[3], false).unwrap();
    assert_eq!((order.user_id, order.email.as_str()), (None, ""));
    let order = recorded_with(&ExternalOrderPlaced { email: None, ..elsewhere() }, &[4], false).unwrap();
    assert_eq!((order.user_id.is_some(), order.email.as_str()), (true, ""));
}

#[test]
fn the_inventory_alone_decides_an_order_of_elsewhere_once() {
    let shortage = Shortage { product_id: Uuid::from_u128(1).into(), requested: 2, available: 1 };
    for (shortages, status, reason) in
        [(vec![], Status::Paid, None), (vec![shortage], Status::Rejected, Some("out_of_stock"))]
    {
        let decision = recorded().external_settled(&settled(shortages.clone()), now()).unwrap();
        let Some(OrderEvent::Updated(event)) = &decision.event else { panic!("{:?}", decision.event) };
        assert_eq!((event.previous_status.as_str(), event.status.as_str()), ("placed", status.as_str()));
        assert_eq!((event.reason.as_deref(), event.email.as_str()), (reason, ""), "nobody is mailed");
        assert_eq!((decision.expiry, decision.ask_again), (Due::Keep, Due::Keep), "it has no timer");
        let order = stored(decision);
        assert_eq!((order.status, order.reason.as_deref(), order.captured()), (status, reason, 0));
        assert_eq!(order.external_settled(&settled(shortages), now()), None);
    }
    assert_eq!(placed(None).external_settled(&settled(vec![]), now()), None, "it is this shop's own");
}

#[test]
fn an_order_of_elsewhere_is_neither_paid_nor_cancelled_here() {
    for order in [recorded(), stored(recorded().external_settled(&settled(vec![]), now()).unwrap())] {
        assert_eq!(order.cancel(CUSTOMER, now()), Err(CannotCancel::SettledElsewhere));
        assert_eq!(order.cancel(BAN, now()), Err(CannotCancel::SettledElsewhere));
        assert_eq!(order.request_payment(payment(1), "tok_ok".to_owned(), now()), Err(CannotPay::SettledElsewhere));
    }
}

#[test]
fn an_order_of_elsewhere_that_is_paid_forgets_its_customer_like_one_that_arrived() {
    let order = stored(recorded().external_settled(&settled(vec![]), now()).unwrap());
    assert_eq!(order.without_customer(now()), None);
    let forgotten = order.without_customer(now() + FORGOTTEN_AFTER).unwrap();
    assert_eq!((forgotten.user_id, forgotten.email.as_str()), (None, ""));
    assert_eq!(recorded().without_customer(now() + FORGOTTEN_AFTER), None, "it is not settled");
}
