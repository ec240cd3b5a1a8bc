//! Refuses what the process can't carry, before it costs anything.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::body::Body as _;
use tokio::sync::Semaphore;

use super::Yielding;
use crate::body::BODY_BYTES_MAX;
use crate::listener::{URI_BYTES_MAX, refusal};
use crate::policy::OPERATOR_PATH;
use crate::problem::Problem;

/// Requests that are answered at the same time: as many as may wait for a store's writer. More would only wait longer.
const REQUESTS_MAX: usize = 1_024;

/// Bodies that are held at the same time, in KiB: all requests with bodies of 64 KiB, or 256 with the largest.
const BODIES_KIB_MAX: usize = 64 * 1_024;

/// How long an answer may take before the client is asked to try again. It gave up long ago, but for a slow store.
const ANSWER: Duration = Duration::from_secs(30);

/// Requests beyond which background work yields to them: with fewer there is time for both.
const CROWD: usize = 32;

/// Questions of consoles that are answered at the same time. They wait long for what is yet to happen, so they are
/// counted apart: they are no crowd, and are answered while the shop is full. A tail has one for each service.
const QUESTIONS_MAX: usize = 256;

/// Asked while everything else is refused, to find out why.
pub(crate) const ALWAYS: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Room for requests. Clones share it.
#[derive(Clone, Debug)]
pub struct InFlight {
    requests: Arc<Semaphore>,
    requests_max: usize,
    questions: Arc<Semaphore>,
    yielding: Yielding,
    bodies: Arc<Semaphore>,
    answer: Duration,
    /// Routes whose answers may take longer.
    slow: &'static [(&'static str, Duration)],
}

impl InFlight {
    pub(super) fn new(slow: &'static [(&'static str, Duration)], yielding: Yielding) -> Self {
        Self {
            requests: Arc::new(Semaphore::new(REQUESTS_MAX)),
            requests_max: REQUESTS_MAX,
            questions: Arc::new(Semaphore::new(QUESTIONS_MAX)),
            yielding,
            bodies: Arc::new(Semaphore::new(BODIES_KIB_MAX)),
            answer: ANSWER,
            slow,
        }
    }

    pub(super) fn with_room(self, requests: usize, answer: Duration) -> Self {
        Self { requests: Arc::new(Semaphore::new(requests)), requests_max: requests, answer, ..self }
    }

    fn note_crowd(&self) {
        if self.requests_max - self.requests.available_permits() > CROWD {
            self.yielding.note_crowd();
        }
    }

    fn answer_within(&self, route: &str) -> Duration {
        self.slow.iter().find(|(slow, _)| *slow == route).map_or(self.answer, |(_, within)| *within)
    }
}

/// 503 `overloaded` beyond the room, `timed_out` beyond the time, 414 for what no route has.
pub(crate) async fn within(State(in_flight): State<InFlight>, request: Request, next: Next) -> Response {
    if request.uri().path_and_query().is_some_and(|uri| uri.as_str().len() > URI_BYTES_MAX) {
        return refusal(StatusCode::URI_TOO_LONG).into_response();
    }
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    if ALWAYS.contains(&route) {
        return next.run(request).await;
    }
    let answer_within = in_flight.answer_within(route);
    let places = if route.starts_with(OPERATOR_PATH) { &in_flight.questions } else { &in_flight.requests };
    let (room, bodies) = (places.try_acquire(), in_flight.bodies.try_acquire_many(body_kib(&request)));
    if room.is_err() || bodies.is_err() {
        return Problem::overloaded("the shop answers as many requests as it can: try again in a second", 1)
            .into_response();
    }
    in_flight.note_crowd();
    tokio::time::timeout(answer_within, next.run(request)).await.unwrap_or_else(|_| {
        tracing::warn!(?answer_within, "a request was not answered in time");
        let detail = "the answer took too long, and what was asked may have been done: look, or try again later";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "timed_out", detail).retry_after(5).into_response()
    })
}

/// What the body will take, in KiB; what doesn't say it may take the most.
fn body_kib(request: &Request) -> u32 {
    let most = u64::try_from(BODY_BYTES_MAX).expect("it is 256 KiB");
    let bytes = request.body().size_hint().upper().map_or(most, |upper| upper.min(most));
    u32::try_from(bytes.div_ceil(1_024)).expect("it is 256 at most")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_requests_as_there_is_time_for_are_no_crowd() {
        let yielding = Yielding::default();
        let in_flight = InFlight::new(&[], yielding.clone());
        let mut requests: Vec<_> =
            (0..CROWD).map(|_| in_flight.requests.try_acquire().expect("there is room")).collect();
        in_flight.note_crowd();
        assert!(!yielding.has_seen_any());
        requests.push(in_flight.requests.try_acquire().expect("there is room"));
        in_flight.note_crowd();
        assert!(yielding.has_seen_any());
    }
}
