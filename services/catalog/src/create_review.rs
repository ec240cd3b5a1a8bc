//! `POST /v1/products/{id}/reviews`: a customer says what a product is worth that was delivered to them.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use events::{ProductId, ReviewId};
use kernel::UserId;
use serde::Deserialize;
use service::decide;
use service::http::auth::Caller;
use service::http::idempotency::{self, Claim, IdempotencyKey, KeyedBody, RepeatableResponse};
use service::http::{Fields, PathId, Problem, ProblemBody, RequestInfo};
use utoipa::ToSchema;

use crate::Ctx;
use crate::domain::rating::Stars;
use crate::domain::review::{self, Content, Eligibility, Refusal};
use crate::reviews::Review;
use crate::store::reviews as store;

/// In characters: a page or two of text, and a list of the longest ones is still below 1 MiB.
const COMMENT_MAX: usize = 2_000;

/// The content of a review.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WriteReview {
    /// 5 is best.
    #[schema(example = 5, minimum = 1, maximum = 5)]
    rating: i64,
    #[schema(example = "Quiet, and fast enough.", max_length = 2_000)]
    comment: Option<String>,
}

impl WriteReview {
    pub(crate) fn validate(self) -> Result<Content, Problem> {
        let comment = self.comment.unwrap_or_default();
        let stars = Stars::new(self.rating);
        let mut wrong = Fields::new();
        let expected = format!("{} to {}", Stars::LEAST, Stars::MOST);
        wrong.check(stars.is_some(), "rating", "range", expected);
        wrong.text(&comment, "comment", 0, COMMENT_MAX);
        wrong.finish()?;
        Ok(Content { stars: stars.ok_or_else(Problem::internal)?, comment })
    }
}

/// The customer whose review the request is about. The admin token has none.
pub(crate) fn author(caller: &Caller) -> Result<UserId, Problem> {
    caller.user_id.ok_or_else(|| {
        let detail = "a review is a customer's: sign in with an account, the admin token has none";
        Problem::new(StatusCode::FORBIDDEN, "forbidden", detail)
    })
}

/// Reviews a product. One review for each customer and product: change it to say something else.
#[utoipa::path(post, path = "/v1/products/{id}/reviews", operation_id = "create_review", tag = "catalog",
    request_body = WriteReview,
    params(("id" = ProductId, Path), IdempotencyKey),
    responses(
        (status = 201, body = Review, headers(("Location" = String), ("ETag" = String))),
        (status = 403, body = ProblemBody, description = "`forbidden`"),
        (status = 409, body = ProblemBody,
            description = "`not_delivered`, `already_reviewed`, `review_hidden`, `product_deleted`"),
    ))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    caller: Caller,
    PathId(product_id): PathId<ProductId>,
    request: RequestInfo,
    KeyedBody { input, key }: KeyedBody<WriteReview>,
) -> Result<RepeatableResponse, Problem> {
    let content = input.validate()?;
    let author = author(&caller)?;
    let scope = idempotency::scope(&caller, "");
    let create = |claim| create(&ctx, &caller, (author, product_id), &request, claim, &content);
    ctx.idempotency.once(key, scope, create).await
}

async fn create(
    ctx: &Ctx,
    caller: &Caller,
    (author, product_id): (UserId, ProductId),
    request: &RequestInfo,
    claim: Arc<Claim>,
    content: &Content,
) -> Result<RepeatableResponse, Problem> {
    let review_id: ReviewId = ctx.ids.next();
    let location = format!("/v1/products/{product_id}/reviews/{review_id}");
    decide(ctx, || async {
        let is_deleted = store::is_deleted(&ctx.db, product_id).await?;
        let eligibility = Eligibility {
            product_is_deleted: is_deleted.ok_or_else(|| Problem::not_found("product"))?,
            delivered: store::delivery(&ctx.db, author, product_id).await?,
            has_reviewed: store::has_reviewed(&ctx.db, author, product_id).await?,
        };
        let delivered = eligibility.check()?;
        let rated = store::rated(&ctx.db, product_id).await?;
        let made = review::create(review_id, delivered, content, rated, ctx.clock.now());
        let batch = store::insert_review(&made.review, &delivered).and(store::set_rating(&made.rated));
        let batch = batch.emit(made.rated.made(), &made.event);
        let answer = RepeatableResponse::created(&location, &Review::shown_to(caller, made.review)).tagged();
        ctx.commit(batch, request.cause_keyed(claim.keep(&answer))).await?;
        Ok(answer)
    })
    .await
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let (code, detail) = match refusal {
            Refusal::ProductDeleted => ("product_deleted", "the product is no longer for sale, and takes no reviews"),
            Refusal::NotDelivered => {
                ("not_delivered", "only who got the product may review it: wait until it is delivered")
            }
            Refusal::AlreadyReviewed => ("already_reviewed", "you have reviewed this product: change that review"),
            Refusal::ReviewHidden => {
                ("review_hidden", "an admin hid your review of this product: it can't be changed or replaced")
            }
        };
        Self::new(StatusCode::CONFLICT, code, detail)
    }
}
