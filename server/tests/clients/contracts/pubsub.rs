//! Services of others on Redis, in JavaScript: listeners of channels, workers of groups, and publishers of both.

use serde_json::{Value, json};
use test_servers::KeyPrefix;

use super::peer::Others;
use super::shop::{Contract, Shop};

fn order(id: &str, units: i64) -> String {
    let items = json!([{ "product_id": "123", "quantity": units }]);
    let data = json!({ "order_id": id, "user_id": "u-1", "email": "ada@example.com", "total": 100, "items": items });
    json!({ "event": "OrderCreated", "data": data, "timestamp": "2026-11-30T12:00:00.000Z" }).to_string()
}

#[test]
fn orders_of_others_count_once_by_stream_and_channel() {
    let place = KeyPrefix::create();
    let others = Others::in_node(&place.url());
    let shop = Shop::start(&Contract::own("pubsub").of_all("stock\", \"email"), Some(&place.url()));
    shop.until_connected();
    let before = shop.stock_of("123");
    others.run(&["say", "OrderCreated", "both", &order("o-1", 1)]);
    others.run(&["say", "OrderCreated", "stream", &order("o-2", 1), &order("o-2", 1), "{}", "no JSON"]);
    others.run(&["say", "OrderCreated", "channel", &order("o-3", 1)]);
    shop.until_stock_of("123", before - 3);
    // Two bodies that are no orders, for each of two groups; `{}` has something to log.
    shop.until("garbage is parked", |status| status["parked"].as_i64() >= Some(3));
    shop.until("what came by a channel is marked", |status| status["messages"]["in.at_most_once"].as_i64() >= Some(1));
    shop.until_logged("EMAIL: the order o-3 is confirmed to its customer");
    assert_eq!(shop.stock_of("123"), before - 3);

    // A user of theirs is known.
    let user = json!({ "user_id": "u-1", "email": "marie@example.com", "username": "marie" });
    let user = json!({ "event": "UserRegistered", "data": user, "timestamp": "2026-11-30T12:00:00.000Z" });
    others.run(&["say", "UserRegistered", "both", &user.to_string()]);
    shop.until_account("marie@example.com", "marie");

    // A flush ends the groups, and what comes after it is taken in all the same.
    place.remove("stream:");
    others.run(&["say", "OrderCreated", "stream", &order("o-4", 1)]);
    shop.until_stock_of("123", before - 4);
}

#[test]
fn others_get_orders_by_channel_and_by_group() {
    let place = KeyPrefix::create();
    let others = Others::in_node(&place.url());
    let shop = Shop::start(&Contract::own("pubsub").of_all("orders\", \"auth\", \"products"), Some(&place.url()));
    shop.until_connected();
    let mut listener = others.start(&["subscribe", "OrderCreated", "1"]);
    // Two workers share what their group gets; another group gets all of it.
    let mut workers = ["first", "second"].map(|name| others.start(&["group", "OrderCreated", "stock", name, "1"]));
    let mut analytics = others.start(&["group", "OrderCreated", "analytics", "only", "2"]);
    let product = shop.api("GET", "/v1/products?sku=456")["items"][0]["product_id"].clone();
    let numbers: Vec<Value> = (1..=2)
        .map(|quantity| {
            let order =
                json!({ "lines": [{ "product_id": product, "quantity": quantity }], "email": "ada@example.com" });
            let (status, placed) = shop.post("/v1/orders", &order);
            assert_eq!(status, 201, "{placed}");
            placed["order_id"].clone()
        })
        .collect();
    let read = |line: String| serde_json::from_str::<Value>(&line).unwrap();
    let first = read(listener.lines(1).remove(0));
    assert_eq!((&first["event"], &first["data"]["order_id"]), (&json!("OrderCreated"), &numbers[0]));
    assert_eq!(first["data"]["items"], json!([{ "product_id": product, "quantity": 1 }]));
    assert!(first["data"]["total"].is_i64(), "{first}");
    let ids = |lines: Vec<String>| lines.into_iter().map(|line| read(line)["data"]["order_id"].clone());
    let mut shared: Vec<Value> = workers.iter_mut().flat_map(|worker| ids(worker.lines(1))).collect();
    shared.sort_by_key(|id| numbers.iter().position(|number| number == id));
    assert_eq!(shared, numbers);
    assert_eq!(ids(analytics.lines(2)).collect::<Vec<_>>(), numbers);

    // Everything that was sent was handled by both groups: at most the last one stays.
    shop.until("all is sent", |status| status["waiting"] == 0);
    shop.until("handled entries go", |_| place.command(&["XLEN", &place.key("stream:OrderCreated")]).trim() == "1");
}

#[test]
fn a_kill_loses_and_doubles_no_order_of_a_stream() {
    const ORDERS: i64 = 300;
    let place = KeyPrefix::create();
    let others = Others::in_node(&place.url());
    let shop = Shop::start(&Contract::own("pubsub").of("stock"), Some(&place.url()));
    shop.until_connected();
    let orders: Vec<String> = (0..ORDERS).map(|number| order(&format!("o-{number}"), 1)).collect();
    let words = ["say", "OrderCreated", "stream"].into_iter().chain(orders.iter().map(String::as_str));
    let before = shop.stock_of("465");
    let orders: Vec<String> = words.map(|word| word.replace(r#""123""#, r#""465""#)).collect();
    let words: Vec<&str> = orders.iter().map(String::as_str).collect();
    let mut publisher = others.start_quiet(&words);
    shop.until("some are taken", |status| status["messages"]["in.taken"].as_i64() >= Some(20));
    let shop = shop.restarted(&[&place.url()]);
    publisher.wait();
    shop.until_stock_of("465", before - ORDERS);
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(shop.stock_of("465"), before - ORDERS);
}
