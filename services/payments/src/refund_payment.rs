//! Giving money back: the intent is recorded and its money held; the timer of `refund.rs` asks the provider.

use std::collections::HashSet;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use events::{OrderId, PaymentId};
use kernel::Money;
use serde::Deserialize;
use service::decide;
use service::http::auth::Caller;
use service::http::idempotency::{self, Claim, IdempotencyKey, KeyedBody, RepeatableResponse};
use service::http::{FieldError, Fields, IfMatch, PathId, Problem, ProblemBody, RequestInfo};
use utoipa::ToSchema;

use crate::domain::refund::{REFUNDS_MAX, RefundRequest, Refusal};
use crate::queries::{Payment, Refund, RestockLine};
use crate::refund::REFUND;
use crate::{Ctx, store};

/// Characters of a reason at most: it stands in lists and mails.
const REASON_MAX: usize = 200;

/// Products of one refund at most: no order has more lines.
const RESTOCK_MAX: usize = 100;

/// Units of one product at most: no line of an order has more.
const QUANTITY_MAX: i64 = 10_000;

/// The money that goes back, and the units that come back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RefundRequest)]
pub(crate) struct Input {
    /// Left out: all that is left of the payment.
    amount: Option<Money>,
    /// The reason, for people.
    #[schema(example = "one came damaged", min_length = 1, max_length = 200)]
    reason: Option<String>,
    /// Units of the order that are to be sold again, each product once.
    #[serde(default)]
    #[schema(max_items = 100)]
    restock: Vec<RestockLine>,
    /// The order, if the payment is to be refused when it is another order's.
    order_id: Option<OrderId>,
}

impl Input {
    fn check(&self) -> Result<(), Problem> {
        let mut fields = Fields::new();
        if let Some(Money { amount, .. }) = self.amount {
            let expected = "at least 1 minor unit; leave the amount out to refund all that is left";
            fields.check(amount != 0, "amount.amount", "nothing", expected);
            fields.check(amount >= 0, "amount.amount", "negative", expected);
        }
        if let Some(reason) = &self.reason {
            fields.line(reason, "reason", 1, REASON_MAX);
        }
        let expected = format!("at most {RESTOCK_MAX} products");
        fields.check(self.restock.len() <= RESTOCK_MAX, "restock", "length", expected);
        let mut products = HashSet::new();
        for (index, line) in self.restock.iter().enumerate().take(RESTOCK_MAX) {
            let is_good = (1..=QUANTITY_MAX).contains(&line.quantity);
            let expected = format!("1 to {QUANTITY_MAX} units");
            fields.check(is_good, format!("restock[{index}].quantity"), "range", expected);
            let is_first = products.insert(line.product_id);
            let expected = "each product once: add up its units in one line";
            fields.check(is_first, format!("restock[{index}].product_id"), "duplicate", expected);
        }
        fields.finish()
    }

    fn into_request(self, requested_by: String) -> RefundRequest {
        RefundRequest {
            order_id: self.order_id,
            amount: self.amount,
            reason: self.reason,
            restock: self.restock.into_iter().map(RestockLine::into).collect(),
            requested_by,
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let conflict = |code, detail: String| Self::new(StatusCode::CONFLICT, code, detail);
        let invalid =
            |field: String, code, detail: String| Self::invalid_body(vec![FieldError { field, code, detail }]);
        match refusal {
            Refusal::PaymentOfAnotherOrder(order_id) => conflict(
                "payment_of_another_order",
                format!("the payment is one of the order {order_id}: name a payment of the order that is meant"),
            ),
            Refusal::NotCaptured(status) => conflict(
                "not_captured",
                format!("the payment is {}: only money that was captured can go back", status.as_str()),
            ),
            Refusal::CurrencyMismatch(currency) => {
                let expected = format!("{currency}, the currency of the payment");
                invalid("amount.currency".to_owned(), "currency_mismatch", expected)
            }
            Refusal::NotInOrder { index } => {
                let expected = "a product of the order".to_owned();
                invalid(format!("restock[{index}].product_id"), "not_in_order", expected)
            }
            Refusal::ExceedsCaptured { left } => conflict(
                "exceeds_captured",
                format!("{left} of the payment is neither refunded nor held for a refund: refund at most that"),
            ),
            Refusal::ExceedsOrdered { product_id, left } => conflict(
                "exceeds_ordered",
                format!("{left} units of the product {product_id} can still be restocked: restock at most that many"),
            ),
            Refusal::TooManyRefunds => conflict(
                "too_many_refunds",
                format!("the payment has {REFUNDS_MAX} refunds, and can't have more: settle this one another way"),
            ),
        }
    }
}

/// Gives money of a payment back, in full or in part. The answer is the refund, which is pending: the payment shows how
/// it ends.
#[utoipa::path(
    post, path = "/v1/payments/{id}/refund", operation_id = "refund_payment", tag = "payments",
    params(("id" = PaymentId, Path), IdempotencyKey, IfMatch), request_body = Input,
    responses(
        (status = 202, body = Refund),
        (status = 409, body = ProblemBody, description = "`exceeds_captured`, `not_captured`, \
            `payment_of_another_order`, `exceeds_ordered`, `too_many_refunds`"),
    )
)]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    caller: Caller,
    PathId(payment_id): PathId<PaymentId>,
    if_match: IfMatch,
    request: RequestInfo,
    KeyedBody { input, key }: KeyedBody<Input>,
) -> Result<RepeatableResponse, Problem> {
    input.check()?;
    let wanted = input.into_request(caller.actor());
    let scope = idempotency::scope(&caller, "");
    ctx.idempotency.once(key, scope, |claim| refund(&ctx, payment_id, &if_match, &request, claim, &wanted)).await
}

async fn refund(
    ctx: &Ctx,
    payment_id: PaymentId,
    if_match: &IfMatch,
    request: &RequestInfo,
    claim: Arc<Claim>,
    wanted: &RefundRequest,
) -> Result<RepeatableResponse, Problem> {
    decide(ctx, || async {
        let payment = store::payment_of(&ctx.db, payment_id).await?;
        let payment = payment.ok_or_else(|| Problem::not_found("payment"))?;
        let earlier = store::refunds_of(&ctx.db, vec![payment_id]).await?;
        if_match.check(|| Payment::new(payment.clone(), earlier.clone()))?;
        let now = ctx.clock.now();
        let (payment, intent) = payment.request_refund(ctx.ids.next(), wanted, &earlier, now)?;
        let batch = store::update(&payment).and(store::insert_refund(&intent));
        let batch = batch.schedule(REFUND.name, intent.refund_id, now);
        let answer = RepeatableResponse::new(StatusCode::ACCEPTED, &Refund::from(intent));
        ctx.commit(batch, request.cause_keyed(claim.keep(&answer))).await?;
        Ok(answer)
    })
    .await
}
