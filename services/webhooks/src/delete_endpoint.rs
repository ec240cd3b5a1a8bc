//! `DELETE /v1/webhooks/{id}`: nothing more is sent to an endpoint.

use axum::extract::State;
use axum::http::StatusCode;
use events::EndpointId;
use service::decide;
use service::http::{IfMatch, PathId, Problem, RequestInfo};

use crate::Ctx;
use crate::queries::{Webhook, found};
use crate::store::{self, CLEAN_UP, RESEND, deliveries as queues};

/// Deletes an endpoint with all that was sent to it.
#[utoipa::path(delete, path = "/v1/webhooks/{id}", operation_id = "delete_webhook", tag = "webhooks",
    params(("id" = EndpointId, Path), IfMatch),
    responses((status = 204, description = "nothing more is sent to it")))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    PathId(endpoint_id): PathId<EndpointId>,
    if_match: IfMatch,
    request: RequestInfo,
) -> Result<StatusCode, Problem> {
    decide(&ctx, || async {
        let endpoint = found(&ctx, endpoint_id).await?;
        if_match.check(|| Webhook::from(&endpoint))?;
        let slots = queues::slots_of(&ctx.db, vec![endpoint_id]).await?;
        let batch = store::delete(&endpoint).emit(endpoint.version.next(), &endpoint.deleted());
        // Whoever queues something at this instant finds no slot, and decides again.
        let batch = slots.iter().fold(batch, |batch, slot| batch.and(queues::delete_slot(slot)));
        let batch = batch.unschedule(RESEND.name, endpoint_id).schedule(CLEAN_UP.name, endpoint_id, ctx.clock.now());
        ctx.commit(batch, request.cause()).await?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}
