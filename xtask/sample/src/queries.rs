//! Reads.

use axum::Json;
use axum::extract::State;
use events::OrderId;
use kernel::Money;
use serde::Serialize;
use service::Ctx;
use service::http::{Listing, Page, Problem};
use utoipa::ToSchema;

use crate::{domain, store};

/// An order that was paid.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SampleOrder {
    order_id: OrderId,
    amount: Money,
}

impl From<domain::Paid> for SampleOrder {
    fn from(paid: domain::Paid) -> Self {
        Self { order_id: paid.order_id, amount: paid.amount }
    }
}

/// Orders that were paid, newest first.
#[utoipa::path(get, path = "/v1/sample", operation_id = "list_sample", tag = "sample",
    params(Page),
    responses((status = 200, body = Listing<SampleOrder>)))]
pub(crate) async fn list(State(ctx): State<Ctx>, page: Page) -> Result<Json<Listing<SampleOrder>>, Problem> {
    let orders = store::orders(&ctx.db, page.before(), page.rows()).await?;
    Ok(Json(page.listing(orders, |paid| paid.order_id.into()).map(SampleOrder::from)))
}
