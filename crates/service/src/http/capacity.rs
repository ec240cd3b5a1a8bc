//! Refuses what the process can't carry, before it costs anything, and lets requests go before work that can wait.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::body::Body as _;
use kernel::SignedDuration;
use tokio::sync::Semaphore;

use super::Problem;
use super::crowd::Crowd;
use super::listener::{URI_BYTES_MAX, refusal};
use super::shell::BODY_BYTES_MAX;
use crate::operator;

/// Requests that are answered at the same time: as many as may wait for a store's writer. More would only wait longer.
const REQUESTS_MAX: usize = 1_024;

/// Bodies that are held at the same time, in KiB: all requests with bodies of 64 KiB, or 256 with the largest.
const BODIES_KIB_MAX: usize = 64 * 1_024;

/// How long an answer may take before the client is told to ask again. It gave up long ago, but for a slow store.
const ANSWER: Duration = Duration::from_secs(30);

/// Requests beyond which background work gives way to them: with fewer there is time for both.
const CROWD: usize = 32;

/// The age of work that no longer gives way. A burst may last as long; then both get their share.
const WAITED_ENOUGH: Duration = Duration::from_secs(10);

/// The time between two looks whether the crowd is gone.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Questions of consoles that are answered at the same time. They wait long for what is yet to happen, so they are
/// counted apart: they are no crowd, and are heard while the shop is full. A tail has one for each service.
const QUESTIONS_MAX: usize = 256;

/// Asked while everything else is refused, to find out why.
const ALWAYS: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Room for requests. Clones share it.
#[derive(Clone, Debug)]
pub struct Capacity {
    requests: Arc<Semaphore>,
    requests_max: usize,
    questions: Arc<Semaphore>,
    crowd: Arc<Crowd>,
    bodies: Arc<Semaphore>,
    answer: Duration,
    /// Routes whose answers may take longer, as they say themselves.
    slow: &'static [(&'static str, Duration)],
}

impl Capacity {
    /// Room for as many requests as this kind of machine can carry. Some routes may take longer than others.
    pub fn new(slow: &'static [(&'static str, Duration)]) -> Self {
        Self::with(REQUESTS_MAX, ANSWER, slow)
    }

    /// Room for so many requests, with so much time for each.
    pub fn with(requests: usize, answer: Duration, slow: &'static [(&'static str, Duration)]) -> Self {
        let bodies = Arc::new(Semaphore::new(BODIES_KIB_MAX));
        Self {
            requests: Arc::new(Semaphore::new(requests)),
            requests_max: requests,
            questions: Arc::new(Semaphore::new(QUESTIONS_MAX)),
            crowd: Arc::new(Crowd::new(Instant::now())),
            bodies,
            answer,
            slow,
        }
    }

    /// Waits while a crowd of requests is being answered, until the work, which is that old, has waited for ten
    /// seconds: people wait for their answers, and what follows from them is in the store.
    pub(crate) async fn give_way(&self, age: SignedDuration) {
        let waited_before = Duration::try_from(age).unwrap_or_default();
        let began = Instant::now();
        while self.crowd.is_there(Instant::now()) && waited_before + began.elapsed() < WAITED_ENOUGH {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    fn note_crowd(&self) {
        if self.requests_max - self.requests.available_permits() > CROWD {
            self.crowd.seen(Instant::now());
        }
    }

    fn answer_within(&self, route: &str) -> Duration {
        self.slow.iter().find(|(slow, _)| *slow == route).map_or(self.answer, |(_, within)| *within)
    }
}

/// 503 `overloaded` beyond the room, `timed_out` beyond the time, 414 for what no route has.
pub(super) async fn within(State(capacity): State<Capacity>, request: Request, next: Next) -> Response {
    if request.uri().path_and_query().is_some_and(|uri| uri.as_str().len() > URI_BYTES_MAX) {
        return refusal(StatusCode::URI_TOO_LONG).into_response();
    }
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    if ALWAYS.contains(&route) {
        return next.run(request).await;
    }
    let answer_within = capacity.answer_within(route);
    let places = if route.starts_with(operator::PATH) { &capacity.questions } else { &capacity.requests };
    let (room, bodies) = (places.try_acquire(), capacity.bodies.try_acquire_many(body_kib(&request)));
    if room.is_err() || bodies.is_err() {
        return Problem::overloaded("the shop answers as many requests as it can: try again in a second", 1)
            .into_response();
    }
    capacity.note_crowd();
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

    #[tokio::test]
    async fn work_gives_way_to_a_crowd_until_that_is_gone_or_the_work_is_old() {
        let now = Instant::now();
        let ago = |millis| now.checked_sub(Duration::from_millis(millis)).expect("the machine runs for a second");
        let capacity = Capacity { crowd: Arc::new(Crowd::new(ago(1_000))), ..Capacity::new(&[]) };
        let is_held_up =
            async |age| futures_util::poll!(Box::pin(capacity.give_way(SignedDuration::from_secs(age)))).is_pending();
        (0..300).rev().step_by(20).for_each(|millis| capacity.crowd.seen(ago(millis)));

        assert!(is_held_up(0).await && is_held_up(9).await);
        assert!(!is_held_up(10).await, "it has waited enough");
        capacity.give_way(SignedDuration::ZERO).await;
        assert!(!is_held_up(0).await, "nobody was seen any more");
    }

    #[test]
    fn as_many_requests_as_there_is_time_for_are_no_crowd() {
        let capacity = Capacity::new(&[]);
        let mut requests: Vec<_> =
            (0..CROWD).map(|_| capacity.requests.try_acquire().expect("there is room")).collect();
        capacity.note_crowd();
        assert!(!capacity.crowd.was_seen());
        requests.push(capacity.requests.try_acquire().expect("there is room"));
        capacity.note_crowd();
        assert!(capacity.crowd.was_seen());
    }
}
