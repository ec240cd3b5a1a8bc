//! The `ETag` of a product. It shows its rating and its stock, which neither an admin's change nor its version is about:
//! a change compares the version alone, so that no review and no sale refuses it.

use axum::response::{IntoResponse, Response};
use kernel::Version;
use service::http::idempotency::RepeatableResponse;
use service::http::{Tagged, tagged_by};

use crate::queries::Product;

/// A product as JSON, with its tag.
pub(crate) struct TaggedProduct(pub Product);

impl IntoResponse for TaggedProduct {
    fn into_response(self) -> Response {
        tagged_by(&self.0.version(), Tagged(self.0).into_response())
    }
}

/// The answer to the request that created a product, as it was given first or is given again.
pub(crate) fn created(answer: RepeatableResponse) -> Response {
    tagged_by(&Version::FIRST, answer.into_response())
}
