//! Reasons why orders are where they are, asked of whole shops.

use axum::http::Method;
use events::OrderPaid;
use kernel::{Currency, Money, Uuid};
use serde_json::Value;
use testkit::{Setup, ShopLocation, TestShop, on_each_store};

on_each_store! {
    orders_that_nothing_is_wrong_with_are_called_healthy,
    a_dead_letter_of_an_order_is_named_with_the_command_that_replays_it,
    later_events_that_wait_behind_a_dead_letter_are_evidence,
}

async fn why(shop: &TestShop, order_id: &str) -> Value {
    shop.get(&format!("/v1/orders/{order_id}/why")).await.expect(200).json()
}

async fn orders_that_nothing_is_wrong_with_are_called_healthy(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("A", 6).await;
    for (token, quantity, cause) in [
        (None, 1, "waiting_for_customer"),
        (Some("tok_soft"), 1, "waiting_for_customer"),
        (Some("tok_ok"), 1, "waiting_for_shipping"),
        (Some("tok_declined"), 1, "finished"),
        (Some("tok_ok"), 100, "finished"),
    ] {
        let order = shop.order(&[(&product, quantity)], token).await;
        shop.settle().await;
        let found = why(&shop, &order.text("/order_id")).await;
        assert_eq!((&found["cause"], &found["healthy"]), (&cause.into(), &true.into()), "{token:?}: {found}");
        assert_eq!(found["state"], shop.order_now(&order.text("/order_id")).await.text("/status"));
        // Its guest may ask too, and sees no internal reasons.
        let path = format!("/v1/orders/{}/why", order.text("/order_id"));
        let own = shop.request(Method::GET, &path).header("x-order-token", &order.text("/access_token"));
        let own = own.send().await.expect(200).json();
        assert_eq!((&own["sentence"], &own["evidence"]), (&found["sentence"], &Value::Array(Vec::new())));
        shop.request(Method::GET, &path).send().await.expect(404);
    }
    let paid = shop.order(&[(&product, 1)], Some("tok_ok")).await.text("/order_id");
    shop.settle().await;
    shop.deliver(&paid).await;
    assert_eq!(why(&shop, &paid).await["cause"], "finished");
    shop.get(&format!("/v1/orders/{}/why", Uuid::from_u128(1))).await.expect(404);
    shop.stop().await;
}

/// The fact that a rejected order is paid, which it is not.
fn paid(order_id: &str, number: u128) -> OrderPaid {
    OrderPaid {
        order_id: order_id.parse().unwrap(),
        number: 1,
        user_id: None,
        email: "ada@example.com".to_owned(),
        payment_id: Uuid::from_u128(number).into(),
        amount: Money::new(1_000, Currency::EUR),
        ship_to: None,
        lines: Vec::new(),
    }
}

/// A shop with an order that was rejected, about which inventory then gets so many facts that it can't handle.
async fn with_wrong_facts(place: ShopLocation, facts: u128) -> (TestShop, String) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("A", 1).await;
    let order_id = shop.order(&[(&product, 2)], None).await.text("/order_id");
    shop.settle().await;
    assert_eq!(why(&shop, &order_id).await["cause"], "finished");
    let facts: Vec<OrderPaid> = (1..=facts).map(|number| paid(&order_id, number)).collect();
    let shop = shop.restart_with(&facts, &["inventory"]).await;
    shop.settle().await;
    (shop, order_id)
}

async fn a_dead_letter_of_an_order_is_named_with_the_command_that_replays_it(place: ShopLocation) {
    let (shop, order_id) = with_wrong_facts(place, 1).await;
    let letter = shop.get("/v1/dead-letters").await.expect(200).items().remove(0);
    let found = why(&shop, &order_id).await;
    assert_eq!((&found["cause"], &found["healthy"]), (&"parked".into(), &false.into()), "{found}");
    assert_eq!(found["sentence"], "OrderPaid is a dead letter at inventory.");
    let replay = format!("tradepost dlq replay {}", letter["dead_letter_id"].as_str().unwrap());
    assert_eq!(found["remedy"], replay);
    assert!(found["evidence"][0].as_str().unwrap().contains("never held"), "{found}");
    shop.stop().await;
}

async fn later_events_that_wait_behind_a_dead_letter_are_evidence(place: ShopLocation) {
    let (shop, order_id) = with_wrong_facts(place, 2).await;
    let found = why(&shop, &order_id).await;
    assert_eq!(found["cause"], "parked", "{found}");
    assert_eq!(found["evidence"][1], "later events of the order wait behind it");
    let shop = shop.restart(Setup::default()).await;
    assert_eq!(why(&shop, &order_id).await["cause"], "parked");
    shop.stop().await;
}
