//! Webhooks.

use serde_json::{Value, json};

use crate::shop::{ID, Shop, page};

fn webhook(enabled: bool, failing_since: Value) -> Value {
    json!({"webhook_id": ID, "url": "https://erp.example.com/hook", "description": "The ERP",
        "event_types": ["orders.*", "users.user_deleted.v1"], "enabled": enabled,
        "disabled_at": if enabled { Value::Null } else { json!("2026-01-06T00:00:00Z") },
        "disabled_reason": if enabled { Value::Null } else { json!("answered 503") },
        "failing_since": failing_since, "previous_secret_until": null, "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z"})
}

fn attempt(delivered: bool) -> Value {
    let response = json!({"status": if delivered { 204 } else { 503 }, "headers": {}, "body": "busy\u{1b}[2J"});
    json!({"attempt_id": ID, "delivery_id": ID, "event_id": ID, "event_type": "orders.order_placed.v1", "number": 2,
        "attempted_at": "2026-01-01T00:00:00.5Z", "duration_ms": 42, "delivered": delivered,
        "error": if delivered { Value::Null } else { json!("answered 503") },
        "request": {"url": "https://erp.example.com/hook", "headers": {}, "body": "{}"}, "response": response,
        "delivery_status": if delivered { "delivered" } else { "queued" },
        "next_attempt_at": if delivered { Value::Null } else { json!("2026-01-01T00:00:30Z") }})
}

#[test]
fn endpoints_are_added_listed_shown_enabled_and_removed() {
    let path = format!("/v1/webhooks/{ID}");
    let mut created = webhook(true, Value::Null);
    created["secret"] = json!("whsec_abc");
    let shop = Shop::open()
        .on("GET /v1/webhooks?limit=20", page(json!([webhook(true, json!("2026-01-02T00:00:00Z"))]), None))
        .on(&format!("GET {path}"), webhook(false, json!("2026-01-01T00:00:00Z")))
        .on("POST /v1/webhooks", created)
        .on(&format!("PATCH {path}"), webhook(true, Value::Null))
        .on(&format!("DELETE {path}"), Value::Null);
    let listed = shop.as_admin(&["webhooks", "list"]).succeeds();
    let row = format!("{ID}  failing  https://erp.example.com/hook  orders.*, users.user_deleted.v1\n");
    assert!(listed.ends_with(&row), "{listed}");
    let shown = shop.as_admin(&["webhooks", "show", ID]).succeeds();
    assert!(shown.contains("disabled") && shown.contains("answered 503\n"), "{shown}");

    let add = ["webhooks", "add", "https://erp.example.com/hook", "--event", "orders.*", "--description", "The ERP"];
    let added = shop.as_admin(&add);
    assert!(added.stderr.contains("it is not shown again"), "{added:?}");
    assert!(added.succeeds().contains("whsec_abc\n"));
    shop.as_admin(&["webhooks", "enable", ID]).succeeds();
    let bodies: Vec<Value> = shop.asked().into_iter().map(|asked| asked.body).filter(Value::is_object).collect();
    let body = json!({"url": "https://erp.example.com/hook", "event_types": ["orders.*"], "description": "The ERP"});
    assert_eq!(bodies, [body, json!({"enabled": true})]);
    let removed = shop.as_admin(&["webhooks", "remove", ID]).succeeds();
    assert_eq!(removed, format!("endpoint {ID} is deleted: nothing more is sent to it\n"));
    let json = shop.as_admin(&["--json", "webhooks", "show", ID]).succeeds();
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["webhook_id"], ID);
}

#[test]
fn attempts_are_listed_and_sent_again() {
    let path = format!("/v1/webhooks/{ID}");
    let shop = Shop::open()
        .on(&format!("GET {path}/attempts?limit=20"), page(json!([attempt(false), attempt(true)]), None))
        .on(&format!("POST {path}/attempts/{ID}/resend"), json!({"delivery_id": ID, "event_id": ID}))
        .on(&format!("POST {path}/resend"), json!({"webhook_id": ID, "since": "2026-01-01T00:00:00Z"}));
    let listed = shop.as_admin(&["webhooks", "attempts", ID]).succeeds();
    assert!(listed.contains("answered 503; next attempt at 2026-01-01T00:00:30Z\n"), "{listed}");
    let row = format!("{ID}  2026-01-01T00:00:00Z  orders.order_placed.v1        2     204  42  delivered\n");
    assert!(listed.replace("2026-01-01T00:00:01Z", "2026-01-01T00:00:00Z").ends_with(&row), "{listed}");
    shop.as_admin(&["webhooks", "resend", ID, "--attempt", ID]).succeeds();
    let resent = shop.as_admin(&["webhooks", "resend", ID, "--since", "2h"]).succeeds();
    assert_eq!(resent, "all deliveries since 2026-01-01T00:00:00Z are sent once more\n");
    assert!(shop.asked().last().unwrap().body["since"].is_string());
}

#[test]
fn a_secret_is_rotated_and_an_endpoint_tested() {
    let path = format!("/v1/webhooks/{ID}");
    let rotated = json!({"webhook_id": ID, "secret": "whsec_new", "previous_secret_until": "2026-01-02T00:00:00Z"});
    let shop = Shop::open()
        .on(&format!("POST {path}/rotate-secret"), rotated)
        .on(&format!("POST {path}/test"), json!({"event_id": ID}))
        .on(&format!("GET {path}/attempts?limit=20"), page(json!([]), None))
        .on(&format!("GET {path}/attempts?limit=20"), page(json!([attempt(true)]), None))
        .on(&format!("GET {path}/attempts?limit=20"), page(json!([attempt(false)]), None));
    let shown = shop.as_admin(&["webhooks", "rotate", ID]).succeeds();
    assert!(shown.contains("whsec_new\n") && shown.contains("signs too until 2026-01-02T00:00:00Z\n"), "{shown}");
    let tested = shop.as_admin(&["webhooks", "test", ID]).succeeds();
    assert!(tested.contains("204\n") && !tested.contains('\u{1b}'), "{tested:?}");
    let failed = shop.as_admin(&["webhooks", "test", ID]).fails(8);
    assert!(failed.contains("the endpoint did not take the event: answered 503"), "{failed}");
}

#[test]
fn misuse_and_refusals_have_their_exit_codes() {
    let shop = Shop::open()
        .refusing("POST /v1/webhooks", 422, "invalid_body", "see `errors`")
        .refusing(&format!("POST /v1/webhooks/{ID}/resend"), 409, "webhook_disabled", "enable it first")
        .refusing(&format!("GET /v1/webhooks/{ID}"), 404, "not_found", "there is no such webhook");
    shop.as_admin(&["webhooks", "add", "http://10.0.0.1/", "--event", "*"]).fails(1);
    shop.as_admin(&["webhooks", "resend", ID, "--since", "1h"]).fails(5);
    shop.as_admin(&["webhooks", "show", ID]).fails(4);
    shop.as_admin(&["webhooks", "add", "https://erp.example.com/"]).fails(2);
    shop.as_admin(&["webhooks", "resend", ID]).fails(2);
    shop.as_admin(&["webhooks", "resend", ID, "--since", "1h", "--attempt", ID]).fails(2);
    shop.as_guest(&["webhooks", "list"]).fails(3);
}
