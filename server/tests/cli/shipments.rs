//! Shipments.

use serde_json::{Value, json};

use crate::shop::{ID, Shop, order, page, product};

fn shipment(status: &str) -> Value {
    json!({"shipment_id": ID, "order_id": ID, "number": 1001, "status": status, "method": "delivery",
        "carrier": "DHL", "tracking_number": "0034",
        "lines": [{"product_id": ID, "sku": "123", "name": "Laptop", "quantity": 1}],
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"})
}

fn row(status: &str) -> String {
    format!("{ID}   1001  {status}  DHL      0034      2026-01-01T00:00:00Z  1 × Laptop\n")
}

#[test]
fn shipments_are_listed_dispatched_and_delivered() {
    let mut collected = shipment("pending");
    collected["method"] = json!("collection");
    for field in ["carrier", "tracking_number"] {
        collected.as_object_mut().unwrap().remove(field);
    }
    let shop = Shop::open()
        .on("GET /v1/orders?number=1001&limit=1", page(json!([order("paid", "captured")]), None))
        .on(&format!("GET /v1/shipments?order_id={ID}&status=pending&limit=20"), page(json!([collected]), None))
        .on("GET /v1/products?sku=123&limit=1", page(json!([product()]), None))
        .on(&format!("POST /v1/shipments/{ID}/dispatch"), shipment("dispatched"))
        .on(&format!("POST /v1/shipments/{ID}/deliver"), shipment("delivered"));
    let listed = shop.as_admin(&["shipments", "list", "--order", "1001", "--status", "pending"]).succeeds();
    let expected = format!("{ID}   1001  pending  collection            2026-01-01T00:00:00Z  1 × Laptop\n");
    assert!(listed.ends_with(&expected), "{listed}");

    let dispatch = ["shipments", "dispatch", ID, "--carrier", "DHL", "--tracking", "0034"];
    assert!(shop.as_admin(&dispatch).succeeds().ends_with(&row("dispatched")));
    let ran = shop.as_admin(&[&dispatch[..], &["--line", "123=1"]].concat());
    assert!(ran.stderr.contains("`tradepost shipments list --order 1001`"), "{ran:?}");
    ran.succeeds();
    let bodies: Vec<Value> = shop.asked().into_iter().map(|asked| asked.body).filter(Value::is_object).collect();
    let whole = json!({"carrier": "DHL", "tracking_number": "0034"});
    let mut part = whole.clone();
    part["lines"] = json!([{"product_id": ID, "quantity": 1}]);
    assert_eq!(bodies, [whole, part]);

    assert!(shop.as_admin(&["shipments", "deliver", ID]).succeeds().ends_with(&row("delivered")));
    let json = shop.as_admin(&["--json", "shipments", "deliver", ID]).succeeds();
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), shipment("delivered"));
}

#[test]
fn a_shipment_that_can_not_leave_or_arrive_is_a_conflict() {
    let shop = Shop::open()
        .refusing(&format!("POST /v1/shipments/{ID}/dispatch"), 409, "already_dispatched", "it has left")
        .refusing(&format!("POST /v1/shipments/{ID}/deliver"), 409, "not_dispatched", "it has not left")
        .refusing("GET /v1/shipments?status=x&limit=20", 400, "invalid_query", "status: pending or …");
    let error = shop.as_admin(&["shipments", "dispatch", ID, "--carrier", "DHL", "--tracking", "0034"]).fails(5);
    assert!(error.starts_with("error: it has left (409, already_dispatched)\n"), "{error}");
    shop.as_admin(&["shipments", "deliver", ID]).fails(5);
    shop.as_admin(&["shipments", "list", "--status", "x"]).fails(1);
    shop.as_admin(&["shipments", "deliver", "x"]).fails(2);
    shop.as_guest(&["shipments", "list"]).fails(3);
}
