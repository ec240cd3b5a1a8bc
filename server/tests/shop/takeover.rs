//! Data of the version before, left by a process that was killed, is taken over.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use axum::http::Method;
use serde_json::{Value, json};
use testkit::{Setup, ShopLocation, TestShop, on_each_store};

on_each_store! {
    what_version_0_1_left_is_there_and_goes_on_and_each_unsent_event_takes_effect_once,
}

/// Minutes after the process of that version was killed, and days before anything in its stores expires.
const NOW: &str = "2026-11-29T07:00:00Z";

/// The shop: Ada has an account and paid for a lamp, Grace and Eve have reserved a desk each, of which Eve's payment was
/// declined. Neither the fourth order nor the last change of the lamp's price had left the outboxes.
async fn what_version_0_1_left_is_there_and_goes_on_and_each_unsent_event_takes_effect_once(place: ShopLocation) {
    let version = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/version-0.1");
    let dumps = place.load_version(&version);
    let facts: BTreeMap<String, Value> =
        serde_json::from_str(&fs::read_to_string(dumps.join("shop.json")).unwrap()).unwrap();
    let fact = |name: &str| facts[name].as_str().unwrap().to_owned();
    let [lamp, desk] = ["lamp", "desk"].map(fact);
    let [paid, reserved, declined, pending] = ["paid", "reserved", "declined", "pending"].map(fact);

    let shop = TestShop::start_at(NOW, place, Setup::default()).await;
    shop.settle().await;
    for (order, number, status) in
        [(&paid, 1, "paid"), (&reserved, 2, "reserved"), (&declined, 3, "reserved"), (&pending, 4, "paid")]
    {
        let order = shop.order_now(order).await;
        assert_eq!((order.number("/number"), order.text("/status").as_str()), (number, status));
    }
    assert_eq!(shop.order_now(&pending).await.number("/total/amount"), facts["pending_price"].as_i64().unwrap());
    assert_eq!((shop.stock(&lamp).await, shop.stock(&desk).await), ((8, 0), (5, 2)));
    assert_eq!(shop.mails(&paid).await, ["confirmation"]);
    assert_eq!(shop.mails(&pending).await, ["confirmation"]);
    assert_eq!(events(&shop, "OrderPlaced").await, 4);
    assert_eq!(events(&shop, "StockReserved").await, 4);
    assert_eq!(shop.get("/v1/dead-letters").await.expect(200).items(), [Value::Null; 0]);
    let tokens = json!({"refresh_token": fact("refresh_token")});
    let ada = shop.request(Method::POST, "/v1/sessions/refresh").json(&tokens).send().await.expect(200);
    let own = shop.request(Method::GET, "/v1/orders").bearer(&ada.text("/access_token")).send().await.expect(200);
    assert_eq!(own.items()[0]["order_id"], paid);

    // What waited for somebody goes on, and new orders are taken at the price of now.
    for order in ["reserved", "declined"] {
        let call = shop.request(Method::POST, &format!("/v1/orders/{}/payment", fact(order)));
        let call = call.header("x-order-token", &fact(&format!("{order}_token")));
        call.json(&json!({"token": "tok_ok"})).send().await.expect(202);
    }
    let new = shop.order(&[(&lamp, 1)], Some("tok_ok")).await;
    assert_eq!(new.number("/total/amount"), facts["lamp_price"].as_i64().unwrap());
    shop.settle().await;
    for order in [&reserved, &declined, &new.text("/order_id")] {
        assert_eq!(shop.order_now(order).await.text("/status"), "paid");
    }
    assert_eq!((shop.stock(&lamp).await, shop.stock(&desk).await), ((7, 0), (3, 0)));
    assert_eq!(shop.mails(&declined).await, ["confirmation", "payment_failed"]);

    let shop = shop.restart(Setup::default()).await;
    shop.settle().await;
    assert_eq!((events(&shop, "OrderPlaced").await, events(&shop, "OrderPaid").await), (5, 5));
}

async fn events(shop: &TestShop, name: &str) -> usize {
    shop.get(&format!("/v1/events?type={name}&limit=100")).await.expect(200).items().len()
}
