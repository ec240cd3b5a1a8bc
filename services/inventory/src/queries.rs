//! Reading stock.

use axum::Json;
use axum::extract::State;
use events::ProductId;
use kernel::Timestamp;
use serde::Serialize;
use service::Ctx;
use service::http::{IfNoneMatch, Listing, Page, PathId, Problem, Tagged};
use utoipa::ToSchema;

use crate::domain::{self, AdjustmentId, Level};
use crate::store;

/// A product's stock.
#[derive(Serialize, ToSchema)]
pub(crate) struct Stock {
    product_id: ProductId,
    sku: String,
    /// Units in the house.
    on_hand: i64,
    /// Units of those that are held for orders.
    reserved: i64,
    /// `on_hand` − `reserved`.
    available: i64,
    low_stock_threshold: i64,
}

impl From<Level> for Stock {
    fn from(level: Level) -> Self {
        Self {
            product_id: level.product_id,
            available: level.available(),
            sku: level.sku,
            on_hand: level.on_hand,
            reserved: level.reserved,
            low_stock_threshold: level.low_stock_threshold,
        }
    }
}

/// Stock of all products, oldest product first.
#[utoipa::path(
    get, path = "/v1/stock", operation_id = "list_stock", tag = "inventory",
    params(Page),
    responses((status = 200, body = Listing<Stock>))
)]
pub(crate) async fn list(State(ctx): State<Ctx>, page: Page) -> Result<Json<Listing<Stock>>, Problem> {
    let levels = store::open_levels(&ctx.db, page.after(), page.rows()).await?;
    Ok(Json(page.listing(levels, |level| level.product_id.into()).map(Stock::from)))
}

/// One product's stock.
#[utoipa::path(
    get, path = "/v1/stock/{product_id}", operation_id = "get_stock", tag = "inventory",
    params(("product_id" = ProductId, Path), IfNoneMatch),
    responses((status = 200, body = Stock))
)]
pub(crate) async fn get(
    State(ctx): State<Ctx>,
    PathId(product_id): PathId<ProductId>,
) -> Result<Tagged<Stock>, Problem> {
    let level = store::level_of(&ctx.db, product_id).await?;
    level.map(|level| Tagged(level.into())).ok_or_else(|| Problem::not_found("product in stock"))
}

/// A correction of what is on hand.
#[derive(Serialize, ToSchema)]
#[schema(as = StockAdjustment)]
pub(crate) struct Adjusted {
    adjustment_id: AdjustmentId,
    product_id: ProductId,
    /// Units that came, or went if negative.
    delta: i64,
    reason: String,
    /// The admin's account, or `automation`.
    adjusted_by: String,
    created_at: Timestamp,
}

impl From<domain::Adjustment> for Adjusted {
    fn from(adjustment: domain::Adjustment) -> Self {
        let domain::Adjustment { adjustment_id, product_id, delta, reason, adjusted_by, created_at } = adjustment;
        Self { adjustment_id, product_id, delta, reason, adjusted_by, created_at }
    }
}

/// Corrections of a product's stock, newest first. What was sold or came back is not among them.
#[utoipa::path(
    get, path = "/v1/stock/{product_id}/adjustments", operation_id = "list_stock_adjustments", tag = "inventory",
    params(("product_id" = ProductId, Path), Page),
    responses((status = 200, body = Listing<Adjusted>))
)]
pub(crate) async fn adjustments(
    State(ctx): State<Ctx>,
    PathId(product_id): PathId<ProductId>,
    page: Page,
) -> Result<Json<Listing<Adjusted>>, Problem> {
    let adjustments = store::adjustments(&ctx.db, product_id, page.before(), page.rows()).await?;
    Ok(Json(page.listing(adjustments, |adjustment| adjustment.adjustment_id.into()).map(Adjusted::from)))
}
