//! The trait that makes a struct an event.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A fact that one service publishes to the others. The structs are in the `events` crate.
pub trait Event: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name on the wire, `<source>.<snake_case>.v<version>`; also metric label and log field.
    const TYPE: &'static str;
    /// The service that emits it, and the only one that may.
    const SOURCE: &'static str;
    /// Its urgency.
    const LANE: Lane;

    /// The id of what the event is about. Events of one source, key and lane take effect in order.
    fn key(&self) -> Uuid;

    /// Reads one from the JSON of a body.
    fn decode(body: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(body)
    }
}

/// Events of one lane never wait for those of another, neither in the relay, nor in queues, nor in workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Events that must overtake any backlog, such as a failed payment.
    Immediate,
    /// Everything else.
    Background,
}

impl Lane {
    /// Both lanes, the urgent one first.
    pub const ALL: [Self; 2] = [Self::Immediate, Self::Background];

    /// The name in tables, queues and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Immediate => "immediate",
            Self::Background => "background",
        }
    }

    /// The lane of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lane| lane.as_str() == name)
    }
}

impl std::fmt::Display for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
