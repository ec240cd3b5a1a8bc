//! The flow of the shop: rates, totals, and the books of services that are compared.

use std::time::{Duration, Instant};

use axum::http::Method;
use events::PaymentRefunded;
use kernel::{Currency, Money, Uuid};
use serde_json::{Value, json};
use testkit::{ShopLocation, TestShop, on_each_store};

on_each_store! {
    the_flow_shows_what_services_handle_and_that_their_books_agree,
    books_that_differ_are_shown_with_the_difference,
}

/// The state of books changes within this time, on a machine that is busy too.
const WITHIN: Duration = Duration::from_secs(20);

async fn flow(shop: &TestShop) -> Value {
    shop.get("/v1/flow").await.expect(200).json()
}

/// The snapshot in which the books are as they should be. Somebody has to watch, for nobody else wants the books.
async fn until_books(shop: &TestShop, is_right: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let snapshot = flow(shop).await;
        if is_right(&snapshot["books"]) {
            return snapshot;
        }
        assert!(began.elapsed() < WITHIN, "{snapshot}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn the_flow_shows_what_services_handle_and_that_their_books_agree(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("A", 10).await;
    for token in [Some("tok_ok"), Some("tok_declined"), None] {
        shop.order(&[(&product, 2)], token).await;
        shop.settle().await;
    }
    let snapshot = until_books(&shop, |books| books["checks"].is_array()).await;
    assert_eq!(snapshot["books"]["balanced"], true, "{snapshot}");
    let details: Vec<&str> =
        snapshot["books"]["checks"].as_array().unwrap().iter().filter_map(|check| check["detail"].as_str()).collect();
    let expected = [
        "units held for orders: 2 at inventory, 2 at orders",
        "minor units paid: 2000 at payments, 2000 at orders",
        "minor units given back: 0 at payments, 0 at orders",
    ];
    assert_eq!(details, expected);

    let edges = snapshot["edges"].as_array().unwrap();
    let placed = edges.iter().find(|edge| edge["from"] == "orders" && edge["to"] == "inventory").unwrap();
    let placed = placed["types"].as_array().unwrap().iter().find(|it| it["name"] == "OrderPlaced").unwrap();
    assert_eq!((&placed["type"], &placed["total"]), (&json!("orders.order_placed.v1"), &json!(3)));
    let services = snapshot["services"].as_array().unwrap();
    assert!(services.iter().all(|it| it["state"] == "ready" && it["instances"] == 1), "{services:?}");
    assert_eq!(snapshot["totals"]["dead_letters"], 0);

    let listed = shop.get("/v1/services").await.expect(200).items();
    let inventory = listed.iter().find(|it| it["service"] == "inventory").unwrap();
    assert_eq!(inventory["instances"][0]["version"], env!("CARGO_PKG_VERSION"));
    let reaction = inventory["consumers"].as_array().unwrap().iter().find(|it| it["name"] == "OrderPlaced").unwrap();
    assert_eq!((&reaction["handled"], &reaction["failed"]), (&json!(3), &json!(0)));
    shop.get("/v1/flow/history").await.expect(200);
    for hz in ["0", "5"] {
        shop.get(&format!("/v1/flow/live?hz={hz}")).await.expect(400);
    }
    for path in ["/v1/flow", "/v1/flow/live", "/v1/flow/history", "/v1/services"] {
        shop.request(Method::GET, path).send().await.expect(401);
    }
    shop.stop().await;
}

async fn books_that_differ_are_shown_with_the_difference(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("A", 10).await;
    let order_id = shop.order(&[(&product, 1)], Some("tok_ok")).await.text("/order_id");
    shop.settle().await;
    let payment = shop.get(&format!("/v1/payments?order_id={order_id}")).await.expect(200).items().remove(0);
    // Money that payments never gave back: what a defect or a restored backup could say.
    let refunded = PaymentRefunded {
        payment_id: payment["payment_id"].as_str().unwrap().parse().unwrap(),
        refund_id: Some(Uuid::from_u128(1).into()),
        order_id: order_id.parse().unwrap(),
        amount: Money::new(100, Currency::EUR),
        refunded_total: None,
        restock: Vec::new(),
        reason: None,
        of_cancellation: None,
    };
    let shop = shop.restart_with(&[refunded], &["orders"]).await;
    shop.settle().await;
    let snapshot = until_books(&shop, |books| books["balanced"] == false).await;
    let checks = snapshot["books"]["checks"].as_array().unwrap();
    let wrong: Vec<&Value> = checks.iter().filter(|check| check["ok"] == false).collect();
    assert_eq!(wrong.len(), 1, "{checks:?}");
    assert_eq!(wrong[0]["detail"], "minor units given back: 0 at payments, 100 at orders: they differ by 100");
    shop.stop().await;
}
