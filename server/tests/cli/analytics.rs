//! Numbers of the shop, as the command line shows them.

use serde_json::{Value, json};

use crate::shop::{ID, Shop};

fn euros(amount: i64) -> Value {
    json!({"amount": amount, "currency": "EUR"})
}

fn sums(day: Option<&str>) -> Value {
    let mut sums = json!({"orders": 2, "units": 3, "sales": euros(3_000), "average_order_value": euros(1_500),
        "refunds": 1, "refunded": euros(3_500), "net": euros(-500)});
    if let Some(day) = day {
        sums["day"] = day.into();
    }
    sums
}

fn product(rating: Option<Value>) -> Value {
    let mut product = json!({"product_id": ID, "sku": "123", "name": "Laptop", "orders": 2, "units": 3,
        "sales": euros(3_000)});
    if let Some(rating) = rating {
        product["rating"] = rating;
    }
    product
}

fn sales(rows: &str, items: &[Value]) -> Value {
    json!({"from": "2026-01-01", "to": "2026-01-31", "zone": "Europe/Berlin", rows: items, "totals": [sums(None)]})
}

#[test]
fn sales_are_shown_by_day_and_by_product() {
    let by_day = "GET /v1/analytics/sales?from=2026-01-01&to=2026-01-31&zone=shop&by=day";
    let by_product = "GET /v1/analytics/sales?zone=utc&by=product&limit=5";
    let shop = Shop::open()
        .on(by_day, sales("days", &[sums(Some("2026-01-31"))]))
        .on(by_product, sales("products", &[product(None)]))
        .on(
            "GET /v1/analytics/sales?zone=utc&by=day",
            json!({"from": "2026-01-02", "to": "2026-01-31", "zone": "UTC", "days": [], "totals": []}),
        )
        .refusing("GET /v1/analytics/sales?zone=utc&by=day&limit=5", 400, "invalid_query", "limit: only by product");
    let error = shop.as_admin(&["analytics", "sales", "--limit", "5"]).fails(1);
    assert!(error.starts_with("error: limit: only by product (400, invalid_query)\n"), "{error}");
    let period = ["analytics", "sales", "--from", "2026-01-01", "--to", "2026-01-31", "--zone", "shop"];
    let shown = shop.as_admin(&period).succeeds();
    let row = "2      3  30.00 EUR  15.00 EUR        1  35.00 EUR  -5.00 EUR\n";
    assert!(shown.ends_with(&format!("2026-01-31       {row}all              {row}")), "{shown}");
    let json = shop.as_admin(&[&["--json"], &period[..]].concat()).succeeds();
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), sales("days", &[sums(Some("2026-01-31"))]));

    let shown = shop.as_admin(&["analytics", "sales", "--by", "product", "--limit", "5"]).succeeds();
    assert!(shown.ends_with("123  Laptop       2      3  30.00 EUR\n"), "{shown}");
    assert_eq!(shop.as_admin(&["analytics", "sales"]).succeeds(), "");
}

#[test]
fn products_orders_and_events_are_shown() {
    let rating = json!({"count": 4, "mean": 4.25, "distribution": [0, 0, 0, 3, 1]});
    let orders = json!({
        "by_status": [{"status": "paid", "orders": 2}],
        "steps": [{"step": "placed", "orders": 3, "share_of_placed": 1.0, "share_of_previous": 1.0},
            {"step": "delivered", "orders": 2, "share_of_placed": 0.6667, "share_of_previous": 1.0}],
        "average_order_value": [{"orders": 2, "sales": euros(3_000), "average": euros(1_500)}]});
    let kind = "orders.order_placed.v1";
    let events = json!({"from": "2026-01-01T12:00:00Z", "to": "2026-01-01T12:05:00Z",
        "minutes": [{"minute": "2026-01-01T12:00:00Z", "type": kind, "events": 2},
            {"minute": "2026-01-01T12:01:00Z", "type": kind, "events": 3}],
        "types": [{"type": kind, "events": 17, "interpreted": true}]});
    let shop = Shop::open()
        .on("GET /v1/analytics/products?zone=utc&sort=units&limit=20", sales("products", &[product(Some(rating))]))
        .on("GET /v1/analytics/orders", orders)
        .on(&format!("GET /v1/analytics/events?minutes=5&type={kind}"), events);
    let shown = shop.as_admin(&["analytics", "products", "--sort", "units"]).succeeds();
    assert!(shown.ends_with("123  Laptop       2      3  30.00 EUR    4.25        4\n"), "{shown}");
    let shown = shop.as_admin(&["analytics", "orders"]).succeeds();
    assert!(shown.contains("paid         2\n\nREACHED"), "{shown}");
    assert!(shown.contains("delivered       2    66.67 %\n"), "{shown}");
    assert!(shown.ends_with("2  30.00 EUR  15.00 EUR\n"), "{shown}");
    let shown = shop.as_admin(&["analytics", "events", "--minutes", "5", "--type", kind]).succeeds();
    assert!(shown.ends_with(&format!("{kind}       5      17  numbers\n")), "{shown}");
}

#[test]
fn what_analytics_does_not_take_is_a_misuse_or_the_servers_refusal() {
    let refused = "GET /v1/analytics/sales?from=2026-02-30&zone=utc&by=day";
    let shop = Shop::open().refusing(refused, 400, "invalid_query", "from: a date as in 2026-01-31");
    let error = shop.as_admin(&["analytics", "sales", "--from", "2026-02-30"]).fails(1);
    assert!(error.starts_with("error: from: a date as in 2026-01-31 (400, invalid_query)\n"), "{error}");
    shop.as_guest(&["analytics", "orders"]).fails(3);
    shop.as_admin(&["analytics", "sales", "--zone", "mars"]).fails(2);
    shop.as_admin(&["analytics", "products", "--limit", "101"]).fails(2);
    shop.as_admin(&["analytics", "events", "--minutes", "0"]).fails(2);
}

#[test]
fn a_rebuild_needs_no_server() {
    let shop = Shop::open();
    let data = shop.folder.path().join("data");
    let rebuild = shop.as_admin(&["--json", "analytics", "rebuild", "--data", data.to_str().unwrap()]).succeeds();
    let expected = json!({"service": "analytics", "events": 0, "parked": 0});
    assert_eq!(serde_json::from_str::<Value>(&rebuild).unwrap(), expected);
    assert!(data.join("analytics.db").is_file());
    assert!(shop.asked().is_empty());
}
