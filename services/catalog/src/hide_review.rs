//! `POST /v1/products/{id}/reviews/{review_id}/hide`: an admin takes a review out of sight.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use events::{ProductId, ReviewId};
use serde::Deserialize;
use service::decide;
use service::http::auth::Caller;
use service::http::idempotency::{self, Claim, IdempotencyKey, KeyedBody, RepeatableResponse};
use service::http::{Fields, IfMatch, Problem, RequestInfo};
use utoipa::ToSchema;

use crate::Ctx;
use crate::domain::review::{self, Hidden};
use crate::review_path::ReviewPath;
use crate::reviews::Review;
use crate::store::reviews as store;

/// In characters: a sentence, as of all actions of admins.
const REASON_MAX: usize = 200;

/// The reason.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HideReview {
    /// Shown to admins.
    #[schema(example = "names a person", min_length = 1, max_length = 200)]
    reason: String,
}

/// Hides a review: it counts no longer, and only admins see it. Hiding it again changes nothing.
#[utoipa::path(post, path = "/v1/products/{id}/reviews/{review_id}/hide", operation_id = "hide_review", tag = "catalog",
    request_body = HideReview,
    params(("id" = ProductId, Path), ("review_id" = ReviewId, Path), IdempotencyKey, IfMatch),
    responses((status = 200, body = Review)))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    caller: Caller,
    path: ReviewPath,
    if_match: IfMatch,
    request: RequestInfo,
    KeyedBody { input, key }: KeyedBody<HideReview>,
) -> Result<RepeatableResponse, Problem> {
    let mut wrong = Fields::new();
    wrong.line(&input.reason, "reason", 1, REASON_MAX);
    wrong.finish()?;
    let scope = idempotency::scope(&caller, "");
    ctx.idempotency.once(key, scope, |claim| hide(&ctx, &caller, path, &if_match, &request, claim, &input)).await
}

async fn hide(
    ctx: &Ctx,
    caller: &Caller,
    ReviewPath { product_id, review_id }: ReviewPath,
    if_match: &IfMatch,
    request: &RequestInfo,
    claim: Arc<Claim>,
    input: &HideReview,
) -> Result<RepeatableResponse, Problem> {
    let answer = |review| RepeatableResponse::new(StatusCode::OK, &Review::shown_to(caller, review)).tagged();
    decide(ctx, || async {
        let review = store::review(&ctx.db, product_id, review_id).await?;
        let review = review.ok_or_else(|| Problem::not_found("review of this product"))?;
        if_match.check(|| Review::shown_to(caller, review.clone()))?;
        let hidden = Hidden { by: caller.actor(), reason: input.reason.clone() };
        let rated = store::rated(&ctx.db, product_id).await?;
        let Some(made) = review::hide(&review, hidden, rated, ctx.clock.now()) else { return Ok(answer(review)) };
        let batch = store::set_review(&made.review).and(store::set_rating(&made.rated));
        let batch = batch.emit(made.rated.made(), &made.event);
        let answer = answer(made.review);
        ctx.commit(batch, request.cause_keyed(claim.keep(&answer))).await?;
        Ok(answer)
    })
    .await
}
