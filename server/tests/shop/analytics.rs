//! Every number of analytics is what the archives say: recomputed in the most simple way (`numbers.rs`), after
//! redeliveries, after a rebuild, and while events go on.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};
use server::app;
use server::config::{self, Environment};
use server::shop::Shop;
use testkit::{Customer, Setup, ShopLocation, TestShop, on_each_store, unlimited};

use crate::numbers;

on_each_store! {
    every_number_is_what_the_archives_say,
}

const ZONE: &str = "America/New_York";

fn setup() -> Setup {
    Setup { services: unlimited().with(&::analytics::settings::TIME_ZONE, ZONE), ..Setup::default() }
}

async fn every_number_is_what_the_archives_say(place: ShopLocation) {
    let loaded = config::load(&Shop::tradepost(), &place.flags(), None, &Environment::default()).unwrap();
    let settings = config::Settings { services: setup().services, ..loaded.settings };
    // Half past seven in the evening in New York: an order of the evening is of another day in UTC.
    let shop = TestShop::start_at("2026-03-08T00:30:00Z", place, setup()).await;
    let products = [shop.product("laptop", 50).await, shop.product("mouse", 50).await, shop.product("desk", 2).await];
    let ada = Customer::sign_up(&shop, "ada").await;
    live(&shop, &products, Some(&ada)).await;
    check(&shop).await;
    for hours in [9, 11, 30] {
        shop.advance(Duration::from_hours(hours)).await;
        live(&shop, &products, None).await;
    }
    check(&shop).await;

    // Redelivered, all of it counts no second time.
    let before = answers(&shop).await;
    let mut sent = 0;
    for service in Shop::tradepost().services() {
        let since = json!({"service": service, "since": "2026-03-08T00:00:00Z"});
        let step = shop.post("/v1/events/republish", &since).await.expect(200);
        assert_eq!(step.json()["next"], json!(null), "one step sends all");
        sent += step.number("/events");
    }
    shop.settle().await;
    assert!(sent > 100, "{sent}");
    let metrics = String::from_utf8(shop.get("/metrics").await.expect(200).body.to_vec()).unwrap();
    let dropped = "consumer=\"analytics\",type=\"orders.order_paid.v1\",outcome=\"duplicate\"}";
    assert!(metrics.contains(dropped), "they were redelivered and known");
    assert_eq!(answers(&shop).await, before);

    // Nobody waits until these are delivered: they are in outboxes, in queues, or handled.
    for _ in 0..5 {
        shop.order(&[(&products[1], 1)], Some("tok_ok")).await;
    }
    let rebuild = async |_, _| {
        let mut seen = Vec::new();
        let rebuilt = app::rebuild(&Shop::tradepost(), &settings, "analytics", |progress| seen.push(progress)).await;
        let rebuilt = rebuilt.unwrap();
        assert!(rebuilt.events > 100 && rebuilt.parked == 0, "{rebuilt:?}");
        let done = app::RebuildProgress::Handled { done: rebuilt.events, of: rebuilt.events };
        assert_eq!(seen.last(), Some(&done));
    };
    let shop = shop.restart_after(setup(), rebuild).await;
    live(&shop, &products, None).await;
    check(&shop).await;
    assert!(shop.get("/v1/dead-letters?consumer=analytics").await.expect(200).items().is_empty());
    shop.stop().await;
}

/// Orders of every kind: paid, refunded in part and in full, cancelled, declined, rejected, delivered and reviewed.
async fn live(shop: &TestShop, products: &[String; 3], customer: Option<&Customer>) {
    let [laptop, mouse, desk] = products;
    let place = async |lines: &[(&str, i64)], token| shop.order(lines, token).await.text("/order_id");
    let arrives = place(&[(laptop, 2), (mouse, 3)], Some("tok_ok")).await;
    let sent_back = place(&[(mouse, 2)], Some("tok_ok")).await;
    let cancelled = place(&[(laptop, 1)], Some("tok_ok")).await;
    let unpaid = place(&[(mouse, 1)], None).await;
    place(&[(mouse, 1)], Some("tok_declined")).await;
    place(&[(laptop, 1)], Some("tok_soft")).await;
    place(&[(desk, 3)], Some("tok_ok")).await;
    place(&[(mouse, 4)], Some("tok_ok")).await;
    shop.settle().await;
    for order in [&cancelled, &unpaid] {
        shop.post(&format!("/v1/orders/{order}/cancel"), &Value::Null).await;
    }
    shop.settle().await;
    for order in [&arrives, &sent_back] {
        shop.deliver(order).await;
    }
    refund(shop, &arrives, Some(700)).await;
    refund(shop, &sent_back, None).await;
    if let Some(customer) = customer {
        review(shop, customer, [laptop, mouse]).await;
    }
    shop.settle().await;
}

async fn refund(shop: &TestShop, order: &str, cents: Option<i64>) {
    let payments = shop.get(&format!("/v1/payments?order_id={order}")).await.expect(200).items();
    let path = format!("/v1/payments/{}/refund", payments[0]["payment_id"].as_str().unwrap());
    let amount = cents.map(|cents| json!({"amount": {"amount": cents, "currency": "EUR"}}));
    shop.post(&path, &amount.unwrap_or_else(|| json!({}))).await.expect(202);
    shop.settle().await;
}

/// One review is changed, the other is hidden.
async fn review(shop: &TestShop, customer: &Customer, products: [&String; 2]) {
    let lines: Vec<Value> = products.iter().map(|id| json!({"product_id": id, "quantity": 1})).collect();
    let order = json!({"lines": lines, "payment": {"token": "tok_ok"}});
    let placed = customer.asks(shop, Method::POST, "/v1/orders").json(&order).send().await.expect(201);
    shop.settle().await;
    shop.deliver(&placed.text("/order_id")).await;
    let mut made = Vec::new();
    for product in products {
        let path = format!("/v1/products/{product}/reviews");
        let review = customer.asks(shop, Method::POST, &path).json(&json!({"rating": 2})).send().await.expect(201);
        made.push(format!("{path}/{}", review.text("/review_id")));
    }
    customer.asks(shop, Method::PUT, &made[0]).json(&json!({"rating": 5})).send().await.expect(200);
    shop.post(&format!("{}/hide", made[1]), &json!({"reason": "an insult"})).await.expect(200);
    shop.settle().await;
}

/// All answers of analytics.
async fn answers(shop: &TestShop) -> Vec<Value> {
    let mut answers = Vec::new();
    for path in numbers::questions("&from=2026-03-01&to=2026-03-31") {
        answers.push(shop.get(&path).await.expect(200).json());
    }
    answers
}

/// Every event of all services.
async fn archives(shop: &TestShop) -> Vec<Value> {
    let (mut events, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = shop.get(&format!("/v1/events?limit=100{cursor}")).await.expect(200);
        events.extend(page.items());
        let Some(next) = page.json()["next"].as_str().map(str::to_owned) else { return events };
        cursor = format!("&cursor={next}");
    }
}

async fn check(shop: &TestShop) {
    shop.settle().await;
    let events = archives(shop).await;
    assert_eq!(numbers::findings(&answers(shop).await, &events, ZONE), Vec::<String>::new());
}
