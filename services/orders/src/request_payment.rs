//! Giving a payment token: for an order placed without one, or after a decline that was not final.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use events::OrderId;
use service::decide;
use service::http::auth::Caller;
use service::http::idempotency::{self, Claim, IdempotencyKey, KeyedBody, RepeatableResponse};
use service::http::{Fields, IfMatch, PathId, Problem, ProblemBody, RequestInfo};

use crate::access::own_order;
use crate::cancel_order::SETTLED_ELSEWHERE;
use crate::domain::{CannotPay, Status};
use crate::place_order::PaymentToken;
use crate::queries::Order;
use crate::{Ctx, store};

impl From<CannotPay> for Problem {
    fn from(refusal: CannotPay) -> Self {
        match refusal {
            CannotPay::Pending => {
                let detail = "a payment of this order is in flight: wait for its result";
                Self::new(StatusCode::CONFLICT, "payment_pending", detail)
            }
            CannotPay::TooManyAttempts => {
                let detail = "too many payments of this order were declined, and it was cancelled: place another order";
                Self::new(StatusCode::CONFLICT, "too_many_attempts", detail)
            }
            CannotPay::SettledElsewhere => {
                let detail = "the order was placed elsewhere, as `external` says: it is paid there";
                Self::new(StatusCode::CONFLICT, SETTLED_ELSEWHERE, detail)
            }
            CannotPay::NotPayable(status) => {
                let is_paid = matches!(
                    status,
                    Status::Paid | Status::Cancelling | Status::Shipped | Status::Delivered | Status::Refunded
                );
                let again = if is_paid { " again" } else { "" };
                let detail = format!("the order is {} and cannot be paid{again}", status.as_str());
                Self::new(StatusCode::CONFLICT, "not_payable", detail)
            }
        }
    }
}

/// Gives a payment token.
#[utoipa::path(
    post, path = "/v1/orders/{id}/payment", operation_id = "request_payment", tag = "orders",
    params(("id" = OrderId, Path), IdempotencyKey, IfMatch), request_body = PaymentToken,
    responses(
        (status = 202, body = Order),
        (status = 409, body = ProblemBody, description = "`payment_pending`, `not_payable`, `too_many_attempts`, \
            `settled_elsewhere`"),
    )
)]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    caller: Caller,
    PathId(order_id): PathId<OrderId>,
    if_match: IfMatch,
    request: RequestInfo,
    KeyedBody { input, key }: KeyedBody<PaymentToken>,
) -> Result<RepeatableResponse, Problem> {
    let mut fields = Fields::new();
    input.check(&mut fields, "token");
    fields.finish()?;
    // Before an answer is repeated, which is for the order's own caller only.
    own_order(&ctx, &caller, order_id).await?;
    let scope = idempotency::scope(&caller, &order_id.to_string());
    ctx.idempotency.once(key, scope, |claim| pay(&ctx, &caller, order_id, &if_match, &request, claim, input)).await
}

async fn pay(
    ctx: &Ctx,
    caller: &Caller,
    order_id: OrderId,
    if_match: &IfMatch,
    request: &RequestInfo,
    claim: Arc<Claim>,
    input: PaymentToken,
) -> Result<RepeatableResponse, Problem> {
    decide(ctx, || async {
        let order = own_order(ctx, caller, order_id).await?;
        if_match.check_changes(|| Order::seen_by(caller, order.clone()))?;
        let decision = order.request_payment(ctx.ids.next(), input.token.clone(), ctx.clock.now())?;
        let answer =
            RepeatableResponse::new(StatusCode::ACCEPTED, &Order::seen_by(caller, decision.order.clone())).tagged();
        ctx.commit(store::apply(&decision), request.cause_keyed(claim.keep(&answer))).await?;
        Ok(answer)
    })
    .await
}
