//! Reads of endpoints and attempts, as clients see them.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use events::EndpointId;
use kernel::{EventId, Timestamp};
use serde::Serialize;
use service::http::{IfNoneMatch, Listing, Page, PathId, Problem, Tagged};
use utoipa::ToSchema;

use crate::domain::{AttemptId, DeliveryId, DeliveryStatus};
use crate::store::attempts as store_of_attempts;
use crate::{Ctx, domain, message, store};

/// An address of others to which events are sent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Webhook {
    webhook_id: EndpointId,
    #[schema(example = "https://erp.example.com/tradepost")]
    url: String,
    #[schema(example = "The ERP")]
    description: Option<String>,
    #[schema(example = json!(["orders.*", "payments.payment_refunded.v1"]))]
    event_types: Vec<String>,
    /// False if nothing is sent: an admin disabled it, or it failed for five days.
    enabled: bool,
    disabled_at: Option<Timestamp>,
    /// The last failure, if it was disabled because it failed.
    #[schema(example = "answered 503")]
    disabled_reason: Option<String>,
    /// The oldest failure since the last success.
    failing_since: Option<Timestamp>,
    /// The time until which the secret before signs too.
    previous_secret_until: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<&domain::Endpoint> for Webhook {
    fn from(endpoint: &domain::Endpoint) -> Self {
        Self {
            webhook_id: endpoint.endpoint_id,
            url: endpoint.url.clone(),
            description: endpoint.description.clone(),
            event_types: endpoint.event_types.clone(),
            enabled: endpoint.is_enabled(),
            disabled_at: endpoint.disabled.as_ref().map(|disabled| disabled.at),
            disabled_reason: endpoint.disabled.as_ref().and_then(|disabled| disabled.reason.clone()),
            failing_since: endpoint.failing_since,
            previous_secret_until: endpoint.previous.as_ref().map(|(_, until)| *until),
            created_at: endpoint.created_at,
            updated_at: endpoint.updated_at,
        }
    }
}

/// One call of an endpoint.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookAttempt {
    attempt_id: AttemptId,
    delivery_id: DeliveryId,
    event_id: EventId,
    #[schema(example = "orders.order_placed.v1")]
    event_type: String,
    /// Attempts at the delivery since it was queued, this one included.
    #[schema(example = 1)]
    number: i64,
    attempted_at: Timestamp,
    #[schema(example = 42)]
    duration_ms: i64,
    /// True if the endpoint answered 2xx.
    delivered: bool,
    /// The reason why not.
    #[schema(example = "answered 503")]
    error: Option<String>,
    request: WebhookRequest,
    /// Absent if there was none.
    response: Option<WebhookResponse>,
    /// The status of the delivery now.
    #[schema(value_type = DeliveryStatus, inline)]
    delivery_status: &'static str,
    /// The time of the next attempt, if there is one.
    next_attempt_at: Option<Timestamp>,
}

/// The message as it was sent.
#[derive(Debug, Serialize, ToSchema)]
struct WebhookRequest {
    #[schema(example = "https://erp.example.com/tradepost")]
    url: String,
    headers: BTreeMap<&'static str, String>,
    /// The event as JSON.
    body: String,
}

/// The answer of the endpoint.
#[derive(Debug, Serialize, ToSchema)]
struct WebhookResponse {
    #[schema(example = 503)]
    status: i64,
    headers: BTreeMap<String, String>,
    /// Its first 4 KiB, as text.
    body: String,
}

impl From<store_of_attempts::Attempt> for WebhookAttempt {
    fn from(attempt: store_of_attempts::Attempt) -> Self {
        let headers = BTreeMap::from([
            ("content-type", message::CONTENT_TYPE.to_owned()),
            ("webhook-id", attempt.event_id.to_string()),
            ("webhook-timestamp", attempt.at.as_second().to_string()),
            ("webhook-signature", attempt.signature),
        ]);
        let response = attempt.status.map(|status| WebhookResponse {
            status,
            headers: attempt.headers.into_iter().flatten().collect(),
            body: attempt.answer.unwrap_or_default(),
        });
        Self {
            attempt_id: attempt.attempt_id,
            delivery_id: attempt.delivery_id,
            event_id: attempt.event_id,
            event_type: attempt.event_type,
            number: attempt.number,
            attempted_at: attempt.at,
            duration_ms: attempt.duration_ms,
            delivered: attempt.is_delivered,
            error: attempt.error,
            request: WebhookRequest { url: attempt.url, headers, body: attempt.body },
            response,
            delivery_status: attempt.delivery_status.as_str(),
            next_attempt_at: attempt.due_at,
        }
    }
}

/// Endpoints, newest first.
#[utoipa::path(get, path = "/v1/webhooks", operation_id = "list_webhooks", tag = "webhooks",
    params(Page),
    responses((status = 200, body = Listing<Webhook>)))]
pub(crate) async fn list(State(ctx): State<Ctx>, page: Page) -> Result<Json<Listing<Webhook>>, Problem> {
    let endpoints = store::page(&ctx.db, page.before(), page.rows()).await?;
    let listing = page.listing(endpoints, |endpoint| endpoint.endpoint_id.into());
    Ok(Json(listing.map(|endpoint| Webhook::from(&endpoint))))
}

/// One endpoint.
#[utoipa::path(get, path = "/v1/webhooks/{id}", operation_id = "get_webhook", tag = "webhooks",
    params(("id" = EndpointId, Path), IfNoneMatch),
    responses((status = 200, body = Webhook)))]
pub(crate) async fn get(
    State(ctx): State<Ctx>,
    PathId(endpoint_id): PathId<EndpointId>,
) -> Result<Tagged<Webhook>, Problem> {
    Ok(Tagged(Webhook::from(&found(&ctx, endpoint_id).await?)))
}

/// Calls of an endpoint, newest first, with what was sent and what it answered.
#[utoipa::path(get, path = "/v1/webhooks/{id}/attempts", operation_id = "list_webhook_attempts", tag = "webhooks",
    params(("id" = EndpointId, Path), Page),
    responses((status = 200, body = Listing<WebhookAttempt>)))]
pub(crate) async fn attempts(
    State(ctx): State<Ctx>,
    PathId(endpoint_id): PathId<EndpointId>,
    page: Page,
) -> Result<Json<Listing<WebhookAttempt>>, Problem> {
    found(&ctx, endpoint_id).await?;
    let attempts = store_of_attempts::page(&ctx.db, endpoint_id, page.before(), page.rows()).await?;
    let listing = page.listing(attempts, |attempt| attempt.attempt_id.into());
    Ok(Json(listing.map(WebhookAttempt::from)))
}

/// The endpoint, or 404.
pub(crate) async fn found(ctx: &Ctx, endpoint_id: EndpointId) -> Result<domain::Endpoint, Problem> {
    store::endpoint(&ctx.db, endpoint_id).await?.ok_or_else(|| Problem::not_found("webhook"))
}
