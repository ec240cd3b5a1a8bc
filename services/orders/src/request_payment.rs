//! Giving a payment token: for an order placed without one, or after a decline that was not final.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use kernel::OrderId;
use service::decide;
use service::http::auth::Caller;
use service::http::{Body, Fields, PathId, Problem, ProblemBody, RequestInfo};

use crate::access::own_order;
use crate::domain::CannotPay;
use crate::place_order::PaymentToken;
use crate::queries::Order;
use crate::{Ctx, store};

impl From<CannotPay> for Problem {
    fn from(refusal: CannotPay) -> Self {
        match refusal {
            CannotPay::Pending => {
                let detail = "a payment of this order is under way: wait for what becomes of it";
                Self::new(StatusCode::CONFLICT, "payment_pending", detail)
            }
            CannotPay::NotPayable(status) => {
                let detail = format!("the order is {}: it waits for no money", status.as_str());
                Self::new(StatusCode::CONFLICT, "not_payable", detail)
            }
        }
    }
}

/// Gives a payment token.
#[utoipa::path(
    post, path = "/v1/orders/{id}/payment", operation_id = "request_payment", tag = "orders",
    params(("id" = OrderId, Path)), request_body = PaymentToken,
    responses(
        (status = 202, body = Order), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody, description = "`payment_pending`, `not_payable`"),
        (status = 422, body = ProblemBody),
    )
)]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    caller: Caller,
    PathId(order_id): PathId<OrderId>,
    request: RequestInfo,
    Body(input): Body<PaymentToken>,
) -> Result<(StatusCode, Json<Order>), Problem> {
    let mut fields = Fields::new();
    input.check(&mut fields, "token");
    fields.finish()?;
    let order = decide(&ctx, || async {
        let order = own_order(&ctx, &caller, order_id).await?;
        let decision = order.request_payment(ctx.ids.next(), input.token.clone(), ctx.clock.now())?;
        ctx.commit(store::apply(&decision), request.cause()).await?;
        Ok(decision.order)
    })
    .await?;
    Ok((StatusCode::ACCEPTED, Json(order.into())))
}
