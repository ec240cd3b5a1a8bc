//! Cancelling an order, until it is paid.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use kernel::OrderId;
use service::decide;
use service::http::auth::Caller;
use service::http::{PathId, Problem, ProblemBody, RequestInfo};

use crate::access::own_order;
use crate::domain::TooLate;
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
    params(("id" = OrderId, Path)),
    responses(
        (status = 200, body = Order), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody, description = "`too_late`"),
    )
)]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    caller: Caller,
    PathId(order_id): PathId<OrderId>,
    request: RequestInfo,
) -> Result<Json<Order>, Problem> {
    let order = decide(&ctx, || async {
        let order = own_order(&ctx, &caller, order_id).await?;
        let Some(decision) = order.cancel(ctx.clock.now())? else { return Ok(order) };
        ctx.commit(store::apply(&decision), request.cause()).await?;
        ctx.metrics.order_reached(decision.order.status.as_str());
        Ok(decision.order)
    })
    .await?;
    Ok(Json(order.into()))
}
