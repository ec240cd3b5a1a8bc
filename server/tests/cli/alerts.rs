//! Alerts.

use serde_json::{Value, json};

use crate::shop::{ID, Shop, page};

fn alert(status: &str) -> Value {
    let mut alert = json!({"alert_id": ID, "kind": "low_stock", "status": status, "since": "2026-01-01T00:00:00Z",
        "subject": ID, "detail": "Laptop (123): 2 available"});
    if status != "open" {
        alert["acknowledged_by"] = json!("automation");
        alert["acknowledged_at"] = json!("2026-01-01T00:05:00Z");
    }
    if status == "resolved" {
        alert["resolved_at"] = json!("2026-01-02T00:00:00Z");
    }
    alert
}

#[test]
fn alerts_are_listed_shown_and_acknowledged() {
    let path = format!("/v1/alerts/{ID}");
    let shop = Shop::open()
        .on("GET /v1/alerts?limit=20", page(json!([]), None))
        .on("GET /v1/alerts?status=open&kind=low_stock&limit=20", page(json!([alert("open")]), None))
        .on(&format!("GET {path}"), alert("resolved"))
        .on(&format!("POST {path}/acknowledge"), alert("acknowledged"));
    let none = shop.as_admin(&["alerts", "list"]);
    assert_eq!((none.stdout.as_str(), none.stderr.as_str()), ("", "no alerts: nothing needs a person\n"));
    let listed = shop.as_admin(&["alerts", "list", "--status", "open", "--kind", "low_stock"]).succeeds();
    let row = format!("{ID}  low_stock  open    2026-01-01T00:00:00Z\n  Laptop (123): 2 available\n");
    assert!(listed.ends_with(&row), "{listed}");
    let shown = shop.as_admin(&["alerts", "show", ID]).succeeds();
    let lines = "acknowledged  2026-01-01T00:05:00Z by automation\nresolved      2026-01-02T00:00:00Z\n";
    assert!(shown.ends_with(lines), "{shown}");
    let acknowledged = shop.as_admin(&["alerts", "acknowledge", ID]).succeeds();
    assert!(acknowledged.contains("status        acknowledged\n"), "{acknowledged}");
    let json = shop.as_admin(&["--json", "alerts", "show", ID]).succeeds();
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), alert("resolved"));
}

#[test]
fn what_alerts_do_not_allow_has_an_exit_code() {
    let path = format!("/v1/alerts/{ID}");
    let shop = Shop::open()
        .refusing(&format!("POST {path}/acknowledge"), 409, "already_resolved", "the alert is resolved")
        .refusing(&format!("GET {path}"), 404, "not_found", "there is no such alert");
    let error = shop.as_admin(&["alerts", "acknowledge", ID]).fails(5);
    assert!(error.starts_with("error: the alert is resolved (409, already_resolved)\n"), "{error}");
    shop.as_admin(&["alerts", "show", ID]).fails(4);
    shop.as_admin(&["alerts", "show", "1"]).fails(2);
    shop.as_guest(&["alerts", "list"]).fails(3);
}
