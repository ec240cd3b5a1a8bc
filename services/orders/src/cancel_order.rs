//! Cancelling an order: at once until it is paid, and then if shipping says that nothing has left.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use events::OrderId;
use service::decide;
use service::http::auth::Caller;
use service::http::idempotency::{self, Claim, IdempotencyKey, RepeatableResponse};
use service::http::{IfMatch, PathId, Problem, ProblemBody, RequestInfo};

use crate::access::own_order;
use crate::domain::{self, CUSTOMER, CannotCancel, Status};
use crate::queries::Order;
use crate::{Ctx, store};

/// The code of a refusal to change an order that was placed elsewhere.
pub(crate) const SETTLED_ELSEWHERE: &str = "settled_elsewhere";

impl From<CannotCancel> for Problem {
    fn from(refusal: CannotCancel) -> Self {
        match refusal {
            CannotCancel::TooLate(status) => {
                let detail = match status {
                    Status::Paid => "a part of the order has left: it can't be cancelled any more".to_owned(),
                    status => format!("the order is {}: it can't be cancelled any more", status.as_str()),
                };
                Self::new(StatusCode::CONFLICT, "too_late", detail)
            }
            CannotCancel::SettledElsewhere => {
                let detail = "the order was placed elsewhere, as `external` says: cancel it there";
                Self::new(StatusCode::CONFLICT, SETTLED_ELSEWHERE, detail)
            }
        }
    }
}

/// Cancels an order: at once if it is not paid. One that is paid becomes `cancelling` until it is known whether
/// something has left; if so, it goes on, and its `cancellation` says `too_late`. Cancelling it again changes nothing.
#[utoipa::path(
    post, path = "/v1/orders/{id}/cancel", operation_id = "cancel_order", tag = "orders",
    params(("id" = OrderId, Path), IdempotencyKey, IfMatch),
    responses(
        (status = 200, body = Order),
        (status = 202, body = Order, description = "it was paid: what has not left is being stopped"),
        (status = 409, body = ProblemBody, description = "`too_late`, `settled_elsewhere`"),
    )
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

/// The order, and if it is cancelled or only to be.
fn answer(order: &domain::Order, caller: &Caller) -> RepeatableResponse {
    let status = if order.status == Status::Cancelling { StatusCode::ACCEPTED } else { StatusCode::OK };
    RepeatableResponse::new(status, &Order::seen_by(caller, order.clone())).tagged()
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
        if_match.check_changes(|| Order::seen_by(caller, order.clone()))?;
        let by = if caller.is_admin { caller.actor() } else { CUSTOMER.to_owned() };
        let Some(decision) = order.cancel(&by, ctx.clock.now())? else { return Ok(answer(&order, caller)) };
        let answer = answer(&decision.order, caller);
        ctx.commit(store::apply(&decision), request.cause_keyed(claim.keep(&answer))).await?;
        ctx.state.by_status.count([decision.order.status.as_str()]);
        Ok(answer)
    })
    .await
}
