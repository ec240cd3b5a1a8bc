//! `DELETE /v1/products/{id}`: takes a product off sale.

use axum::extract::State;
use axum::http::StatusCode;
use events::ProductId;
use service::decide;
use service::http::{IfMatch, PathId, Problem, RequestInfo};

use crate::{Ctx, domain, store};

/// Takes a product off sale.
#[utoipa::path(delete, path = "/v1/products/{id}", operation_id = "delete_product", tag = "catalog",
    params(("id" = ProductId, Path), IfMatch),
    responses((status = 204, description = "no longer for sale; its sku may be used again")))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    PathId(product_id): PathId<ProductId>,
    if_match: IfMatch,
    request: RequestInfo,
) -> Result<StatusCode, Problem> {
    decide(&ctx, || async {
        let product = store::product(&ctx.db, product_id).await?.ok_or_else(|| Problem::not_found("product"))?;
        if_match.check_changes(|| product.version)?;
        let deleted = domain::delete(&product);
        let batch = store::delete(&product, ctx.clock.now()).emit(product.version.next(), &deleted);
        let committed = ctx.commit(batch, request.cause()).await?;
        ctx.until_sent(&committed).await;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}
