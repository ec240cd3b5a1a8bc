//! `GET /v1/currency`: the one currency of the shop's prices.

use axum::Json;
use axum::extract::State;
use kernel::Currency;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Ctx;

/// The currency in which the shop sells.
#[derive(Serialize, ToSchema)]
pub(crate) struct ShopCurrency {
    /// Its code (ISO 4217).
    code: Currency,
    /// The decimals of its minor unit: an amount of 1999 is 19.99 with 2, and 1999 with 0.
    #[schema(minimum = 0, maximum = 4)]
    decimals: u32,
}

/// The currency of all prices, and the decimals of its minor unit.
#[utoipa::path(get, path = "/v1/currency", operation_id = "get_currency", tag = "catalog",
    responses((status = 200, body = ShopCurrency)))]
pub(crate) async fn handler(State(ctx): State<Ctx>) -> Json<ShopCurrency> {
    let code = ctx.state.currency;
    Json(ShopCurrency { code, decimals: code.decimals() })
}
