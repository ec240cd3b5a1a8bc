//! The answer to a request.

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;

/// An answer, with its body read.
#[derive(Clone, Debug)]
pub struct TestResponse {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub body: Bytes,
}

impl TestResponse {
    /// The body as JSON; null if there is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The answer, if it has this status. Panics with the body otherwise.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "answered {}", String::from_utf8_lossy(&self.body));
        self
    }

    /// The text at a JSON pointer, as in `/lines/0/sku`. Panics if there is none.
    #[track_caller]
    pub fn text(&self, pointer: &str) -> String {
        let json = self.json();
        let found = json.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_else(|| panic!("no text at {pointer} of {json}")).to_owned()
    }

    /// The whole number at a JSON pointer. Panics if there is none.
    #[track_caller]
    pub fn number(&self, pointer: &str) -> i64 {
        let json = self.json();
        let found = json.pointer(pointer).and_then(Value::as_i64);
        found.unwrap_or_else(|| panic!("no number at {pointer} of {json}"))
    }

    /// The items of a list. Panics if it is none.
    #[track_caller]
    pub fn items(&self) -> Vec<Value> {
        let json = self.json();
        let found = json.get("items").and_then(Value::as_array);
        found.unwrap_or_else(|| panic!("no items in {json}")).clone()
    }
}
