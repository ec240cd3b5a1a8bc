//! Orders and payments.

use serde_json::{Value, json};

use crate::shop::{ID, STORY, Shop, order, page, product, story};

#[test]
fn a_guest_places_an_order_and_watches_it_with_its_own_token() {
    let mut placed = order("placed", "none");
    placed["access_token"] = json!("the-order's-own-token");
    let shop = Shop::open()
        .on("GET /v1/products?sku=123&limit=1", page(json!([product()]), None))
        .on("POST /v1/orders", placed)
        .on(&format!("GET /v1/orders/{ID}"), order("placed", "none"))
        .on(&format!("GET /v1/orders/{ID}"), order("paid", "captured"))
        .on(&format!("GET /v1/orders/{ID}/events"), story());
    let arguments = ["orders", "place", "123=1", "--email", "ada@example.com", "--token", "tok_ok", "--watch"];
    let text = shop.as_guest(&arguments).succeeds();
    let head = format!(
        "order         1001\nid            {ID}\nlines         1 × Laptop\ntotal         1299.00 EUR\n\
         access token  the-order's-own-token\n"
    );
    assert_eq!(text, format!("{head}{STORY}order 1001 is paid\n"));
    let asked = shop.asked();
    let lines = json!([{"product_id": ID, "quantity": 1}]);
    assert_eq!(asked[1].body, json!({"lines": lines, "email": "ada@example.com", "payment": {"token": "tok_ok"}}));
    assert_eq!(asked[1].authorization, None);
    assert!(asked[2..].iter().all(|asked| asked.order_token.as_deref() == Some("the-order's-own-token")));
}

#[test]
fn orders_are_listed_and_shown_by_number() {
    let shop = Shop::open()
        .on("GET /v1/orders?status=paid&limit=20", page(json!([order("paid", "captured")]), None))
        .on("GET /v1/orders?number=1001&limit=1", page(json!([order("paid", "captured")]), None))
        .on(&format!("GET /v1/orders/{ID}"), order("paid", "captured"))
        .on(&format!("GET /v1/orders/{ID}/events"), story());
    let listed = shop.as_admin(&["orders", "list", "--status", "paid"]).succeeds();
    let row = "  1001  paid    1299.00 EUR  2026-01-01T00:00:00Z  ada@example.com\n";
    assert!(listed.ends_with(row), "{listed}");
    let shown = shop.as_admin(&["orders", "show", "1001"]).succeeds();
    assert!(shown.contains("\nstatus   paid\npayment  captured\n") && shown.ends_with(STORY), "{shown}");
    let json: Value = serde_json::from_str(&shop.as_admin(&["orders", "show", ID, "--json"]).succeeds()).unwrap();
    assert_eq!((&json["number"], json["events"].as_array().unwrap().len()), (&json!(1001), 3));
    // An earlier server does not know the parameter, and answers with any order.
    let shop = Shop::open().on("GET /v1/orders?number=7&limit=1", page(json!([order("paid", "captured")]), None));
    shop.as_admin(&["orders", "show", "7"]).fails(4);
}

#[test]
fn an_order_waits_for_stock_and_shows_its_place() {
    let mut waiting = order("backordered", "none");
    waiting["waiting"] = json!({"position": 3});
    let shop = Shop::open()
        .on("GET /v1/products?sku=123&limit=1", page(json!([product()]), None))
        .on("POST /v1/orders", order("placed", "none"))
        .on(&format!("GET /v1/orders/{ID}"), waiting)
        .on(&format!("GET /v1/orders/{ID}/events"), story());
    shop.as_admin(&["orders", "place", "123=1", "--email", "ada@example.com", "--token", "tok_ok", "--wait"])
        .succeeds();
    assert_eq!(shop.asked()[1].body["wait_for_stock"], json!(true));
    let shown = shop.as_admin(&["orders", "show", ID]).succeeds();
    assert!(shown.contains("status          backordered\nplace in queue  3\n"), "{shown}");
}

#[test]
fn an_order_that_can_not_be_watched_stands() {
    let shop = Shop::open()
        .on("GET /v1/products?sku=123&limit=1", page(json!([product()]), None))
        .on("POST /v1/orders", order("placed", "none"))
        .on(&format!("GET /v1/orders/{ID}"), order("placed", "none"))
        .refusing(&format!("GET /v1/orders/{ID}/events"), 404, "not_found", "there is no such route");
    let arguments = ["orders", "place", "123=1", "--email", "ada@example.com", "--watch"];
    let failed = shop.as_admin(&arguments);
    assert!(failed.stdout.starts_with("order  1001\n"), "{failed:?}");
    let failed = failed.fails(6);
    assert!(failed.contains("order 1001 was placed and stands, but it can't be watched: there is no such"), "{failed}");
    let json = shop.as_admin(&[&arguments[..], &["--json"]].concat()).fails(6);
    let document: Value = serde_json::from_str(json.lines().last().unwrap()).unwrap();
    assert_eq!(document["code"], "partly_failed");
}

#[test]
fn an_order_whose_answer_is_lost_can_be_repeated_under_its_key() {
    let shop = Shop::open().on("GET /v1/products?sku=123&limit=1", page(json!([product()]), None)).refusing(
        "POST /v1/orders",
        503,
        "outcome_unknown",
        "look before you repeat it",
    );
    let place = ["orders", "place", "123=1", "--email", "ada@example.com"];
    let failed = shop.as_admin(&place).fails(1);
    let key = shop.asked()[1].idempotency_key.clone().unwrap();
    assert!(failed.contains(&format!("`--idempotency-key {key}`")), "{failed}");
    shop.as_admin(&[&place[..], &["--idempotency-key", &key]].concat()).fails(1);
    assert_eq!(shop.asked()[3].idempotency_key, Some(key));
    shop.as_admin(&[&place[..], &["--idempotency-key", ""]].concat()).fails(2);
}

#[test]
fn an_order_is_paid_later() {
    let shop = Shop::open()
        .on("GET /v1/orders?number=1001&limit=1", page(json!([order("reserved", "failed")]), None))
        .on(&format!("POST /v1/orders/{ID}/payment"), order("reserved", "requested"));
    let text = shop.as_admin(&["orders", "pay", "1001", "--token", "tok_ok"]).succeeds();
    assert_eq!(text, "order 1001: the payment is requested\n");
    assert_eq!(shop.asked()[1].body, json!({"token": "tok_ok"}));
}

/// An order that went on after it was paid.
fn fulfilled(status: &str, payment: &str, refunded: i64) -> Value {
    let mut order = order(status, payment);
    order["payment"]["captured"] = json!({"amount": 129_900, "currency": "EUR"});
    order["payment"]["refunded"] = json!({"amount": refunded, "currency": "EUR"});
    order["shipments"] = json!([{"shipment_id": ID, "status": "dispatched", "carrier": "DHL", "tracking_number": "0034",
        "lines": [{"product_id": ID, "sku": "123", "name": "Laptop", "quantity": 1}]}]);
    order
}

#[test]
fn an_order_is_shown_with_its_shipments_refunds_and_late_cancellation() {
    let mut shipped = fulfilled("shipped", "partially_refunded", 2_500);
    shipped["cancellation"] = json!("too_late");
    let shop =
        Shop::open().on(&format!("GET /v1/orders/{ID}"), shipped).on(&format!("GET /v1/orders/{ID}/events"), story());
    let shown = shop.as_admin(&["orders", "show", ID]).succeeds();
    let expected = "
captured      1299.00 EUR
refunded      25.00 EUR
cancellation  too late, a part of the order had left
";
    assert!(shown.contains(expected), "{shown}");
    assert!(shown.contains(&format!("\n{ID}  dispatched  DHL      0034      1 × Laptop\n")), "{shown}");
}

#[test]
fn a_paid_order_is_being_cancelled_and_its_watch_ends_when_the_money_is_back() {
    let cancelled = |refunded| {
        let mut order = fulfilled("cancelled", if refunded == 0 { "captured" } else { "refunded" }, refunded);
        order["reason"] = json!("cancelled");
        order
    };
    let shop = Shop::open()
        .answering(
            &format!("POST /v1/orders/{ID}/cancel"),
            (202, "application/json", fulfilled("cancelling", "captured", 0).to_string()),
        )
        .on(&format!("GET /v1/orders/{ID}"), fulfilled("cancelling", "captured", 0))
        .on(&format!("GET /v1/orders/{ID}"), cancelled(0))
        .on(&format!("GET /v1/orders/{ID}"), cancelled(129_900))
        .on(&format!("GET /v1/orders/{ID}/events"), story());
    let ran = shop.as_admin(&["orders", "cancel", ID]);
    assert!(ran.stderr.contains("`tradepost orders watch 1001` shows how it ends"), "{ran:?}");
    assert_eq!(ran.succeeds(), "order 1001 is cancelling\n");
    let watched = shop.as_admin(&["orders", "watch", ID]).succeeds();
    assert_eq!(watched, format!("{STORY}refunded 1299.00 EUR\norder 1001 is cancelled (cancelled)\n"));
}

#[test]
fn a_watch_goes_on_until_the_order_is_delivered_if_asked_to() {
    let shop = Shop::open()
        .on(&format!("GET /v1/orders/{ID}"), order("paid", "captured"))
        .on(&format!("GET /v1/orders/{ID}"), fulfilled("shipped", "captured", 0))
        .on(&format!("GET /v1/orders/{ID}"), fulfilled("delivered", "captured", 0))
        .on(&format!("GET /v1/orders/{ID}/events"), story());
    let watched = shop.as_admin(&["orders", "watch", ID, "--until-delivered"]).succeeds();
    assert_eq!(watched, format!("{STORY}order 1001 is delivered\n"));
}

#[test]
fn a_failure_for_programs_is_the_problem_document() {
    let shop = Shop::open().refusing(&format!("POST /v1/orders/{ID}/cancel"), 409, "too_late", "it is paid");
    let refused = shop.as_admin(&["--json", "orders", "cancel", ID]).fails(5);
    let document: Value = serde_json::from_str(&refused).unwrap();
    assert_eq!((&document["code"], &document["errors"][0]["field"]), (&json!("too_late"), &json!("lines[0].quantity")));
    for (arguments, exit, code) in [
        (&["--json", "orders", "cancel"][..], 2, "usage"),
        (&["--json", "orders", "list", "--url", "http://127.0.0.1:1"], 7, "unreachable"),
    ] {
        let document: Value = serde_json::from_str(&shop.as_admin(arguments).fails(exit)).unwrap();
        assert_eq!(document["code"], code);
    }
}

#[test]
fn a_watch_for_programs_is_one_object_a_line() {
    let mut story = story();
    story["items"][0]["deliveries"][0]["status"] = json!("parked");
    let shop = Shop::open()
        .on(&format!("GET /v1/orders/{ID}"), order("cancelled", "none"))
        .on(&format!("GET /v1/orders/{ID}/events"), story);
    let text = shop.as_admin(&["orders", "watch", ID, "--json"]).succeeds();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), &lines[3]["status"]), (4, &json!("cancelled")));
    assert!(!text.contains(['\u{1b}', '\u{9b}']), "{text}");
}

#[test]
fn a_refusal_names_the_fields_and_has_an_exit_code() {
    let line = format!("POST /v1/orders/{ID}/cancel");
    for (status, code, exit) in
        [(409, "too_late", 5), (404, "not_found", 4), (401, "unauthenticated", 3), (422, "x", 1)]
    {
        let shop = Shop::open().refusing(&line, status, code, "no\u{1b}[2J");
        let error = shop.as_admin(&["orders", "cancel", ID]).fails(exit);
        let expected = format!("error: no\\u{{1b}}[2J ({status}, {code})\n  lines[0].quantity: 1 to 10000 units\n");
        assert!(error.starts_with(&expected), "{error}");
    }
    let shop = Shop::open().on(&line, order("cancelled", "none"));
    assert_eq!(shop.as_admin(&["orders", "cancel", ID]).succeeds(), "order 1001 is cancelled\n");
}
