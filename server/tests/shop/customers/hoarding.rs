//! Stock that is held without a payment: so many units for an e-mail address, and for a client's address.

use std::net::SocketAddr;

use axum::http::Method;
use futures_util::future::join_all;
use orders::settings::{UNPAID_UNITS_PER_ADDRESS, UNPAID_UNITS_PER_EMAIL};
use serde_json::{Value, json};
use testkit::{Setup, ShopLocation, TestResponse, TestShop, on_each_store, unlimited};

on_each_store! {
    a_guest_holds_no_more_unpaid_units_than_are_allowed,
    orders_of_one_instant_hold_no_more_than_one_after_another,
    a_declined_order_waits_for_another_payment_within_the_bound_only,
}

const UNITS_PER_EMAIL: i64 = 50;
const UNITS_PER_ADDRESS: i64 = 80;

async fn start(place: ShopLocation) -> TestShop {
    let services = unlimited()
        .with(&UNPAID_UNITS_PER_EMAIL, &UNITS_PER_EMAIL.to_string())
        .with(&UNPAID_UNITS_PER_ADDRESS, &UNITS_PER_ADDRESS.to_string());
    TestShop::start_on_with(place, Setup { services, ..Setup::default() }).await
}

/// An order of a guest from this address.
async fn order(
    shop: &TestShop,
    from: &str,
    email: &str,
    product: &str,
    quantity: i64,
    token: Option<&str>,
) -> TestResponse {
    let from: SocketAddr = format!("{from}:4711").parse().unwrap();
    let mut order = json!({"lines": [{"product_id": product, "quantity": quantity}], "email": email});
    if let Some(token) = token {
        order["payment"] = json!({"token": token});
    }
    shop.request(Method::POST, "/v1/orders").connected_from(from).json(&order).send().await
}

#[track_caller]
fn refused(answer: TestResponse) {
    assert_eq!(answer.expect(429).text("/code"), "unpaid_limit");
}

async fn a_guest_holds_no_more_unpaid_units_than_are_allowed(place: ShopLocation) {
    let shop = start(place).await;
    let product = shop.product("A", 1_000).await;
    let (here, elsewhere) = ("192.0.2.7", "192.0.2.8");
    let first = order(&shop, here, "ada@example.com", &product, 50, None).await.expect(201).text("/order_id");
    refused(order(&shop, elsewhere, "ada@example.com", &product, 1, None).await);
    order(&shop, here, "eve@example.com", &product, 30, None).await.expect(201);
    refused(order(&shop, here, "bob@example.com", &product, 1, None).await);
    order(&shop, elsewhere, "bob@example.com", &product, 1, None).await.expect(201);

    // What is paid for at once, and what the admin orders, is not bounded.
    order(&shop, here, "ada@example.com", &product, 60, Some("tok_ok")).await.expect(201);
    let by_admin = json!({"lines": [{"product_id": product, "quantity": 60}], "email": "ada@example.com"});
    let by_admin = shop.post("/v1/orders", &by_admin).await.expect(201).text("/order_id");
    for order_id in [first, by_admin] {
        shop.post(&format!("/v1/orders/{order_id}/cancel"), &Value::Null).await.expect(200);
    }
    shop.settle().await;
    order(&shop, here, "ada@example.com", &product, 50, None).await.expect(201);
}

async fn orders_of_one_instant_hold_no_more_than_one_after_another(place: ShopLocation) {
    let shop = start(place).await;
    let product = shop.product("A", 1_000).await;
    let at_once = (0..30).map(|_| order(&shop, "192.0.2.7", "ada@example.com", &product, 10, None));
    let placed = join_all(at_once).await.into_iter().filter(|answer| answer.status == 201).count();
    assert_eq!(placed, 5, "of 10 units each, where 50 units are allowed");
    shop.settle().await;
    let held = shop.stock(&product).await.1;
    assert!(held <= UNITS_PER_EMAIL, "{held}");

    // Units that were refused are not counted any more.
    for _ in held / 10..5 {
        order(&shop, "192.0.2.7", "ada@example.com", &product, 10, None).await.expect(201);
    }
    refused(order(&shop, "192.0.2.7", "ada@example.com", &product, 1, None).await);
}

async fn a_declined_order_waits_for_another_payment_within_the_bound_only(place: ShopLocation) {
    let shop = start(place).await;
    let product = shop.product("A", 1_000).await;
    let soft = async |email: &str, quantity| {
        let placed = order(&shop, "192.0.2.7", email, &product, quantity, Some("tok_soft")).await.expect(201);
        shop.settle().await;
        placed.text("/order_id")
    };
    let within = soft("ada@example.com", 40).await;
    assert_eq!(shop.order_now(&within).await.text("/status"), "reserved");
    for beyond in [soft("ada@example.com", 11).await, soft("eve@example.com", 41).await] {
        let order = shop.order_now(&beyond).await;
        assert_eq!((order.text("/status"), order.text("/reason")), ("cancelled".into(), "payment_failed".into()));
        assert_eq!(shop.mails(&beyond).await, ["payment_failed"]);
    }
    assert_eq!(shop.stock(&product).await, (1_000, 40));
    shop.post(&format!("/v1/orders/{within}/payment"), &json!({"token": "tok_ok"})).await.expect(202);
    shop.settle().await;
    assert_eq!(shop.order_now(&within).await.text("/status"), "paid");
}
