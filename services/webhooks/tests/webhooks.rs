//! Endpoints in a whole shop: what is kept, what is shown, and what is refused. What is sent is in `server/tests/shop`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use axum::http::Method;
use serde_json::{Value, json};
use testkit::{Setup, ShopLocation, TestResponse, TestShop, unlimited};
use tradepost_webhooks::settings::ALLOW_LOOPBACK;

testkit::on_each_store! {
    an_endpoint_is_added_changed_and_deleted,
    bad_endpoints_are_refused_by_field,
    no_endpoint_leads_into_a_private_network,
    changes_are_made_only_to_what_was_read,
    endpoints_are_listed_page_by_page_and_are_bounded,
    only_an_admin_sees_endpoints,
    only_a_time_in_the_past_is_sent_again,
}

async fn shop(place: ShopLocation) -> TestShop {
    let services = unlimited().with(&ALLOW_LOOPBACK, "true");
    TestShop::start_on_with(place, Setup { services, ..Setup::default() }).await
}

fn hook(event_types: &[&str]) -> Value {
    json!({"url": "http://127.0.0.1:9/hook", "event_types": event_types})
}

/// Fields, codes and details of a refusal.
fn errors(refused: &TestResponse) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let errors = refused.json()["errors"].as_array().cloned().unwrap_or_default();
    errors.iter().map(|it| (text(&it["field"]), text(&it["code"]), text(&it["detail"]))).collect()
}

async fn an_endpoint_is_added_changed_and_deleted(place: ShopLocation) {
    let shop = shop(place).await;
    let mut new = hook(&["orders.*", "users.user_deleted.v1"]);
    new["description"] = json!("The ERP");
    let made = shop.post("/v1/webhooks", &new).await.expect(201);
    let path = format!("/v1/webhooks/{}", made.text("/webhook_id"));
    assert_eq!(made.headers["location"], path.as_str());
    assert!(made.text("/secret").starts_with("whsec_"));
    let shown = shop.get(&path).await.expect(200).json();
    assert_eq!((&shown["url"], &shown["description"]), (&json!("http://127.0.0.1:9/hook"), &json!("The ERP")));
    assert_eq!((&shown["enabled"], &shown["secret"]), (&json!(true), &Value::Null));
    assert_eq!(shown["event_types"], json!(["orders.*", "users.user_deleted.v1"]));

    let change = json!({"url": "http://127.0.0.1:9/other", "event_types": ["*"], "description": "Another"});
    let changed = shop.patch(&path, &change).await.expect(200).json();
    for field in ["url", "event_types", "description"] {
        assert_eq!(changed[field], change[field]);
    }
    let disabled = shop.patch(&path, &json!({"enabled": false})).await.expect(200).json();
    assert_eq!((&disabled["enabled"], disabled["disabled_at"].is_string()), (&json!(false), true));
    shop.patch(&path, &json!({"enabled": true})).await.expect(200);
    shop.delete(&path).await.expect(204);
    for response in [
        shop.get(&path).await,
        shop.delete(&path).await,
        shop.patch(&path, &json!({"enabled": true})).await,
        shop.post(&format!("{path}/test"), &Value::Null).await,
        shop.post(&format!("{path}/rotate-secret"), &Value::Null).await,
    ] {
        response.expect(404);
    }
    shop.stop().await;
}

async fn bad_endpoints_are_refused_by_field(place: ShopLocation) {
    let shop = shop(place).await;
    let refused = async |body: Value| errors(&shop.post("/v1/webhooks", &body).await.expect(422));
    let fields = |errors: &[(String, String, String)]| -> Vec<String> {
        errors.iter().map(|(field, code, _)| format!("{field} {code}")).collect()
    };
    let all = refused(json!({"url": "ftp://x", "event_types": [], "description": "two\nlines"})).await;
    assert_eq!(fields(&all), ["url url", "event_types length", "description line"]);
    let types = refused(hook(&["order.*", "orders.*", "orders.*", "OrderPlaced", "webhooks.*"])).await;
    let expected =
        ["event_types[0] unknown", "event_types[2] duplicate", "event_types[3] unknown", "event_types[4] unknown"];
    assert_eq!(fields(&types), expected);
    assert!(types[0].2.ends_with("did you mean orders.*?"), "{types:?}");
    assert!(types[2].2.ends_with("did you mean orders.order_placed.v1?"), "{types:?}");
    let many: Vec<String> = (0..101).map(|n| format!("type{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(fields(&refused(hook(&many)).await)[0], "event_types length");
    assert_eq!(fields(&refused(json!({"url": "http://127.0.0.1/"})).await).len(), 1);
    let made = shop.post("/v1/webhooks", &hook(&["*"])).await.expect(201).text("/webhook_id");
    for bad in [json!({}), json!({"url": "x"}), json!({"secret": "x"}), json!({"event_types": ["x"]})] {
        shop.patch(&format!("/v1/webhooks/{made}"), &bad).await.expect(422);
    }
    shop.stop().await;
}

async fn no_endpoint_leads_into_a_private_network(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    for host in ["127.0.0.1", "0x7f.1", "10.0.0.1", "169.254.169.254", "[::1]", "[::ffff:10.0.0.1]", "localhost."] {
        let body = json!({"url": format!("http://{host}:8080/hook"), "event_types": ["*"]});
        let refused = errors(&shop.post("/v1/webhooks", &body).await.expect(422));
        assert_eq!((refused[0].0.as_str(), refused[0].1.as_str()), ("url", "not_public"), "{host}");
    }
    let body = json!({"url": "https://nobody.invalid/", "event_types": ["*"]});
    assert_eq!(errors(&shop.post("/v1/webhooks", &body).await.expect(422))[0].1, "unresolved");
    let made = shop.post("/v1/webhooks", &json!({"url": "https://93.184.215.14/", "event_types": ["*"]})).await;
    let path = format!("/v1/webhooks/{}", made.expect(201).text("/webhook_id"));
    let refused = shop.patch(&path, &json!({"url": "http://192.168.0.1/"})).await.expect(422);
    assert_eq!(errors(&refused)[0].1, "not_public");
    shop.stop().await;
}

async fn changes_are_made_only_to_what_was_read(place: ShopLocation) {
    let shop = shop(place).await;
    let made = shop.post("/v1/webhooks", &hook(&["*"])).await.expect(201).text("/webhook_id");
    let path = format!("/v1/webhooks/{made}");
    let tag = shop.get(&path).await.expect(200).headers["etag"].to_str().unwrap().to_owned();
    let change = json!({"event_types": ["orders.*"]});
    let patch = |tag: String| {
        let (shop, path, change) = (&shop, &path, &change);
        async move { shop.request(Method::PATCH, path).admin().header("if-match", &tag).json(change).send().await }
    };
    patch(tag.clone()).await.expect(200);
    assert_eq!(patch(tag.clone()).await.expect(412).text("/code"), "version_mismatch");
    for (method, path) in [(Method::DELETE, path.clone()), (Method::POST, format!("{path}/rotate-secret"))] {
        shop.request(method, &path).admin().header("if-match", &tag).send().await.expect(412);
    }
    shop.stop().await;
}

async fn endpoints_are_listed_page_by_page_and_are_bounded(place: ShopLocation) {
    let shop = shop(place).await;
    for _ in 0..50 {
        shop.post("/v1/webhooks", &hook(&["*"])).await.expect(201);
    }
    assert_eq!(shop.post("/v1/webhooks", &hook(&["*"])).await.expect(409).text("/code"), "too_many_webhooks");
    let first = shop.get("/v1/webhooks?limit=30").await.expect(200);
    assert_eq!(first.items().len(), 30);
    let second = shop.get(&format!("/v1/webhooks?limit=30&cursor={}", first.text("/next"))).await.expect(200);
    assert_eq!((second.items().len(), &second.json()["next"]), (20, &Value::Null));
    assert!(first.items().iter().all(|it| it.get("secret").is_none()));
    shop.stop().await;
}

async fn only_an_admin_sees_endpoints(place: ShopLocation) {
    let shop = shop(place).await;
    let made = shop.post("/v1/webhooks", &hook(&["*"])).await.expect(201).text("/webhook_id");
    for (method, path) in [
        (Method::GET, "/v1/webhooks".to_owned()),
        (Method::GET, format!("/v1/webhooks/{made}")),
        (Method::GET, format!("/v1/webhooks/{made}/attempts")),
        (Method::DELETE, format!("/v1/webhooks/{made}")),
        (Method::POST, format!("/v1/webhooks/{made}/rotate-secret")),
        (Method::POST, format!("/v1/webhooks/{made}/test")),
    ] {
        shop.request(method, &path).send().await.expect(401);
    }
    shop.stop().await;
}

async fn only_a_time_in_the_past_is_sent_again(place: ShopLocation) {
    let shop = shop(place).await;
    let made = shop.post("/v1/webhooks", &hook(&["*"])).await.expect(201).text("/webhook_id");
    let path = format!("/v1/webhooks/{made}/resend");
    for bad in ["2027-01-01T00:00:00Z", "1969-01-01T00:00:00Z", "yesterday"] {
        shop.post(&path, &json!({"since": bad})).await.expect(422);
    }
    shop.post(&path, &json!({"since": "2026-01-01T00:00:00Z"})).await.expect(202);
    shop.settle().await;
    shop.stop().await;
}
