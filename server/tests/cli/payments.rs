//! Payments and refunds.

use serde_json::{Value, json};

use crate::shop::{ID, Shop, order, page, product};

/// The refund's id, beside that of its payment.
const REFUND: &str = "019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0e";

fn payment(status: &str, captured: i64, refunds: Value) -> Value {
    let money = |amount: i64| json!({"amount": amount, "currency": "EUR"});
    json!({"payment_id": ID, "order_id": ID, "amount": money(129_900), "captured": money(captured),
        "refunded": money(0), "status": status, "looked_up": false, "refunds": refunds,
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"})
}

fn refund(status: &str) -> Value {
    json!({"refund_id": REFUND, "amount": {"amount": 1_250, "currency": "EUR"}, "status": status, "reason": "a scratch",
        "restock": [], "requested_by": "automation", "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z"})
}

#[test]
fn payments_are_listed_with_their_refunds() {
    let mut failed = payment("failed", 0, json!([]));
    failed["error"] = json!("declined");
    let captured = payment("refunding", 129_900, json!([refund("pending")]));
    let shop = Shop::open()
        .on("GET /v1/orders?number=1001&limit=1", page(json!([order("paid", "captured")]), None))
        .on(&format!("GET /v1/payments?order_id={ID}&limit=20"), page(json!([captured, failed]), None));
    let listed = shop.as_admin(&["payments", "list", "--order", "1001"]).succeeds();
    let rows = format!(
        "{ID}  {ID}  1299.00 EUR  1299.00 EUR  0.00 EUR  refunding  2026-01-01T00:00:00Z\n  \
         refund {REFUND}: 12.50 EUR pending (a scratch)\n\
         {ID}  {ID}  1299.00 EUR     0.00 EUR  0.00 EUR  failed     2026-01-01T00:00:00Z\n  declined\n"
    );
    assert!(listed.ends_with(&rows), "{listed}");
    shop.as_guest(&["payments", "list"]).fails(3);
}

#[test]
fn a_part_of_an_order_s_payment_goes_back_and_its_end_is_awaited() {
    let accepted = (202, "application/json", refund("pending").to_string());
    let shop = Shop::open()
        .on("GET /v1/orders?number=1001&limit=1", page(json!([order("paid", "captured")]), None))
        .on(
            &format!("GET /v1/payments?order_id={ID}&limit=100"),
            page(json!([payment("captured", 129_900, json!([]))]), None),
        )
        .on("GET /v1/currency", json!({"code": "EUR", "decimals": 2}))
        .on("GET /v1/products?sku=123&limit=1", page(json!([product()]), None))
        .answering(&format!("POST /v1/payments/{ID}/refund"), accepted)
        .on(&format!("GET /v1/payments/{ID}"), payment("refunding", 129_900, json!([refund("pending")])))
        .on(&format!("GET /v1/payments/{ID}"), payment("captured", 129_900, json!([refund("succeeded")])));
    let arguments =
        ["payments", "refund", "--order", "1001", "--amount", "12.50", "--reason", "a scratch", "--restock", "123=1"];
    let text = shop.as_admin(&[&arguments[..], &["--idempotency-key", "k1"]].concat()).succeeds();
    let expected = format!("refund  {REFUND}\namount  12.50 EUR\nstatus  succeeded\nreason  a scratch\n");
    assert_eq!(text, expected);
    let asked = shop.asked();
    let posted = asked.iter().find(|asked| asked.line.starts_with("POST")).unwrap();
    let amount = json!({"amount": 1_250, "currency": "EUR"});
    let restock = json!([{"product_id": ID, "quantity": 1}]);
    assert_eq!(posted.body, json!({"order_id": ID, "amount": amount, "reason": "a scratch", "restock": restock}));
    assert_eq!(posted.idempotency_key.as_deref(), Some("k1"));
    let json: Value = serde_json::from_str(&shop.as_admin(&[&arguments[..], &["--json"]].concat()).succeeds()).unwrap();
    assert_eq!(json["status"], "succeeded");
    let json = shop.as_admin(&["payments", "refund", ID, "--no-wait", "--json"]).succeeds();
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["status"], "pending");
    let last = shop.asked().pop().unwrap();
    assert_eq!(last.body, json!({}), "all that is left goes back");
}

#[test]
fn a_refund_that_fails_or_is_too_much_has_an_exit_code() {
    let mut failed = refund("failed");
    failed["error"] = json!("the card was closed");
    let path = format!("POST /v1/payments/{ID}/refund");
    let shop = Shop::open()
        .on(&path, refund("pending"))
        .on(&format!("GET /v1/payments/{ID}"), payment("captured", 129_900, json!([failed])));
    let ran = shop.as_admin(&["payments", "refund", ID]);
    assert!(ran.stdout.contains("status  failed\n"), "{ran:?}");
    let error = ran.fails(1);
    assert!(error.contains("did not give the money back: the card was closed"), "{error}");

    let shop = Shop::open().refusing(&path, 409, "exceeds_captured", "12.50 EUR are left");
    let error = shop.as_admin(&["payments", "refund", ID, "--amount", "99.00 EUR"]).fails(5);
    assert!(error.starts_with("error: 12.50 EUR are left (409, exceeds_captured)\n"), "{error}");
    shop.as_admin(&["payments", "refund", ID, "--amount", "-1"]).fails(2);
    shop.as_admin(&["payments", "refund"]).fails(2);

    let shop = Shop::open().on(&format!("GET /v1/payments?order_id={ID}&limit=100"), page(json!([]), None));
    let error = shop.as_admin(&["payments", "refund", "--order", ID]).fails(4);
    assert!(error.contains("the order has no payment"), "{error}");
}
