//! Suppliers and purchase orders.

use serde_json::{Value, json};

use crate::shop::{ID, Shop, page, product};

fn supplier() -> Value {
    json!({"supplier_id": ID, "name": "Nordic", "email": "orders@nordic.example", "lead_time_days": 7,
        "auto_replenish": true, "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
        "products": [{"product_id": ID, "sku": "123", "name": "Laptop", "order_quantity": 20,
            "unit_cost": {"amount": 98_000, "currency": "EUR"}}]})
}

fn purchase_order(status: &str, received: i64) -> Value {
    let receipt = json!({"receipt_id": ID, "lines": [{"product_id": ID, "quantity": received}],
        "received_by": "automation", "received_at": "2026-01-02T00:00:00Z"});
    json!({"purchase_order_id": ID, "supplier_id": ID, "supplier_name": "Nordic", "status": status,
        "lines": [{"product_id": ID, "sku": "123", "name": "Laptop", "quantity": 20, "received": received,
            "unit_cost": {"amount": 98_000, "currency": "EUR"}, "cancelled": false}],
        "total": {"amount": 1_960_000, "currency": "EUR"}, "placed_by": "replenishment", "overdue": true,
        "receipts": if received > 0 { vec![receipt] } else { Vec::new() },
        "expected_at": "2026-01-08T00:00:00Z", "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z"})
}

#[test]
fn suppliers_are_listed_added_changed_and_deleted() {
    let path = format!("/v1/suppliers/{ID}");
    let shop = Shop::open()
        .on("GET /v1/suppliers?limit=20", page(json!([supplier()]), None))
        .on(&format!("GET {path}"), supplier())
        .on("GET /v1/products?sku=123&limit=1", page(json!([product()]), None))
        .on("GET /v1/currency", json!({"code": "EUR", "decimals": 2}))
        .on("POST /v1/suppliers", supplier())
        .on(&format!("PATCH {path}"), supplier())
        .on(&format!("DELETE {path}"), Value::Null);
    let listed = shop.as_admin(&["suppliers", "list"]).succeeds();
    assert!(
        listed.ends_with(&format!("{ID}  Nordic  orders@nordic.example          7  yes          123\n")),
        "{listed}"
    );
    let shown = shop.as_admin(&["suppliers", "show", ID]).succeeds();
    assert!(shown.contains("products     123 Laptop: 20 at 980.00 EUR\n"), "{shown}");

    let offer = "123=20@980.00";
    let add = ["suppliers", "add", "--name", "Nordic", "--email", "orders@nordic.example", "--lead-time", "7"];
    shop.as_admin(&[&add[..], &["--auto-replenish", "--product", offer]].concat()).succeeds();
    let update = ["suppliers", "update", ID, "--no-auto-replenish", "--lead-time", "3"];
    shop.as_admin(&update).succeeds();
    shop.as_admin(&["suppliers", "update", ID, "--product", offer]).succeeds();
    let bodies: Vec<Value> = shop.asked().into_iter().map(|asked| asked.body).filter(Value::is_object).collect();
    let products =
        json!([{"product_id": ID, "order_quantity": 20, "unit_cost": {"amount": 98_000, "currency": "EUR"}}]);
    let added = json!({"name": "Nordic", "email": "orders@nordic.example", "lead_time_days": 7,
        "auto_replenish": true, "products": products});
    let changed = json!({"auto_replenish": false, "lead_time_days": 3});
    assert_eq!(bodies, [added, changed, json!({"products": products})]);
    let deleted = shop.as_admin(&["suppliers", "delete", ID]).succeeds();
    assert_eq!(deleted, format!("supplier {ID} is deleted: nothing more is ordered from it\n"));
    let json = shop.as_admin(&["--json", "suppliers", "show", ID]).succeeds();
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), supplier());
}

#[test]
fn purchase_orders_are_listed_placed_changed_received_and_cancelled() {
    let path = format!("/v1/purchase-orders/{ID}");
    let shop = Shop::open()
        .on(
            &format!("GET /v1/purchase-orders?status=placed&supplier_id={ID}&limit=20"),
            page(json!([purchase_order("placed", 0)]), None),
        )
        .on(&format!("GET {path}"), purchase_order("partially_received", 5))
        .on("GET /v1/products?sku=123&limit=1", page(json!([product()]), None))
        .on("POST /v1/purchase-orders", purchase_order("placed", 0))
        .on(&format!("PATCH {path}"), purchase_order("placed", 0))
        .on(&format!("POST {path}/receive"), purchase_order("received", 20))
        .on(&format!("POST {path}/cancel"), purchase_order("cancelled", 0));
    let listed = shop.as_admin(&["purchase-orders", "list", "--status", "placed", "--supplier", ID]).succeeds();
    let row = format!("{ID}  Nordic    placed (overdue)  19600.00 EUR  2026-01-08T00:00:00Z  20 × Laptop\n");
    assert!(listed.ends_with(&row), "{listed}");
    let shown = shop.as_admin(&["purchase-orders", "show", ID]).succeeds();
    assert!(shown.contains("lines           20 × Laptop (5 came)\n"), "{shown}");
    assert!(shown.ends_with("received        5 units at 2026-01-02T00:00:00Z by automation\n"), "{shown}");

    shop.as_admin(&["purchase-orders", "place", "--supplier", ID, "--line", "123=20"]).succeeds();
    shop.as_admin(&["purchase-orders", "receive", ID]).succeeds();
    let receive = ["purchase-orders", "receive", ID, "--line", "123=25", "--over", "--idempotency-key", "k-1"];
    let received = shop.as_admin(&receive).succeeds();
    assert!(received.contains("status          received\n"), "{received}");
    let asked: Vec<_> = shop.asked().into_iter().filter(|asked| asked.body.is_object()).collect();
    shop.as_admin(&["purchase-orders", "change", ID, "--line", "123=30"]).succeeds();
    let changed = shop.asked().pop().expect("it was asked");
    let line = |units: i64| json!([{"product_id": ID, "quantity": units}]);
    let bodies: Vec<&Value> = asked.iter().map(|asked| &asked.body).collect();
    let placed = json!({"supplier_id": ID, "lines": line(20)});
    assert_eq!(bodies, [&placed, &json!({}), &json!({"lines": line(25), "over": true})]);
    assert_eq!(changed.body, json!({"lines": line(30)}));
    assert!(asked.iter().all(|asked| asked.idempotency_key.is_some()));
    assert_eq!(asked[2].idempotency_key.as_deref(), Some("k-1"));
    let cancelled = shop.as_admin(&["--json", "purchase-orders", "cancel", ID]).succeeds();
    assert_eq!(serde_json::from_str::<Value>(&cancelled).unwrap(), purchase_order("cancelled", 0));
}

#[test]
fn what_suppliers_and_purchase_orders_do_not_allow_is_a_conflict() {
    let order = format!("/v1/purchase-orders/{ID}");
    let shop = Shop::open()
        .refusing(&format!("DELETE /v1/suppliers/{ID}"), 409, "purchase_orders_open", "goods are still to come")
        .refusing(&format!("POST {order}/receive"), 409, "exceeds_ordered", "only 5 are still to come")
        .refusing(&format!("POST {order}/cancel"), 409, "already_received", "all came")
        .refusing(&format!("GET {order}"), 404, "not_found", "there is no such purchase order");
    shop.as_admin(&["suppliers", "delete", ID]).fails(5);
    let error = shop.as_admin(&["purchase-orders", "receive", ID]).fails(5);
    assert!(error.starts_with("error: only 5 are still to come (409, exceeds_ordered)\n"), "{error}");
    shop.as_admin(&["purchase-orders", "cancel", ID]).fails(5);
    shop.as_admin(&["purchase-orders", "show", ID]).fails(4);
    shop.as_admin(&["purchase-orders", "receive", ID, "--over"]).fails(2);
    shop.as_admin(&["purchase-orders", "place", "--supplier", ID]).fails(2);
    shop.as_admin(&["purchase-orders", "change", ID]).fails(2);
    shop.as_admin(&["suppliers", "update", ID]).fails(2);
    shop.as_admin(&["suppliers", "add", "--name", "x", "--email", "a@b", "--lead-time", "7", "--product", "1"])
        .fails(2);
    shop.as_guest(&["suppliers", "list"]).fails(3);
    shop.as_guest(&["purchase-orders", "list"]).fails(3);
}
