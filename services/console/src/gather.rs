//! Asks all services at once, and names those that did not answer.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponseParts, ResponseParts};
use futures_util::future::join_all;
use service::http::Problem;
use service::operator::Question;

use crate::peer::{PEER_AWAY, RETRY_AFTER_S};
use crate::{Peer, PeerError};

/// Names unreachable services, whose part an answer lacks.
static MISSING: HeaderName = HeaderName::from_static("x-tradepost-missing");

/// Services that could not be asked: part of an answer, as the header `X-Tradepost-Missing`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Missing(Vec<(&'static str, PeerError)>);

/// The answers of the services, and the services that didn't answer.
pub(crate) struct Gathered<T> {
    pub answers: Vec<(Peer, T)>,
    pub missing: Missing,
}

/// Asks all services at once; each answers in time or fails for itself.
pub(crate) async fn ask_each<Q: Question>(
    peers: &[Peer],
    within: Duration,
    question: impl Fn() -> Q,
) -> Vec<(&'static str, Result<Q::Answer, PeerError>)> {
    join_all(peers.iter().map(|peer| {
        let question = question();
        async move { (peer.service(), peer.ask_within(question, within).await) }
    }))
    .await
}

/// Asks these services at once. A store of this process that can't answer is a problem, an unreachable service is not.
pub(crate) async fn gather<'a, T, Fut>(
    peers: impl IntoIterator<Item = &'a Peer>,
    ask: impl Fn(Peer) -> Fut,
) -> Result<Gathered<T>, Problem>
where
    Fut: Future<Output = Result<T, PeerError>>,
{
    let (asked, answers): (Vec<Peer>, Vec<Fut>) =
        peers.into_iter().map(|peer| (peer.clone(), ask(peer.clone()))).unzip();
    let answers = join_all(answers).await;
    let mut gathered = Gathered { answers: Vec::new(), missing: Missing::default() };
    for (peer, answer) in asked.into_iter().zip(answers) {
        match answer {
            Ok(answer) => gathered.answers.push((peer, answer)),
            Err(error @ PeerError::Unreachable { .. }) => {
                kernel::warn_limited!(%error, "an answer lacks what this service knows");
                gathered.missing.0.push((peer.service(), error));
            }
            Err(error @ PeerError::Store(_)) => return Err(error.into()),
        }
    }
    Ok(gathered)
}

impl<T> Gathered<Option<T>> {
    /// The one answer that holds a value. Without it, an unreachable service may have it.
    pub fn only(self, missing: impl FnOnce() -> Problem) -> Result<(Peer, T), Problem> {
        let Self { answers, missing: silent } = self;
        let found = answers.into_iter().find_map(|(peer, answer)| Some((peer, answer?)));
        found.ok_or_else(|| silent.into_problem().unwrap_or_else(missing))
    }
}

impl Missing {
    /// Both, each service once.
    pub fn and(mut self, other: Self) -> Self {
        let known = self.services();
        self.0.extend(other.0.into_iter().filter(|(service, _)| !known.contains(service)));
        self
    }

    /// Their names.
    pub fn services(&self) -> Vec<&'static str> {
        self.0.iter().map(|(service, _)| *service).collect()
    }

    /// True if all answered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// 503 for who is not to know where services are.
    pub fn for_guests(&self) -> Problem {
        let detail = format!("some services are unreachable ({}): try again later", self.services().join(", "));
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, PEER_AWAY, detail).retry_after(RETRY_AFTER_S)
    }

    /// The reason why one of them could not be asked, if any.
    fn into_problem(self) -> Option<Problem> {
        self.0.into_iter().next().map(|(_, error)| error.into())
    }
}

impl IntoResponseParts for Missing {
    type Error = std::convert::Infallible;

    fn into_response_parts(self, mut response: ResponseParts) -> Result<ResponseParts, Self::Error> {
        if !self.is_empty() {
            let names = HeaderValue::from_str(&self.services().join(", ")).expect("services have plain names");
            response.headers_mut().insert(MISSING.clone(), names);
        }
        Ok(response)
    }
}
