//! `POST /v1/webhooks/{id}/test`: sends an event that says nothing, to see that it arrives.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use events::EndpointId;
use kernel::{EventId, Uuid};
use serde::Serialize;
use service::decide;
use service::http::{PathId, Problem, RequestInfo};
use utoipa::ToSchema;

use crate::domain::TEST_EVENT;
use crate::on_any::New;
use crate::queries::found;
use crate::store::deliveries as queues;
use crate::{Ctx, message};

/// A test that is in flight.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookTest {
    /// Its id, as the `webhook-id` of its attempt.
    event_id: EventId,
}

/// Sends a test event to an endpoint, enabled or disabled, once. The result is among its attempts.
#[utoipa::path(post, path = "/v1/webhooks/{id}/test", operation_id = "test_webhook", tag = "webhooks",
    params(("id" = EndpointId, Path)),
    responses((status = 202, body = WebhookTest)))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    PathId(endpoint_id): PathId<EndpointId>,
    request: RequestInfo,
) -> Result<(StatusCode, Json<WebhookTest>), Problem> {
    // A key of its own, so that it waits for nothing.
    let (event_id, key): (EventId, Uuid) = (ctx.ids.next(), ctx.ids.next());
    decide(&ctx, || async {
        let (endpoint, now) = (found(&ctx, endpoint_id).await?, ctx.clock.now());
        let mut queue = queues::queue(&ctx.db, vec![endpoint_id], vec![key]).await?;
        let body = message::of_test(event_id, endpoint_id.into(), now);
        let test = New { event_id, event_type: TEST_EVENT, key, body: &body };
        let batch = test.queue(&ctx, &mut queue, &endpoint, now);
        ctx.commit(batch.and(queues::set_queue(queue, now)), request.cause()).await?;
        Ok((StatusCode::ACCEPTED, Json(WebhookTest { event_id })))
    })
    .await
}
