//! `PUT /v1/products/{id}/reviews/{review_id}`: a customer says something else.

use axum::extract::State;
use events::{ProductId, ReviewId};
use service::decide;
use service::http::auth::Caller;
use service::http::{Body, IfMatch, Problem, ProblemBody, RequestInfo, Tagged};

use crate::Ctx;
use crate::create_review::{WriteReview, author};
use crate::domain::review;
use crate::review_path::{ReviewPath, missing};
use crate::reviews::Review;
use crate::store::reviews as store;

/// Changes a review of one's own. Without a comment it has none.
#[utoipa::path(put, path = "/v1/products/{id}/reviews/{review_id}", operation_id = "update_review", tag = "catalog",
    request_body = WriteReview,
    params(("id" = ProductId, Path), ("review_id" = ReviewId, Path), IfMatch),
    responses(
        (status = 200, body = Review),
        (status = 403, body = ProblemBody, description = "`forbidden`"),
        (status = 409, body = ProblemBody, description = "`review_hidden`, `product_deleted`"),
    ))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    caller: Caller,
    ReviewPath { product_id, review_id }: ReviewPath,
    if_match: IfMatch,
    request: RequestInfo,
    Body(input): Body<WriteReview>,
) -> Result<Tagged<Review>, Problem> {
    let content = input.validate()?;
    let author = author(&caller)?;
    let review = decide(&ctx, || async {
        let review = store::review(&ctx.db, product_id, review_id).await?;
        let review = review.filter(|review| review.user_id == author).ok_or_else(missing)?;
        if_match.check(|| Review::shown_to(&caller, review.clone()))?;
        let is_deleted = store::is_deleted(&ctx.db, product_id).await?.ok_or_else(missing)?;
        let rated = store::rated(&ctx.db, product_id).await?;
        let changed = review::change(&review, is_deleted, &content, rated, ctx.clock.now())?;
        let Some(made) = changed else { return Ok(review) };
        let batch = store::set_review(&made.review).and(store::set_rating(&made.rated));
        ctx.commit(batch.emit(made.rated.made(), &made.event), request.cause()).await?;
        Ok(made.review)
    })
    .await?;
    Ok(Tagged(Review::shown_to(&caller, review)))
}
