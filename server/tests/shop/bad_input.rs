//! Bad input: the answer is a problem document that names the field and states what is expected; no state change, no
//! 5xx.

use axum::http::Method;

on_each_store! {
    bad_bodies_are_answered_and_change_nothing,
    requests_beyond_the_bounds_are_refused_by_name,
    a_wrong_token_is_401_whatever_is_wrong_with_it,
    a_request_keeps_the_id_that_it_came_with,
}

use serde_json::{Value, json};
use testkit::{ShopLocation, TestResponse, TestShop, on_each_store};

/// A body, and what it is answered with: status, code, and the field that is named, if any.
struct Case {
    name: &'static str,
    body: Vec<u8>,
    status: u16,
    code: &'static str,
    field: Option<&'static str>,
}

fn case(
    name: &'static str,
    body: impl Into<Vec<u8>>,
    status: u16,
    code: &'static str,
    field: Option<&'static str>,
) -> Case {
    Case { name, body: body.into(), status, code, field }
}

fn order(change: impl FnOnce(&mut Value), product: &str) -> Vec<u8> {
    let mut order = json!({"lines": [{"product_id": product, "quantity": 1}], "email": "ada@example.com"});
    change(&mut order);
    order.to_string().into_bytes()
}

/// Bodies that are no order at all.
fn shape_cases() -> Vec<Case> {
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let invalid = "invalid_body";
    vec![
        case("no JSON", "{", 400, "malformed_body", None),
        case("nothing", "", 400, "malformed_body", None),
        case("two documents", "{} {}", 422, invalid, Some("lines")),
        case("a list", "[]", 400, "malformed_body", None),
        case("deep nesting", format!("{{\"lines\": {deep}}}"), 400, "malformed_body", None),
        case("invalid UTF-8", b"{\"email\": \"\xff\xfe\"}".to_vec(), 400, "malformed_body", None),
        case("a number that is none", "{\"lines\": NaN}", 400, "malformed_body", None),
    ]
}

/// Orders whose values are not as expected.
fn value_cases(product: &str) -> Vec<Case> {
    let quantity = |quantity: Value| order(|it| it["lines"][0]["quantity"] = quantity, product);
    let many: Vec<Value> = (0..1_000).map(|_| json!({"product_id": product, "quantity": 1})).collect();
    let invalid = "invalid_body";
    vec![
        case("zero units", quantity(json!(0)), 422, invalid, Some("lines[0].quantity")),
        case("negative units", quantity(json!(-1)), 422, invalid, Some("lines[0].quantity")),
        case("enormous units", quantity(json!(i64::MAX)), 422, invalid, Some("lines[0].quantity")),
        case(
            "more than a number holds",
            order(|_| {}, product).replace(b"\"quantity\":1", b"\"quantity\":99999999999999999999"),
            400,
            "malformed_body",
            Some("lines[0].quantity"),
        ),
        case("half a unit", quantity(json!(0.5)), 400, "malformed_body", Some("lines[0].quantity")),
        case("units as text", quantity(json!("1")), 400, "malformed_body", Some("lines[0].quantity")),
        case("an unknown field", order(|it| it["total"] = json!(1), product), 422, invalid, Some("total")),
        case(
            "an unknown field inside",
            order(|it| it["lines"][0]["price"] = json!(1), product),
            422,
            invalid,
            Some("lines[0].price"),
        ),
        case("no lines", order(|it| it["lines"] = json!([]), product), 422, invalid, Some("lines")),
        case("too many lines", order(|it| it["lines"] = json!(many), product), 422, invalid, Some("lines")),
        case(
            "no product id",
            order(|it| it["lines"][0]["product_id"] = json!("laptop"), product),
            422,
            invalid,
            Some("lines[0].product_id"),
        ),
        case(
            "an unknown product",
            order(|it| it["lines"][0]["product_id"] = json!("019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d"), product),
            422,
            "product_unknown",
            Some("lines[0].product_id"),
        ),
        case(
            "an empty token",
            order(|it| it["payment"] = json!({"token": ""}), product),
            422,
            invalid,
            Some("payment.token"),
        ),
        case(
            "half an address",
            order(|it| it["ship_to"] = json!({"name": "Ada"}), product),
            422,
            invalid,
            Some("ship_to.street"),
        ),
    ]
}

/// Orders that nobody could be written to, or that nothing could be sent to.
fn customer_cases(product: &str) -> Vec<Case> {
    let invalid = "invalid_body";
    let two_lines = json!({"name": "Eve\nTotal: 0", "street": "s", "city": "c", "postal_code": "p", "country": "x"});
    vec![
        case("no e-mail", order(|it| it["email"] = Value::Null, product), 422, invalid, Some("email")),
        case("an e-mail that is none", order(|it| it["email"] = json!("ada"), product), 422, invalid, Some("email")),
        case(
            "an e-mail with a header",
            order(|it| it["email"] = json!("a@b.c\r\nBcc: x@y.z"), product),
            422,
            invalid,
            Some("email"),
        ),
        case(
            "an e-mail that no server takes",
            order(|it| it["email"] = json!("a..b@example.com"), product),
            422,
            invalid,
            Some("email"),
        ),
        case(
            "an e-mail without a domain name",
            order(|it| it["email"] = json!("a@'b.c"), product),
            422,
            invalid,
            Some("email"),
        ),
        case(
            "a payment token with a header",
            order(|it| it["payment"] = json!({"token": "tok_ok\r\nX-Injected: 1"}), product),
            422,
            invalid,
            Some("payment.token"),
        ),
        case(
            "a city that is read backwards",
            order(
                |it| {
                    it["ship_to"] = two_lines.clone();
                    it["ship_to"]["name"] = json!("Eve");
                    it["ship_to"]["city"] = json!("nodnoL\u{202e}");
                },
                product,
            ),
            422,
            invalid,
            Some("ship_to.city"),
        ),
        case(
            "a name of two lines",
            order(|it| it["ship_to"] = two_lines.clone(), product),
            422,
            invalid,
            Some("ship_to.name"),
        ),
    ]
}

fn product_cases() -> Vec<Case> {
    let product = |change: &dyn Fn(&mut Value)| {
        let mut product = json!({"sku": "1", "name": "Thing", "price": {"amount": 100, "currency": "EUR"}, "stock": 1});
        change(&mut product);
        product.to_string().into_bytes()
    };
    vec![
        case(
            "another currency",
            product(&|it| it["price"]["currency"] = json!("USD")),
            422,
            "invalid_body",
            Some("price.currency"),
        ),
        case(
            "no currency",
            product(&|it| it["price"]["currency"] = json!("euro")),
            422,
            "invalid_body",
            Some("price.currency"),
        ),
        case(
            "a price of nothing",
            product(&|it| it["price"]["amount"] = json!(0)),
            422,
            "invalid_body",
            Some("price.amount"),
        ),
        case("negative stock", product(&|it| it["stock"] = json!(-1)), 422, "invalid_body", Some("stock")),
        case("a sku with spaces", product(&|it| it["sku"] = json!("a b")), 422, "invalid_body", Some("sku")),
        case("no name", product(&|it| it["name"] = json!("")), 422, "invalid_body", Some("name")),
    ]
}

trait Replace {
    fn replace(self, from: &[u8], to: &[u8]) -> Vec<u8>;
}

impl Replace for Vec<u8> {
    fn replace(self, from: &[u8], to: &[u8]) -> Vec<u8> {
        let text = String::from_utf8(self).unwrap();
        text.replacen(str::from_utf8(from).unwrap(), str::from_utf8(to).unwrap(), 1).into_bytes()
    }
}

fn check(case: &Case, answer: &TestResponse) {
    let json = answer.json();
    let name = case.name;
    assert_eq!(answer.status.as_u16(), case.status, "{name}: {json}");
    assert_eq!(answer.headers["content-type"], "application/problem+json", "{name}");
    assert_eq!(json["code"], case.code, "{name}: {json}");
    assert_eq!(json["status"], case.status, "{name}");
    for text in ["type", "title", "detail", "request_id"] {
        assert!(json[text].as_str().is_some_and(|it| !it.is_empty()), "{name} has no {text}: {json}");
    }
    if let Some(field) = case.field {
        let named = json["errors"].as_array().is_some_and(|errors| errors.iter().any(|it| it["field"] == field));
        assert!(named, "{name} should name {field}: {json}");
    }
}

async fn bad_bodies_are_answered_and_change_nothing(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 10).await;
    let before = shop.get("/v1/events?limit=100").await.expect(200).json();
    let all = [
        ("/v1/orders", shape_cases()),
        ("/v1/orders", value_cases(&product)),
        ("/v1/orders", customer_cases(&product)),
        ("/v1/products", product_cases()),
    ];
    for (path, cases) in all {
        for case in cases {
            let call = shop.request(Method::POST, path).admin().header("content-type", "application/json");
            check(&case, &call.bytes(case.body.clone()).send().await);
        }
    }
    shop.settle().await;
    assert_eq!(shop.get("/v1/events?limit=100").await.expect(200).json(), before, "nothing was emitted");
    assert!(shop.get("/v1/orders").await.expect(200).items().is_empty());
    assert_eq!(shop.stock(&product).await, (10, 0));
}

async fn requests_beyond_the_bounds_are_refused_by_name(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let huge = vec![b' '; 256 * 1024 + 1];
    let call = shop.request(Method::POST, "/v1/orders").header("content-type", "application/json");
    let refused = call.bytes(huge).send().await.expect(413);
    assert_eq!(refused.text("/code"), "body_too_large");
    let refused = shop.request(Method::POST, "/v1/orders").bytes(b"{}".to_vec()).send().await.expect(415);
    assert_eq!(refused.text("/code"), "unsupported_media_type");
    assert_eq!(shop.get("/v1/orders?cursor=abc").await.expect(400).text("/code"), "invalid_cursor");
    assert_eq!(shop.get("/v1/orders?limit=0").await.expect(400).text("/code"), "invalid_query");
    assert_eq!(shop.get("/v1/orders?limit=101").await.expect(400).text("/code"), "invalid_query");
    assert_eq!(shop.get("/v1/orders?status=lost").await.expect(400).text("/code"), "invalid_query");
    assert_eq!(shop.get("/v1/orders/laptop").await.expect(404).text("/code"), "not_found");
    assert_eq!(shop.get("/v1/nothing").await.expect(404).text("/code"), "not_found");
    assert_eq!(shop.delete("/v1/orders").await.expect(405).text("/code"), "method_not_allowed");
}

async fn a_wrong_token_is_401_whatever_is_wrong_with_it(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let with = |value: &'static str| shop.request(Method::GET, "/v1/orders").header("authorization", value).send();
    let mut bodies = Vec::new();
    for value in ["Bearer wrong", "Bearer ", "Basic YTpi", "an-admin-token-for-tests-only-0123456789", ""] {
        let mut body = with(value).await.expect(401).json();
        body["request_id"] = Value::Null;
        bodies.push(body);
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "all kinds alike");
    for path in
        ["/v1/stock", "/v1/mail", "/v1/events", "/v1/dead-letters", "/v1/payments", "/internal/settled", "/metrics"]
    {
        shop.request(Method::GET, path).send().await.expect(401);
    }
}

async fn a_request_keeps_the_id_that_it_came_with(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let call = shop.request(Method::GET, "/v1/nothing").header("x-request-id", "my-id-1").send().await;
    assert_eq!(call.headers["x-request-id"], "my-id-1");
    assert_eq!(call.text("/request_id"), "my-id-1");
    let call = shop.request(Method::GET, "/v1/nothing").header("x-request-id", "<script>").send().await;
    assert_ne!(call.headers["x-request-id"], "<script>");
}
