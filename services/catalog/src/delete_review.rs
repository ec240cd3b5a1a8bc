//! `DELETE /v1/products/{id}/reviews/{review_id}`: takes a review back.

use axum::extract::State;
use axum::http::StatusCode;
use events::{ProductId, ReviewId};
use service::decide;
use service::http::auth::Caller;
use service::http::{IfMatch, Problem, RequestInfo};

use crate::Ctx;
use crate::domain::review::{self, Delivered};
use crate::review_path::{ReviewPath, missing};
use crate::reviews::Review;
use crate::store::reviews as store;

/// Removes a review: its customer, or an admin. Also one that is hidden, or of a deleted product.
#[utoipa::path(delete, path = "/v1/products/{id}/reviews/{review_id}", operation_id = "delete_review", tag = "catalog",
    params(("id" = ProductId, Path), ("review_id" = ReviewId, Path), IfMatch),
    responses((status = 204, description = "no longer shown, and does not count")))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    caller: Caller,
    ReviewPath { product_id, review_id }: ReviewPath,
    if_match: IfMatch,
    request: RequestInfo,
) -> Result<StatusCode, Problem> {
    decide(&ctx, || async {
        let review = store::review(&ctx.db, product_id, review_id).await?;
        let review = review.filter(|review| caller.owns(review.user_id)).ok_or_else(missing)?;
        if_match.check(|| Review::shown_to(&caller, review.clone()))?;
        let by_admin = (caller.user_id != Some(review.user_id)).then(|| caller.actor());
        let removal = review::remove(&review, by_admin, store::rated(&ctx.db, product_id).await?);
        let mut batch = store::delete_review(&review);
        if let Some((rated, event)) = removal.counted {
            batch = batch.and(store::set_rating(&rated)).emit(rated.made(), &event);
        }
        if removal.bars
            && let Some(delivered) = store::delivery(&ctx.db, review.user_id, product_id).await?
        {
            batch = batch.and(store::set_delivery(&Delivered { is_barred: true, ..delivered }));
        }
        ctx.commit(batch, request.cause()).await?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}
