//! The tools of an operator: dead letters, metrics, readiness, events as they happen, the API's description.

on_each_store! {
    a_dead_letter_is_listed_shown_replayed_and_discarded_and_only_its_key_waits,
    who_decided_about_a_dead_letter_is_kept_and_shown_with_its_delivery,
    metrics_have_the_names_that_dashboards_rely_on,
    refunds_that_failed_and_those_that_were_looked_up_are_counted,
    a_shop_that_runs_is_alive_and_ready,
    the_description_names_what_there_is,
    things_are_found_by_the_names_that_people_use,
    events_of_all_services_are_listed_newest_first_and_by_page,
}

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::http::Method;
use events::{OrderId, PaymentCaptured};
use kernel::Event;
use serde_json::{Value, json};
use testkit::{Customer, Setup, ShopLocation, TestShop, emit_about_an_unknown_order, on_each_store};

async fn a_dead_letter_is_listed_shown_replayed_and_discarded_and_only_its_key_waits(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 10).await;
    let order_id: OrderId = "019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d".parse().unwrap();
    let shop = shop
        .restart_after(Setup::default(), async |store, clock| {
            emit_about_an_unknown_order(store, clock, order_id, 2, &["orders"]).await;
        })
        .await;
    shop.settle().await;

    let letters = shop.get("/v1/dead-letters").await.expect(200).items();
    assert_eq!(letters.len(), 1, "the second event of the key waits behind the first");
    let letter = &letters[0];
    assert_eq!((&letter["consumer"], &letter["key"]), (&json!("orders"), &json!(order_id.to_string())));
    assert_eq!(letter["type"], PaymentCaptured::TYPE);
    assert!(letter["reason"].as_str().unwrap().contains("never placed"), "{letter}");
    assert_eq!(letter["body"]["order_id"], order_id.to_string());

    let other = shop.order(&[(&product, 1)], Some("tok_ok")).await.text("/order_id");
    shop.settle().await;
    assert_eq!(shop.order_now(&other).await.text("/status"), "paid", "other keys flow");

    let path = format!("/v1/dead-letters/{}", letter["dead_letter_id"].as_str().unwrap());
    shop.get(&path).await.expect(200);
    shop.post(&format!("{path}/replay"), &json!({})).await.expect(202);
    shop.settle().await;
    assert_eq!(shop.get("/v1/dead-letters").await.items().len(), 1, "it is parked again");

    shop.post(&format!("{path}/discard"), &json!({})).await.expect(200);
    shop.settle().await;
    let next = shop.get("/v1/dead-letters").await.items();
    assert_eq!(next.len(), 1, "the one that waited was tried, and is parked now");
    assert_ne!(next[0]["event_id"], letter["event_id"]);
    shop.post(&format!("{path}/discard"), &json!({})).await.expect(404);
}

async fn who_decided_about_a_dead_letter_is_kept_and_shown_with_its_delivery(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let ada = Customer::sign_up(&shop, "ada").await;
    shop.post(&format!("/v1/users/{}/roles", ada.user_id), &json!({"roles": ["admin"]})).await.expect(200);
    let order_id: OrderId = "019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d".parse().unwrap();
    let meanwhile = async |store, clock| emit_about_an_unknown_order(store, clock, order_id, 1, &["orders"]).await;
    let shop = shop.restart_after(Setup::default(), meanwhile).await;
    shop.settle().await;
    let letter = shop.get("/v1/dead-letters").await.expect(200).items().remove(0);
    let event = format!("/v1/events/{}", letter["event_id"].as_str().unwrap());
    let delivery = async || {
        let deliveries = shop.get(&event).await.expect(200).json()["deliveries"].take();
        deliveries.as_array().unwrap().iter().find(|delivery| delivery["consumer"] == "orders").unwrap().clone()
    };
    let decision = |delivery: &Value| ["status", "decision", "decided_by"].map(|name| delivery[name].clone());
    assert_eq!(decision(&delivery().await), [json!("parked"), Value::Null, Value::Null]);

    let path = format!("/v1/dead-letters/{}", letter["dead_letter_id"].as_str().unwrap());
    shop.post(&format!("{path}/replay"), &json!({})).await.expect(202);
    shop.settle().await;
    let replayed = delivery().await;
    assert_eq!(decision(&replayed), ["parked", "replay", "automation"].map(Value::from), "it is parked again");
    assert_eq!(replayed["decided_at"], "2026-01-01T12:00:00Z");

    shop.advance(Duration::from_mins(1)).await;
    ada.asks(&shop, Method::POST, &format!("{path}/discard")).send().await.expect(200);
    let discarded = delivery().await;
    assert_eq!(decision(&discarded), [json!("done"), json!("discard"), json!(ada.user_id)]);
    assert_eq!(discarded["decided_at"], "2026-01-01T12:01:00Z");
}

async fn things_are_found_by_the_names_that_people_use(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d", 10).await;
    shop.product("019360a4", 10).await;
    let order = shop.order(&[(&product, 1)], Some("tok_ok")).await;
    shop.settle().await;
    let found = async |query: &str| shop.get(query).await.expect(200).items();

    let of_sku = found("/v1/products?sku=019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d").await;
    assert_eq!((of_sku.len(), &of_sku[0]["product_id"]), (1, &json!(product)));
    assert!(found("/v1/products?sku=019360").await.is_empty(), "a sku is no text to search for");
    assert!(found("/v1/products?sku=019360a4&q=nothing").await.is_empty(), "all filters hold");
    assert_eq!(shop.get("/v1/currency").await.expect(200).text("/code"), "EUR");

    let of_number = found(&format!("/v1/orders?number={}", order.number("/number"))).await;
    assert_eq!((of_number.len(), &of_number[0]["order_id"]), (1, &json!(order.text("/order_id"))));
    assert!(found("/v1/orders?number=999999999").await.is_empty());
    assert!(found(&format!("/v1/orders?status=placed&number={}", order.number("/number"))).await.is_empty());

    for name in ["OrderPlaced", "orders.order_placed.v1"] {
        assert_eq!(found(&format!("/v1/events?type={name}")).await.len(), 1, "{name}");
    }
    assert!(found("/v1/events?type=StockLow").await.is_empty());
    let refused = shop.get("/v1/events?type=OrderPlcaed").await.expect(400);
    assert!(refused.text("/detail").contains("did you mean OrderPlaced?"), "{refused:?}");
    assert!(found("/v1/dead-letters?consumer=orders").await.is_empty());
    shop.get("/v1/dead-letters?consumer=ordres").await.expect(400);
}

async fn metrics_have_the_names_that_dashboards_rely_on(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 10).await;
    shop.order(&[(&product, 1)], Some("tok_ok")).await;
    shop.settle().await;
    let made_up = Method::from_bytes(b"MADE-UP").unwrap();
    shop.request(made_up, "/v1/orders").send().await.expect(405);
    let text = String::from_utf8(shop.get("/metrics").await.expect(200).body.to_vec()).unwrap();
    for line in [
        // Once for each of analytics, bridge, inventory and webhooks.
        "tradepost_events_published_total{service=\"orders\",type=\"orders.order_placed.v1\"} 4",
        "tradepost_events_handled_total{consumer=\"inventory\",type=\"orders.order_placed.v1\",outcome=\"done\"} 1",
        "tradepost_event_handling_seconds_count{consumer=\"inventory\",type=\"orders.order_placed.v1\"} 1",
        "tradepost_event_latency_seconds_count{consumer=\"orders\",type=\"payments.payment_captured.v1\"} 1",
        "tradepost_outbox_pending{service=\"orders\",lane=\"background\"} 0",
        "tradepost_outbox_oldest_seconds{service=\"orders\",lane=\"immediate\"} 0",
        "tradepost_parked{consumer=\"orders\"} 0",
        "tradepost_timers_due{service=\"payments\"} 0",
        "tradepost_http_requests_seconds_count{service=\"orders\",route=\"POST /v1/orders\",status=\"201\"} 1",
        "tradepost_http_requests_seconds_count{service=\"catalog\",route=\"POST /v1/products\",status=\"201\"} 1",
        "tradepost_commit_seconds_count{service=\"orders\"}",
        "tradepost_commit_group_size_count{service=\"orders\"}",
        "tradepost_orders_total{status=\"placed\"} 1",
        "tradepost_orders_total{status=\"paid\"} 1",
    ] {
        assert!(text.contains(line), "no {line} in\n{text}");
    }
    assert!(!text.contains("MADE-UP"), "a client makes up labels:\n{text}");
}

async fn refunds_that_failed_and_those_that_were_looked_up_are_counted(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 10).await;
    let metrics = async || String::from_utf8(shop.get("/metrics").await.expect(200).body.to_vec()).unwrap();
    // A rise from nothing is no rise to Prometheus.
    let before = metrics().await;
    for (token, line) in [
        ("tok_refund_fails", "tradepost_refunds_failed_total"),
        ("tok_refund_timeout", "tradepost_refunds_looked_up_total"),
    ] {
        assert!(before.contains(&format!("\n{line} 0\n")), "no {line} in\n{before}");
        let order_id = shop.order(&[(&product, 1)], Some(token)).await.text("/order_id");
        shop.settle().await;
        let payment = shop.get(&format!("/v1/payments?order_id={order_id}")).await.expect(200);
        let path = format!("/v1/payments/{}/refund", payment.text("/items/0/payment_id"));
        shop.post(&path, &json!({})).await.expect(202);
        shop.settle().await;
        let after = metrics().await;
        assert!(after.contains(&format!("\n{line} 1\n")), "no {line} 1 in\n{after}");
    }
}

async fn a_shop_that_runs_is_alive_and_ready(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    shop.request(Method::GET, "/healthz").send().await.expect(200);
    let ready = shop.request(Method::GET, "/readyz").send().await.expect(200).json();
    assert_eq!(ready["status"], "ready");
    let names: Vec<&str> = ready["checks"].as_array().unwrap().iter().filter_map(|it| it["name"].as_str()).collect();
    assert!(names.contains(&"store.orders") && names.contains(&"broker.embedded"), "{names:?}");
    assert!(ready["checks"].as_array().unwrap().iter().all(|check| check["ok"] == json!(true)));
}

async fn the_description_names_what_there_is(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let api = shop.request(Method::GET, "/openapi.json").send().await.expect(200).json();
    for (path, method) in [
        ("/v1/orders", "post"),
        ("/v1/orders/{id}/events", "get"),
        ("/v1/products", "post"),
        ("/v1/stock/{product_id}/adjustments", "post"),
        ("/v1/users", "post"),
        ("/v1/users/{id}/ban", "post"),
        ("/v1/products/{id}/reviews", "post"),
        ("/v1/products/{id}/back-in-stock", "post"),
        ("/v1/shipments/{id}/dispatch", "post"),
        ("/v1/payments/{id}/refund", "post"),
        ("/v1/suppliers/{id}", "patch"),
        ("/v1/purchase-orders/{id}/receive", "post"),
        ("/v1/mail/{id}", "get"),
        ("/v1/dead-letters/{id}/replay", "post"),
        ("/v1/events/tail", "get"),
        ("/v1/alerts", "get"),
        ("/v1/analytics/sales", "get"),
        ("/v1/webhooks/{id}/attempts", "get"),
    ] {
        assert!(api["paths"][path][method].is_object(), "{method} {path}");
    }
    let page = shop.request(Method::GET, "/docs").send().await.expect(200);
    let html = String::from_utf8(page.body.to_vec()).unwrap().replace("&#x2f;", "/");
    assert!(html.contains("/v1/orders/{id}/cancel"));
    for fetched in ["src=\"http", "href=\"http", "@import", "url("] {
        assert!(!html.contains(fetched), "the page fetches nothing from outside: {fetched}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_a_folder_that_others_could_read_are_closed_to_them() {
    let shop = TestShop::start().await;
    let folder = shop.data();
    let foreign = folder.join("notes.txt");
    let mode_of = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let shop = shop
        .restart_after(Setup::default(), async |_, _| {
            fs::write(&foreign, "somebody's").unwrap();
            for path in files_below(&folder) {
                let mode = if path.is_dir() { 0o755 } else { 0o644 };
                fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            }
        })
        .await;
    shop.product("123", 10).await;

    let (made, others): (Vec<_>, Vec<_>) = files_below(&folder).into_iter().partition(|path| *path != foreign);
    assert!(made.iter().any(|path| path.ends_with("payment-provider/payment-provider.db")), "{made:?}");
    let readable: Vec<_> = made.iter().filter(|path| mode_of(path) & 0o077 != 0).collect();
    assert!(readable.is_empty(), "{readable:?}");
    assert_eq!((others.len(), mode_of(&foreign)), (1, 0o644), "what lies beside them is not ours");
}

/// All that is in a folder, and in its folders.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let here = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let deeper = |path: PathBuf| if path.is_dir() { [files_below(&path), vec![path]].concat() } else { vec![path] };
    here.flat_map(deeper).collect()
}

async fn events_of_all_services_are_listed_newest_first_and_by_page(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 10).await;
    let order_id = shop.order(&[(&product, 1)], Some("tok_ok")).await.text("/order_id");
    shop.settle().await;
    let of_order = shop.get(&format!("/v1/events?subject={order_id}&limit=100")).await.expect(200).items();
    assert_eq!(of_order.len(), 5);
    let placed = shop.get("/v1/events?type=orders.order_placed.v1").await.expect(200).items();
    assert_eq!(placed.len(), 1);
    let one = shop.get(&format!("/v1/events/{}", placed[0]["event_id"].as_str().unwrap())).await.expect(200);
    let mut one = one.json();
    let deliveries = one.as_object_mut().unwrap().remove("deliveries").unwrap();
    let mut consumers: Vec<&str> =
        deliveries.as_array().unwrap().iter().filter_map(|delivery| delivery["consumer"].as_str()).collect();
    consumers.sort_unstable();
    assert_eq!((one, consumers), (placed[0].clone(), vec!["analytics", "inventory"]));

    let mut seen = Vec::new();
    let mut path = "/v1/events?limit=2".to_owned();
    loop {
        let page = shop.get(&path).await.expect(200);
        seen.extend(page.items().iter().map(|event| event["event_id"].as_str().unwrap().to_owned()));
        match page.json()["next"].as_str() {
            Some(next) => path = format!("/v1/events?limit=2&cursor={next}"),
            None => break,
        }
    }
    assert!(seen.is_sorted_by(|a, b| a > b), "newest first, none twice");
    assert!(seen.len() >= 8, "{seen:?}");
}
