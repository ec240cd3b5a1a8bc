//! Reads of purchase orders, and the purchase order as clients see it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use events::{ProductId, PurchaseOrderId, ReceiptId, SupplierId};
use kernel::{Money, Timestamp};
use serde::{Deserialize, Serialize};
use service::http::{IfNoneMatch, Listing, Page, PathId, Problem, QueryOf, Tagged};
use utoipa::{IntoParams, ToSchema};

use crate::Ctx;
use crate::domain::{self, Status};
use crate::store::purchase_orders as store;

/// Units of products that the shop orders from a supplier.
#[expect(clippy::struct_field_names, reason = "clients see `purchase_order_id` under one name everywhere")]
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PurchaseOrder {
    purchase_order_id: PurchaseOrderId,
    supplier_id: SupplierId,
    #[schema(example = "Nordic Computers")]
    supplier_name: String,
    #[schema(value_type = Status, inline)]
    status: &'static str,
    /// Each product once.
    lines: Vec<Line>,
    /// The cost of all that is ordered.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<Money>,
    /// The deliveries so far, oldest first.
    receipts: Vec<Receipt>,
    /// An admin's account, `automation`, or `replenishment` if it was placed because stock was low.
    placed_by: String,
    expected_at: Timestamp,
    /// True if units were still to come when its lead time was over.
    overdue: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// Units of a product in a purchase order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PurchaseOrderLine)]
struct Line {
    product_id: ProductId,
    sku: String,
    /// Its name when it was ordered.
    name: String,
    quantity: i64,
    unit_cost: Money,
    /// Units that came.
    received: i64,
    /// True if the product was deleted while units were still to come: they are not wanted any more.
    cancelled: bool,
}

/// One delivery of a purchase order.
#[derive(Debug, Serialize, ToSchema)]
struct Receipt {
    receipt_id: ReceiptId,
    lines: Vec<ReceiptLine>,
    /// An admin's account, `automation`, or `simulation` of a supplier that delivers by itself.
    received_by: String,
    received_at: Timestamp,
}

/// Units of a product that came.
#[derive(Debug, Serialize, ToSchema)]
struct ReceiptLine {
    product_id: ProductId,
    quantity: i64,
}

impl From<&domain::Line> for Line {
    fn from(line: &domain::Line) -> Self {
        Self {
            product_id: line.product_id,
            sku: line.sku.clone(),
            name: line.name.clone(),
            quantity: line.quantity,
            unit_cost: line.unit_cost,
            received: line.received,
            cancelled: line.is_cancelled,
        }
    }
}

impl From<&domain::Receipt> for Receipt {
    fn from(receipt: &domain::Receipt) -> Self {
        let line = |&(product_id, quantity): &(ProductId, i64)| ReceiptLine { product_id, quantity };
        Self {
            receipt_id: receipt.receipt_id,
            lines: receipt.lines.iter().map(line).collect(),
            received_by: receipt.received_by.clone(),
            received_at: receipt.received_at,
        }
    }
}

impl From<&domain::PurchaseOrder> for PurchaseOrder {
    fn from(order: &domain::PurchaseOrder) -> Self {
        Self {
            purchase_order_id: order.purchase_order_id,
            supplier_id: order.supplier.supplier_id,
            supplier_name: order.supplier.name.clone(),
            status: order.status.as_str(),
            lines: order.lines.iter().map(Line::from).collect(),
            total: order.total(),
            receipts: order.receipts.iter().map(Receipt::from).collect(),
            placed_by: order.placed_by.clone(),
            expected_at: order.expected_at,
            overdue: order.overdue_at.is_some(),
            created_at: order.created_at,
            updated_at: order.updated_at,
        }
    }
}

/// The purchase orders to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only those in this status: of `placed` and `partially_received` units are still to come.
    #[param(value_type = Option<Status>, inline)]
    status: Option<String>,
    /// Only those of this supplier.
    supplier_id: Option<SupplierId>,
}

impl Filter {
    fn status(&self) -> Result<Option<Status>, Problem> {
        self.status.as_deref().map(str::parse).transpose().map_err(|expected: String| {
            Problem::new(StatusCode::BAD_REQUEST, "invalid_query", format!("status: {expected}"))
        })
    }
}

/// Purchase orders, newest first.
#[utoipa::path(get, path = "/v1/purchase-orders", operation_id = "list_purchase_orders", tag = "suppliers",
    params(Filter, Page),
    responses((status = 200, body = Listing<PurchaseOrder>)))]
pub(crate) async fn list(
    State(ctx): State<Ctx>,
    page: Page,
    QueryOf(filter): QueryOf<Filter>,
) -> Result<Json<Listing<PurchaseOrder>>, Problem> {
    let status = filter.status()?;
    let orders = store::page(&ctx.db, filter.supplier_id, status, page.before(), page.rows()).await?;
    let listing = page.listing(orders, |order| order.purchase_order_id.into());
    Ok(Json(listing.map(|order| PurchaseOrder::from(&order))))
}

/// One purchase order.
#[utoipa::path(get, path = "/v1/purchase-orders/{id}", operation_id = "get_purchase_order", tag = "suppliers",
    params(("id" = PurchaseOrderId, Path), IfNoneMatch),
    responses((status = 200, body = PurchaseOrder)))]
pub(crate) async fn get(
    State(ctx): State<Ctx>,
    PathId(purchase_order_id): PathId<PurchaseOrderId>,
) -> Result<Tagged<PurchaseOrder>, Problem> {
    Ok(Tagged((&read(&ctx, purchase_order_id).await?).into()))
}

/// The purchase order; 404 if there is none.
pub(crate) async fn read(ctx: &Ctx, purchase_order_id: PurchaseOrderId) -> Result<domain::PurchaseOrder, Problem> {
    store::order(&ctx.db, purchase_order_id).await?.ok_or_else(|| Problem::not_found("purchase order"))
}
