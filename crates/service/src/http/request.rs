//! Who asks: the request's id and trace.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use kernel::{Cause, Keyed, RequestCause, RequestId, TraceParent};

use super::trace::{Carried, traceparent};
use crate::Ctx;

tokio::task_local! {
    static REQUEST_ID: String;
}

/// Runs the request under its id, so that problems can name it.
pub(super) async fn under_id<T>(id: String, request: impl Future<Output = T>) -> T {
    REQUEST_ID.scope(id, request).await
}

/// The id of the request that this task answers; empty outside of one.
pub(super) fn current_id() -> String {
    REQUEST_ID.try_with(Clone::clone).unwrap_or_default()
}

/// The request as a cause: an extractor.
#[derive(Clone, Debug)]
pub struct RequestInfo {
    request_id: RequestId,
    traceparent: Option<TraceParent>,
}

impl RequestInfo {
    /// What the request's commit answers. Each call is for another try of the same request.
    pub fn cause(&self) -> Cause {
        self.cause_keyed(None)
    }

    /// The same for a request with an idempotency key: the commit writes it, and is refused if it is there already.
    pub fn cause_keyed(&self, keyed: Option<Keyed>) -> Cause {
        Cause::Request(RequestCause { request_id: self.request_id, traceparent: self.traceparent, keyed })
    }
}

impl<S: Send + Sync> FromRequestParts<Ctx<S>> for RequestInfo {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx<S>) -> Result<Self, Self::Rejection> {
        let carried = parts.extensions.get().map(|Carried(carried)| *carried);
        Ok(Self { request_id: ctx.ids.next(), traceparent: carried.unwrap_or_else(|| traceparent(&parts.headers)) })
    }
}
