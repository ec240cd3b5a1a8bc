//! Stock that runs low is filled up: from the sale to the purchase order, the mail, the receipt and the stock, once for
//! each shortage.

use std::time::Duration;

use axum::http::Method;
use events::{Event, PurchaseOrderOverdue, PurchaseOrderPlaced, PurchaseOrderReceived, StockLow};
use serde_json::{Value, json};
use testkit::{Setup, ShopLocation, TestShop, emit, on_each_broker, on_each_store};

on_each_store! {
    a_second_shortage_waits_for_what_is_ordered_and_a_third_is_ordered,
    only_a_supplier_with_auto_replenish_that_has_the_product_gets_an_order,
    a_supplier_of_a_demo_delivers_by_itself,
    an_order_that_nobody_delivers_is_overdue,
    a_customer_who_buys_all_at_once_and_a_clerk_who_orders_at_once_leave_one_order_of_the_shortage,
}

on_each_broker! {
    a_sale_that_leaves_little_is_followed_by_an_order_a_mail_and_a_receipt_that_fills_the_stock,
    a_shortage_is_ordered_once_whatever_is_redelivered_or_replayed,
    a_receipt_is_stocked_once_whatever_is_redelivered_or_replayed,
    a_product_that_is_deleted_while_it_is_ordered_ends_the_order,
}

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_hours(24);

/// Purchases and orders at the same instant.
const RACES: usize = 10;

async fn supplier(shop: &TestShop, email: &str, auto_replenish: bool, product: &str, cents: i64) -> String {
    let offer = json!({"product_id": product, "order_quantity": 20,
        "unit_cost": {"amount": cents, "currency": "EUR"}});
    let supplier = json!({"name": "Nordic", "email": email, "lead_time_days": 7, "auto_replenish": auto_replenish,
        "products": [offer]});
    shop.post("/v1/suppliers", &supplier).await.expect(201).text("/supplier_id")
}

/// Sells units of a product, the threshold of which is 5.
async fn sell(shop: &TestShop, product: &str, units: i64) {
    let order_id = shop.order(&[(product, units)], Some("tok_ok")).await.text("/order_id");
    shop.settle().await;
    assert_eq!(shop.order_now(&order_id).await.text("/status"), "paid");
}

/// All purchase orders, the newest first.
async fn orders(shop: &TestShop) -> Vec<Value> {
    shop.get("/v1/purchase-orders?limit=100").await.expect(200).items()
}

fn id(order: &Value) -> String {
    order["purchase_order_id"].as_str().unwrap().to_owned()
}

async fn receive(shop: &TestShop, order: &Value, body: &Value) {
    shop.post(&format!("/v1/purchase-orders/{}/receive", id(order)), body).await.expect(200);
    shop.settle().await;
}

/// The events of a type, the oldest first.
async fn published<E: Event + serde::de::DeserializeOwned>(shop: &TestShop) -> Vec<E> {
    let events = shop.get(&format!("/v1/events?type={}&limit=100", E::TYPE)).await.expect(200).items();
    events.into_iter().rev().map(|event| serde_json::from_value(event["data"].clone()).unwrap()).collect()
}

async fn mails(shop: &TestShop, to: &str) -> Vec<Value> {
    let mails = shop.get("/v1/mail?limit=100").await.expect(200).items();
    mails.into_iter().filter(|mail| mail["to"] == to).collect()
}

/// Sends all events of a service again.
async fn republish(shop: &TestShop, service: &str) {
    let since = json!({"service": service, "since": "2026-01-01T00:00:00Z"});
    shop.post("/v1/events/republish", &since).await.expect(200);
    shop.settle().await;
}

/// Makes a service emit these again, as other events: what a restored backup or a defect could do.
async fn replay<E: Event>(shop: TestShop, events: &[E], consumer: &str) -> TestShop {
    let replayed = async |store, clock| emit(store, clock, events, &[consumer]).await;
    let shop = shop.restart_after(Setup::default(), replayed).await;
    shop.settle().await;
    shop
}

async fn a_sale_that_leaves_little_is_followed_by_an_order_a_mail_and_a_receipt_that_fills_the_stock(
    place: ShopLocation,
) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("laptop", 10).await;
    supplier(&shop, "orders@nordic.example", true, &product, 900).await;
    sell(&shop, &product, 4).await;
    assert_eq!(orders(&shop).await, [Value::Null; 0], "6 are more than the threshold");
    sell(&shop, &product, 1).await;

    let placed = orders(&shop).await;
    assert_eq!(placed.len(), 1);
    assert_eq!((&placed[0]["status"], &placed[0]["placed_by"]), (&json!("placed"), &json!("replenishment")));
    assert_eq!((&placed[0]["lines"][0]["quantity"], &placed[0]["total"]["amount"]), (&json!(20), &json!(18_000)));
    let mail = mails(&shop, "orders@nordic.example").await;
    assert_eq!((mail.len(), &mail[0]["template"]), (1, &json!("purchase_order")));
    let text = mail[0]["text"].as_str().unwrap();
    for said in ["20 x laptop (laptop) at 9.00 EUR", "by 2026-01-08", &id(&placed[0])] {
        assert!(text.contains(said), "{said} is missing in\n{text}");
    }

    receive(&shop, &placed[0], &json!({"lines": [{"product_id": product, "quantity": 12}]})).await;
    assert_eq!(shop.stock(&product).await, (17, 0));
    receive(&shop, &placed[0], &json!({})).await;
    assert_eq!(shop.stock(&product).await, (25, 0));
    assert_eq!(orders(&shop).await[0]["status"], "received");
    assert_eq!(shop.get(&format!("/v1/products/{product}")).await.expect(200).json()["in_stock"], true);
    assert_eq!(shop.get("/v1/dead-letters").await.expect(200).items(), [Value::Null; 0]);
    shop.stop().await;
}

async fn a_shortage_is_ordered_once_whatever_is_redelivered_or_replayed(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("laptop", 10).await;
    supplier(&shop, "orders@nordic.example", true, &product, 900).await;
    sell(&shop, &product, 8).await;
    let placed = orders(&shop).await;
    assert_eq!(placed.len(), 1);
    republish(&shop, "inventory").await;
    let low = published::<StockLow>(&shop).await;
    assert_eq!(low.len(), 1, "a shortage is emitted once");
    let shop = replay(shop, &[low[0].clone(), low[0].clone()], "suppliers").await;
    assert_eq!(orders(&shop).await, placed, "while it is ordered");

    receive(&shop, &placed[0], &json!({})).await;
    republish(&shop, "inventory").await;
    let shop = replay(shop, &low, "suppliers").await;
    let after = orders(&shop).await;
    assert_eq!((after.len(), &after[0]["status"]), (1, &json!("received")), "and when all came");
    republish(&shop, "suppliers").await;
    let placed = published_twice(&shop).await;
    let shop = replay(shop, &placed, "notifications").await;
    assert_eq!(mails(&shop, "orders@nordic.example").await.len(), 1, "one order, one mail");
    assert_eq!(shop.stock(&product).await, (22, 0));
    shop.stop().await;
}

/// The events of all orders that were placed, twice.
async fn published_twice(shop: &TestShop) -> Vec<PurchaseOrderPlaced> {
    let placed = published::<PurchaseOrderPlaced>(shop).await;
    [placed.clone(), placed].concat()
}

async fn a_receipt_is_stocked_once_whatever_is_redelivered_or_replayed(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("laptop", 10).await;
    supplier(&shop, "orders@nordic.example", true, &product, 900).await;
    sell(&shop, &product, 8).await;
    let placed = orders(&shop).await;
    receive(&shop, &placed[0], &json!({"lines": [{"product_id": product, "quantity": 5}]})).await;
    receive(&shop, &placed[0], &json!({"lines": [{"product_id": product, "quantity": 5}]})).await;
    assert_eq!(shop.stock(&product).await, (12, 0), "two deliveries of one size are two");
    republish(&shop, "suppliers").await;
    let received = published::<PurchaseOrderReceived>(&shop).await;
    assert_eq!(received.len(), 2);
    let shop = replay(shop, &[received.clone(), received].concat(), "inventory").await;
    assert_eq!(shop.stock(&product).await, (12, 0));
    receive(&shop, &placed[0], &json!({})).await;
    assert_eq!(shop.stock(&product).await, (22, 0));
    assert_eq!(shop.get("/v1/dead-letters").await.expect(200).items(), [Value::Null; 0]);
    shop.stop().await;
}

async fn a_second_shortage_waits_for_what_is_ordered_and_a_third_is_ordered(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("laptop", 10).await;
    supplier(&shop, "orders@nordic.example", true, &product, 900).await;
    sell(&shop, &product, 5).await;
    let adjust = json!({"delta": 5, "reason": "found"});
    shop.post(&format!("/v1/stock/{product}/adjustments"), &adjust).await.expect(201);
    shop.settle().await;
    sell(&shop, &product, 6).await;
    assert_eq!(published::<StockLow>(&shop).await.len(), 2);
    let placed = orders(&shop).await;
    assert_eq!(placed.len(), 1, "what is ordered covers the second one too");
    receive(&shop, &placed[0], &json!({})).await;
    sell(&shop, &product, 20).await;
    let third = orders(&shop).await;
    assert_eq!((third.len(), &third[0]["status"]), (2, &json!("placed")));
    shop.stop().await;
}

async fn only_a_supplier_with_auto_replenish_that_has_the_product_gets_an_order(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let (laptop, mouse) = (shop.product("laptop", 10).await, shop.product("mouse", 10).await);
    supplier(&shop, "by-hand@nordic.example", false, &laptop, 100).await;
    supplier(&shop, "dear@nordic.example", true, &mouse, 900).await;
    let cheap = supplier(&shop, "cheap@nordic.example", true, &mouse, 800).await;
    sell(&shop, &laptop, 8).await;
    assert_eq!(orders(&shop).await.len(), 0);
    sell(&shop, &mouse, 8).await;
    let placed = orders(&shop).await;
    assert_eq!((placed.len(), &placed[0]["supplier_id"]), (1, &json!(cheap)));
    // A purchase order by hand covers a shortage as well.
    let other = shop.product("other", 10).await;
    let by_hand = supplier(&shop, "other@nordic.example", true, &other, 100).await;
    let order = json!({"supplier_id": by_hand, "lines": [{"product_id": other, "quantity": 3}]});
    shop.post("/v1/purchase-orders", &order).await.expect(201);
    sell(&shop, &other, 8).await;
    assert_eq!(orders(&shop).await.len(), 2);
    shop.stop().await;
}

async fn a_product_that_is_deleted_while_it_is_ordered_ends_the_order(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("laptop", 10).await;
    let supplier_id = supplier(&shop, "orders@nordic.example", true, &product, 900).await;
    sell(&shop, &product, 8).await;
    let placed = orders(&shop).await;
    let supplier_path = format!("/v1/suppliers/{supplier_id}");
    assert_eq!(shop.delete(&supplier_path).await.expect(409).text("/code"), "purchase_orders_open");
    shop.delete(&format!("/v1/products/{product}")).await.expect(204);
    shop.settle().await;
    assert_eq!(orders(&shop).await[0]["status"], "cancelled");
    let path = format!("/v1/purchase-orders/{}/receive", id(&placed[0]));
    assert_eq!(shop.post(&path, &json!({})).await.expect(409).text("/code"), "purchase_order_cancelled");
    let mut templates: Vec<_> =
        mails(&shop, "orders@nordic.example").await.iter().map(|mail| mail["template"].clone()).collect();
    templates.sort_by_key(ToString::to_string);
    assert_eq!(templates, [json!("purchase_order"), json!("purchase_order_cancelled")]);
    let low = published::<StockLow>(&shop).await;
    let shop = replay(shop, &low, "suppliers").await;
    assert_eq!(orders(&shop).await.len(), 1, "nothing of it is ordered any more");
    shop.delete(&supplier_path).await.expect(204);
    shop.settle().await;
    shop.stop().await;
}

async fn a_supplier_of_a_demo_delivers_by_itself(place: ShopLocation) {
    let simulating = || {
        let services = testkit::unlimited().with(&suppliers::settings::SIMULATED_DELIVERY, "10s");
        Setup { services, ..Setup::default() }
    };
    let shop = TestShop::start_on_with(place, simulating()).await;
    let (laptop, mouse) = (shop.product("laptop", 10).await, shop.product("mouse", 10).await);
    supplier(&shop, "orders@simulated.example", true, &laptop, 900).await;
    supplier(&shop, "orders@nordic.example", true, &mouse, 900).await;
    sell(&shop, &laptop, 8).await;
    sell(&shop, &mouse, 8).await;
    shop.advance(9 * SECOND).await;
    assert_eq!((shop.stock(&laptop).await, shop.stock(&mouse).await), ((2, 0), (2, 0)));
    shop.advance(SECOND).await;
    assert_eq!((shop.stock(&laptop).await, shop.stock(&mouse).await), ((22, 0), (2, 0)));
    let of_laptop = orders(&shop).await.remove(1);
    assert_eq!(
        (&of_laptop["status"], &of_laptop["receipts"][0]["received_by"]),
        (&json!("received"), &json!("simulation"))
    );

    // What is ordered when the shop simulates nothing any more is not delivered, nor is what was ordered before.
    sell(&shop, &laptop, 20).await;
    let shop = shop.restart(Setup::default()).await;
    shop.advance(60 * SECOND).await;
    assert_eq!(shop.stock(&laptop).await, (2, 0));
    assert_eq!(shop.get("/v1/dead-letters").await.expect(200).items(), [Value::Null; 0]);
    shop.stop().await;
}

async fn an_order_that_nobody_delivers_is_overdue(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("laptop", 10).await;
    supplier(&shop, "orders@nordic.example", true, &product, 900).await;
    sell(&shop, &product, 8).await;
    let shop = shop.restart(Setup::default()).await;
    shop.advance(7 * DAY).await;
    let overdue = published::<PurchaseOrderOverdue>(&shop).await;
    assert_eq!((overdue.len(), overdue[0].lines[0].quantity), (1, 20));
    assert_eq!(orders(&shop).await[0]["overdue"], true);
    shop.stop().await;
}

async fn a_customer_who_buys_all_at_once_and_a_clerk_who_orders_at_once_leave_one_order_of_the_shortage(
    place: ShopLocation,
) {
    let shop = TestShop::start_on(place).await;
    for race in 0..RACES {
        let product = shop.product(&format!("p-{race}"), 10).await;
        let supplier_id = supplier(&shop, "orders@nordic.example", true, &product, 900).await;
        let order = json!({"supplier_id": supplier_id, "lines": [{"product_id": product, "quantity": 1}]});
        let by_hand = shop.request(Method::POST, "/v1/purchase-orders").admin().json(&order).send();
        let bought = [(&*product, 8)];
        let (placed, _) = tokio::join!(by_hand, shop.order(&bought, Some("tok_ok")));
        placed.expect(201);
        shop.settle().await;
        let of_product = shop.get(&format!("/v1/purchase-orders?supplier_id={supplier_id}")).await.expect(200).items();
        let by_itself = of_product.iter().filter(|it| it["placed_by"] == "replenishment").count();
        assert!(by_itself <= 1 && of_product.len() == by_itself + 1, "{of_product:?}");
    }
    assert_eq!(shop.get("/v1/dead-letters").await.expect(200).items(), [Value::Null; 0]);
    shop.stop().await;
}
