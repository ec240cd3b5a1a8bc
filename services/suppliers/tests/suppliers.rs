//! Suppliers and purchase orders in a whole shop: what is kept, what is ordered, what comes, and what is refused.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use axum::http::Method;
use events::{
    Event, PurchaseOrderCancelled, PurchaseOrderChanged, PurchaseOrderOverdue, PurchaseOrderPlaced,
    PurchaseOrderReceived, SupplierUpdated,
};
use futures_util::future::join_all;
use kernel::Uuid;
use serde_json::{Value, json};
use testkit::{Setup, ShopLocation, TestResponse, TestShop};

testkit::on_each_store! {
    a_supplier_is_added_changed_and_deleted,
    bad_suppliers_are_refused_by_field,
    lists_have_pages_and_filters,
    a_purchase_order_is_placed_and_received_in_parts,
    a_delivery_counts_once_under_one_key,
    bad_purchase_orders_are_refused_by_field,
    what_can_not_be_received_is_refused,
    a_purchase_order_is_changed_and_cancelled,
    changes_are_made_only_to_what_was_read,
    a_deleted_product_ends_its_lines,
    a_supplier_stays_while_goods_are_to_come,
    a_supplier_is_deleted_or_gets_an_order_and_never_both,
    of_deliveries_at_once_no_more_comes_than_was_ordered,
    a_late_purchase_order_is_reported_once,
}

const DAY: Duration = Duration::from_hours(24);

fn euros(cents: i64) -> Value {
    json!({"amount": cents, "currency": "EUR"})
}

fn offer(product: &str, cents: i64, quantity: i64) -> Value {
    json!({"product_id": product, "unit_cost": euros(cents), "order_quantity": quantity})
}

fn nordic(products: &[Value]) -> Value {
    json!({"name": "Nordic", "email": "orders@nordic.example", "lead_time_days": 7, "auto_replenish": true,
        "products": products})
}

fn line(product: &str, quantity: i64) -> Value {
    json!({"product_id": product, "quantity": quantity})
}

/// Fields and codes of a refusal.
fn errors(refused: &TestResponse) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let errors = refused.json()["errors"].as_array().cloned().unwrap_or_default();
    errors.iter().map(|error| (text(&error["field"]), text(&error["code"]))).collect()
}

async fn supplier(shop: &TestShop, products: &[Value]) -> String {
    shop.post("/v1/suppliers", &nordic(products)).await.expect(201).text("/supplier_id")
}

async fn place(shop: &TestShop, supplier_id: &str, lines: &[Value]) -> String {
    let order = json!({"supplier_id": supplier_id, "lines": lines});
    shop.post("/v1/purchase-orders", &order).await.expect(201).text("/purchase_order_id")
}

fn order(id: &str) -> String {
    format!("/v1/purchase-orders/{id}")
}

async fn receive(shop: &TestShop, id: &str, body: &Value) -> TestResponse {
    shop.post(&format!("{}/receive", order(id)), body).await
}

async fn cancel(shop: &TestShop, id: &str) -> TestResponse {
    shop.request(Method::POST, &format!("{}/cancel", order(id))).admin().send().await
}

/// The events of a type, oldest first.
async fn published<E: Event>(shop: &TestShop) -> Vec<Value> {
    let mut events = shop.get(&format!("/v1/events?type={}&limit=100", E::TYPE)).await.expect(200).items();
    events.reverse();
    events.iter_mut().map(|event| event["data"].take()).collect()
}

/// Ordered, received, by sku.
fn units(order: &TestResponse) -> Vec<(String, i64, i64)> {
    let lines = order.json()["lines"].as_array().unwrap().clone();
    let number = |value: &Value| value.as_i64().unwrap();
    let line = |it: &Value| (it["sku"].as_str().unwrap().to_owned(), number(&it["quantity"]), number(&it["received"]));
    lines.iter().map(line).collect()
}

async fn a_supplier_is_added_changed_and_deleted(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let (laptop, mouse) = (shop.product("laptop", 100).await, shop.product("mouse", 100).await);
    let body = nordic(&[offer(&mouse, 500, 50), offer(&laptop, 900, 20)]);
    let add = || shop.request(Method::POST, "/v1/suppliers").admin().header("idempotency-key", "k").json(&body).send();
    let added = add().await.expect(201);
    assert_eq!(add().await.expect(201).body, added.body, "one key adds one");
    let id = added.text("/supplier_id");
    let path = format!("/v1/suppliers/{id}");
    assert_eq!(added.headers["location"], path.as_str());
    let read = shop.get(&path).await.expect(200);
    assert_eq!((read.json(), &read.headers["etag"]), (added.json(), &added.headers["etag"]));
    let products = json!([
        {"product_id": mouse, "sku": "mouse", "name": "mouse", "unit_cost": euros(500), "order_quantity": 50},
        {"product_id": laptop, "sku": "laptop", "name": "laptop", "unit_cost": euros(900), "order_quantity": 20},
    ]);
    assert_eq!((&read.json()["products"], read.text("/email")), (&products, "orders@nordic.example".into()));

    let change = json!({"name": " Nordic AB ", "lead_time_days": 3, "products": [offer(&laptop, 850, 20)]});
    let changed = shop.patch(&path, &change).await.expect(200);
    assert_eq!((changed.text("/name"), changed.number("/lead_time_days")), ("Nordic AB".into(), 3));
    assert_eq!(changed.json()["products"][0]["unit_cost"], euros(850));
    assert_eq!(changed.json()["products"].as_array().unwrap().len(), 1);
    shop.patch(&path, &change).await.expect(200);
    let back = shop.patch(&path, &json!({"products": [offer(&laptop, 850, 20), offer(&mouse, 500, 50)]})).await;
    assert_eq!(back.expect(200).json()["products"][1]["sku"], "mouse");

    shop.delete(&path).await.expect(204);
    shop.delete(&path).await.expect(404);
    shop.get(&path).await.expect(404);
    shop.settle().await;
    let event = |name: &str, change: &str| json!({"supplier_id": id, "name": name, "email": "orders@nordic.example", "change": change});
    let expected = [
        event("Nordic", "created"),
        event("Nordic AB", "updated"),
        event("Nordic AB", "updated"),
        event("Nordic AB", "deleted"),
    ];
    assert_eq!(published::<SupplierUpdated>(&shop).await, expected, "a change that changes nothing is none");
    shop.stop().await;
}

async fn bad_suppliers_are_refused_by_field(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 100).await;
    let id = supplier(&shop, &[]).await;
    let with = |change: &dyn Fn(&mut Value)| {
        let mut body = nordic(&[offer(&product, 900, 20)]);
        change(&mut body);
        body
    };
    let other = Uuid::from_u128(1).to_string();
    let cases = [
        (with(&|it| it["name"] = json!(" ")), "name", "length"),
        (with(&|it| it["name"] = json!("a\nb")), "name", "line"),
        (with(&|it| it["email"] = json!("nordic")), "email", "email"),
        (with(&|it| it["lead_time_days"] = json!(0)), "lead_time_days", "range"),
        (with(&|it| it["lead_time_days"] = json!(366)), "lead_time_days", "range"),
        (with(&|it| it["products"][0]["order_quantity"] = json!(0)), "products[0].order_quantity", "range"),
        (with(&|it| it["products"][0]["unit_cost"] = euros(0)), "products[0].unit_cost.amount", "range"),
        (
            with(&|it| it["products"][0]["unit_cost"]["currency"] = json!("USD")),
            "products[0].unit_cost.currency",
            "currency",
        ),
        (
            with(&|it| it["products"] = json!([offer(&product, 1, 1), offer(&product, 2, 2)])),
            "products[1].product_id",
            "duplicate",
        ),
        (with(&|it| it["products"] = json!(vec![offer(&product, 1, 1); 101])), "products", "length"),
        (with(&|it| it["simulated"] = json!(true)), "simulated", "unknown_field"),
    ];
    for (body, field, code) in cases {
        let change = shop.patch(&format!("/v1/suppliers/{id}"), &body).await;
        for refused in [shop.post("/v1/suppliers", &body).await, change] {
            let refused = refused.expect(422);
            assert_eq!(refused.text("/code"), "invalid_body", "{body}");
            assert!(errors(&refused).contains(&(field.into(), code.into())), "{body}: {:?}", errors(&refused));
        }
    }
    let unknown = with(&|it| it["products"][0]["product_id"] = json!(other));
    let refused = shop.post("/v1/suppliers", &unknown).await.expect(422);
    let expected = vec![("products[0].product_id".to_owned(), "product_unknown".to_owned())];
    assert_eq!((refused.text("/code"), errors(&refused)), ("product_unknown".into(), expected));
    let empty = shop.patch(&format!("/v1/suppliers/{id}"), &json!({})).await.expect(422);
    assert_eq!(errors(&empty), [("body".to_owned(), "empty".to_owned())]);
    shop.post("/v1/suppliers", &json!({"name": "Nordic"})).await.expect(422);
    assert_eq!(shop.get("/v1/suppliers").await.expect(200).items().len(), 1, "a refusal adds nothing");
    shop.request(Method::GET, "/v1/suppliers").send().await.expect(401);
    shop.stop().await;
}

async fn lists_have_pages_and_filters(place_: ShopLocation) {
    let shop = TestShop::start_on(place_).await;
    let product = shop.product("123", 100).await;
    let (one, other) =
        (supplier(&shop, &[offer(&product, 900, 20)]).await, supplier(&shop, &[offer(&product, 800, 20)]).await);
    let mut orders = Vec::new();
    for supplier_id in [&one, &other, &one] {
        orders.push(place(&shop, supplier_id, &[line(&product, 5)]).await);
    }
    receive(&shop, &orders[0], &json!({})).await.expect(200);
    cancel(&shop, &orders[1]).await.expect(200);
    let list = async |query: String| -> Vec<String> {
        let items = shop.get(&format!("/v1/purchase-orders{query}")).await.expect(200).items();
        items.iter().map(|item| item["purchase_order_id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(list(String::new()).await, [&*orders[2], &orders[1], &orders[0]]);
    assert_eq!(list("?status=placed".into()).await, [&*orders[2]]);
    assert_eq!(list("?status=received".into()).await, [&*orders[0]]);
    assert_eq!(list(format!("?supplier_id={one}")).await, [&*orders[2], &orders[0]]);
    assert_eq!(list(format!("?supplier_id={one}&status=received")).await, [&*orders[0]]);
    let page = shop.get("/v1/purchase-orders?limit=2").await.expect(200);
    assert_eq!(list(format!("?limit=2&cursor={}", page.text("/next"))).await, [&*orders[0]]);
    let wrong = shop.get("/v1/purchase-orders?status=lost").await.expect(400);
    assert_eq!(wrong.text("/code"), "invalid_query");
    let page = shop.get("/v1/suppliers?limit=1").await.expect(200);
    assert_eq!(page.text("/items/0/supplier_id"), other);
    let next = shop.get(&format!("/v1/suppliers?limit=1&cursor={}", page.text("/next"))).await.expect(200);
    assert_eq!((next.text("/items/0/supplier_id"), &next.json()["next"]), (one, &Value::Null));
    shop.get(&order(&Uuid::from_u128(1).to_string())).await.expect(404);
    shop.settle().await;
    shop.stop().await;
}

async fn a_purchase_order_is_placed_and_received_in_parts(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let (laptop, mouse) = (shop.product("laptop", 100).await, shop.product("mouse", 100).await);
    let supplier_id = supplier(&shop, &[offer(&laptop, 900, 20), offer(&mouse, 500, 50)]).await;
    let lines = [json!({"product_id": laptop}), json!({"product_id": mouse, "quantity": 7, "unit_cost": euros(450)})];
    let body = json!({"supplier_id": supplier_id, "lines": lines});
    let call = || shop.request(Method::POST, "/v1/purchase-orders").admin().header("idempotency-key", "k").json(&body);
    let placed = call().send().await.expect(201);
    assert_eq!(call().send().await.expect(201).body, placed.body, "one key orders once");
    let id = placed.text("/purchase_order_id");
    assert_eq!(placed.headers["location"], order(&id).as_str());
    let read = shop.get(&order(&id)).await.expect(200);
    assert_eq!((read.json(), &read.headers["etag"]), (placed.json(), &placed.headers["etag"]));
    assert_eq!(units(&placed), [("laptop".into(), 20, 0), ("mouse".into(), 7, 0)]);
    assert_eq!((placed.text("/status"), placed.text("/placed_by")), ("placed".into(), "automation".into()));
    assert_eq!((&placed.json()["total"], &placed.json()["overdue"]), (&euros(21_150), &json!(false)));
    assert_eq!(placed.text("/expected_at"), "2026-01-08T12:00:00Z");

    let part = receive(&shop, &id, &json!({"lines": [line(&laptop, 5), line(&laptop, 3)]})).await.expect(200);
    assert_eq!((part.text("/status"), units(&part)[0].2), ("partially_received".into(), 8));
    let receipt = json!([line(&laptop, 8)]);
    assert_eq!(
        (&part.json()["receipts"][0]["lines"], part.text("/receipts/0/received_by")),
        (&receipt, "automation".into())
    );
    let all = receive(&shop, &id, &json!({})).await.expect(200);
    assert_eq!(
        (all.text("/status"), units(&all)),
        ("received".into(), vec![("laptop".into(), 20, 20), ("mouse".into(), 7, 7)])
    );
    shop.settle().await;
    assert_eq!((shop.stock(&laptop).await, shop.stock(&mouse).await), ((120, 0), (107, 0)));

    let line = |id: &str, sku: &str, quantity: i64, cents: i64| json!({"product_id": id, "sku": sku, "name": sku, "quantity": quantity, "unit_cost": euros(cents)});
    let placed = published::<PurchaseOrderPlaced>(&shop).await;
    let expected = json!([line(&laptop, "laptop", 20, 900), line(&mouse, "mouse", 7, 450)]);
    assert_eq!(
        (placed.len(), &placed[0]["lines"], &placed[0]["supplier_email"]),
        (1, &expected, &json!("orders@nordic.example"))
    );
    let received = published::<PurchaseOrderReceived>(&shop).await;
    let expected = [
        json!([line(&laptop, "laptop", 8, 900)]),
        json!([line(&laptop, "laptop", 12, 900), line(&mouse, "mouse", 7, 450)]),
    ];
    assert_eq!(received.iter().map(|event| event["lines"].clone()).collect::<Vec<_>>(), expected);
    assert_ne!(received[0]["receipt_id"], received[1]["receipt_id"]);
    let reasons = shop.get("/v1/events?type=InventoryUpdated&limit=100").await.expect(200).items();
    assert_eq!(reasons.iter().filter(|event| event["data"]["reason"] == "received").count(), 3);
    shop.stop().await;
}

async fn a_delivery_counts_once_under_one_key(place_: ShopLocation) {
    let shop = TestShop::start_on(place_).await;
    let product = shop.product("123", 100).await;
    let supplier_id = supplier(&shop, &[offer(&product, 900, 20)]).await;
    let id = place(&shop, &supplier_id, &[line(&product, 20)]).await;
    let path = format!("{}/receive", order(&id));
    let part = json!({"lines": [line(&product, 5)]});
    let call = |key: &str, body: &Value| {
        shop.request(Method::POST, &path).admin().header("idempotency-key", key).json(body).send()
    };
    let first = call("a", &part).await.expect(200);
    for _ in 0..3 {
        let again = call("a", &part).await.expect(200);
        assert_eq!((&again.body, &again.headers["idempotency-replayed"]), (&first.body, &"true".parse().unwrap()));
    }
    let reused = call("a", &json!({"lines": [line(&product, 6)]})).await.expect(422);
    assert_eq!(reused.text("/code"), "idempotency_key_reused");
    // The second delivery of the same size has a key of its own.
    assert_eq!(units(&call("b", &part).await.expect(200))[0].2, 10);
    shop.settle().await;
    let shop = shop.restart(Setup::default()).await;
    let again = shop.request(Method::POST, &path).admin().header("idempotency-key", "a").json(&part).send().await;
    assert_eq!(again.expect(200).body, first.body);
    shop.settle().await;
    assert_eq!(shop.stock(&product).await, (110, 0));
    assert_eq!(published::<PurchaseOrderReceived>(&shop).await.len(), 2);
    shop.stop().await;
}

async fn bad_purchase_orders_are_refused_by_field(place_: ShopLocation) {
    let shop = TestShop::start_on(place_).await;
    let (product, other) = (shop.product("123", 100).await, shop.product("other", 100).await);
    let supplier_id = supplier(&shop, &[offer(&product, 900, 20)]).await;
    let id = place(&shop, &supplier_id, &[line(&product, 20)]).await;
    let mut dear = line(&product, 1);
    dear["unit_cost"] = euros(1_000_000_001);
    let cases: [(Value, &str, &str); 7] = [
        (json!([]), "lines", "length"),
        (json!(vec![line(&product, 1); 101]), "lines", "length"),
        (json!([line(&product, 0)]), "lines[0].quantity", "range"),
        (json!([line(&product, 10_000_001)]), "lines[0].quantity", "range"),
        (json!([line(&product, 1), line(&product, 1)]), "lines[1].product_id", "duplicate"),
        (json!([dear]), "lines[0].unit_cost.amount", "range"),
        (json!([line(&product, 1), line(&other, 1)]), "lines[1].product_id", "not_of_supplier"),
    ];
    for (lines, field, code) in cases {
        let body = json!({"supplier_id": supplier_id, "lines": lines});
        let changed = shop.patch(&order(&id), &json!({"lines": lines})).await;
        for refused in [shop.post("/v1/purchase-orders", &body).await, changed] {
            let refused = refused.expect(422);
            assert_eq!(refused.text("/code"), "invalid_body", "{body}");
            assert!(errors(&refused).contains(&(field.into(), code.into())), "{body}: {:?}", errors(&refused));
        }
    }
    let nobody = json!({"supplier_id": Uuid::from_u128(1).to_string(), "lines": [line(&product, 1)]});
    let refused = shop.post("/v1/purchase-orders", &nobody).await.expect(422);
    let expected = vec![("supplier_id".to_owned(), "supplier_unknown".to_owned())];
    assert_eq!((refused.text("/code"), errors(&refused)), ("supplier_unknown".into(), expected));
    assert_eq!(shop.get("/v1/purchase-orders").await.expect(200).items().len(), 1, "a refusal orders nothing");
    shop.settle().await;
    shop.stop().await;
}

async fn what_can_not_be_received_is_refused(place_: ShopLocation) {
    let shop = TestShop::start_on(place_).await;
    let (product, other) = (shop.product("123", 100).await, shop.product("other", 100).await);
    let supplier_id = supplier(&shop, &[offer(&product, 900, 20)]).await;
    let id = place(&shop, &supplier_id, &[line(&product, 20)]).await;
    let exceeding = receive(&shop, &id, &json!({"lines": [line(&product, 20), line(&product, 1)]})).await.expect(409);
    assert_eq!(exceeding.text("/code"), "exceeds_ordered");
    assert_eq!(exceeding.json()["excess"], json!([{"product_id": product, "received": 21, "outstanding": 20}]));
    for (lines, field, code) in [
        (json!([]), "lines", "length"),
        (json!([line(&product, 0)]), "lines[0].quantity", "range"),
        (json!([line(&product, 1), line(&other, 1)]), "lines[1].product_id", "not_in_purchase_order"),
    ] {
        let refused = receive(&shop, &id, &json!({"lines": lines})).await.expect(422);
        assert_eq!(errors(&refused), [(field.to_owned(), code.to_owned())]);
    }
    receive(&shop, &id, &json!({"lines": [line(&product, 1)], "by": "me"})).await.expect(422);
    receive(&shop, &Uuid::from_u128(1).to_string(), &json!({})).await.expect(404);
    assert_eq!(units(&shop.get(&order(&id)).await)[0].2, 0, "a refusal changes nothing");

    let over = receive(&shop, &id, &json!({"lines": [line(&product, 25)], "over": true})).await.expect(200);
    assert_eq!((over.text("/status"), units(&over)[0].2), ("received".into(), 25));
    assert_eq!(receive(&shop, &id, &json!({})).await.expect(409).text("/code"), "already_received");
    let more = json!({"lines": [line(&product, 1)]});
    assert_eq!(receive(&shop, &id, &more).await.expect(409).text("/code"), "exceeds_ordered");
    let more = json!({"lines": [line(&product, 1)], "over": true});
    assert_eq!(receive(&shop, &id, &more).await.expect(200).text("/status"), "received");

    let cancelled = place(&shop, &supplier_id, &[line(&product, 20)]).await;
    cancel(&shop, &cancelled).await.expect(200);
    for body in [json!({}), more] {
        assert_eq!(receive(&shop, &cancelled, &body).await.expect(409).text("/code"), "purchase_order_cancelled");
    }
    shop.settle().await;
    assert_eq!(shop.stock(&product).await, (126, 0));
    shop.stop().await;
}

async fn a_purchase_order_is_changed_and_cancelled(place_: ShopLocation) {
    let shop = TestShop::start_on(place_).await;
    let (laptop, mouse) = (shop.product("laptop", 100).await, shop.product("mouse", 100).await);
    let supplier_id = supplier(&shop, &[offer(&laptop, 900, 20), offer(&mouse, 500, 50)]).await;
    let id = place(&shop, &supplier_id, &[line(&laptop, 20)]).await;
    receive(&shop, &id, &json!({"lines": [line(&laptop, 4)]})).await.expect(200);
    let changed = shop.patch(&order(&id), &json!({"lines": [line(&laptop, 10), line(&mouse, 5)]})).await.expect(200);
    assert_eq!(units(&changed), [("laptop".into(), 10, 4), ("mouse".into(), 5, 0)]);
    for lines in [json!([line(&laptop, 3)]), json!([line(&mouse, 5)])] {
        let refused = shop.patch(&order(&id), &json!({"lines": lines})).await.expect(409);
        assert_eq!(refused.text("/code"), "below_received");
        assert_eq!(refused.json()["received"], json!([{"product_id": laptop, "received": 4}]));
    }
    // The mails go to the address that the supplier has by now.
    shop.patch(&format!("/v1/suppliers/{supplier_id}"), &json!({"email": "new@nordic.example"})).await.expect(200);
    let call =
        || shop.request(Method::POST, &format!("{}/cancel", order(&id))).admin().header("idempotency-key", "k").send();
    let cancelled = call().await.expect(200);
    assert_eq!(call().await.expect(200).body, cancelled.body);
    assert_eq!((cancelled.text("/status"), units(&cancelled)[0].2), ("cancelled".into(), 4));
    assert_eq!(cancel(&shop, &id).await.expect(409).text("/code"), "already_cancelled");
    let change = json!({"lines": [line(&laptop, 10)]});
    assert_eq!(shop.patch(&order(&id), &change).await.expect(409).text("/code"), "purchase_order_cancelled");
    let done = place(&shop, &supplier_id, &[line(&laptop, 1)]).await;
    receive(&shop, &done, &json!({})).await.expect(200);
    assert_eq!(cancel(&shop, &done).await.expect(409).text("/code"), "already_received");
    assert_eq!(shop.patch(&order(&done), &change).await.expect(409).text("/code"), "already_received");
    shop.settle().await;

    let left = published::<PurchaseOrderCancelled>(&shop).await;
    let units: Vec<_> = left[0]["lines"].as_array().unwrap().iter().map(|line| line["quantity"].clone()).collect();
    assert_eq!((left.len(), units), (1, vec![json!(6), json!(5)]));
    assert_eq!(published::<PurchaseOrderChanged>(&shop).await.len(), 1);
    let mails = shop.get("/v1/mail").await.expect(200).items();
    let mails: Vec<_> = mails.iter().rev().map(|mail| (mail["template"].clone(), mail["to"].clone())).collect();
    let mail = |template: &str, to: &str| (json!(template), json!(format!("{to}@nordic.example")));
    let expected = [
        mail("purchase_order", "orders"),
        mail("purchase_order_changed", "orders"),
        mail("purchase_order_cancelled", "new"),
        mail("purchase_order", "new"),
    ];
    let mut sorted = (mails, expected.to_vec());
    sorted.0.sort_by_key(|mail| format!("{mail:?}"));
    sorted.1.sort_by_key(|mail| format!("{mail:?}"));
    assert_eq!(sorted.0, sorted.1);
    shop.stop().await;
}

async fn changes_are_made_only_to_what_was_read(place_: ShopLocation) {
    let shop = TestShop::start_on(place_).await;
    let product = shop.product("123", 100).await;
    let supplier_id = supplier(&shop, &[offer(&product, 900, 20)]).await;
    let id = place(&shop, &supplier_id, &[line(&product, 20)]).await;
    let supplier_path = format!("/v1/suppliers/{supplier_id}");
    let call = |method: Method, path: &str, tag: &str, body: &Value| {
        shop.request(method, path).admin().header("if-match", tag).json(body).send()
    };
    let stale = "\"stale\"";
    for (method, path, body) in [
        (Method::PATCH, supplier_path.clone(), json!({"name": "Other"})),
        (Method::DELETE, supplier_path.clone(), json!({})),
        (Method::PATCH, order(&id), json!({"lines": [line(&product, 5)]})),
        (Method::POST, format!("{}/receive", order(&id)), json!({})),
        (Method::POST, format!("{}/cancel", order(&id)), json!({})),
    ] {
        let refused = call(method.clone(), &path, stale, &body).await.expect(412);
        assert_eq!(refused.text("/code"), "version_mismatch", "{method} {path}");
    }
    let tag = |read: &TestResponse| read.headers["etag"].to_str().unwrap().to_owned();
    let of_supplier = tag(&shop.get(&supplier_path).await.expect(200));
    call(Method::PATCH, &supplier_path, &of_supplier, &json!({"name": "Other"})).await.expect(200);
    call(Method::PATCH, &supplier_path, &of_supplier, &json!({"name": "Third"})).await.expect(412);
    let of_order = tag(&shop.get(&order(&id)).await.expect(200));
    let changed = call(Method::PATCH, &order(&id), &of_order, &json!({"lines": [line(&product, 5)]})).await.expect(200);
    call(Method::POST, &format!("{}/receive", order(&id)), &of_order, &json!({})).await.expect(412);
    call(Method::POST, &format!("{}/receive", order(&id)), &tag(&changed), &json!({})).await.expect(200);
    shop.settle().await;
    shop.stop().await;
}

async fn a_deleted_product_ends_its_lines(place_: ShopLocation) {
    let shop = TestShop::start_on(place_).await;
    let (laptop, mouse) = (shop.product("laptop", 100).await, shop.product("mouse", 100).await);
    let supplier_id = supplier(&shop, &[offer(&laptop, 900, 20), offer(&mouse, 500, 50)]).await;
    let both = place(&shop, &supplier_id, &[line(&laptop, 20), line(&mouse, 5)]).await;
    let alone = place(&shop, &supplier_id, &[line(&laptop, 20)]).await;
    let done = place(&shop, &supplier_id, &[line(&laptop, 1)]).await;
    receive(&shop, &done, &json!({})).await.expect(200);
    shop.settle().await;
    shop.delete(&format!("/v1/products/{laptop}")).await.expect(204);
    shop.settle().await;

    let left = shop.get(&order(&both)).await.expect(200);
    assert_eq!((left.text("/status"), &left.json()["lines"][0]["cancelled"]), ("placed".into(), &json!(true)));
    assert_eq!(shop.get(&order(&alone)).await.expect(200).text("/status"), "cancelled");
    let laptops = json!({"lines": [line(&laptop, 1)], "over": true});
    for id in [&both, &done] {
        assert_eq!(receive(&shop, id, &laptops).await.expect(409).text("/code"), "product_deleted");
    }
    assert_eq!(receive(&shop, &alone, &laptops).await.expect(409).text("/code"), "purchase_order_cancelled");
    let again = json!({"supplier_id": supplier_id, "lines": [line(&laptop, 1)]});
    let refused = shop.post("/v1/purchase-orders", &again).await.expect(422);
    assert_eq!(errors(&refused), [("lines[0].product_id".to_owned(), "not_of_supplier".to_owned())]);
    let offered = shop.get(&format!("/v1/suppliers/{supplier_id}")).await.expect(200);
    assert_eq!(offered.json()["products"].as_array().unwrap().len(), 1);
    let readd = shop.patch(&format!("/v1/suppliers/{supplier_id}"), &json!({"products": [offer(&laptop, 1, 1)]})).await;
    assert_eq!(readd.expect(422).text("/code"), "product_unknown");
    assert_eq!(receive(&shop, &both, &json!({})).await.expect(200).text("/status"), "received");
    shop.settle().await;
    assert_eq!(shop.stock(&mouse).await, (105, 0));
    let mails = shop.get("/v1/mail").await.expect(200).items();
    let of = |template: &str| mails.iter().filter(|mail| mail["template"] == template).count();
    assert_eq!((of("purchase_order_changed"), of("purchase_order_cancelled")), (1, 1));
    shop.stop().await;
}

async fn a_supplier_stays_while_goods_are_to_come(place_: ShopLocation) {
    let shop = TestShop::start_on(place_).await;
    let product = shop.product("123", 100).await;
    let supplier_id = supplier(&shop, &[offer(&product, 900, 20)]).await;
    let (one, other) = (
        place(&shop, &supplier_id, &[line(&product, 20)]).await,
        place(&shop, &supplier_id, &[line(&product, 5)]).await,
    );
    let path = format!("/v1/suppliers/{supplier_id}");
    assert_eq!(shop.delete(&path).await.expect(409).text("/code"), "purchase_orders_open");
    receive(&shop, &one, &json!({"lines": [line(&product, 1)]})).await.expect(200);
    cancel(&shop, &other).await.expect(200);
    assert_eq!(shop.delete(&path).await.expect(409).text("/code"), "purchase_orders_open");
    receive(&shop, &one, &json!({})).await.expect(200);
    shop.delete(&path).await.expect(204);
    let kept = shop.get(&order(&one)).await.expect(200);
    assert_eq!((kept.text("/supplier_name"), kept.text("/status")), ("Nordic".into(), "received".into()));
    let again = json!({"supplier_id": supplier_id, "lines": [line(&product, 1)]});
    assert_eq!(shop.post("/v1/purchase-orders", &again).await.expect(422).text("/code"), "supplier_unknown");
    let change = json!({"lines": [line(&product, 30)]});
    assert_eq!(shop.patch(&order(&one), &change).await.expect(409).text("/code"), "already_received");
    assert_eq!(shop.patch(&order(&other), &change).await.expect(409).text("/code"), "purchase_order_cancelled");
    shop.settle().await;
    shop.stop().await;
}

async fn a_supplier_is_deleted_or_gets_an_order_and_never_both(place_: ShopLocation) {
    const RACES: usize = 20;
    let shop = TestShop::start_on(place_).await;
    let product = shop.product("123", 100).await;
    for _ in 0..RACES {
        let supplier_id = supplier(&shop, &[offer(&product, 900, 20)]).await;
        let path = format!("/v1/suppliers/{supplier_id}");
        let body = json!({"supplier_id": supplier_id, "lines": [line(&product, 1)]});
        let (deleted, placed) = tokio::join!(shop.delete(&path), shop.post("/v1/purchase-orders", &body));
        match (deleted.status.as_u16(), placed.status.as_u16()) {
            (204, 422) | (409, 201) => {}
            both => panic!("deleted and placed: {both:?}"),
        }
    }
    shop.settle().await;
    shop.stop().await;
}

async fn of_deliveries_at_once_no_more_comes_than_was_ordered(place_: ShopLocation) {
    let shop = TestShop::start_on(place_).await;
    let product = shop.product("123", 100).await;
    let supplier_id = supplier(&shop, &[offer(&product, 900, 20)]).await;
    let id = place(&shop, &supplier_id, &[line(&product, 20)]).await;
    let part = json!({"lines": [line(&product, 3)]});
    let answers = join_all((0..10).map(|_| receive(&shop, &id, &part))).await;
    let taken = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(taken, 6);
    assert!(answers.iter().filter(|answer| answer.status != 200).all(|it| it.text("/code") == "exceeds_ordered"));
    shop.settle().await;
    assert_eq!(shop.stock(&product).await, (118, 0));
    shop.stop().await;
}

async fn a_late_purchase_order_is_reported_once(place_: ShopLocation) {
    let shop = TestShop::start_on(place_).await;
    let product = shop.product("123", 100).await;
    let supplier_id = supplier(&shop, &[offer(&product, 900, 20)]).await;
    let late = place(&shop, &supplier_id, &[line(&product, 20)]).await;
    let in_time = place(&shop, &supplier_id, &[line(&product, 5)]).await;
    receive(&shop, &late, &json!({"lines": [line(&product, 8)]})).await.expect(200);
    shop.advance(6 * DAY).await;
    receive(&shop, &in_time, &json!({})).await.expect(200);
    assert_eq!(published::<PurchaseOrderOverdue>(&shop).await.len(), 0);
    shop.advance(DAY).await;
    let reported = published::<PurchaseOrderOverdue>(&shop).await;
    assert_eq!((reported.len(), &reported[0]["purchase_order_id"]), (1, &json!(late)));
    assert_eq!(
        (&reported[0]["lines"][0]["quantity"], &reported[0]["expected_at"]),
        (&json!(12), &json!("2026-01-08T12:00:00Z"))
    );
    assert_eq!(shop.get(&order(&late)).await.expect(200).json()["overdue"], true);
    shop.advance(30 * DAY).await;
    assert_eq!(published::<PurchaseOrderOverdue>(&shop).await.len(), 1);
    assert_eq!(receive(&shop, &late, &json!({})).await.expect(200).text("/status"), "received");
    shop.settle().await;
    shop.stop().await;
}
