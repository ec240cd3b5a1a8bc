//! `POST /v1/webhooks/{id}/resend`: sends once more what was sent since a time.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use events::EndpointId;
use kernel::Timestamp;
use serde::{Deserialize, Serialize};
use service::decide;
use service::http::{Body, Fields, PathId, Problem, ProblemBody, RequestInfo};
use service::storage::inbox;
use utoipa::ToSchema;

use crate::Ctx;
use crate::domain::Endpoint;
use crate::queries::found;
use crate::resend::disabled;
use crate::store::{self, RESEND};

/// The beginning of what is to be sent once more.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResendWebhook {
    /// Events that were queued for the endpoint from this time on.
    since: Timestamp,
}

/// A resend in progress.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ResendingWebhook {
    webhook_id: EndpointId,
    since: Timestamp,
}

/// Queues again all deliveries of an endpoint that were queued since a time and have ended, in their order. Each keeps
/// its `webhook-id`, by which the receiver knows it.
#[utoipa::path(post, path = "/v1/webhooks/{id}/resend", operation_id = "resend_webhook", tag = "webhooks",
    request_body = ResendWebhook, params(("id" = EndpointId, Path)),
    responses(
        (status = 202, body = ResendingWebhook),
        (status = 409, body = ProblemBody, description = "`webhook_disabled`; `resend_in_progress` for a second one at once"),
    ))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    PathId(endpoint_id): PathId<EndpointId>,
    request: RequestInfo,
    Body(ResendWebhook { since }): Body<ResendWebhook>,
) -> Result<(StatusCode, Json<ResendingWebhook>), Problem> {
    let mut wrong = Fields::new();
    let is_past = (Timestamp::UNIX_EPOCH..=ctx.clock.now()).contains(&since);
    wrong.check(is_past, "since", "range", "a time in the past");
    wrong.finish()?;
    decide(&ctx, || async {
        let (endpoint, now) = (found(&ctx, endpoint_id).await?, ctx.clock.now());
        if !endpoint.is_enabled() {
            return Err(disabled());
        }
        if endpoint.resend.is_some() {
            let detail = "deliveries of this endpoint are being queued again: wait until that is done";
            return Err(Problem::new(StatusCode::CONFLICT, "resend_in_progress", detail));
        }
        let after = Endpoint { resend: Some((inbox::first_id_of(since), ctx.ids.next())), ..endpoint };
        let batch = store::update(&after).schedule(RESEND.name, endpoint_id, now);
        ctx.commit(batch, request.cause()).await?;
        Ok((StatusCode::ACCEPTED, Json(ResendingWebhook { webhook_id: endpoint_id, since })))
    })
    .await
}
