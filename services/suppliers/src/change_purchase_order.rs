//! `PATCH /v1/purchase-orders/{id}`: other units or costs, while units are still to come.

use axum::extract::State;
use axum::http::StatusCode;
use events::{ProductId, PurchaseOrderId};
use serde::Deserialize;
use serde_json::json;
use service::decide;
use service::http::{Body, Fields, IfMatch, PathId, Problem, ProblemBody, RequestInfo, Tagged};
use utoipa::ToSchema;

use crate::domain::{CannotChange, Received, WantedLine};
use crate::fields::InputLine;
use crate::purchase_orders::{self, PurchaseOrder};
use crate::{Ctx, fields, store};

/// The lines of an open purchase order.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangePurchaseOrder {
    /// All lines, each product once: those that are left out are not wanted any more.
    #[schema(min_items = 1, max_items = 100)]
    lines: Vec<InputLine>,
}

impl From<CannotChange> for Problem {
    fn from(refusal: CannotChange) -> Self {
        let conflict = |code, detail: &str| Self::new(StatusCode::CONFLICT, code, detail);
        match refusal {
            CannotChange::AlreadyReceived => {
                conflict("already_received", "all of the purchase order came already: place another one")
            }
            CannotChange::Cancelled => {
                conflict("purchase_order_cancelled", "the purchase order is cancelled: place another one")
            }
            CannotChange::NotOfSupplier(lines) => fields::not_of_supplier(&lines),
            CannotChange::BelowReceived(received) => {
                let text = |it: &Received| format!("{} of {}", it.received, it.sku);
                let came = received.iter().map(text).collect::<Vec<_>>().join(", ");
                let received =
                    received.iter().map(|it| json!({"product_id": it.product_id, "received": it.received})).collect();
                conflict("below_received", &format!("{came} came already: order at least that many"))
                    .with_extension("received", received)
            }
        }
    }
}

/// Changes the lines of a purchase order of which units are still to come. The supplier gets a mail of it.
#[utoipa::path(patch, path = "/v1/purchase-orders/{id}", operation_id = "change_purchase_order", tag = "suppliers",
    request_body = ChangePurchaseOrder, params(("id" = PurchaseOrderId, Path), IfMatch),
    responses(
        (status = 200, body = PurchaseOrder),
        (status = 409, body = ProblemBody, description = "`already_received`, `purchase_order_cancelled`, \
            `below_received` with what came as `received`"),
        (status = 422, body = ProblemBody, description = "`invalid_body`, with `not_of_supplier` for products that the \
            supplier does not deliver"),
    ))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    PathId(purchase_order_id): PathId<PurchaseOrderId>,
    if_match: IfMatch,
    request: RequestInfo,
    Body(input): Body<ChangePurchaseOrder>,
) -> Result<Tagged<PurchaseOrder>, Problem> {
    let mut wrong = Fields::new();
    fields::check_lines(&mut wrong, &input.lines, ctx.state.settings.currency);
    wrong.finish()?;
    let wanted: Vec<WantedLine> = input.lines.into_iter().map(WantedLine::from).collect();
    let order = decide(&ctx, || async {
        let order = purchase_orders::read(&ctx, purchase_order_id).await?;
        if_match.check(|| PurchaseOrder::from(&order))?;
        // Before its supplier is read, which may be deleted once nothing is to come any more.
        order.may_change()?;
        let supplier_id = order.supplier.supplier_id;
        let supplier = store::supplier(&ctx.db, supplier_id).await?;
        let supplier = supplier.ok_or_else(|| fields::unknown_supplier(supplier_id))?;
        let ids: Vec<ProductId> = wanted.iter().map(|line| line.product_id).collect();
        let open = store::purchase_orders::open_lines(&ctx.db, ids).await?;
        let Some(happened) = order.change(&wanted, &supplier, &open, ctx.clock.now())? else { return Ok(order) };
        ctx.commit(store::purchase_orders::apply(&happened), request.cause()).await?;
        Ok(happened.order)
    })
    .await?;
    Ok(Tagged((&order).into()))
}
