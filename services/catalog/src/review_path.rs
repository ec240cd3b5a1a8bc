//! The path of one review.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use events::{ProductId, ReviewId};
use service::http::Problem;

/// `/v1/products/{id}/reviews/{review_id}`: an extractor. 404 for text that is no id, for nothing has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReviewPath {
    pub product_id: ProductId,
    pub review_id: ReviewId,
}

impl<S: Send + Sync> FromRequestParts<S> for ReviewPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let ids = Path::<(String, String)>::from_request_parts(parts, state).await;
        let ids = ids.ok().and_then(|Path((product, review))| Some((product.parse().ok()?, review.parse().ok()?)));
        let (product_id, review_id) = ids.ok_or_else(missing)?;
        Ok(Self { product_id, review_id })
    }
}

/// The answer if the review is not there, is not the caller's, or is of another product.
pub(crate) fn missing() -> Problem {
    Problem::not_found("review, or it is not yours")
}
