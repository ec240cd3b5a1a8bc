//! The bounds of an endpoint's fields.

use std::collections::HashSet;

use service::http::{FieldError, Fields, Problem};
use url::Url;
use utoipa::ToSchema;

use crate::sender::Closed;
use crate::{Ctx, address, domain};

const DESCRIPTION_MAX: usize = 200;

/// Subscriptions of an endpoint at the most: each event is compared with all of them.
const EVENT_TYPES_MAX: usize = 100;

/// The longest subscription, in bytes: longer than any type.
const EVENT_TYPE_BYTES_MAX: usize = 100;

/// A type of events, `*` for all, or a prefix as in `orders.*`.
#[derive(ToSchema)]
#[schema(min_length = 1, max_length = 100, example = "orders.*")]
#[expect(dead_code, reason = "it describes what is read as text")]
pub(crate) struct EventTypes(String);

pub(crate) fn check_url(fields: &mut Fields, url: &str) -> Option<Url> {
    let parsed = address::parse(url);
    let expected = format!(
        "an address as in https://erp.example.com/hook, without credentials, a `#` or blanks, of at most {} bytes",
        address::URL_BYTES_MAX
    );
    fields.check(parsed.is_some(), "url", "url", expected);
    parsed
}

pub(crate) fn check_description(fields: &mut Fields, description: &str) {
    fields.line(description, "description", 1, DESCRIPTION_MAX);
}

pub(crate) fn check_event_types(fields: &mut Fields, event_types: &[String]) {
    let expected = format!("1 to {EVENT_TYPES_MAX} types of events");
    fields.check((1..=EVENT_TYPES_MAX).contains(&event_types.len()), "event_types", "length", expected);
    let mut known = HashSet::new();
    for (index, event_type) in event_types.iter().enumerate().take(EVENT_TYPES_MAX) {
        let field = format!("event_types[{index}]");
        fields.check(known.insert(event_type), field.as_str(), "duplicate", "each type once");
        if event_type.len() > EVENT_TYPE_BYTES_MAX {
            fields.check(false, field, "unknown", "a type, `*`, or a prefix as in `orders.*`");
        } else if let Err(unknown) = domain::check(event_type) {
            let expected = format!("a type, `*`, or a prefix as in `orders.*`{}", unknown.suggestion);
            fields.check(false, field, "unknown", expected);
        }
    }
}

/// Refuses an address to which nothing is sent.
pub(crate) async fn check_address(ctx: &Ctx, url: &Url) -> Result<(), Problem> {
    let (code, detail) = match ctx.state.sender.check(url).await {
        Ok(()) => return Ok(()),
        Err(Closed::NotPublic) => ("not_public", "an address in a public network".to_owned()),
        Err(Closed::Unresolved(reason)) => ("unresolved", format!("a name that can be resolved ({reason})")),
    };
    Err(Problem::invalid_body(vec![FieldError { field: "url".to_owned(), code, detail }]))
}
