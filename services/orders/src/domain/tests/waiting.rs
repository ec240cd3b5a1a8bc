//! Orders that wait for stock.

use events::{Shortage, StockRejected};

use super::*;

const MONTH: SignedDuration = SignedDuration::from_hours(30 * 24);

fn too_little(waits: bool) -> StockRejected {
    let shortage = |n: u128| Shortage { product_id: Uuid::from_u128(n).into(), requested: 2, available: 0 };
    StockRejected { order_id: Uuid::from_u128(7).into(), shortages: vec![shortage(2), shortage(1)], waits }
}

pub(super) fn rejected(order: &Order, waits: bool) -> Option<Decision> {
    order.stock_rejected(Rejection { event: &too_little(waits), ttl: MONTH }, now())
}

fn waiting(token: Option<&str>) -> Order {
    stored(rejected(&placed(token), true).unwrap())
}

#[test]
fn an_order_waits_for_a_month_and_its_customer_is_informed() {
    let begun = rejected(&placed(None), true).unwrap();
    assert_eq!((begun.order.status, begun.expiry), (Status::Backordered, Due::At(expires_at(now(), MONTH))));
    assert!(matches!(&begun.event, Some(OrderEvent::Updated(news)) if news.status == "backordered"));
    assert_eq!(begun.order.waits_for, [1, 2].map(|n| Uuid::from_u128(n).into()));
    let order = stored(begun);
    assert_eq!(rejected(&order, true), None, "a place is taken once");
    let ended = order.expire(now()).unwrap();
    assert_eq!(ended.order.reason.as_deref(), Some("not_in_stock"));
    assert!(matches!(ended.event, Some(OrderEvent::Cancelled(_))));
    assert_eq!((ended.waited_for.len(), ended.order.waits_for.len()), (2, 0));
}

#[test]
fn an_order_that_waited_asks_for_its_money_or_for_a_token() {
    let asked = waiting(Some("tok_ok")).stock_reserved(payment(1), now(), ttl()).unwrap();
    assert!(matches!(&asked.event, Some(OrderEvent::PaymentRequested(ask)) if ask.token == "tok_ok"));
    assert_eq!((asked.expiry, asked.waited_for.len()), (Due::At(expires_at(now(), ttl())), 2));
    let due = waiting(None).stock_reserved(payment(1), now(), ttl()).unwrap();
    let is_news =
        |news: &OrderUpdated| (news.previous_status.as_str(), news.status.as_str()) == ("backordered", "reserved");
    assert!(matches!(&due.event, Some(OrderEvent::Updated(news)) if is_news(news)));
}

#[test]
fn an_order_that_waits_takes_a_token_once_and_can_be_cancelled() {
    let with_token = stored(waiting(None).request_payment(payment(1), "tok".to_owned(), now()).unwrap());
    assert_eq!(with_token.request_payment(payment(2), "tok".to_owned(), now()), Err(CannotPay::Pending));
    assert!(with_token.awaits_customer(), "it holds units before its token is tried");
    let ended = with_token.cancel("customer", now()).unwrap().unwrap();
    assert_eq!((ended.order.status, ended.order.payment_token.clone()), (Status::Cancelled, None));
    assert_eq!((ended.expiry, ended.waited_for.len()), (Due::Clear, 2));
    let late = rejected(&stored(ended), true).unwrap();
    assert!(matches!(late.event, Some(OrderEvent::Cancelled(_))), "the place in the queue is freed");
}

#[test]
fn an_order_whose_product_is_deleted_is_rejected() {
    let ended = rejected(&waiting(Some("tok_ok")), false).unwrap();
    assert_eq!((ended.order.status, ended.expiry), (Status::Rejected, Due::Clear));
    assert_eq!((ended.waited_for.len(), ended.order.payment_token), (2, None));
}
