//! Messages about bodies and queries, in the words of the API: serde's speak of Rust's types.

/// The message without Rust's names and without the value that was sent.
pub(super) fn plain(message: &str) -> String {
    if let Some(rest) = message.strip_prefix("invalid type: ") {
        let (found, wanted) = rest.split_once(", expected ").unwrap_or((rest, ""));
        return format!("expected {}, not {}", expected(wanted), kind_of(found));
    }
    if let Some((_, wanted)) = message.strip_prefix("invalid value: ").and_then(|rest| rest.split_once(", expected ")) {
        return match expected(wanted) {
            "a whole number" => "expected a whole number that is not as large or as small".to_owned(),
            wanted => format!("expected {wanted}"),
        };
    }
    if message.starts_with("invalid length ") {
        return "expected a list of another length".to_owned();
    }
    if let Some((_, known)) = message.strip_prefix("unknown variant `").and_then(|rest| rest.split_once("`, expected "))
    {
        return format!("expected {known}");
    }
    if let Some((_, known)) = message.strip_prefix("unknown field `").and_then(|rest| rest.split_once("`, expected ")) {
        return format!("there is no such field: expected {known}");
    }
    if message.starts_with("unknown field `") {
        return "there is no such field: expected none".to_owned();
    }
    if message.starts_with("missing field `") {
        return "this field is required".to_owned();
    }
    if message.starts_with("duplicate field `") {
        return "this field is there more than once".to_owned();
    }
    of_parser(message).map_or_else(|| message.to_owned(), |wanted| format!("expected {wanted}"))
}

/// The expectation of a visitor: Rust's own types by the names that JSON has for them, others as they describe
/// themselves.
fn expected(wanted: &str) -> &str {
    match wanted {
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" | "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => {
            "a whole number"
        }
        "f32" | "f64" => "a number",
        "a sequence" => "a list",
        "a map" | "map" => "an object",
        "a boolean" => "true or false",
        "unit" | "()" => "null",
        _ if wanted.contains("UUID") => ID,
        _ if wanted.starts_with("an RFC 3339") || wanted.contains("timestamp") => TIME,
        _ if wanted.starts_with("struct ") => "an object",
        _ if ["tuple", "an array", "a tuple"].iter().any(|of| wanted.starts_with(of)) => "a list",
        _ if ["enum ", "variant", "newtype", "unit "].iter().any(|of| wanted.starts_with(of)) => {
            "another kind of value"
        }
        _ => wanted,
    }
}

const ID: &str = "an id as in 019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d";
const TIME: &str = "a time as in 2026-01-01T12:00:00Z";

/// The kind of the value that was sent, without the value.
fn kind_of(found: &str) -> &'static str {
    match found.split([' ', '`']).next().unwrap_or_default() {
        "string" | "character" => "a string",
        "integer" => "a whole number",
        "floating" | "number" => "a number",
        "boolean" => "true or false",
        "sequence" => "a list",
        "map" => "an object",
        "null" | "unit" | "Option" => "null",
        _ => "this kind of value",
    }
}

/// The expectation of a parser of text, for the parsers whose messages are for programmers.
fn of_parser(message: &str) -> Option<&'static str> {
    const NUMBERS: [&str; 4] = [
        "invalid digit found in string",
        "cannot parse integer from empty string",
        "number too large to fit in target type",
        "number too small to fit in target type",
    ];
    match message {
        _ if NUMBERS.iter().any(|number| message.ends_with(number)) => Some("a whole number"),
        _ if message.ends_with("invalid float literal") => Some("a number"),
        _ if message.ends_with("provided string was not `true` or `false`") => Some("true or false"),
        _ if message.contains("UUID") => Some(ID),
        // jiff has many messages.
        _ if message.starts_with("failed to ") || message.contains("timestamp") => Some(TIME),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use kernel::{Currency, InvalidCurrency, Timestamp, UserId};
    use serde::Deserialize;
    use serde::de::DeserializeOwned;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Asked {
        #[expect(dead_code, reason = "only its reading matters")]
        quantity: i64,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Choice {
        Red,
        Blue,
    }

    fn message<T: DeserializeOwned + std::fmt::Debug>(json: &str) -> String {
        let text = serde_json::from_str::<T>(json).unwrap_err().to_string();
        plain(text.split(" at line ").next().unwrap())
    }

    #[test]
    fn messages_name_kinds_of_json_and_repeat_nothing_that_was_sent() {
        let table = [
            (message::<i64>("\"1\""), "expected a whole number, not a string"),
            (message::<i64>("1.5"), "expected a whole number, not a number"),
            (message::<i64>("null"), "expected a whole number, not null"),
            (message::<u8>("-1"), "expected a whole number that is not as large or as small"),
            (message::<f64>("true"), "expected a number, not true or false"),
            (message::<bool>("1"), "expected true or false, not a whole number"),
            (message::<String>("{}"), "expected a string, not an object"),
            (message::<Vec<i64>>("\"x\""), "expected a list, not a string"),
            (message::<Asked>("3"), "expected an object, not a whole number"),
            (message::<Asked>("{}"), "this field is required"),
            (message::<Asked>("{\"secret\": 1}"), "there is no such field: expected `quantity`"),
            (message::<Asked>("{\"quantity\": 1, \"quantity\": 2}"), "this field is there more than once"),
            (message::<Choice>("\"green\""), "expected `red` or `blue`"),
            (message::<(i64, i64)>("[1]"), "expected a list of another length"),
            (message::<UserId>("\"x\""), "expected an id as in 019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d"),
            (message::<UserId>("7"), "expected an id as in 019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d, not a whole number"),
            (message::<Timestamp>("\"yesterday\""), "expected a time as in 2026-01-01T12:00:00Z"),
            (message::<Timestamp>("7"), "expected a time as in 2026-01-01T12:00:00Z, not a whole number"),
            (message::<Currency>("\"euro\""), &InvalidCurrency.to_string()),
            (plain("limit: invalid digit found in string"), "expected a whole number"),
        ];
        for (found, expected) in table {
            assert_eq!(found, expected);
        }
    }
}
