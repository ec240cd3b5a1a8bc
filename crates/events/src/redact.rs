//! Bodies of events as they may be shown, or sent to others than the services: without tokens.

use serde_json::Value;

/// The text in the place of a secret.
pub const REDACTED: &str = "[redacted]";

/// The body as JSON, its tokens redacted. A body that is no JSON is shown as text, as far as it is text.
pub fn redacted(body: &[u8]) -> Value {
    match serde_json::from_slice(body) {
        Ok(mut value) => {
            redact(&mut value);
            value
        }
        Err(_) => Value::String(String::from_utf8_lossy(body).into_owned()),
    }
}

fn redact(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if name == "token" && value.is_string() {
                    *value = Value::String(REDACTED.to_owned());
                } else {
                    redact(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_redacted_wherever_they_are() {
        let text = redacted(br#"{"token":"tok_1","deep":[{"token":"tok_2","other":1}]}"#).to_string();
        assert!(!text.contains("tok_"), "{text}");
        assert!(text.contains("\"other\":1"), "{text}");
    }

    #[test]
    fn a_body_that_is_no_json_is_shown_as_text() {
        assert_eq!(redacted(b"\xff{"), Value::String("\u{fffd}{".to_owned()));
    }
}
