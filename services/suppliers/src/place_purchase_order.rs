//! `POST /v1/purchase-orders`: an admin orders from a supplier.

use std::sync::Arc;

use axum::extract::State;
use events::{PurchaseOrderId, SupplierId};
use kernel::Currency;
use serde::Deserialize;
use service::decide;
use service::http::auth::Caller;
use service::http::idempotency::{self, Claim, IdempotencyKey, KeyedBody, RepeatableResponse};
use service::http::{Fields, Problem, ProblemBody, RequestInfo};
use service::storage::Batch;
use utoipa::ToSchema;

use crate::domain::{self, CannotPlace, Placed, WantedLine};
use crate::fields::InputLine;
use crate::purchase_orders::PurchaseOrder;
use crate::store::{self, purchase_orders};
use crate::{Ctx, fields};

/// A new purchase order.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlacePurchaseOrder {
    supplier_id: SupplierId,
    /// Products that the supplier delivers, each once.
    #[schema(min_items = 1, max_items = 100)]
    lines: Vec<InputLine>,
}

/// An order that is wanted.
#[derive(Debug)]
struct Wanted {
    supplier_id: SupplierId,
    lines: Vec<WantedLine>,
}

impl PlacePurchaseOrder {
    fn validate(self, currency: Currency) -> Result<Wanted, Problem> {
        let mut wrong = Fields::new();
        fields::check_lines(&mut wrong, &self.lines, currency);
        wrong.finish()?;
        Ok(Wanted { supplier_id: self.supplier_id, lines: self.lines.into_iter().map(WantedLine::from).collect() })
    }
}

impl From<InputLine> for WantedLine {
    fn from(line: InputLine) -> Self {
        let InputLine { product_id, quantity, unit_cost } = line;
        Self { product_id, quantity, unit_cost }
    }
}

impl From<CannotPlace> for Problem {
    fn from(CannotPlace(indexes): CannotPlace) -> Self {
        fields::not_of_supplier(&indexes)
    }
}

/// Places a purchase order, which is mailed to the supplier.
#[utoipa::path(post, path = "/v1/purchase-orders", operation_id = "place_purchase_order", tag = "suppliers",
    request_body = PlacePurchaseOrder, params(IdempotencyKey),
    responses(
        (status = 201, body = PurchaseOrder, headers(("Location" = String))),
        (status = 422, body = ProblemBody, description = "`invalid_body`, with `not_of_supplier` for products that the \
            supplier does not deliver; `supplier_unknown`"),
    ))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    caller: Caller,
    request: RequestInfo,
    KeyedBody { input, key }: KeyedBody<PlacePurchaseOrder>,
) -> Result<RepeatableResponse, Problem> {
    let wanted = input.validate(ctx.state.settings.currency)?;
    let (scope, by) = (idempotency::scope(&caller, ""), caller.actor());
    ctx.idempotency.once(key, scope, |claim| place(&ctx, &request, claim, &wanted, &by)).await
}

async fn place(
    ctx: &Ctx,
    request: &RequestInfo,
    claim: Arc<Claim>,
    wanted: &Wanted,
    by: &str,
) -> Result<RepeatableResponse, Problem> {
    let purchase_order_id: PurchaseOrderId = ctx.ids.next();
    decide(ctx, || async {
        let supplier = store::supplier(&ctx.db, wanted.supplier_id).await?;
        let supplier = supplier.ok_or_else(|| fields::unknown_supplier(wanted.supplier_id))?;
        let ids = wanted.lines.iter().map(|line| line.product_id).collect();
        let open = purchase_orders::open_lines(&ctx.db, ids).await?;
        let placed = domain::place(&supplier, &wanted.lines, &open, by, purchase_order_id, ctx.clock.now())?;
        let location = format!("/v1/purchase-orders/{purchase_order_id}");
        let answer = RepeatableResponse::created(&location, &PurchaseOrder::from(&placed.order)).tagged();
        ctx.commit(write_placed(ctx, &placed), request.cause_keyed(claim.keep(&answer))).await?;
        Ok(answer)
    })
    .await
}

/// Writes a new purchase order; in a shop that simulates deliveries, with the timer of a supplier that delivers by itself.
pub(crate) fn write_placed(ctx: &Ctx, placed: &Placed) -> Batch {
    let batch = purchase_orders::place(placed);
    match ctx.state.settings.simulated_delivery.filter(|_| placed.order.supplier.is_simulated()) {
        Some(after) => batch.and(purchase_orders::deliver(placed, ctx.clock.now() + after)),
        None => batch,
    }
}
