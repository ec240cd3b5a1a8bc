//! Events of the webhooks service.

use kernel::Timestamp;

kernel::id!(EndpointId, EndpointKind, "An address of others to which events are sent.");

events! { "webhooks";
    /// The shop sends nothing more to an endpoint, for every attempt since `since` failed; `reason` is the last failure, as
    /// in `answered 503`. It ends with `WebhookEnabled` or `WebhookDeleted`.
    Background "webhooks.webhook_disabled.v1" by endpoint_id
    WebhookDisabled {
        endpoint_id: EndpointId,
        url: String,
        reason: String,
        since: Timestamp,
    }

    /// An admin enabled an endpoint that was disabled: the events from then on are sent to it.
    Background "webhooks.webhook_enabled.v1" by endpoint_id
    WebhookEnabled {
        endpoint_id: EndpointId,
        url: String,
    }

    /// An admin deleted an endpoint, enabled or disabled.
    Background "webhooks.webhook_deleted.v1" by endpoint_id
    WebhookDeleted {
        endpoint_id: EndpointId,
        url: String,
    }
}
