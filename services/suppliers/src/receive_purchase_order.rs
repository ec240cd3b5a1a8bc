//! `POST /v1/purchase-orders/{id}/receive`: a delivery came, in full or in part.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use events::{ProductId, PurchaseOrderId};
use serde::Deserialize;
use serde_json::json;
use service::decide;
use service::http::auth::Caller;
use service::http::idempotency::{self, Claim, IdempotencyKey, KeyedBody, RepeatableResponse};
use service::http::{FieldError, Fields, IfMatch, PathId, Problem, ProblemBody, RequestInfo};
use utoipa::ToSchema;

use crate::domain::{CannotReceive, Delivered, Excess, PurchaseOrder as Order, RECEIPTS_MAX};
use crate::fields::LINES_MAX;
use crate::purchase_orders::{self, PurchaseOrder};
use crate::{Ctx, fields, store};

/// A delivery.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReceivePurchaseOrder {
    /// The units that came; without it, all that were still to come did. A product that is named twice counts twice.
    #[schema(min_items = 1, max_items = 100)]
    lines: Option<Vec<ReceivedLine>>,
    /// True to take more than was ordered.
    #[serde(default)]
    over: bool,
}

/// Units of a product that came.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReceivedLine {
    product_id: ProductId,
    /// Units.
    #[schema(minimum = 1, maximum = 10_000_000, example = 1)]
    quantity: i64,
}

impl ReceivePurchaseOrder {
    fn validate(self, caller: &Caller) -> Result<Delivered, Problem> {
        let mut wrong = Fields::new();
        if let Some(lines) = &self.lines {
            let expected = format!("1 to {LINES_MAX} lines, or none of this field if all came");
            wrong.check((1..=LINES_MAX).contains(&lines.len()), "lines", "length", expected);
            for (index, line) in lines.iter().enumerate().take(LINES_MAX) {
                fields::check_quantity(&mut wrong, line.quantity, format!("lines[{index}].quantity"));
            }
        }
        wrong.finish()?;
        let lines = self.lines.map(|lines| lines.into_iter().map(|line| (line.product_id, line.quantity)).collect());
        Ok(Delivered { lines, over: self.over, by: caller.actor() })
    }
}

impl From<CannotReceive> for Problem {
    fn from(refusal: CannotReceive) -> Self {
        let conflict = |code, detail: String| Self::new(StatusCode::CONFLICT, code, detail);
        match refusal {
            CannotReceive::AlreadyReceived => {
                let detail = "all of the purchase order came already: name what came beyond it, with `over`";
                conflict("already_received", detail.to_owned())
            }
            CannotReceive::Cancelled => {
                let detail = "the purchase order is cancelled: send the goods back, or add them by a stock adjustment";
                conflict("purchase_order_cancelled", detail.to_owned())
            }
            CannotReceive::NotInOrder(lines) => {
                let not_there = |index| FieldError {
                    field: format!("lines[{index}].product_id"),
                    code: "not_in_purchase_order",
                    detail: "a product of the purchase order".to_owned(),
                };
                Self::invalid_body(lines.into_iter().map(not_there).collect())
            }
            CannotReceive::ProductDeleted(skus) => {
                let skus = skus.join(", ");
                conflict("product_deleted", format!("{skus}: no longer for sale, so send these units back"))
            }
            CannotReceive::Exceeds(excess) => {
                let text = |it: &Excess| format!("{} of {} ({} came)", it.outstanding, it.sku, it.received);
                let left = excess.iter().map(text).collect::<Vec<_>>().join(", ");
                let excess = excess
                    .iter()
                    .map(|it| json!({"product_id": it.product_id, "received": it.received, "outstanding": it.outstanding}))
                    .collect();
                conflict("exceeds_ordered", format!("still to come are only {left}: repeat it with `over` to take all"))
                    .with_extension("excess", excess)
            }
            CannotReceive::TooManyReceipts => {
                let detail = format!("the purchase order has {RECEIPTS_MAX} receipts, and can't have more");
                conflict("too_many_receipts", detail)
            }
        }
    }
}

/// Records that a delivery came, in full or in part: its units are added to the stock.
#[utoipa::path(post, path = "/v1/purchase-orders/{id}/receive", operation_id = "receive_purchase_order",
    tag = "suppliers", request_body = ReceivePurchaseOrder,
    params(("id" = PurchaseOrderId, Path), IdempotencyKey, IfMatch),
    responses(
        (status = 200, body = PurchaseOrder),
        (status = 409, body = ProblemBody, description = "`exceeds_ordered` with the `excess` of each product, \
            `already_received`, `purchase_order_cancelled`, `product_deleted`, `too_many_receipts`"),
    ))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    caller: Caller,
    PathId(purchase_order_id): PathId<PurchaseOrderId>,
    if_match: IfMatch,
    request: RequestInfo,
    KeyedBody { input, key }: KeyedBody<ReceivePurchaseOrder>,
) -> Result<RepeatableResponse, Problem> {
    let delivered = input.validate(&caller)?;
    let scope = idempotency::scope(&caller, "");
    ctx.idempotency
        .once(key, scope, |claim| receive(&ctx, purchase_order_id, &if_match, &request, claim, &delivered))
        .await
}

async fn receive(
    ctx: &Ctx,
    purchase_order_id: PurchaseOrderId,
    if_match: &IfMatch,
    request: &RequestInfo,
    claim: Arc<Claim>,
    delivered: &Delivered,
) -> Result<RepeatableResponse, Problem> {
    decide(ctx, || async {
        let order = purchase_orders::read(ctx, purchase_order_id).await?;
        if_match.check(|| PurchaseOrder::from(&order))?;
        let deleted = deleted_of(ctx, &order).await?;
        let happened = order.receive(delivered, &deleted, ctx.ids.next(), ctx.clock.now())?;
        let answer = RepeatableResponse::new(StatusCode::OK, &PurchaseOrder::from(&happened.order)).tagged();
        ctx.commit(store::purchase_orders::apply(&happened), request.cause_keyed(claim.keep(&answer))).await?;
        Ok(answer)
    })
    .await
}

/// Those of an order's products that are no longer for sale. An open line of one is cancelled with it; one that came in
/// full may still be named by a delivery of more.
async fn deleted_of(ctx: &Ctx, order: &Order) -> Result<Vec<ProductId>, Problem> {
    let ids = order.lines.iter().map(|line| line.product_id).collect();
    let products = store::products(&ctx.db, ids).await?;
    Ok(products.into_iter().filter(|product| product.is_deleted).map(|product| product.product_id).collect())
}
