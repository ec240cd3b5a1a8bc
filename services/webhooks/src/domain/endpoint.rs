//! An endpoint: its address, its subscriptions, its secrets, and whether it answers.

use std::fmt;

use events::{EndpointId, WebhookDeleted, WebhookDisabled, WebhookEnabled};
use kernel::{SignedDuration, Timestamp, Uuid, Version};

use crate::domain::{Delivery, subscription};

/// The time for which a secret signs after it was replaced.
pub(crate) const PREVIOUS_SECRET_FOR: SignedDuration = SignedDuration::from_hours(24);

/// The time without a success after which an endpoint is disabled.
pub(crate) const DISABLED_AFTER: SignedDuration = SignedDuration::from_hours(5 * 24);

/// The key of an endpoint's signatures, `whsec_` and base64. `Debug` never shows it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    pub fn from_text(text: String) -> Self {
        Self(text)
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The end of an endpoint, until an admin enables it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Disabled {
    pub at: Timestamp,
    /// `None` if an admin wanted it.
    pub reason: Option<String>,
}

/// An endpoint that is to be added.
#[derive(Clone, Debug)]
pub(crate) struct NewEndpoint {
    pub url: String,
    pub description: Option<String>,
    pub event_types: Vec<String>,
}

/// A change that an admin wants. A field that is `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    pub url: Option<String>,
    pub description: Option<String>,
    pub event_types: Option<Vec<String>>,
    pub is_enabled: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub endpoint_id: EndpointId,
    pub url: String,
    pub description: Option<String>,
    pub event_types: Vec<String>,
    pub secret: Secret,
    /// The secret before, and the time until which it signs.
    pub previous: Option<(Secret, Timestamp)>,
    pub disabled: Option<Disabled>,
    /// Events from this time on are sent.
    pub active_since: Timestamp,
    /// The oldest failure since the last success.
    pub failing_since: Option<Timestamp>,
    /// A resend in progress: of deliveries with ids between these.
    pub resend: Option<(Uuid, Uuid)>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// As it was read: a transition leaves it, and its commit is guarded by it.
    pub version: Version,
}

/// The result of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AttemptResult {
    pub at: Timestamp,
    /// `None` if the endpoint took it.
    pub error: Option<String>,
}

impl Endpoint {
    pub fn new(endpoint_id: EndpointId, new: NewEndpoint, secret: Secret, now: Timestamp) -> Self {
        let NewEndpoint { url, description, event_types } = new;
        Self {
            endpoint_id,
            url,
            description,
            event_types,
            secret,
            previous: None,
            disabled: None,
            active_since: now,
            failing_since: None,
            resend: None,
            created_at: now,
            updated_at: now,
            version: Version::FIRST,
        }
    }

    pub fn is_enabled(&self) -> bool {
        self.disabled.is_none()
    }

    /// True if an event of this type and time is to be sent.
    pub fn wants(&self, event_type: &str, time: Timestamp) -> bool {
        let is_wanted = |it: &String| subscription::matches(it, event_type);
        self.is_enabled() && time >= self.active_since && self.event_types.iter().any(is_wanted)
    }

    /// True if a delivery is still to be sent: not what was queued before it was disabled and enabled again. Tests are sent to
    /// a disabled one too.
    pub fn takes(&self, delivery: &Delivery) -> bool {
        delivery.is_test() || (self.is_enabled() && delivery.queued_at >= self.active_since)
    }

    /// The secrets that sign, the newest first.
    pub fn signing(&self, now: Timestamp) -> Vec<&Secret> {
        let previous = self.previous.iter().filter(|(_, until)| now < *until).map(|(secret, _)| secret);
        [&self.secret].into_iter().chain(previous).collect()
    }

    /// The same with a new secret. The one that it replaces signs for another day.
    pub fn rotated(&self, secret: Secret, now: Timestamp) -> Self {
        let previous = Some((self.secret.clone(), now + PREVIOUS_SECRET_FOR));
        Self { secret, previous, updated_at: now, ..self.clone() }
    }

    /// The same after a change, and its event. `None` if it changes nothing.
    pub fn changed(&self, change: &Change, now: Timestamp) -> Option<(Self, Option<WebhookEnabled>)> {
        let mut after = self.clone();
        after.url = change.url.clone().unwrap_or(after.url);
        if after.url != self.url {
            // What failed was another place.
            after.failing_since = None;
        }
        after.description = change.description.clone().or(after.description);
        after.event_types = change.event_types.clone().unwrap_or(after.event_types);
        let mut event = None;
        match change.is_enabled {
            Some(true) if self.disabled.is_some() => {
                after = Self { disabled: None, failing_since: None, active_since: now, ..after };
                event = Some(WebhookEnabled { endpoint_id: after.endpoint_id, url: after.url.clone() });
            }
            Some(false) if self.disabled.is_none() => after.disabled = Some(Disabled { at: now, reason: None }),
            _ => {}
        }
        after.updated_at = if after == *self { self.updated_at } else { now };
        (after != *self).then_some((after, event))
    }

    pub fn deleted(&self) -> WebhookDeleted {
        WebhookDeleted { endpoint_id: self.endpoint_id, url: self.url.clone() }
    }

    /// The same after attempts, in the order of their time. `None` if nothing changes.
    pub fn after_attempts(&self, results: &[AttemptResult]) -> Option<(Self, Option<WebhookDisabled>)> {
        if self.disabled.is_some() {
            return None;
        }
        let mut after = self.clone();
        for AttemptResult { at, error } in results {
            let Some(reason) = error else {
                after.failing_since = None;
                continue;
            };
            let since = *after.failing_since.get_or_insert(*at);
            if at.duration_since(since) >= DISABLED_AFTER {
                after.disabled = Some(Disabled { at: *at, reason: Some(reason.clone()) });
                after.updated_at = *at;
                let (endpoint_id, url, reason) = (self.endpoint_id, self.url.clone(), reason.clone());
                return Some((after, Some(WebhookDisabled { endpoint_id, url, reason, since })));
            }
        }
        (after != *self).then_some((after, None))
    }
}
