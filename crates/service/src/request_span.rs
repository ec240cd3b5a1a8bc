//! The span of a request.

use axum::extract::Request;
use axum::http::StatusCode;
use http::{TraceContext, traceparent};

use crate::traces::{End, Span, SpanKind, Tracer};

/// Routes that programs ask all the time. Alone they begin no trace.
const QUIET: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// The beginning of routes that processes of one shop ask each other.
const INTERNAL: &str = "/internal/";

/// A request that is being answered. It ends when it is dropped, for whoever asked may hang up before the answer.
pub(crate) struct RequestSpan {
    tracer: Tracer,
    span: Span,
    method: &'static str,
    route: String,
    request_id: String,
    answer: Option<(&'static str, StatusCode)>,
}

impl RequestSpan {
    /// Begins it, and gives the request the trace context that its events carry. `None` if no spans are exported.
    pub fn begin(
        tracer: &Tracer,
        request: &mut Request,
        method: &'static str,
        route: &str,
        request_id: &str,
    ) -> Option<Self> {
        if !tracer.is_on() {
            return None;
        }
        let came = traceparent(request.headers());
        if came.is_none() && (QUIET.contains(&route) || route.starts_with(INTERNAL)) {
            return None;
        }
        let span = tracer.begin(came);
        request.extensions_mut().insert(TraceContext(span.carried));
        let (route, request_id) = (route.to_owned(), request_id.to_owned());
        Some(Self { tracer: tracer.clone(), span, method, route, request_id, answer: None })
    }

    /// Ends it with the service that answered, and how.
    pub fn answered(mut self, service: &'static str, status: StatusCode) {
        self.answer = Some((service, status));
    }
}

impl Drop for RequestSpan {
    fn drop(&mut self) {
        let known = || {
            let mut attributes = vec![
                ("http.request.method", self.method.into()),
                ("http.route", self.route.as_str().into()),
                ("tradepost.request_id", self.request_id.as_str().into()),
            ];
            let error = match self.answer {
                Some((_, status)) => {
                    attributes.push(("http.response.status_code", i64::from(status.as_u16()).into()));
                    status.is_server_error().then(|| format!("answered {status}"))
                }
                None => Some("the client hung up before the answer".to_owned()),
            };
            End {
                name: format!("{} {}", self.method, self.route),
                kind: SpanKind::Server,
                service: self.answer.map_or("shell", |(service, _)| service),
                attributes,
                error,
            }
        };
        self.tracer.end(self.span, known);
    }
}
