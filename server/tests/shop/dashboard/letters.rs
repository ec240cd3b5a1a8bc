//! Dead letters in groups, and many replayed at once.

use std::time::{Duration, Instant};

use events::OrderId;
use kernel::Uuid;
use serde_json::{Value, json};
use testkit::{Setup, ShopLocation, TestShop, emit_about_an_unknown_order, on_each_store};

on_each_store! {
    dead_letters_of_one_cause_are_a_group_that_is_replayed_at_once,
    a_replay_that_means_nothing_is_refused,
}

/// Orders that never were.
const ORDERS: u128 = 7;

async fn with_dead_letters(place: ShopLocation) -> TestShop {
    let shop = TestShop::start_on(place).await;
    let shop = shop
        .restart_after(Setup::default(), async |store, clock| {
            for number in 1..=ORDERS {
                let order_id = OrderId::from(Uuid::from_u128(number));
                emit_about_an_unknown_order(store.clone(), clock.clone(), order_id, 1, &["orders"]).await;
            }
        })
        .await;
    shop.settle().await;
    shop
}

/// The report of a replay that has ended.
async fn ended(shop: &TestShop, replay: &Value) -> Value {
    let path = format!("/v1/dead-letters/replays/{}", replay["replay_id"].as_str().unwrap());
    let began = Instant::now();
    loop {
        let report = shop.get(&path).await.expect(200).json();
        if report["state"] != "running" {
            return report;
        }
        assert!(began.elapsed() < Duration::from_mins(1), "{report}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn dead_letters_of_one_cause_are_a_group_that_is_replayed_at_once(place: ShopLocation) {
    let shop = with_dead_letters(place).await;
    let groups = shop.get("/v1/dead-letters/groups").await.expect(200).items();
    assert_eq!(groups.len(), 1, "reasons differ in ids alone: {groups:?}");
    let group = &groups[0];
    assert_eq!((&group["consumer"], &group["count"], &group["subjects"]), (&json!("orders"), &json!(7), &json!(7)));
    assert_eq!(group["type"], "payments.payment_captured.v1");
    let id = group["group"].as_str().unwrap();
    assert_eq!(shop.get(&format!("/v1/dead-letters?group={id}&limit=3")).await.expect(200).items().len(), 3);
    assert!(shop.get("/v1/dead-letters?group=none").await.expect(200).items().is_empty());

    let begun = shop.post("/v1/dead-letters/replays", &json!({"group": id})).await.expect(202).json();
    assert_eq!((&begun["total"], &begun["state"]), (&json!(7), &json!("running")));
    let report = ended(&shop, &begun).await;
    assert_eq!((&report["done"], &report["failed"], &report["state"]), (&json!(7), &json!(0), &json!("done")));
    shop.settle().await;
    // Nobody has placed the orders meanwhile, so they are dead letters again.
    let letters = shop.get("/v1/dead-letters").await.expect(200).items();
    assert_eq!(letters.len(), 7);
    let ids: Vec<&Value> = letters.iter().take(2).map(|letter| &letter["dead_letter_id"]).collect();
    let begun = shop.post("/v1/dead-letters/replays", &json!({"ids": ids, "per_second": 100})).await.expect(202).json();
    assert_eq!(ended(&shop, &begun).await["done"], 2);
    shop.stop().await;
}

async fn a_replay_that_means_nothing_is_refused(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    for body in [
        json!({}),
        json!({"ids": []}),
        json!({"ids": [Uuid::from_u128(1)], "group": "x"}),
        json!({"group": "x", "consumer": "orders"}),
        json!({"consumer": "orders", "per_second": 0}),
        json!({"consumer": "orders", "per_second": 1_001}),
    ] {
        shop.post("/v1/dead-letters/replays", &body).await.expect(422);
    }
    let nothing = json!({"ids": [Uuid::from_u128(1)]});
    let begun = shop.post("/v1/dead-letters/replays", &nothing).await.expect(202).json();
    assert_eq!(begun["total"], 0);
    assert_eq!(ended(&shop, &begun).await["state"], "done");
    shop.get(&format!("/v1/dead-letters/replays/{}", Uuid::from_u128(1))).await.expect(404);
    shop.stop().await;
}
