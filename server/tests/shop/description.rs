//! The API's description says what the API does: rules that hold for every route, also for those to come.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use axum::http::{Method, Request};
use kernel::Clock;
use serde_json::{Map, Value, json};
use server::app::{App, Features, MissingStores, Options, Scope};
use server::config::BrokerSetting;
use server::shop::{CONSOLE, Shop};
use service::setting::Values;
use service::storage::Location;
use service::{Settings, Tracer};
use testkit::{ADMIN_TOKEN, TestResponse, TestShop};
use tower::ServiceExt;

/// An id that nothing has.
const NOBODY: &str = "019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d";

/// Words of Rust and of its libraries, which mean nothing to a user of the API.
const FOREIGN_WORDS: [&str; 14] = [
    "i64",
    "u64",
    "u32",
    "u8",
    "usize",
    "f64",
    "struct",
    "enum",
    "sequence",
    "variant",
    "tuple",
    "newtype",
    "UUID parsing",
    "invalid digit",
];

/// Request schemas without bounds of their own: a sum is compared with another, and each text that is no token is
/// answered alike.
const UNBOUNDED: [&str; 2] = ["Money", "RefreshToken"];

/// Routes that take the token of a mailed link: each text that is none is answered alike, whatever its length.
const OF_LINKS: [&str; 2] = ["/v1/users/password-reset/confirm", "/v1/users/verification/confirm"];

struct Operation {
    method: Method,
    path: String,
    described: Value,
}

impl Operation {
    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    fn answers(&self) -> &Map<String, Value> {
        self.described["responses"].as_object().unwrap()
    }

    fn parameters(&self, place: &str) -> Vec<&Value> {
        let all = self.described["parameters"].as_array();
        all.into_iter().flatten().filter(|parameter| parameter["in"] == place).collect()
    }

    fn takes_header(&self, name: &str) -> bool {
        self.parameters("header").iter().any(|parameter| parameter["name"] == name)
    }

    /// The schema of its JSON body.
    fn body(&self) -> Option<&Value> {
        self.described.pointer("/requestBody/content/application~1json/schema")
    }

    /// Asks as admin about this account, or about what nobody has.
    async fn call(&self, shop: &TestShop, user_id: &str, body: &str) -> TestResponse {
        let id = if self.path.starts_with("/v1/users/") { user_id } else { NOBODY };
        let path = self.path.replace("{id}", id).replace("{review_id}", NOBODY).replace("{product_id}", NOBODY);
        let call = shop.request(self.method.clone(), &path).admin().header("content-type", "application/json");
        call.bytes(body.to_owned().into_bytes()).send().await
    }
}

fn operations(document: &Value) -> Vec<Operation> {
    let paths = document["paths"].as_object().unwrap().iter();
    let operations = paths.flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(|(method, described)| Operation {
            method: method.to_uppercase().parse().unwrap(),
            path: path.clone(),
            described: described.clone(),
        })
    });
    operations.collect()
}

/// The target of a `$ref`, by name.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> (&'a str, &'a Value) {
    match schema["$ref"].as_str() {
        Some(to) => {
            let name = to.rsplit('/').next().unwrap();
            (name, &document["components"]["schemas"][name])
        }
        None => ("", schema),
    }
}

/// A value inside a body: its place in the body, the name it has in problems, and its schema.
struct Field {
    pointer: String,
    name: String,
    schema: Value,
}

/// All values inside a body, with lists at their first item.
fn fields(document: &Value, schema: &Value, pointer: &str, name: &str, found: &mut Vec<Field>) {
    let (of, schema) = resolved(document, schema);
    if UNBOUNDED.contains(&of) {
        return;
    }
    if let Some(option) = schema["oneOf"].as_array().and_then(|options| options.iter().find(|it| it["type"] != "null"))
    {
        return fields(document, option, pointer, name, found);
    }
    if !pointer.is_empty() {
        found.push(Field { pointer: pointer.to_owned(), name: name.to_owned(), schema: schema.clone() });
    }
    for (key, property) in schema["properties"].as_object().into_iter().flatten() {
        let inside = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
        fields(document, property, &format!("{pointer}/{key}"), &inside, found);
    }
    if schema["items"].is_object() {
        fields(document, &schema["items"], &format!("{pointer}/0"), &format!("{name}[0]"), found);
    }
}

/// A body that is as the schema says, made from its examples.
fn sample(document: &Value, schema: &Value) -> Value {
    let (_, schema) = resolved(document, schema);
    if let Some(option) = schema["oneOf"].as_array().and_then(|options| options.iter().find(|it| it["type"] != "null"))
    {
        return sample(document, option);
    }
    if schema["example"] != Value::Null {
        return schema["example"].clone();
    }
    if let Some(example) = schema["examples"].get(0) {
        return example.clone();
    }
    match kind(schema) {
        "object" => {
            let properties = schema["properties"].as_object().into_iter().flatten();
            properties.map(|(key, property)| (key.clone(), sample(document, property))).collect::<Map<_, _>>().into()
        }
        "array" => json!([sample(document, &schema["items"])]),
        "integer" => schema["minimum"].as_f64().map_or(json!(1), |least| json!(whole(least))),
        "boolean" => json!(true),
        _ if schema["format"] == "date-time" => json!("2026-01-01T12:00:00Z"),
        _ => json!("a".repeat(schema["minLength"].as_u64().map_or(1, |least| usize::try_from(least).unwrap()))),
    }
}

fn kind(schema: &Value) -> &str {
    let of = |it: &'_ Value| it.as_str().is_some_and(|name| name != "null");
    match &schema["type"] {
        Value::Array(kinds) => kinds.iter().find(|it| of(it)).and_then(Value::as_str).unwrap_or_default(),
        kind => kind.as_str().unwrap_or_default(),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the bounds of the description are whole numbers")]
fn whole(number: f64) -> i64 {
    number as i64
}

async fn described() -> (TestShop, Value) {
    let shop = TestShop::start().await;
    let document = shop.request(Method::GET, "/openapi.json").send().await.expect(200).json();
    (shop, document)
}

fn hold(broken: &BTreeSet<String>) {
    assert!(broken.is_empty(), "{}", broken.iter().cloned().collect::<Vec<_>>().join("\n"));
}

#[tokio::test]
async fn each_operation_has_an_id_of_its_own_and_all_that_surrounds_a_route_can_answer() {
    let (shop, document) = described().await;
    let (mut broken, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for operation in operations(&document) {
        let id = operation.described["operationId"].as_str().unwrap_or_default().to_owned();
        if !id.contains('_') || !ids.insert(id.clone()) {
            broken.insert(format!("{}: `{id}` is no name of its own that says what is done", operation.name()));
        }
        let mut expected = vec!["400", "413", "414", "431"];
        if operation.body().is_some() {
            expected.extend(["408", "415", "422"]);
        }
        if operation.method != Method::GET {
            expected.extend(["429", "503"]);
        }
        if !operation.parameters("path").is_empty() {
            expected.push("404");
        }
        for status in expected.into_iter().filter(|status| !operation.answers().contains_key(*status)) {
            broken.insert(format!("{} does not say that it may answer {status}", operation.name()));
        }
        for (status, answer) in operation.answers() {
            let is_described = answer["description"].as_str().is_some_and(|text| !text.is_empty());
            let is_plain = answer.pointer("/content/application~1json/schema/$ref").and_then(Value::as_str);
            if !is_described || is_plain.is_some_and(|schema| schema.ends_with("/ProblemBody")) {
                broken
                    .insert(format!("{} {status} has no description, or calls a problem plain JSON", operation.name()));
            }
        }
    }
    shop.stop().await;
    hold(&broken);
}

#[tokio::test]
async fn an_answer_has_a_tag_where_it_is_described_with_one() {
    let (shop, document) = described().await;
    let product_id = shop.product("123", 10).await;
    let order_id = shop.order(&[(&product_id, 2)], Some("tok_ok")).await.text("/order_id");
    shop.settle().await;
    let payments = shop.get(&format!("/v1/payments?order_id={order_id}")).await.expect(200).items();
    let shipments = shop.get(&format!("/v1/shipments?order_id={order_id}")).await.expect(200).items();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (payment_id, shipment_id) = (text(&payments[0]["payment_id"]), text(&shipments[0]["shipment_id"]));
    let sent = json!({"carrier": "DHL", "tracking_number": "1"});
    let money = json!({"amount": {"amount": 100, "currency": "EUR"}});
    let mut broken = BTreeSet::new();
    for (method, path, id, body) in [
        (Method::GET, "/v1/products/{id}", &product_id, Value::Null),
        (Method::PATCH, "/v1/products/{id}", &product_id, json!({"name": "Other"})),
        (Method::POST, "/v1/stock/{product_id}/adjustments", &product_id, json!({"delta": 1, "reason": "count"})),
        (Method::POST, "/v1/payments/{id}/refund", &payment_id, money),
        (Method::GET, "/v1/payments/{id}", &payment_id, Value::Null),
        (Method::POST, "/v1/shipments/{id}/dispatch", &shipment_id, sent),
        (Method::GET, "/v1/orders/{id}", &order_id, Value::Null),
        (Method::DELETE, "/v1/products/{id}", &product_id, Value::Null),
    ] {
        let call = shop.request(method.clone(), &path.replace("{id}", id).replace("{product_id}", id)).admin();
        let answer = if body.is_null() { call.send().await } else { call.json(&body).send().await };
        assert!(answer.status.is_success(), "{method} {path}: {answer:?}");
        let described = &document["paths"][path][method.as_str().to_lowercase()]["responses"][answer.status.as_str()];
        if described["headers"].get("ETag").is_some() != answer.headers.contains_key("etag") {
            broken.insert(format!("{method} {path} {}: {described} {:?}", answer.status, answer.headers));
        }
    }
    shop.stop().await;
    hold(&broken);
}

#[test]
fn one_name_is_one_schema_in_all_services() {
    let mut schemas: BTreeMap<String, (&str, Value)> = BTreeMap::new();
    let mut broken = BTreeSet::new();
    for service in Shop::tradepost().described() {
        let document = serde_json::to_value(service.openapi()).unwrap();
        for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
            let (of, kept) = schemas.entry(name.clone()).or_insert_with(|| (service.name(), schema.clone()));
            if kept != schema {
                broken.insert(format!("{name} is one thing in {of} and another in {}", service.name()));
            }
        }
    }
    hold(&broken);
}

#[tokio::test]
async fn a_header_that_asks_for_safety_is_taken_or_refused() {
    let (shop, document) = described().await;
    let mut broken = BTreeSet::new();
    for operation in operations(&document) {
        let path =
            operation.path.replace("{id}", NOBODY).replace("{review_id}", NOBODY).replace("{product_id}", NOBODY);
        let repeats = operation.method == Method::POST || operation.method == Method::PATCH;
        let changes = operation.method != Method::GET;
        for (header, value, code, applies) in [
            ("Idempotency-Key", "k", "idempotency_not_supported", repeats),
            ("If-Match", "\"a\"", "condition_not_supported", changes),
            ("If-None-Match", "*", "condition_not_supported", changes),
        ] {
            if applies && !operation.takes_header(header) {
                let call = shop.request(operation.method.clone(), &path).admin().header(header, value);
                let answer = call.send().await;
                if (answer.status.as_u16(), &answer.json()["code"]) != (400, &json!(code)) {
                    broken.insert(format!(
                        "{} neither takes nor refuses {header}: {}",
                        operation.name(),
                        answer.status
                    ));
                }
            }
        }
    }
    shop.stop().await;
    hold(&broken);
}

#[tokio::test]
async fn each_field_of_a_body_has_bounds_and_they_are_those_that_are_enforced() {
    let (shop, document) = described().await;
    let account = json!({"username": "grace", "email": "grace@example.com", "password": "correct horse battery"});
    let user_id = shop.post("/v1/users", &account).await.expect(201).text("/user_id");
    let mut broken = BTreeSet::new();
    for operation in operations(&document) {
        let Some(schema) = operation.body() else { continue };
        let (good, mut found) = (sample(&document, schema), Vec::new());
        fields(&document, schema, "", "", &mut found);
        for field in found {
            let name = format!("{}: {}", operation.name(), field.name);
            let Some(bounds) = Bounds::of(&field.schema) else {
                broken.insert(format!("{name} has no bounds"));
                continue;
            };
            if field.name == "token" && OF_LINKS.contains(&operation.path.as_str()) {
                continue;
            }
            for (value, is_within) in bounds.values(&sample(&document, &field.schema)) {
                if is_within && operation.method == Method::DELETE {
                    continue;
                }
                let mut body = good.clone();
                *body.pointer_mut(&field.pointer).unwrap_or_else(|| panic!("{name} has no example")) = value.clone();
                let answer = operation.call(&shop, &user_id, &body.to_string()).await;
                let errors = answer.json()["errors"].as_array().cloned().unwrap_or_default();
                let mut of_field = errors.iter().filter(|error| error["field"] == field.name.as_str());
                // A value at its bound may still be wrong in another way.
                let is_refused =
                    of_field.any(|error| !is_within || error["code"] == "length" || error["code"] == "range");
                if is_refused == is_within {
                    let text: String = value.to_string().chars().take(40).collect();
                    broken.insert(format!("{name}: {text} is refused: {is_refused}; {}", answer.json()["detail"]));
                }
            }
        }
    }
    shop.stop().await;
    hold(&broken);
}

/// The bounds of one value.
enum Bounds {
    Length(Option<u64>, u64),
    Range(i64, i64),
    Items(u64),
    /// By the form of the value, or by its own fields.
    Form,
}

impl Bounds {
    fn of(schema: &Value) -> Option<Self> {
        let form = schema["enum"].is_array()
            || ["uuid", "date-time"].iter().any(|format| schema["format"] == *format)
            || schema["maxLength"].is_null() && schema["pattern"].is_string();
        match kind(schema) {
            _ if form => Some(Self::Form),
            "string" => Some(Self::Length(schema["minLength"].as_u64(), schema["maxLength"].as_u64()?)),
            "integer" => Some(Self::Range(whole(schema["minimum"].as_f64()?), whole(schema["maximum"].as_f64()?))),
            "array" => Some(Self::Items(schema["maxItems"].as_u64()?)),
            "object" | "boolean" => Some(Self::Form),
            _ => None,
        }
    }

    /// Values at the bounds and beyond them; true for those within.
    fn values(&self, example: &Value) -> Vec<(Value, bool)> {
        let text = |length: u64| json!("a".repeat(usize::try_from(length).unwrap()));
        match *self {
            Self::Length(min, max) => {
                let least = min.filter(|min| *min > 0);
                let below = least.into_iter().flat_map(|min| [(text(min), true), (text(min - 1), false)]);
                below.chain([(text(max), true), (text(max + 1), false)]).collect()
            }
            Self::Range(min, max) => {
                vec![(json!(min), true), (json!(min - 1), false), (json!(max), true), (json!(max + 1), false)]
            }
            Self::Items(max) => {
                let item = example[0].clone();
                let items = |count: u64| json!(vec![item.clone(); usize::try_from(count).unwrap()]);
                vec![(items(max), true), (items(max + 1), false)]
            }
            Self::Form => Vec::new(),
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_in_the_words_of_the_api() {
    let (shop, document) = described().await;
    let mut broken = BTreeSet::new();
    let mut look = |answer: &TestResponse, name: String| {
        let problem = answer.json();
        let mut texts = vec![problem["detail"].to_string()];
        texts.extend(problem["errors"].as_array().into_iter().flatten().map(|error| error["detail"].to_string()));
        for text in texts.iter().filter(|text| FOREIGN_WORDS.iter().any(|word| text.contains(word))) {
            broken.insert(format!("{name}: {text}"));
        }
        assert!(!answer.status.is_server_error(), "{name}: {texts:?}");
    };
    let wrong = ["\"x y\"", "1.5", "-1", "true", "null", "[]", "{}", "99999999999999999999", "[[1]]"];
    for operation in operations(&document) {
        for parameter in operation.parameters("query") {
            let path = operation.path.replace("{id}", NOBODY).replace("{review_id}", NOBODY);
            let path = format!("{path}?{}=x%20y", parameter["name"].as_str().unwrap());
            look(&shop.request(operation.method.clone(), &path).admin().send().await, path);
        }
        let Some(schema) = operation.body() else { continue };
        let (good, mut found) = (sample(&document, schema), Vec::new());
        fields(&document, schema, "", "", &mut found);
        for value in wrong {
            look(&operation.call(&shop, NOBODY, value).await, format!("{} {value}", operation.name()));
            for field in &found {
                let mut body = good.clone();
                let Some(place) = body.pointer_mut(&field.pointer) else { continue };
                *place = json!("the value");
                let body = body.to_string().replace("\"the value\"", value);
                look(
                    &operation.call(&shop, NOBODY, &body).await,
                    format!("{} {}: {value}", operation.name(), field.name),
                );
            }
        }
    }
    shop.stop().await;
    hold(&broken);
}

#[tokio::test]
async fn a_process_that_runs_a_part_of_the_shop_describes_all_of_it() {
    let (shop, document) = described().await;
    shop.stop().await;
    let folder = tempfile::tempdir().unwrap();
    // The program sets it before anything else; a console that asks others needs it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let services = Shop::tradepost().described();
    let unreachable = |name| (name, "http://127.0.0.1:9".parse().unwrap());
    let part = App::start(Options {
        features: Features::default(),
        scope: Scope::Part { services: vec![CONSOLE.to_owned()] },
        store: Location::Folder(folder.path().to_owned()),
        broker: BrokerSetting::of_default(&Shop::tradepost()),
        shop: Shop::tradepost(),
        settings: Settings::default(),
        clock: Clock::system(),
        admin_token: Some(ADMIN_TOKEN.to_owned()),
        services: Values::default(),
        admin_token_previous: None,
        slow_charge: Duration::ZERO,
        tracer: Tracer::default(),
        peers: services.iter().map(|service| unreachable(service.name())).collect(),
        missing_stores: MissingStores::Refuse,
        report: drop,
    });
    let part = part.await.unwrap();
    let read = async |path: &str| {
        let request = Request::get(path).body(axum::body::Body::empty()).unwrap();
        let response = part.router.clone().oneshot(request).await.unwrap();
        axum::body::to_bytes(response.into_body(), 16 << 20).await.unwrap()
    };
    assert_eq!(serde_json::from_slice::<Value>(&read("/openapi.json").await).unwrap(), document);
    assert!(String::from_utf8_lossy(&read("/docs").await).contains("adjustments"), "the page shows all routes");
    part.stop().await;
}
