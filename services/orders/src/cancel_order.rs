//! Cancelling an order, until it is paid.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use events::OrderId;
use service::decide;
use service::http::auth::Caller;
use service::http::idempotency::{self, Claim, IdempotencyKey, RepeatableResponse};
use service::http::{IfMatch, PathId, Problem, ProblemBody, RequestInfo};

use crate::access::own_order;
use crate::domain::{self, TooLate};
use crate::queries::Order;
use crate::{Ctx, store};

impl From<TooLate> for Problem {
    fn from(TooLate(status): TooLate) -> Self {
        let detail = format!("the order is {}: it can't be cancelled any more", status.as_str());
        Self::new(StatusCode::CONFLICT, "too_late", detail)
    }
}

/// Cancels an order that is not paid. Cancelling it again changes nothing.
#[utoipa::path(
    post, path = "/v1/orders/{id}/cancel", operation_id = "cancel_order", tag = "orders",
    params(("id" = OrderId, Path), IdempotencyKey, IfMatch),
    responses((status = 200, body = Order), (status = 409, body = ProblemBody, description = "`too_late`"))
)]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    caller: Caller,
    PathId(order_id): PathId<OrderId>,
    if_match: IfMatch,
    request: RequestInfo,
    IdempotencyKey(key): IdempotencyKey,
) -> Result<RepeatableResponse, Problem> {
    // Before an answer is repeated, which is for the order's own caller only.
    own_order(&ctx, &caller, order_id).await?;
    let scope = idempotency::scope(&caller, &order_id.to_string());
    ctx.idempotency.once(key, scope, |claim| cancel(&ctx, &caller, order_id, &if_match, &request, claim)).await
}

async fn cancel(
    ctx: &Ctx,
    caller: &Caller,
    order_id: OrderId,
    if_match: &IfMatch,
    request: &RequestInfo,
    claim: Arc<Claim>,
) -> Result<RepeatableResponse, Problem> {
    decide(ctx, || async {
        let order = own_order(ctx, caller, order_id).await?;
        if_match.check(|| Order::from(order.clone()))?;
        let answer =
            |order: &domain::Order| RepeatableResponse::new(StatusCode::OK, &Order::from(order.clone())).tagged();
        let Some(decision) = order.cancel(ctx.clock.now())? else { return Ok(answer(&order)) };
        let answer = answer(&decision.order);
        ctx.commit(store::apply(&decision), request.cause_keyed(claim.keep(&answer))).await?;
        ctx.state.by_status.count([decision.order.status.as_str()]);
        Ok(answer)
    })
    .await
}
