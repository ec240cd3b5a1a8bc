//! `POST /v1/purchase-orders/{id}/cancel`: what has not come is not wanted any more.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use events::PurchaseOrderId;
use service::decide;
use service::http::auth::Caller;
use service::http::idempotency::{self, Claim, IdempotencyKey, RepeatableResponse};
use service::http::{IfMatch, PathId, Problem, ProblemBody, RequestInfo};

use crate::Ctx;
use crate::domain::CannotCancel;
use crate::purchase_orders::{self, PurchaseOrder};
use crate::store::purchase_orders as store;

impl From<CannotCancel> for Problem {
    fn from(refusal: CannotCancel) -> Self {
        let (code, detail) = match refusal {
            CannotCancel::AlreadyReceived => ("already_received", "all of the purchase order came already"),
            CannotCancel::AlreadyCancelled => ("already_cancelled", "the purchase order is cancelled already"),
        };
        Self::new(StatusCode::CONFLICT, code, detail)
    }
}

/// Cancels what has not come of a purchase order. The supplier gets a mail of it.
#[utoipa::path(post, path = "/v1/purchase-orders/{id}/cancel", operation_id = "cancel_purchase_order", tag = "suppliers",
    params(("id" = PurchaseOrderId, Path), IdempotencyKey, IfMatch),
    responses(
        (status = 200, body = PurchaseOrder),
        (status = 409, body = ProblemBody, description = "`already_received`, `already_cancelled`"),
    ))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    caller: Caller,
    PathId(purchase_order_id): PathId<PurchaseOrderId>,
    if_match: IfMatch,
    request: RequestInfo,
    IdempotencyKey(key): IdempotencyKey,
) -> Result<RepeatableResponse, Problem> {
    let scope = idempotency::scope(&caller, "");
    ctx.idempotency.once(key, scope, |claim| cancel(&ctx, purchase_order_id, &if_match, &request, claim)).await
}

async fn cancel(
    ctx: &Ctx,
    purchase_order_id: PurchaseOrderId,
    if_match: &IfMatch,
    request: &RequestInfo,
    claim: Arc<Claim>,
) -> Result<RepeatableResponse, Problem> {
    decide(ctx, || async {
        let order = purchase_orders::read(ctx, purchase_order_id).await?;
        if_match.check(|| PurchaseOrder::from(&order))?;
        let happened = order.cancel(ctx.clock.now())?;
        let answer = RepeatableResponse::new(StatusCode::OK, &PurchaseOrder::from(&happened.order)).tagged();
        ctx.commit(store::apply(&happened), request.cause_keyed(claim.keep(&answer))).await?;
        Ok(answer)
    })
    .await
}
