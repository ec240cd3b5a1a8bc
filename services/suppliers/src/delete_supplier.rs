//! `DELETE /v1/suppliers/{id}`: nothing more is ordered from a supplier.

use axum::extract::State;
use axum::http::StatusCode;
use events::SupplierId;
use service::decide;
use service::http::{IfMatch, PathId, Problem, ProblemBody, RequestInfo};

use crate::Ctx;
use crate::domain::HasOpenOrders;
use crate::queries::Supplier;
use crate::store::{self, purchase_orders};

impl From<HasOpenOrders> for Problem {
    fn from(_: HasOpenOrders) -> Self {
        let detail = "goods of this supplier are still to come: receive or cancel its open purchase orders first";
        Self::new(StatusCode::CONFLICT, "purchase_orders_open", detail)
    }
}

/// Deletes a supplier of which nothing is to come any more. Its purchase orders stay.
#[utoipa::path(delete, path = "/v1/suppliers/{id}", operation_id = "delete_supplier", tag = "suppliers",
    params(("id" = SupplierId, Path), IfMatch),
    responses(
        (status = 204, description = "nothing more is ordered from it"),
        (status = 409, body = ProblemBody, description = "`purchase_orders_open`"),
    ))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    PathId(supplier_id): PathId<SupplierId>,
    if_match: IfMatch,
    request: RequestInfo,
) -> Result<StatusCode, Problem> {
    decide(&ctx, || async {
        let supplier = store::supplier(&ctx.db, supplier_id).await?;
        let supplier = supplier.ok_or_else(|| Problem::not_found("supplier"))?;
        if_match.check(|| Supplier::from(&supplier))?;
        // Read after the supplier: an order that is placed meanwhile counts up the supplier's version.
        let event = supplier.delete(purchase_orders::has_open_orders(&ctx.db, supplier_id).await?)?;
        ctx.commit(store::delete(&supplier, &event, ctx.clock.now()), request.cause()).await?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}
