//! Republished events: an event that was handled takes no second effect, whoever asks for it.

use std::time::Duration;

use serde_json::{Value, json};
use server::shop::Shop;
use testkit::{ShopLocation, TestShop, on_each_store};

on_each_store! {
    events_that_are_sent_again_take_effect_once,
    nothing_older_than_the_window_is_sent_again,
    what_can_not_be_sent_again_is_refused,
}

async fn events_that_are_sent_again_take_effect_once(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 10).await;
    let order_id = shop.order(&[(&product, 2)], Some("tok_ok")).await.text("/order_id");
    shop.settle().await;
    let (before, events) = (shop.stock(&product).await, shop.get("/v1/events?limit=100").await.expect(200).items());

    let mut sent = 0;
    for service in Shop::tradepost().services() {
        let since = json!({"service": service, "since": "2026-01-01T00:00:00Z"});
        let step = shop.post("/v1/events/republish", &since).await.expect(200);
        assert_eq!(step.json()["next"], json!(null));
        sent += step.number("/events");
    }
    shop.settle().await;

    assert!(sent > 5, "{sent}");
    assert_eq!(shop.stock(&product).await, before);
    assert_eq!(shop.get("/v1/events?limit=100").await.expect(200).items(), events, "nothing followed from them");
    assert_eq!(shop.mails(&order_id).await, ["confirmation"]);
    let metrics = String::from_utf8(shop.get("/metrics").await.expect(200).body.to_vec()).unwrap();
    let dropped = "consumer=\"inventory\",type=\"orders.order_placed.v1\",outcome=\"duplicate\"} 1";
    assert!(metrics.contains(dropped), "it was redelivered and known");
}

async fn nothing_older_than_the_window_is_sent_again(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 10).await;
    let count = async |request: Value| shop.post("/v1/events/republish", &request).await.expect(200).number("/events");
    let place_one = async || {
        shop.order(&[(&product, 1)], Some("tok_ok")).await;
        shop.settle().await;
    };
    place_one().await;
    let of_one = count(json!({"service": "orders", "since": "2026-01-01T00:00:00Z"})).await;
    assert!(of_one > 0);

    // A week and an hour after that; asked as by a client whose clock is a minute behind.
    shop.advance(Duration::from_hours(7 * 24 + 1)).await;
    place_one().await;
    let since = "2026-01-01T12:59:00Z";
    assert_eq!(count(json!({"service": "orders", "since": since})).await, of_one);
    let first = "00000000-0000-7000-8000-000000000000";
    assert_eq!(count(json!({"service": "orders", "since": since, "after": first})).await, of_one);
    assert_eq!(count(json!({"service": "orders", "since": "2025-01-01T00:00:00Z", "after": first})).await, of_one);
}

async fn what_can_not_be_sent_again_is_refused(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    for (body, field) in [
        (json!({"service": "orders", "since": "2025-01-01T00:00:00Z"}), "since"),
        (json!({"service": "warehouse", "since": "2026-01-01T00:00:00Z"}), "service"),
    ] {
        let refused = shop.post("/v1/events/republish", &body).await.expect(422);
        assert_eq!(refused.json()["errors"][0]["field"], field);
    }
    shop.post("/v1/events/republish", &json!({"service": "orders"})).await.expect(422);
}
