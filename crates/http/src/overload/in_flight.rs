//! Refuses requests that the process can't carry. A request counts when it has arrived, not when it is announced.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::shares::{Exceeds, Share, Shares};
use super::{Client, Yielding};
use crate::body::{self, BODY_BYTES_MAX};
use crate::problem::Problem;

/// The path at which services answer the operator's questions, each at a path of its own below. Processes of one shop
/// ask there.
pub const OPERATOR_PATH: &str = "/internal/operator/";

/// Requests that are answered at the same time: as many as may wait for a store's writer. More would only wait longer.
const REQUESTS_MAX: usize = 1_024;

/// Bytes of bodies that are held at the same time: all requests with bodies of 64 KiB, or 256 with the largest.
const BODIES_BYTES_MAX: usize = 64 * 1_024 * 1_024;

/// The part of each that one client may have: 128 requests and 8 MiB of bodies. A client whose 128 requests each read
/// the largest page holds some 150 MiB for a moment.
const PARTS: usize = 8;

/// The time that an answer may take before the client is asked to retry. Most clients have disconnected long before.
const ANSWER: Duration = Duration::from_secs(30);

/// Requests beyond which background work yields to them: with fewer there is time for both.
const HIGH_LOAD: usize = 32;

/// Questions of consoles that are answered at the same time. They wait long for what is yet to happen, so they are
/// counted apart: they are no high load, and are answered while the shop is full. A tail has one for each service.
const QUESTIONS_MAX: usize = 256;

/// Asked while everything else is refused, to find out why.
pub(crate) const ALWAYS: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Room for requests and their bodies. Clones share it.
#[derive(Clone, Debug)]
pub struct InFlight {
    requests: Shares,
    questions: Shares,
    bodies: Shares,
    yielding: Yielding,
    answer: Duration,
    /// Routes whose answers may take longer.
    slow: &'static [(&'static str, Duration)],
}

impl InFlight {
    pub(super) fn new(slow: &'static [(&'static str, Duration)], yielding: Yielding) -> Self {
        Self {
            requests: Shares::new(REQUESTS_MAX, REQUESTS_MAX / PARTS),
            questions: Shares::new(QUESTIONS_MAX, QUESTIONS_MAX),
            bodies: Shares::new(BODIES_BYTES_MAX, BODIES_BYTES_MAX / PARTS),
            yielding,
            answer: ANSWER,
            slow,
        }
    }

    pub(super) fn with_room(self, requests: usize, answer: Duration) -> Self {
        let each = requests.div_ceil(PARTS);
        Self { requests: Shares::new(requests, each), answer, ..self }
    }

    /// Takes in the request's body, then answers it if there is room: 413 for a body that is too large, 408 for one
    /// that does not arrive in time, 429 `too_many_requests` beyond the client's share, 503 `overloaded` beyond all
    /// room, 503 `timed_out` for an answer that takes too long. Without a client only all room counts.
    pub(crate) async fn carry<Fut>(
        &self,
        client: Option<Client>,
        request: Request,
        answer: impl FnOnce(Request) -> Fut,
    ) -> Response
    where
        Fut: Future<Output = Response>,
    {
        let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
        if ALWAYS.contains(&route.as_str()) {
            return answer(request).await;
        }
        let (parts, body) = request.into_parts();
        // Held until the answer is there, like the bytes themselves.
        let arrived = match self.arrive(client, body).await {
            Ok(arrived) => arrived,
            Err(problem) => return problem.into_response(),
        };
        let (body, _bytes) = arrived;
        let _place = match self.place(&route, client) {
            Ok(place) => place,
            Err(exceeds) => return refusal(exceeds).into_response(),
        };
        let within = self.answer_within(&route);
        let answer = answer(Request::from_parts(parts, body));
        tokio::time::timeout(within, answer).await.unwrap_or_else(|_| too_late(within))
    }

    async fn arrive(&self, client: Option<Client>, body: Body) -> Result<(Body, Share), Problem> {
        let mut held = self.bodies.take(client, 0).map_err(refusal)?;
        let bytes = body::arrive(body, BODY_BYTES_MAX, |more| held.grow(more).map_err(refusal)).await?;
        Ok((bytes.into(), held))
    }

    fn place(&self, route: &str, client: Option<Client>) -> Result<Share, Exceeds> {
        if route.starts_with(OPERATOR_PATH) {
            return self.questions.take(client, 1);
        }
        let place = self.requests.take(client, 1)?;
        if self.requests.taken() > HIGH_LOAD {
            self.yielding.note_high_load();
        }
        Ok(place)
    }

    fn answer_within(&self, route: &str) -> Duration {
        self.slow.iter().find(|(slow, _)| *slow == route).map_or(self.answer, |(_, within)| *within)
    }
}

fn refusal(exceeds: Exceeds) -> Problem {
    match exceeds {
        Exceeds::All => Problem::overloaded("too many requests in flight: retry in a second", 1),
        Exceeds::Client => {
            let detail = "too many open requests of your address: wait for their answers";
            Problem::too_many_requests(detail, Duration::from_secs(1))
        }
    }
}

fn too_late(within: Duration) -> Response {
    tracing::warn!(?within, "a request was not answered in time");
    let detail = "the request took too long and may have been carried out: check its effect, or retry later";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "timed_out", detail).retry_after(5).into_response()
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::{IpAddr, Ipv4Addr};

    use futures_util::{StreamExt, stream};

    use super::*;

    fn client(last: u8) -> Client {
        IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)).into()
    }

    /// A body of which so many bytes arrive, and then no more.
    fn unfinished(bytes: usize) -> Body {
        let sent = stream::iter([Ok::<_, io::Error>(vec![b' '; bytes])]);
        Body::from_stream(sent.chain(stream::pending()))
    }

    #[test]
    fn as_many_requests_as_there_is_time_for_are_no_high_load() {
        let yielding = Yielding::default();
        let in_flight = InFlight::new(&[], yielding.clone());
        let mut places: Vec<_> =
            (0..HIGH_LOAD).map(|_| in_flight.place("/v1/orders", Some(client(1))).unwrap()).collect();
        assert!(!yielding.has_seen_any());
        places.push(in_flight.place("/v1/orders", Some(client(2))).unwrap());
        assert!(yielding.has_seen_any());
    }

    #[tokio::test]
    async fn what_is_announced_takes_no_room_and_what_has_arrived_takes_its_senders() {
        let yielding = Yielding::default();
        let in_flight = InFlight::new(&[], yielding.clone());
        let mut announced = Vec::new();
        for _ in 0..1_000 {
            let mut arriving = Box::pin(in_flight.arrive(Some(client(1)), unfinished(1)));
            assert!(futures_util::poll!(&mut arriving).is_pending());
            announced.push(arriving);
        }
        assert_eq!((in_flight.bodies.taken(), in_flight.requests.taken()), (1_000, 0));
        assert!(!yielding.has_seen_any(), "nothing has arrived that there would be work for");

        let mut slow = Vec::new();
        let refused = loop {
            let mut arriving = Box::pin(in_flight.arrive(Some(client(1)), unfinished(BODY_BYTES_MAX)));
            match futures_util::poll!(&mut arriving) {
                std::task::Poll::Pending => slow.push(arriving),
                std::task::Poll::Ready(arrived) => break arrived.unwrap_err(),
            }
        };
        assert_eq!((refused.status(), slow.len()), (StatusCode::TOO_MANY_REQUESTS, 31));
        let other = in_flight.arrive(Some(client(2)), Body::from(vec![b' '; BODY_BYTES_MAX])).await;
        drop(other.expect("another client has its share"));
        drop((announced, slow));
        assert_eq!(in_flight.bodies.taken(), 0);
    }

    #[test]
    fn one_client_leaves_places_to_others_and_the_admin_has_no_share() {
        let in_flight = InFlight::new(&[], Yielding::default()).with_room(16, ANSWER);
        let _own: Vec<_> = (0..2).map(|_| in_flight.place("/v1/orders", Some(client(1))).unwrap()).collect();
        assert_eq!(in_flight.place("/v1/orders", Some(client(1))).unwrap_err(), Exceeds::Client);
        let _others: Vec<_> = (0..2).map(|_| in_flight.place("/v1/orders", Some(client(2))).unwrap()).collect();
        let _admins: Vec<_> = (0..12).map(|_| in_flight.place("/v1/orders", None).unwrap()).collect();
        assert_eq!(in_flight.place("/v1/orders", Some(client(3))).unwrap_err(), Exceeds::All);
        in_flight.place("/internal/operator/users", None).expect("a console takes nobody's place");
    }
}
