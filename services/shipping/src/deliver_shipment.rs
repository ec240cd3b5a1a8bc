//! `POST /v1/shipments/{id}/deliver`: a shipment arrived.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use events::ShipmentId;
use service::http::auth::Caller;
use service::http::idempotency::{self, Claim, IdempotencyKey, RepeatableResponse};
use service::http::{IfMatch, PathId, Problem, ProblemBody, RequestInfo};
use service::{Ctx, decide};

use crate::domain::CannotDeliver;
use crate::queries::Shipment;
use crate::store;

impl From<CannotDeliver> for Problem {
    fn from(refusal: CannotDeliver) -> Self {
        let (code, detail) = match refusal {
            CannotDeliver::NotDispatched => ("not_dispatched", "the shipment has not left: dispatch it first"),
            CannotDeliver::AlreadyDelivered => ("already_delivered", "the shipment has arrived already"),
            CannotDeliver::Stopped => {
                ("shipment_stopped", "its order was cancelled, or its units were refunded: it never left")
            }
        };
        Self::new(StatusCode::CONFLICT, code, detail)
    }
}

/// Records that a shipment arrived.
#[utoipa::path(post, path = "/v1/shipments/{id}/deliver", operation_id = "deliver_shipment", tag = "shipping",
    params(("id" = ShipmentId, Path), IdempotencyKey, IfMatch),
    responses(
        (status = 200, body = Shipment),
        (status = 409, body = ProblemBody, description = "`not_dispatched`, `already_delivered`, `shipment_stopped`"),
    ))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    caller: Caller,
    PathId(shipment_id): PathId<ShipmentId>,
    if_match: IfMatch,
    request: RequestInfo,
    IdempotencyKey(key): IdempotencyKey,
) -> Result<RepeatableResponse, Problem> {
    let scope = idempotency::scope(&caller, "");
    let actor = caller.actor();
    ctx.idempotency.once(key, scope, |claim| deliver(&ctx, shipment_id, &if_match, &request, claim, &actor)).await
}

async fn deliver(
    ctx: &Ctx,
    shipment_id: ShipmentId,
    if_match: &IfMatch,
    request: &RequestInfo,
    claim: Arc<Claim>,
    actor: &str,
) -> Result<RepeatableResponse, Problem> {
    decide(ctx, || async {
        let shipment = store::shipment(&ctx.db, shipment_id).await?;
        let shipment = shipment.ok_or_else(|| Problem::not_found("shipment: an order has one once it is paid"))?;
        if_match.check(|| Shipment::from(shipment.clone()))?;
        let (delivered, event) = shipment.deliver(actor, ctx.clock.now())?;
        let batch = store::deliver(&delivered, &event);
        let answer = RepeatableResponse::new(StatusCode::OK, &Shipment::from(delivered)).tagged();
        ctx.commit(batch, request.cause_keyed(claim.keep(&answer))).await?;
        Ok(answer)
    })
    .await
}
