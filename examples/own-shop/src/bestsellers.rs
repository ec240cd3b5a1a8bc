//! The route: what was sold most.

use axum::Json;
use axum::extract::State;
use events::ProductId;
use serde::Serialize;
use service::Ctx;
use service::http::Problem;
use utoipa::ToSchema;

use crate::store;

/// Products that are listed: as many as a page shows at once.
const LISTED: i64 = 20;

/// A product and its units that were sold.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Bestseller {
    product_id: ProductId,
    #[schema(example = "Laptop")]
    name: String,
    #[schema(example = 42)]
    units: i64,
}

/// The products of which most units were sold.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Bestsellers {
    items: Vec<Bestseller>,
}

/// The twenty products of which most units were sold.
#[utoipa::path(get, path = "/v1/bestsellers", operation_id = "list_bestsellers", tag = "bestsellers",
    responses((status = 200, body = Bestsellers)))]
pub(crate) async fn list(State(ctx): State<Ctx>) -> Result<Json<Bestsellers>, Problem> {
    let sales = store::most_sold(&ctx.db, LISTED).await?;
    let items = sales.into_iter().map(|it| Bestseller { product_id: it.product_id, name: it.name, units: it.units });
    Ok(Json(Bestsellers { items: items.collect() }))
}
