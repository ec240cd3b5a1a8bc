//! `POST /v1/webhooks/{id}/attempts/{attempt_id}/resend`: sends an event once more.

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use events::EndpointId;
use kernel::EventId;
use serde::Serialize;
use service::decide;
use service::http::{Problem, ProblemBody, RequestInfo};
use utoipa::ToSchema;

use crate::Ctx;
use crate::domain::{AttemptId, DeliveryId, DeliveryStatus};
use crate::queries::found;
use crate::resend::{disabled, queue_again};
use crate::store::{attempts, deliveries as queues};

/// `/v1/webhooks/{id}/attempts/{attempt_id}/resend`: an extractor. 404 for text that is no id, for nothing has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttemptPath {
    endpoint_id: EndpointId,
    attempt_id: AttemptId,
}

impl<S: Send + Sync> FromRequestParts<S> for AttemptPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let ids = Path::<(String, String)>::from_request_parts(parts, state).await;
        let ids = ids.ok().and_then(|Path((endpoint, attempt))| Some((endpoint.parse().ok()?, attempt.parse().ok()?)));
        let (endpoint_id, attempt_id) = ids.ok_or_else(missing)?;
        Ok(Self { endpoint_id, attempt_id })
    }
}

fn missing() -> Problem {
    Problem::not_found("attempt")
}

/// A delivery that is in the queue again.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Resent {
    delivery_id: DeliveryId,
    event_id: EventId,
}

/// Queues the delivery of an attempt again, behind what waits: under the same `webhook-id`, as new attempts.
#[utoipa::path(post, path = "/v1/webhooks/{id}/attempts/{attempt_id}/resend", operation_id = "resend_webhook_attempt",
    tag = "webhooks",
    params(("id" = EndpointId, Path), ("attempt_id" = AttemptId, Path)),
    responses(
        (status = 202, body = Resent),
        (status = 409, body = ProblemBody, description = "`webhook_disabled`; `still_queued` if it is in the queue"),
    ))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    AttemptPath { endpoint_id, attempt_id }: AttemptPath,
    request: RequestInfo,
) -> Result<(StatusCode, Json<Resent>), Problem> {
    decide(&ctx, || async {
        let endpoint = found(&ctx, endpoint_id).await?;
        let attempt = attempts::attempt(&ctx.db, attempt_id).await?.filter(|it| it.endpoint_id == endpoint_id);
        let attempt = attempt.ok_or_else(missing)?;
        if !endpoint.is_enabled() {
            return Err(disabled());
        }
        let delivery = queues::delivery(&ctx.db, attempt.delivery_id).await?;
        let delivery = delivery.ok_or_else(missing)?;
        if delivery.status == DeliveryStatus::Queued {
            let detail = "the delivery is in the queue and will be sent: see `next_attempt_at` of the attempt";
            return Err(Problem::new(StatusCode::CONFLICT, "still_queued", detail));
        }
        let (delivery_id, event_id) = (delivery.delivery_id, delivery.event_id);
        let batch = queue_again(&ctx, endpoint_id, vec![delivery]).await?;
        ctx.commit(batch, request.cause()).await?;
        Ok((StatusCode::ACCEPTED, Json(Resent { delivery_id, event_id })))
    })
    .await
}
