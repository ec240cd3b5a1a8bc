//! A server that answers what a test wants, and the binary that asks it.

use std::collections::HashMap;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tempfile::TempDir;

pub const TOKEN: &str = "an-admin-token-of-at-least-32-characters";
pub const ID: &str = "019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d";

/// A request: `GET /path?query`, the authorization and the body.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    pub line: String,
    pub authorization: Option<String>,
    pub order_token: Option<String>,
    pub idempotency_key: Option<String>,
    pub body: Value,
}

type CannedResponse = (u16, &'static str, String);

#[derive(Clone, Default)]
struct Stub {
    /// The answers to each `GET /path?query`, in turn; the last one is repeated.
    answers: Arc<Mutex<HashMap<String, Vec<CannedResponse>>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

pub struct Shop {
    stub: Stub,
    url: String,
    pub folder: TempDir,
    _runtime: tokio::runtime::Runtime,
}

impl Shop {
    pub fn open() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let stub = Stub::default();
        let app = Router::new().fallback(answer).with_state(stub.clone());
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async { axum::serve(listener, app).await });
        Self { stub, url, folder: tempfile::tempdir().unwrap(), _runtime: runtime }
    }

    pub fn on(self, line: &str, body: Value) -> Self {
        self.answering(line, (200, "application/json", body.to_string()))
    }

    pub fn refusing(self, line: &str, status: u16, code: &str, detail: &str) -> Self {
        let problem = json!({"code": code, "detail": detail, "request_id": "r-1",
            "errors": [{"field": "lines[0].quantity", "code": "range", "detail": "1 to 10000 units"}]});
        self.answering(line, (status, "application/problem+json", problem.to_string()))
    }

    pub fn answering(self, line: &str, answer: CannedResponse) -> Self {
        self.stub.answers.lock().unwrap().entry(line.to_owned()).or_default().push(answer);
        self
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.stub.asked.lock().unwrap().clone()
    }

    pub fn lines_asked(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = tradepost(arguments);
        command.current_dir(self.folder.path()).env("TRADEPOST_URL", &self.url);
        command
    }

    pub fn as_admin(&self, arguments: &[&str]) -> Ran {
        Ran::new(self.command(arguments).env("TRADEPOST_ADMIN_TOKEN", TOKEN))
    }

    pub fn as_guest(&self, arguments: &[&str]) -> Ran {
        Ran::new(&mut self.command(arguments))
    }
}

async fn answer(State(stub): State<Stub>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let text = |name: &str| parts.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let line = format!("{} {}", parts.method, parts.uri);
    let [authorization, order_token, idempotency_key] = ["authorization", "x-order-token", "idempotency-key"].map(text);
    let asked = Asked { line: line.clone(), authorization, order_token, idempotency_key, body };
    stub.asked.lock().unwrap().push(asked);
    let mut answers = stub.answers.lock().unwrap();
    let Some(queue) = answers.get_mut(&line) else {
        return (StatusCode::IM_A_TEAPOT, format!("the test has no answer to {line}")).into_response();
    };
    let (status, content_type, body) = if queue.len() > 1 { queue.remove(0) } else { queue[0].clone() };
    (StatusCode::from_u16(status).unwrap(), [(header::CONTENT_TYPE, content_type)], body).into_response()
}

/// The binary with nothing of this process's environment that concerns it.
pub fn tradepost(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tradepost"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TRADEPOST_")) {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    pub fn new(command: &mut Command) -> Self {
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    #[track_caller]
    pub fn succeeds(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }

    #[track_caller]
    pub fn fails(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        self.stderr
    }
}

pub fn page(items: Value, next: Option<&str>) -> Value {
    json!({"items": items, "next": next})
}

pub fn product() -> Value {
    json!({"product_id": ID, "sku": "123", "name": "Laptop", "description": "", "category": null,
        "price": {"amount": 129_900, "currency": "EUR"}, "in_stock": true, "version": 1})
}

pub fn order(status: &str, payment: &str) -> Value {
    json!({"order_id": ID, "number": 1001, "status": status, "email": "ada@example.com",
        "lines": [{"product_id": ID, "sku": "123", "name": "Laptop", "quantity": 1,
            "unit_price": {"amount": 129_900, "currency": "EUR"}}],
        "total": {"amount": 129_900, "currency": "EUR"}, "payment": {"status": payment},
        "created_at": "2026-01-01T00:00:00.5Z", "updated_at": "2026-01-01T00:00:00.5Z"})
}

pub fn event(event_type: &str, millis: u32, deliveries: Value) -> Value {
    json!({"event_id": format!("{ID}-{event_type}"), "type": event_type, "subject": ID, "sequence": 1,
        "time": format!("2026-01-01T00:00:00.{millis:03}Z"), "service": event_type.split('.').next(),
        "caused_by": ID, "correlation_id": ID, "data": {"name": "\u{1b}]0;\u{9b}"}, "deliveries": deliveries})
}

pub fn story() -> Value {
    let by = |consumer| json!([{"consumer": consumer, "status": "done", "attempts": 1, "handled_at": null}]);
    json!({"items": [event("orders.order_placed.v1", 0, by("inventory")),
        event("inventory.stock_reserved.v1", 12, by("orders")), event("orders.order_paid.v1", 40, json!([]))]})
}

pub const STORY: &str = "    +0 ms  orders         OrderPlaced         → inventory
   +12 ms  inventory      StockReserved       → orders
   +40 ms  orders         OrderPaid
";

pub fn dead_letter() -> Value {
    json!({"dead_letter_id": ID, "consumer": "notifications", "event_id": ID, "type": "orders.order_paid.v1",
        "key": ID, "reason": "no connection", "attempts": 10, "first_failed_at": "2026-01-01T00:00:00Z",
        "body": {"number": 1001}})
}
