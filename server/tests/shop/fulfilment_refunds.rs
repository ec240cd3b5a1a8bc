//! Refunds of units that have not left: they are sold again, so they are withheld, and the order ends without them.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use axum::http::Method;
use bus::{Broker, Destination, Embedded, Message, PublishResult, Publishing};
use events::{PaymentRefunded, ShipmentReduced};
use futures_util::FutureExt;
use futures_util::future::{self, join_all};
use kernel::{Event, EventId};
use serde_json::{Value, json};
use testkit::{BrokerVariant, Setup, ShopLocation, TestResponse, TestShop, emit, on_each_broker, on_each_store};

on_each_store! {
    an_order_that_was_refunded_before_anything_left_is_refunded_and_nothing_of_it_can_leave,
    what_a_cancellation_came_too_late_for_ends_by_a_refund_of_the_rest,
    a_refund_that_is_reported_again_withholds_nothing_more,
    a_refund_is_mailed_whatever_reason_an_admin_types,
}

on_each_broker! {
    the_rest_of_an_order_that_was_refunded_in_part_is_sent_and_delivered,
    a_dispatch_and_a_refund_at_once_have_one_winner,
}

/// Orders that are dispatched and refunded at the same time.
const RACES: usize = 40;

/// Turns that a dispatch of a race waits longer than the one before it.
const TURNS: usize = 300;

async fn paid(shop: &TestShop, lines: &[(&str, i64)]) -> String {
    let order_id = shop.order(lines, Some("tok_ok")).await.text("/order_id");
    shop.settle().await;
    assert_eq!(status(shop, &order_id).await, "paid");
    order_id
}

async fn status(shop: &TestShop, order_id: &str) -> String {
    shop.order_now(order_id).await.text("/status")
}

async fn shipments(shop: &TestShop, order_id: &str) -> Vec<Value> {
    shop.get(&format!("/v1/shipments?order_id={order_id}")).await.expect(200).items()
}

/// The shipment that is still to be sent.
async fn pending(shop: &TestShop, order_id: &str) -> Value {
    let mut shipments =
        shop.get(&format!("/v1/shipments?order_id={order_id}&status=pending")).await.expect(200).items();
    assert_eq!(shipments.len(), 1, "{shipments:?}");
    shipments.remove(0)
}

fn id(shipment: &Value) -> &str {
    shipment["shipment_id"].as_str().unwrap()
}

async fn dispatch(shop: &TestShop, shipment_id: &str, lines: Option<Value>) -> TestResponse {
    let mut departure = json!({"carrier": "DHL", "tracking_number": "T-1"});
    if let Some(lines) = lines {
        departure["lines"] = lines;
    }
    shop.post(&format!("/v1/shipments/{shipment_id}/dispatch"), &departure).await
}

async fn deliver(shop: &TestShop, shipment_id: &str) {
    let path = format!("/v1/shipments/{shipment_id}/deliver");
    shop.request(Method::POST, &path).admin().send().await.expect(200);
    shop.settle().await;
}

fn line(product: &str, quantity: i64) -> Value {
    json!({"product_id": product, "quantity": quantity})
}

/// Gives back as many euros as units, of the order's one payment.
async fn refund(shop: &TestShop, order_id: &str, restock: &[(&str, i64)]) -> TestResponse {
    let units: i64 = restock.iter().map(|(_, quantity)| quantity).sum();
    let restock: Vec<Value> = restock.iter().map(|(product, quantity)| line(product, *quantity)).collect();
    let body = json!({"amount": {"amount": units * 100, "currency": "EUR"}, "restock": restock});
    refund_by(shop, order_id, &body).await
}

async fn refund_by(shop: &TestShop, order_id: &str, body: &Value) -> TestResponse {
    let payments = shop.get(&format!("/v1/payments?order_id={order_id}")).await.expect(200).items();
    let path = format!("/v1/payments/{}/refund", payments[0]["payment_id"].as_str().unwrap());
    shop.post(&path, body).await.expect(202)
}

/// Units of a side, `lines` or `withheld`, of shipments or an order.
fn units(of: &Value, side: &str) -> i64 {
    of[side].as_array().into_iter().flatten().map(|line| line["quantity"].as_i64().unwrap()).sum()
}

async fn expect_no_dead_letters(shop: &TestShop) {
    let letters = shop.get("/v1/dead-letters").await.expect(200).items();
    assert!(letters.is_empty(), "{letters:#?}");
}

async fn the_rest_of_an_order_that_was_refunded_in_part_is_sent_and_delivered(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let (one, other) = (shop.product("A", 10).await, shop.product("B", 10).await);
    let order_id = paid(&shop, &[(&one, 3), (&other, 1)]).await;
    let before = pending(&shop, &order_id).await;
    refund(&shop, &order_id, &[(&one, 2), (&other, 1)]).await;
    shop.settle().await;

    let shipment = pending(&shop, &order_id).await;
    assert_eq!((id(&shipment), units(&shipment, "lines"), units(&shipment, "withheld")), (id(&before), 1, 3));
    let order = shop.order_now(&order_id).await;
    assert_eq!((order.text("/status"), units(&order.json(), "withheld")), ("paid".into(), 3));
    for lines in [json!([line(&one, 2)]), json!([line(&other, 1)])] {
        let refused = dispatch(&shop, id(&shipment), Some(lines)).await.expect(409);
        assert_eq!(refused.text("/code"), "exceeds_shipment");
    }
    dispatch(&shop, id(&shipment), None).await.expect(200);
    shop.settle().await;
    assert_eq!(status(&shop, &order_id).await, "shipped");
    deliver(&shop, id(&shipment)).await;
    assert_eq!(status(&shop, &order_id).await, "delivered");
    assert_eq!((shop.stock(&one).await, shop.stock(&other).await), ((9, 0), (10, 0)));
    assert_eq!(shop.mails(&order_id).await, ["confirmation", "delivered", "dispatched", "refunded"]);

    // What has left is a return: it is on hand again, and the shipment stays as it is.
    refund(&shop, &order_id, &[(&one, 1)]).await;
    shop.settle().await;
    assert_eq!((status(&shop, &order_id).await, shop.stock(&one).await), ("delivered".into(), (10, 0)));
    assert_eq!(units(&shipments(&shop, &order_id).await[0], "lines"), 1);
    expect_no_dead_letters(&shop).await;
}

async fn an_order_that_was_refunded_before_anything_left_is_refunded_and_nothing_of_it_can_leave(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("A", 10).await;
    let order_id = paid(&shop, &[(&product, 3)]).await;
    let shipment = pending(&shop, &order_id).await;
    for quantity in [1, 2] {
        refund(&shop, &order_id, &[(&product, quantity)]).await;
        shop.settle().await;
    }
    assert_eq!(status(&shop, &order_id).await, "refunded");
    let all = shipments(&shop, &order_id).await;
    assert_eq!((all.len(), &all[0]["status"], units(&all[0], "withheld")), (1, &json!("stopped"), 3));
    for lines in [None, Some(json!([line(&product, 1)]))] {
        assert_eq!(dispatch(&shop, id(&shipment), lines).await.expect(409).text("/code"), "shipment_stopped");
    }
    let cancelled = shop.post(&format!("/v1/orders/{order_id}/cancel"), &json!({})).await.expect(409);
    assert_eq!(cancelled.text("/code"), "too_late");
    shop.settle().await;
    assert_eq!(shop.stock(&product).await, (10, 0));
    assert_eq!(shop.mails(&order_id).await, ["confirmation", "refunded", "refunded"], "nothing arrived");
    expect_no_dead_letters(&shop).await;
}

async fn what_a_cancellation_came_too_late_for_ends_by_a_refund_of_the_rest(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("A", 10).await;
    let order_id = paid(&shop, &[(&product, 3)]).await;
    let first = pending(&shop, &order_id).await;
    // The cancellation is asked for before orders knows that something has left.
    let dispatched = dispatch(&shop, id(&first), Some(json!([line(&product, 1)]))).await.expect(200);
    let asked = shop.post(&format!("/v1/orders/{order_id}/cancel"), &json!({})).await;
    assert!(matches!(asked.status.as_u16(), 202 | 409), "{}", asked.status);
    shop.settle().await;
    assert_eq!((status(&shop, &order_id).await.as_str(), dispatched.text("/status").as_str()), ("paid", "dispatched"));
    refund(&shop, &order_id, &[(&product, 2)]).await;
    shop.settle().await;
    assert_eq!(status(&shop, &order_id).await, "shipped", "no unit waits any more");
    deliver(&shop, id(&first)).await;
    assert_eq!(status(&shop, &order_id).await, "delivered");
    let mut statuses: Vec<Value> = shipments(&shop, &order_id).await.iter().map(|it| it["status"].clone()).collect();
    statuses.sort_by_key(Value::to_string);
    assert_eq!(statuses, ["delivered", "stopped"]);
    assert_eq!(shop.stock(&product).await, (9, 0));
    let mails = shop.mails(&order_id).await;
    assert_eq!(mails.iter().filter(|mail| *mail == "delivered").count(), 1, "{mails:?}");
    expect_no_dead_letters(&shop).await;
}

async fn a_refund_that_is_reported_again_withholds_nothing_more(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("A", 10).await;
    let order_id = paid(&shop, &[(&product, 3)]).await;
    refund(&shop, &order_id, &[(&product, 1)]).await;
    shop.settle().await;
    let path = format!("/v1/events?type={}&subject={order_id}", PaymentRefunded::TYPE);
    let reported = shop.get(&path).await.expect(200).items()[0]["data"].clone();
    let reported: PaymentRefunded = serde_json::from_value(reported).unwrap();
    // The same refund under another event's id, which no inbox knows.
    let again = async |store, clock| emit(store, clock, &[reported], &["shipping"]).await;
    let shop = shop.restart_after(Setup::default(), again).await;
    shop.settle().await;
    let shipment = pending(&shop, &order_id).await;
    assert_eq!((units(&shipment, "lines"), units(&shipment, "withheld")), (2, 1));
    expect_no_dead_letters(&shop).await;
}

async fn a_dispatch_and_a_refund_at_once_have_one_winner(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("A", 1_000).await;
    let lines = [(product.as_str(), 2)];
    let placed = join_all((0..RACES).map(|_| shop.order(&lines, Some("tok_ok")))).await;
    shop.settle().await;
    let orders: Vec<String> = placed.iter().map(|placed| placed.text("/order_id")).collect();
    let waiting = join_all(orders.iter().map(|order_id| pending(&shop, order_id))).await;
    // Every second one is refunded in part.
    let refunded = |round: usize| if round.is_multiple_of(2) { 2 } else { 1 };
    let race = (0..).zip(orders.iter().zip(&waiting)).map(|(round, (order_id, shipment))| {
        let (shop, product) = (&shop, product.as_str());
        async move {
            let dispatched = async {
                for _ in 0..round * TURNS {
                    tokio::task::yield_now().await;
                }
                dispatch(shop, id(shipment), None).await
            };
            let restock = [(product, refunded(round))];
            tokio::join!(dispatched, refund(shop, order_id, &restock)).0
        }
    });
    let answers = join_all(race).await;
    shop.settle().await;

    let (mut back, mut whole) = (0, 0);
    for (round, (order_id, dispatched)) in (0..).zip(orders.iter().zip(&answers)) {
        let shipments = shipments(&shop, order_id).await;
        assert_eq!(shipments.len(), 1, "{shipments:?}");
        let (left, withheld) = (units(&shipments[0], "lines"), units(&shipments[0], "withheld"));
        assert_eq!(left + withheld, 2, "no unit is both sent and sold again: {shipments:?}");
        back += refunded(round);
        whole += usize::from(withheld == 0);
        if dispatched.status == 200 {
            assert_eq!(units(&dispatched.json(), "lines"), left, "{shipments:?}");
            assert!(withheld == 0 || withheld == refunded(round), "{shipments:?}");
            assert_eq!(status(&shop, order_id).await, "shipped");
        } else {
            assert_eq!(dispatched.clone().expect(409).text("/code"), "shipment_stopped");
            assert_eq!((left, refunded(round), status(&shop, order_id).await), (0, 2, "refunded".into()));
        }
    }
    eprintln!("{whole} of {RACES} left before their refund");
    let sold = 2 * i64::try_from(RACES).unwrap();
    assert_eq!(shop.stock(&product).await, (1_000 - sold + back, 0));
    expect_no_dead_letters(&shop).await;
}

async fn a_refund_is_mailed_whatever_reason_an_admin_types(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("A", 10).await;
    let order_id = paid(&shop, &[(&product, 2)]).await;
    let body = json!({"amount": {"amount": 500, "currency": "EUR"}, "reason": "order_cancelled"});
    refund_by(&shop, &order_id, &body).await;
    shop.settle().await;
    assert_eq!(shop.mails(&order_id).await, ["confirmation", "refunded"]);
    shop.post(&format!("/v1/orders/{order_id}/cancel"), &json!({})).await.expect(202);
    shop.settle().await;
    assert_eq!(shop.mails(&order_id).await, ["cancelled", "confirmation", "refunded"], "one mail says the rest");
}

/// Loses the first message of each `ShipmentReduced`, and sends a later one twice.
#[derive(Debug, Default)]
struct Losing(Arc<Mutex<HashSet<EventId>>>);

impl BrokerVariant for Losing {
    fn publish(&self, embedded: &Embedded, destination: &Destination, message: Message) -> Publishing {
        // The other consumers get it.
        if message.envelope.event_type != ShipmentReduced::TYPE || destination.as_str() != "orders" {
            return embedded.publish(destination, message);
        }
        if self.0.lock().unwrap().insert(message.envelope.id) {
            return future::ready(PublishResult::Stored).boxed();
        }
        let (first, second) = (embedded.publish(destination, message.clone()), embedded.publish(destination, message));
        async move {
            first.await;
            second.await
        }
        .boxed()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_ends_when_what_was_lost_of_its_reduction_is_published_again() {
    let losing = Losing::default();
    let lost = losing.0.clone();
    let shop = TestShop::start_with(Setup::on_broker(losing)).await;
    let product = shop.product("A", 10).await;
    let (whole, part) = (paid(&shop, &[(&product, 2)]).await, paid(&shop, &[(&product, 2)]).await);
    refund(&shop, &whole, &[(&product, 2)]).await;
    refund(&shop, &part, &[(&product, 1)]).await;
    shop.settle().await;
    let shipment = pending(&shop, &part).await;
    dispatch(&shop, id(&shipment), None).await.expect(200);
    deliver(&shop, id(&shipment)).await;
    assert_eq!(lost.lock().unwrap().len(), 2);
    assert_eq!((status(&shop, &whole).await, status(&shop, &part).await), ("paid".into(), "paid".into()));

    for _ in 0..2 {
        let body = json!({"service": "shipping", "since": "2026-01-01T00:00:00Z"});
        shop.post("/v1/events/republish", &body).await.expect(200);
        shop.settle().await;
        assert_eq!((status(&shop, &whole).await, status(&shop, &part).await), ("refunded".into(), "delivered".into()));
    }
    assert_eq!(shop.mails(&whole).await, ["confirmation", "refunded"]);
    assert_eq!(shop.mails(&part).await, ["confirmation", "delivered", "dispatched", "refunded"]);
    assert_eq!(shop.stock(&product).await, (9, 0));
    expect_no_dead_letters(&shop).await;
}
