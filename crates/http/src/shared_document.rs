//! Large documents that are the same for everybody: shared by all answers, copied for none.

use axum::body::Bytes;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

/// A document with its type. Clones share its bytes.
#[derive(Clone, Debug)]
pub struct SharedDocument {
    content_type: HeaderValue,
    bytes: Bytes,
}

/// Marks an answer whose bytes are no client's own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IsShared;

impl SharedDocument {
    /// A document of this media type.
    pub fn new(content_type: &'static str, text: String) -> Self {
        Self { content_type: HeaderValue::from_static(content_type), bytes: text.into() }
    }
}

impl IntoResponse for SharedDocument {
    fn into_response(self) -> Response {
        let mut response = ([(header::CONTENT_TYPE, self.content_type)], self.bytes).into_response();
        response.extensions_mut().insert(IsShared);
        response
    }
}
