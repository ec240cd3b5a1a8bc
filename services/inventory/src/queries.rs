//! Reading stock.

use axum::Json;
use axum::extract::State;
use events::ProductId;
use serde::Serialize;
use service::Ctx;
use service::http::{IfNoneMatch, Listing, Page, PathId, Problem, Tagged};
use utoipa::ToSchema;

use crate::domain::Level;
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
