//! The events that an endpoint may subscribe to.

use events::{Descriptor, Event as _, SigningKeyPublished};

/// The subscription to all events.
const ALL: &str = "*";

/// The end of a subscription to all events of a prefix, as in `orders.*`.
const ANY_AFTER: &str = ".*";

/// A text that subscribes to nothing; `suggestion` is empty, or names the closest subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unknown {
    pub suggestion: String,
}

/// True if events of this type are sent to others. The keys of tokens are the services' own affair, and so are endpoints,
/// for the address of one may hold a secret that is none of another's.
pub(crate) fn is_sent(event: &Descriptor) -> bool {
    event.event_type != SigningKeyPublished::TYPE && event.source != "webhooks"
}

/// True if a subscription takes events of this type.
pub(crate) fn matches(subscription: &str, event_type: &str) -> bool {
    match subscription.strip_suffix(ANY_AFTER) {
        _ if subscription == ALL => true,
        Some(prefix) => event_type.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.')),
        None => subscription == event_type,
    }
}

/// Refuses a subscription that takes none of the events that there are.
pub(crate) fn check(subscription: &str) -> Result<(), Unknown> {
    let types: Vec<&'static str> = events::all().filter(|event| is_sent(event)).map(|event| event.event_type).collect();
    if types.iter().any(|event_type| matches(subscription, event_type)) {
        return Ok(());
    }
    let named = events::all().filter(|event| is_sent(event)).find(|event| event.name == subscription);
    if let Some(event) = named {
        return Err(Unknown { suggestion: format!(": did you mean {}?", event.event_type) });
    }
    let mut prefixes: Vec<String> =
        types.iter().filter_map(|it| Some(format!("{}{ANY_AFTER}", it.split_once('.')?.0))).collect();
    prefixes.dedup();
    let known = types.iter().copied().chain(prefixes.iter().map(String::as_str));
    Err(Unknown { suggestion: kernel::suggestion(subscription, known) })
}
