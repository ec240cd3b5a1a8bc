//! A service as the console asks it: in this process by its operator handle, in another one over HTTP.

mod remote;

use std::collections::HashMap;
use std::time::Duration;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use kernel::EventId;
use service::http::Problem;
use service::operator::{Deliveries, EventName, IDS_MAX, Question};
use service::storage;
use service::{DeliveryStatus, Operator};

use remote::Remote;

pub use remote::{Address, NotHttp, innermost, is_loopback};

/// The code of a problem where the only service that could answer is unreachable.
pub(crate) const PEER_AWAY: &str = "peer_away";

/// The wait before the next question, in seconds: a process that restarts is there by then.
pub(crate) const RETRY_AFTER_S: u32 = 5;

/// A service that can be asked. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Peer(PeerLocation);

#[derive(Clone, Debug)]
enum PeerLocation {
    Here(Operator),
    Elsewhere(Remote),
}

/// The reason why a service did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// Its store, which is in this process, can't answer.
    #[error(transparent)]
    Store(#[from] storage::Error),
    /// It is in another process, which can't be reached or says something else.
    #[error("{service} at {address} {reason}")]
    Unreachable {
        /// The service.
        service: &'static str,
        /// The address at which it was asked.
        address: String,
        /// The failure.
        reason: String,
    },
}

impl From<PeerError> for Problem {
    fn from(error: PeerError) -> Self {
        match error {
            PeerError::Store(error) => error.into(),
            PeerError::Unreachable { .. } => {
                kernel::warn_limited!(%error, "a request was refused");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, PEER_AWAY, error.to_string()).retry_after(RETRY_AFTER_S)
            }
        }
    }
}

impl Peer {
    /// A service in this process.
    pub fn here(operator: Operator) -> Self {
        Self(PeerLocation::Here(operator))
    }

    /// A service in another process, asked with the right of this admin token.
    /// The process must have chosen its cryptography (`rustls`) before, as the program does when it begins.
    pub fn elsewhere(service: &'static str, address: Address, admin_token: &str) -> Self {
        Self(PeerLocation::Elsewhere(Remote::new(service, address, admin_token)))
    }

    /// The same, with a bound on the wait for an answer.
    #[must_use]
    pub fn answering_within(self, within: Duration) -> Self {
        let place = match self.0 {
            PeerLocation::Elsewhere(mut remote) => {
                remote.within = within;
                PeerLocation::Elsewhere(remote)
            }
            here @ PeerLocation::Here(_) => here,
        };
        Self(place)
    }

    /// The service.
    pub fn service(&self) -> &'static str {
        match &self.0 {
            PeerLocation::Here(operator) => operator.service(),
            PeerLocation::Elsewhere(remote) => remote.service,
        }
    }

    /// True if it is in another process.
    pub fn is_elsewhere(&self) -> bool {
        matches!(self.0, PeerLocation::Elsewhere(_))
    }

    /// True if each event that it sent is handled, by consumers of whatever service.
    pub fn sent_means_handled(&self) -> bool {
        match &self.0 {
            PeerLocation::Here(operator) => operator.sent_means_handled(),
            PeerLocation::Elsewhere(_) => false,
        }
    }

    /// Asks a question: the operator's handle in this process, or a path of another one.
    pub async fn ask<Q: Question>(&self, question: Q) -> Result<Q::Answer, PeerError> {
        match &self.0 {
            PeerLocation::Here(operator) => Ok(question.answer(operator).await?),
            PeerLocation::Elsewhere(remote) => remote.ask(&question).await,
        }
    }

    /// Asks a question, and calls the service unreachable if it takes longer, wherever it is.
    pub(crate) async fn ask_within<Q: Question>(&self, question: Q, within: Duration) -> Result<Q::Answer, PeerError> {
        let late = || self.unreachable(format!("it did not answer within {within:?}"));
        tokio::time::timeout(within, self.ask(question)).await.unwrap_or_else(|_| Err(late()))
    }

    fn unreachable(&self, reason: String) -> PeerError {
        let address = match &self.0 {
            PeerLocation::Here(_) => "this process".to_owned(),
            PeerLocation::Elsewhere(remote) => remote.address.to_string(),
        };
        PeerError::Unreachable { service: self.service(), address, reason }
    }

    /// Sends a request of the public interface to its process. One of this process is not asked this way.
    pub(crate) async fn forward(&self, request: Request) -> Result<Response, PeerError> {
        match &self.0 {
            PeerLocation::Here(_) => Err(self.unreachable("is asked directly".to_owned())),
            PeerLocation::Elsewhere(remote) => remote.forward(request).await,
        }
    }

    /// The status of any number of events, of those to whose type the service reacts: a question has a bound.
    pub async fn deliveries(&self, events: &[(EventId, &str)]) -> Result<HashMap<EventId, DeliveryStatus>, PeerError> {
        let mut all = HashMap::new();
        for events in events.chunks(IDS_MAX) {
            let name = |(event_id, event_type): &(EventId, &str)| EventName {
                event_id: *event_id,
                event_type: (*event_type).to_owned(),
            };
            all.extend(self.ask(Deliveries { events: events.iter().map(name).collect() }).await?);
        }
        Ok(all)
    }
}
