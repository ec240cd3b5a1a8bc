//! Orders that wait for stock, with three instances of each service that decides about them.

use std::time::Duration;

use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::Client;
use crate::fleet::{Fleet, of_each};
use crate::process::SHARDS_DEFAULT;

/// Orders that wait, of one unit each of the first product, every third of one of the second too.
const ORDERS: usize = 60;

/// Units that come one by one, while every tenth order is cancelled.
const UNITS: usize = 30;

#[derive(Debug, Deserialize)]
struct Order {
    order_id: String,
    status: String,
}

#[derive(Debug, Deserialize)]
struct Level {
    on_hand: usize,
    reserved: usize,
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_that_wait_are_served_in_turn_by_three_instances() {
    let mut sizes = of_each(1);
    for (service, count) in &mut sizes {
        if ["orders", "inventory"].contains(service) {
            *count = 3;
        }
    }
    let mut fleet = Fleet::start_with(&sizes, SHARDS_DEFAULT).await;
    let client = fleet.client();
    let (first, second) = (product(&client, "123").await, product(&client, "456").await);
    client.settle().await;
    let both = [&first, &second];
    let placed = (0..ORDERS).map(|n| place(&client, if n % 3 == 0 { &both[..] } else { &both[..1] }));
    join_all(placed).await;
    client.settle().await;
    let waiting = orders(&client).await;
    assert!(waiting.iter().all(|order| order.status == "backordered"), "{waiting:?}");
    assert_eq!(waiting.len(), ORDERS);
    // The second product is there for all of them before the first comes.
    units_come(&client, &second, ORDERS).await;

    let cancelled: Vec<&str> = waiting.iter().step_by(10).map(|order| order.order_id.as_str()).collect();
    let come = join_all((0..UNITS).map(|_| units_come(&client, &first, 1)));
    let cancel = join_all(cancelled.iter().map(|order_id| cancel(&client, order_id)));
    tokio::join!(come, cancel);
    client.settle().await;
    in_turn(&client, UNITS).await;

    units_come(&client, &first, ORDERS).await;
    client.settle().await;
    let ended = orders(&client).await;
    assert!(ended.iter().all(|order| ["paid", "cancelled"].contains(&order.status.as_str())), "{ended:?}");
    let sold = ended.iter().filter(|order| order.status == "paid").count();
    let level = level(&client, &first).await;
    assert_eq!((level.on_hand, level.reserved), (UNITS + ORDERS - sold, 0));
    assert_eq!(fleet.panics(), Vec::<String>::new());
    fleet.stop().await;
}

/// As many as units came are paid, and none of them was placed after one that still waits. An order that was cancelled
/// after it was served has returned its unit, which is the next one's.
async fn in_turn(client: &Client, units: usize) {
    let orders = orders(client).await;
    let open: Vec<&Order> = orders.iter().filter(|order| order.status != "cancelled").collect();
    let paid = open.iter().filter(|order| order.status == "paid").count();
    assert_eq!(paid, units, "{orders:?}");
    assert!(open[..units].iter().all(|order| order.status == "paid"), "one was overtaken: {orders:?}");
    for (at, order) in (1..).zip(&open[units..]) {
        let (_, shown) = client.ask(&format!("/v1/orders/{}", order.order_id)).await.expect("the process is alive");
        assert_eq!(shown["waiting"]["position"], json!(at));
    }
}

async fn product(client: &Client, sku: &str) -> String {
    let price = json!({"amount": 1_000, "currency": "EUR"});
    let made = client.create("/v1/products", &json!({"sku": sku, "name": sku, "price": price, "stock": 0})).await;
    made["product_id"].as_str().expect("a product has an id").to_owned()
}

async fn place(client: &Client, products: &[&String]) {
    let lines: Vec<Value> = products.iter().map(|id| json!({"product_id": id, "quantity": 1})).collect();
    let order = json!({"lines": lines, "email": "ada@example.com", "payment": {"token": "tok_ok"},
        "wait_for_stock": true});
    client.create("/v1/orders", &order).await;
}

async fn units_come(client: &Client, product: &str, units: usize) {
    let adjustment = json!({"delta": units, "reason": "delivery"});
    let status = until_done(client, &format!("/v1/stock/{product}/adjustments"), &adjustment).await;
    assert_eq!(status, 201);
}

/// Sends it again while too many others change the same row (503 `busy`), which changes nothing.
async fn until_done(client: &Client, path: &str, body: &Value) -> u16 {
    loop {
        let (status, answer) = client.post(path, body).await.expect("the process is alive");
        if answer["code"] != "busy" {
            assert!(status < 500, "{path} answered {answer}");
            return status;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// One that is paid already is cancelled too, for nothing has left.
async fn cancel(client: &Client, order_id: &str) {
    let status = until_done(client, &format!("/v1/orders/{order_id}/cancel"), &Value::Null).await;
    assert!([200, 202].contains(&status), "{status}");
}

async fn level(client: &Client, product: &str) -> Level {
    let (_, level) = client.ask(&format!("/v1/stock/{product}")).await.expect("the process is alive");
    serde_json::from_value(level).expect("it is a level")
}

/// All orders, in the order in which they were placed.
async fn orders(client: &Client) -> Vec<Order> {
    let mut orders: Vec<Order> = client.all("/v1/orders").await.expect("the process is alive");
    orders.reverse();
    orders
}
