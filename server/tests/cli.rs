//! The commands against a server that answers what a test wants: requests, output and exit codes.

#![expect(clippy::unwrap_used, reason = "a test that can't go on says where it stopped")]

use std::collections::HashMap;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tempfile::TempDir;

const TOKEN: &str = "an-admin-token-of-at-least-32-characters";
const ID: &str = "019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d";

/// What was asked: `GET /path?query`, the authorization and the body.
#[derive(Clone, Debug, PartialEq)]
struct Asked {
    line: String,
    authorization: Option<String>,
    order_token: Option<String>,
    body: Value,
}

type Answer = (u16, &'static str, String);

#[derive(Clone, Default)]
struct Stub {
    /// The answers to each `GET /path?query`, in turn; the last one is repeated.
    answers: Arc<Mutex<HashMap<String, Vec<Answer>>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

struct Shop {
    stub: Stub,
    url: String,
    folder: TempDir,
    _runtime: tokio::runtime::Runtime,
}

impl Shop {
    fn open() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let stub = Stub::default();
        let app = Router::new().fallback(answer).with_state(stub.clone());
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async { axum::serve(listener, app).await });
        Self { stub, url, folder: tempfile::tempdir().unwrap(), _runtime: runtime }
    }

    fn on(self, line: &str, body: Value) -> Self {
        self.answering(line, (200, "application/json", body.to_string()))
    }

    fn refusing(self, line: &str, status: u16, code: &str, detail: &str) -> Self {
        let problem = json!({"code": code, "detail": detail, "request_id": "r-1",
            "errors": [{"field": "lines[0].quantity", "code": "range", "detail": "1 to 10000 units"}]});
        self.answering(line, (status, "application/problem+json", problem.to_string()))
    }

    fn answering(self, line: &str, answer: Answer) -> Self {
        self.stub.answers.lock().unwrap().entry(line.to_owned()).or_default().push(answer);
        self
    }

    fn asked(&self) -> Vec<Asked> {
        self.stub.asked.lock().unwrap().clone()
    }

    fn lines_asked(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = tradepost(arguments);
        command.current_dir(self.folder.path()).env("TRADEPOST_URL", &self.url);
        command
    }

    fn as_admin(&self, arguments: &[&str]) -> Ran {
        Ran::new(self.command(arguments).env("TRADEPOST_ADMIN_TOKEN", TOKEN))
    }

    fn as_guest(&self, arguments: &[&str]) -> Ran {
        Ran::new(&mut self.command(arguments))
    }
}

async fn answer(State(stub): State<Stub>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let text = |name: &str| parts.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let line = format!("{} {}", parts.method, parts.uri);
    let (authorization, order_token) = (text("authorization"), text("x-order-token"));
    stub.asked.lock().unwrap().push(Asked { line: line.clone(), authorization, order_token, body });
    let mut answers = stub.answers.lock().unwrap();
    let Some(queue) = answers.get_mut(&line) else {
        return (StatusCode::IM_A_TEAPOT, format!("the test has no answer to {line}")).into_response();
    };
    let (status, content_type, body) = if queue.len() > 1 { queue.remove(0) } else { queue[0].clone() };
    (StatusCode::from_u16(status).unwrap(), [(header::CONTENT_TYPE, content_type)], body).into_response()
}

/// The binary with nothing of this process's environment that concerns it.
fn tradepost(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tradepost"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TRADEPOST_")) {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ran {
    fn new(command: &mut Command) -> Self {
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    #[track_caller]
    fn succeeds(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }

    #[track_caller]
    fn fails(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        self.stderr
    }
}

fn page(items: Value, next: Option<&str>) -> Value {
    json!({"items": items, "next": next})
}

fn product() -> Value {
    json!({"product_id": ID, "sku": "123", "name": "Laptop", "description": "", "category": null,
        "price": {"amount": 129_900, "currency": "EUR"}, "in_stock": true, "version": 1})
}

fn order(status: &str, payment: &str) -> Value {
    json!({"order_id": ID, "number": 1001, "status": status, "email": "ada@example.com",
        "lines": [{"product_id": ID, "sku": "123", "name": "Laptop", "quantity": 1,
            "unit_price": {"amount": 129_900, "currency": "EUR"}}],
        "total": {"amount": 129_900, "currency": "EUR"}, "payment": {"status": payment},
        "created_at": "2026-01-01T00:00:00.5Z", "updated_at": "2026-01-01T00:00:00.5Z"})
}

fn event(event_type: &str, millis: u32, deliveries: Value) -> Value {
    json!({"event_id": format!("{ID}-{event_type}"), "type": event_type, "subject": ID, "sequence": 1,
        "time": format!("2026-01-01T00:00:00.{millis:03}Z"), "service": event_type.split('.').next(),
        "caused_by": ID, "correlation_id": ID, "data": {"name": "\u{1b}]0;\u{9b}"}, "deliveries": deliveries})
}

fn story() -> Value {
    let by = |consumer| json!([{"consumer": consumer, "status": "done", "attempts": 1, "handled_at": null}]);
    json!({"items": [event("orders.order_placed.v1", 0, by("inventory")),
        event("inventory.stock_reserved.v1", 12, by("orders")), event("orders.order_paid.v1", 40, json!([]))]})
}

const STORY: &str = "    +0 ms  orders         OrderPlaced         → inventory
   +12 ms  inventory      StockReserved       → orders
   +40 ms  orders         OrderPaid
";

fn dead_letter() -> Value {
    json!({"dead_letter_id": ID, "consumer": "notifications", "event_id": ID, "type": "orders.order_paid.v1",
        "key": ID, "reason": "no connection", "attempts": 10, "first_failed_at": "2026-01-01T00:00:00Z",
        "body": {"number": 1001}})
}

#[test]
fn a_list_follows_its_pages_up_to_the_limit() {
    let many = |count| Value::Array(vec![product(); count]);
    let shop = Shop::open()
        .on("GET /v1/products?q=lap&limit=100", page(many(100), Some("c1")))
        .on("GET /v1/products?q=lap&limit=2&cursor=c1", page(many(2), Some("c2")));
    let ran = shop.as_guest(&["products", "list", "lap", "--limit", "102"]);
    assert_eq!(ran.stderr, "there are more than these 102: --limit shows more\n");
    let text = ran.succeeds();
    assert_eq!(text.lines().count(), 103);
    assert_eq!(text.lines().next(), Some("SKU  NAME          PRICE  IN STOCK  CATEGORY"));
    assert_eq!(text.lines().last(), Some("123  Laptop  1299.00 EUR  yes"));
    let json: Value =
        serde_json::from_str(&shop.as_guest(&["--json", "products", "list", "lap", "--limit", "102"]).succeeds())
            .unwrap();
    assert_eq!((json["items"].as_array().unwrap().len(), &json["next"]), (102, &json!("c2")));
}

#[test]
fn a_product_is_added_and_found_by_its_sku() {
    let shop = Shop::open()
        .on("POST /v1/products", product())
        .on("GET /v1/products?q=123&limit=100", page(json!([product()]), None))
        .on(&format!("GET /v1/products/{ID}"), product());
    let added = ["products", "add", "--sku", "123", "--name", "Laptop", "--price", "1299.00", "--stock", "10"];
    shop.as_admin(&added).succeeds();
    let asked = &shop.asked()[0];
    let price = json!({"amount": 129_900, "currency": "EUR"});
    assert_eq!(asked.body, json!({"sku": "123", "name": "Laptop", "price": price, "stock": 10}));
    assert_eq!(asked.authorization, Some(format!("Bearer {TOKEN}")));
    let text = shop.as_guest(&["products", "show", "123"]).succeeds();
    assert_eq!(
        text,
        format!("sku       123\nname      Laptop\nid        {ID}\nprice     1299.00 EUR\nin stock  yes\n")
    );
}

#[test]
fn stock_is_listed_and_adjusted() {
    let level = json!({"product_id": ID, "sku": "123", "on_hand": 8, "reserved": 1, "available": 7,
        "low_stock_threshold": 5});
    let shop = Shop::open()
        .on("GET /v1/stock?limit=20", page(json!([level]), None))
        .on(&format!("POST /v1/stock/{ID}/adjustments"), level);
    let expected = "SKU  ON HAND  RESERVED  AVAILABLE  LOW AT\n123        8         1          7       5\n";
    assert_eq!(shop.as_admin(&["stock", "list"]).succeeds(), expected);
    assert_eq!(shop.as_admin(&["stock", "adjust", ID, "-2", "--reason", "broken"]).succeeds(), expected);
    assert_eq!(shop.asked()[1].body, json!({"delta": -2, "reason": "broken"}));
}

#[test]
fn a_guest_places_an_order_and_watches_it_with_its_own_token() {
    let mut placed = order("placed", "none");
    placed["access_token"] = json!("the-order's-own-token");
    let shop = Shop::open()
        .on("GET /v1/products?q=123&limit=100", page(json!([product()]), None))
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
fn an_unknown_sku_shows_what_is_similar() {
    let shop = Shop::open()
        .on("GET /v1/products?q=12&limit=100", page(json!([product()]), None))
        .on("GET /v1/products?q=12&limit=5", page(json!([product()]), None));
    let told = shop.as_guest(&["orders", "place", "12=1", "--email", "ada@example.com"]).fails(4);
    assert!(told.starts_with("error: there is no product with the sku 12\n  similar: 123 Laptop\nhelp: "), "{told}");
}

#[test]
fn orders_are_listed_and_shown_by_number() {
    let shop = Shop::open()
        .on("GET /v1/orders?status=paid&limit=20", page(json!([order("paid", "captured")]), None))
        .on("GET /v1/orders?limit=100", page(json!([order("paid", "captured")]), None))
        .on(&format!("GET /v1/orders/{ID}"), order("paid", "captured"))
        .on(&format!("GET /v1/orders/{ID}/events"), story());
    let listed = shop.as_admin(&["orders", "list", "--status", "paid"]).succeeds();
    let row = "  1001  paid    1299.00 EUR  2026-01-01T00:00:00Z  ada@example.com\n";
    assert!(listed.ends_with(row), "{listed}");
    let shown = shop.as_admin(&["orders", "show", "1001"]).succeeds();
    assert!(shown.contains("\nstatus   paid\npayment  captured\n") && shown.ends_with(STORY), "{shown}");
    let json: Value = serde_json::from_str(&shop.as_admin(&["orders", "show", ID, "--json"]).succeeds()).unwrap();
    assert_eq!((&json["number"], json["events"].as_array().unwrap().len()), (&json!(1001), 3));
    shop.as_admin(&["orders", "show", "7"]).fails(4);
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
        let told = shop.as_admin(&["orders", "cancel", ID]).fails(exit);
        let expected = format!("error: no\\u{{1b}}[2J ({status}, {code})\n  lines[0].quantity: 1 to 10000 units\n");
        assert!(told.starts_with(&expected), "{told}");
    }
    let shop = Shop::open().on(&line, order("cancelled", "none"));
    assert_eq!(shop.as_admin(&["orders", "cancel", ID]).succeeds(), "order 1001 is cancelled\n");
}

#[test]
fn dead_letters_are_shown_replayed_and_discarded() {
    let other = "019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0e";
    let shop = Shop::open()
        .on("GET /v1/dead-letters?limit=20", page(json!([dead_letter()]), None))
        .on(&format!("GET /v1/dead-letters/{ID}"), dead_letter())
        .on(&format!("POST /v1/dead-letters/{ID}/replay"), dead_letter())
        .on(&format!("POST /v1/dead-letters/{ID}/discard"), dead_letter())
        .refusing(&format!("POST /v1/dead-letters/{other}/replay"), 404, "not_found", "there is no such dead letter");
    let listed = shop.as_admin(&["dlq", "list"]).succeeds();
    let row = format!("{ID}  notifications  orders.order_paid.v1        10\n  no connection\n");
    assert!(listed.ends_with(&row), "{listed}");
    let shown = shop.as_admin(&["dlq", "show", ID]).succeeds();
    assert!(shown.ends_with("{\n  \"number\": 1001\n}\n"), "{shown}");
    let discarded = shop.as_admin(&["dlq", "discard", ID]).succeeds();
    assert_eq!(discarded, format!("discarded {ID}: orders.order_paid.v1 of notifications\n"));
    let told = shop.as_admin(&["dlq", "replay", ID, other]).fails(6);
    assert!(told.starts_with("error: 1 of 2 dead letters could not be replayed\n"), "{told}");
    shop.as_admin(&["dlq", "replay", other]).fails(4);
}

#[test]
fn mail_is_listed_and_shown_harmless() {
    let mail = json!({"mail_id": ID, "message_id": "<m@tradepost>", "to": "ada@example.com", "template": "welcome",
        "subject": "Hello", "text": "Hello\nAda\u{1b}[2J", "html": "", "sent_at": "2026-01-01T00:00:00Z"});
    let shop =
        Shop::open().on("GET /v1/mail?limit=20", page(json!([mail]), None)).on(&format!("GET /v1/mail/{ID}"), mail);
    let listed = shop.as_admin(&["mail", "list"]).succeeds();
    assert!(listed.ends_with(&format!("{ID}  ada@example.com  Hello\n")), "{listed}");
    let shown = shop.as_admin(&["mail", "show", ID]).succeeds();
    assert!(shown.ends_with("\n\nHello\nAda\\u{1b}[2J\n"), "{shown}");
}

#[test]
fn events_are_listed_and_shown() {
    let shop = Shop::open()
        .on("GET /v1/events?type=orders.order_paid.v1&limit=1", page(story()["items"].clone(), None))
        .on(&format!("GET /v1/events/{ID}"), event("orders.order_paid.v1", 40, json!([])));
    let listed = shop.as_admin(&["events", "list", "--type", "orders.order_paid.v1", "--limit", "1"]).succeeds();
    assert!(listed.contains("\n2026-01-01T00:00:00Z  inventory.stock_reserved.v1  "), "{listed}");
    let shown = shop.as_admin(&["events", "show", ID]).succeeds();
    assert!(shown.contains("\nservice    orders\n") && shown.contains("\\u009b"), "{shown}");
}

#[test]
fn a_tail_goes_on_when_the_stream_ends() {
    let sse = |millis| {
        let data = event("orders.order_paid.v1", millis, json!([]));
        (200, "text/event-stream", format!(": alive\n\nid: {ID}\nevent: orders.order_paid.v1\ndata: {data}\n\n"))
    };
    let line = "GET /v1/events/tail";
    let shop = Shop::open()
        .answering(line, sse(1))
        .refusing(line, 503, "draining", "starting again")
        .answering(line, sse(2))
        .refusing(line, 401, "unauthenticated", "another token");
    let ran = shop.as_admin(&["events", "tail"]);
    let row = |millis| format!("2026-01-01T00:00:00.{millis:03}Z  orders.order_paid.v1            {ID}\n");
    assert_eq!(ran.stdout, row(1) + &row(2));
    ran.fails(3);
    assert_eq!(shop.lines_asked(), [line; 4]);
}

#[test]
fn a_reader_that_has_enough_ends_the_command_quietly() {
    let shop = Shop::open().on("GET /v1/products?limit=20", page(Value::Array(vec![product(); 20]), None));
    let mut command = shop.command(&["products", "list"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), ended.stderr.as_slice()), (Some(0), b"".as_slice()));
}

#[test]
fn what_stands_in_the_way_is_told_with_what_to_do() {
    let shop = Shop::open();
    let told = shop.as_guest(&["orders", "list"]).fails(3);
    assert!(told.contains("TRADEPOST_ADMIN_TOKEN_FILE"), "{told}");
    assert_eq!(shop.lines_asked(), [""; 0]);
    let told = Ran::new(&mut tradepost(&["products", "list", "--url", "http://127.0.0.1:1"])).fails(7);
    assert!(told.contains("start it with `tradepost up --demo`"), "{told}");
    let told = Ran::new(shop.command(&["products", "list"]).env("TRADEPOST_ADMIN_TOKN", TOKEN)).fails(3);
    assert!(told.contains("did you mean TRADEPOST_ADMIN_TOKEN?"), "{told}");
    for misused in [&["orders", "show", "x"][..], &["orders", "place", "123", "--email", "a@b"], &["nothing"], &[]] {
        shop.as_guest(misused).fails(2);
    }
    assert!(shop.as_guest(&["--version"]).succeeds().starts_with("tradepost "));
}

#[test]
fn the_configuration_is_shown_with_its_origin_or_refused_as_a_whole() {
    let shop = Shop::open();
    std::fs::write(shop.folder.path().join("tradepost.toml"), "workers = 3\n").unwrap();
    let show = |arguments: &[&str]| {
        let mut command = tradepost(arguments);
        command.current_dir(shop.folder.path()).env("TRADEPOST_ADMIN_TOKEN", TOKEN).env("TRADEPOST_PORT", "9000");
        command
    };
    let text = Ran::new(&mut show(&["config", "show", "--origin"])).succeeds();
    let words: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    for expected in [
        ["workers", "3", "tradepost.toml"],
        ["port", "9000", "TRADEPOST_PORT"],
        ["retry_max", "5m", "default"],
        ["admin_token", "(hidden)", "TRADEPOST_ADMIN_TOKEN"],
    ] {
        assert!(words.iter().any(|words| words == &expected), "{expected:?} is not in\n{text}");
    }
    let json: Value = serde_json::from_str(&Ran::new(&mut show(&["config", "show", "--json"])).succeeds()).unwrap();
    assert_eq!(json["workers"], json!({"value": "3", "origin": "tradepost.toml"}));
    let told = Ran::new(show(&["up"]).env("TRADEPOST_WORKERS", "0").env("TRADEPOST_PRT", "1")).fails(3);
    assert!(told.contains("TRADEPOST_WORKERS: ") && told.contains("did you mean TRADEPOST_PORT?"), "{told}");
}

#[cfg(unix)]
#[test]
fn an_interrupted_command_ends_with_130() {
    let shop = Shop::open()
        .on(&format!("GET /v1/orders/{ID}"), order("placed", "none"))
        .on(&format!("GET /v1/orders/{ID}/events"), story());
    let mut command = shop.command(&["orders", "watch", ID]);
    command.env("TRADEPOST_ADMIN_TOKEN", TOKEN).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut first_line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.as_mut().unwrap()), &mut first_line).unwrap();
    Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
