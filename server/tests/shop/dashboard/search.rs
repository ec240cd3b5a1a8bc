//! Orders and events that somebody looks for.

use axum::http::Method;
use serde_json::json;
use testkit::{Customer, ShopLocation, TestShop, on_each_store};

on_each_store! {
    an_order_is_found_by_its_number_its_address_and_its_products,
    events_are_found_by_their_service_and_their_time,
}

async fn an_order_is_found_by_its_number_its_address_and_its_products(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let (lamp, mug) = (shop.product("4711", 5).await, shop.product("mug_100", 5).await);
    let number = shop.order(&[(&lamp, 1)], None).await.number("/number");
    let grace = Customer::sign_up(&shop, "grace").await;
    let order = json!({"lines": [{"product_id": mug, "quantity": 1}]});
    grace.asks(&shop, Method::POST, "/v1/orders").json(&order).send().await.expect(201);
    shop.settle().await;
    let numbers = async |q: &str| -> Vec<i64> {
        let found = shop.get(&format!("/v1/orders?q={q}")).await.expect(200).items();
        found.iter().filter_map(|order| order["number"].as_i64()).map(|found| found - number).collect()
    };
    for (q, expected) in [
        (number.to_string().as_str(), &[0][..]),
        ("4711", &[0]),
        ("ada@example.com", &[0]),
        ("GRACE@example.com", &[1]),
        ("Mug", &[1]),
        ("g_100", &[1]),
        ("m_g", &[]),
        ("%25", &[]),
        ("nothing", &[]),
        ("%20", &[1, 0]),
    ] {
        assert_eq!(numbers(q).await, expected, "{q}");
    }
    assert!(shop.get("/v1/orders?q=mug&status=paid").await.expect(200).items().is_empty());
    let of_customer = grace.asks(&shop, Method::GET, "/v1/orders?q=mug").send().await.expect(400);
    assert_eq!(of_customer.text("/code"), "invalid_query");
    shop.stop().await;
}

async fn events_are_found_by_their_service_and_their_time(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("A", 5).await;
    shop.advance(std::time::Duration::from_mins(10)).await;
    shop.order(&[(&product, 1)], Some("tok_ok")).await;
    shop.settle().await;
    let services = async |query: &str| -> Vec<String> {
        let found = shop.get(&format!("/v1/events?limit=100&{query}")).await.expect(200).items();
        found.iter().filter_map(|event| event["service"].as_str()).map(str::to_owned).collect()
    };
    let all = services("").await.len();
    let (before, after) = (services("to=2026-01-01T12:05:00Z").await, services("from=2026-01-01T12:05:00Z").await);
    assert_eq!(before.len() + after.len(), all);
    assert!(before.contains(&"catalog".to_owned()) && !before.contains(&"orders".to_owned()), "{before:?}");
    assert!(after.contains(&"orders".to_owned()) && !after.contains(&"catalog".to_owned()), "{after:?}");
    let of_payments = services("service=payments").await;
    assert!(!of_payments.is_empty() && of_payments.iter().all(|service| service == "payments"), "{of_payments:?}");
    assert!(services("service=payments&to=2026-01-01T12:05:00Z").await.is_empty());
    shop.stop().await;
}
