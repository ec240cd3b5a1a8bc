//! A request as the cause of what it changes, and its trace.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use kernel::{Cause, Keyed, RequestCause, RequestId, TraceParent};

use super::Problem;

/// True if the method reads and changes nothing (RFC 9110 §9.2.1).
pub(crate) fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// The trace context that events of a request carry, as an extension of the request.
#[derive(Clone, Copy, Debug)]
pub struct TraceContext(pub Option<TraceParent>);

/// The trace that the client sent, if it sent one that is valid. Two are none.
pub fn traceparent(headers: &HeaderMap) -> Option<TraceParent> {
    let mut sent = headers.get_all("traceparent").iter();
    let (first, second) = (sent.next()?, sent.next());
    if second.is_some() { None } else { first.to_str().ok()?.parse().ok() }
}

/// The request as a cause: an extractor.
#[derive(Clone, Debug)]
pub struct RequestInfo {
    request_id: RequestId,
    traceparent: Option<TraceParent>,
}

impl RequestInfo {
    /// The cause of the request's commit. Each call is for another try of the same request.
    pub fn cause(&self) -> Cause {
        self.cause_keyed(None)
    }

    /// The same for a request with an idempotency key: the commit writes it, and is refused if it is there already.
    pub fn cause_keyed(&self, keyed: Option<Keyed>) -> Cause {
        Cause::Request(RequestCause { request_id: self.request_id, traceparent: self.traceparent, keyed })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RequestInfo {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let Some(request_id) = parts.extensions.get().copied() else {
            tracing::error!(uri = %parts.uri, "the request was not identified: its routes have no shell");
            return Err(Problem::internal());
        };
        let carried = parts.extensions.get().map(|TraceContext(carried)| *carried);
        Ok(Self { request_id, traceparent: carried.unwrap_or_else(|| traceparent(&parts.headers)) })
    }
}
