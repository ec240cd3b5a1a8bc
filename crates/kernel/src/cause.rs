//! The cause of a commit. Without a cause nothing can be committed, so its bookkeeping can't be forgotten.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::{EventId, RequestId};

/// The cause of a commit: a request, deliveries of events, or timers.
///
/// The commit writes the cause's own row in the same transaction (a request's idempotency key, an inbox row for each
/// delivery, the end of each timer) and stamps every event it emits with the cause's [`Origin`].
/// Not `Clone`: one cause, one commit.
#[derive(Debug)]
pub enum Cause {
    /// Somebody asked over HTTP.
    Request(RequestCause),
    /// Events arrived; usually one, many where a reaction handles a set at once.
    Deliveries(Vec<DeliveryCause>),
    /// Durable timers came due, and this ends them: one, or many where a set is handled at once.
    Timers(Vec<TimerCause>),
    /// Durable timers came due, and this is only the first part of handling them: their leases must hold, and go on.
    Leases(Vec<TimerCause>),
}

/// The fields that every event inherits from its cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The same for everything that followed from one request.
    pub correlation_id: Uuid,
    /// The request or event that led to this directly.
    pub causation_id: Uuid,
    /// W3C Trace Context of the cause.
    pub traceparent: Option<TraceParent>,
}

/// A request and who sent it.
#[derive(Clone, Debug)]
pub struct RequestCause {
    /// The request's own id: what follows from it has it as correlation.
    pub request_id: RequestId,
    /// The trace that the client sent, if any.
    pub traceparent: Option<TraceParent>,
    /// The idempotency key under which the client sent it, if any.
    pub keyed: Option<Keyed>,
}

/// An idempotency key, and the answer that a repeated request gets.
///
/// The commit writes it as a row beside its effect; if the key is there already, nothing is committed.
#[derive(Clone, PartialEq, Eq)]
pub struct Keyed {
    /// The sender of the key: the same key of two senders is two keys.
    pub scope: String,
    /// The key that the sender chose, at most 255 characters.
    pub key: String,
    /// SHA-256 of what was asked: the same key with another request is refused.
    pub digest: [u8; 32],
    /// The whole answer, in the form that the HTTP layer gave it.
    pub answer: Vec<u8>,
}

/// Without the answer, which may carry a token.
impl fmt::Debug for Keyed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyed").field("key", &self.key).finish_non_exhaustive()
    }
}

/// One delivery of an event to one consumer.
#[derive(Clone, Debug)]
pub struct DeliveryCause {
    /// The consuming service.
    pub consumer: &'static str,
    /// The event that arrived.
    pub event_id: EventId,
    /// The first 16 bytes of the SHA-256 of type and body: the same id with other bytes is no duplicate.
    pub digest: [u8; 16],
    /// Number of attempts that began, this one included.
    pub attempts: i64,
    /// The row in which the consumer's store holds the event, if it failed or waited before.
    pub held: Option<i64>,
    /// The fields that the events of the reaction inherit.
    pub origin: Origin,
}

/// A leased timer.
#[derive(Clone, Debug)]
pub struct TimerCause {
    /// The kind of timer.
    pub name: &'static str,
    /// Its subject.
    pub key: Uuid,
    /// Proves that the lease is still ours: a commit under an older fence is refused.
    pub fence: i64,
    /// Number of leases, this one included.
    pub attempts: i64,
    /// The fields that the events of the timer inherit.
    pub origin: Origin,
}

impl Cause {
    /// The fields that an event of this commit inherits. With many deliveries or timers, that of the first.
    pub fn origin(&self) -> Origin {
        match self {
            Self::Request(request) => Origin {
                correlation_id: request.request_id.into(),
                causation_id: request.request_id.into(),
                traceparent: request.traceparent,
            },
            Self::Deliveries(deliveries) => {
                deliveries.first().expect("deliveries that cause a commit are at least one").origin.clone()
            }
            Self::Timers(timers) | Self::Leases(timers) => {
                timers.first().expect("timers that cause a commit are at least one").origin.clone()
            }
        }
    }
}

/// W3C Trace Context `traceparent`, version 00: which trace a cause belongs to.
/// <https://www.w3.org/TR/trace-context/#traceparent-header>
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TraceParent {
    trace_id: u128,
    parent_id: u64,
    flags: u8,
}

/// The flag that says that the spans of a trace are kept.
const SAMPLED: u8 = 0x01;

impl TraceParent {
    /// Of a new trace, whose first span is `span_id`.
    ///
    /// # Panics
    ///
    /// If an id is zero, which means none.
    pub fn new(trace_id: u128, span_id: u64, is_sampled: bool) -> Self {
        assert!(trace_id != 0 && span_id != 0, "an id of a trace is not zero");
        Self { trace_id, parent_id: span_id, flags: if is_sampled { SAMPLED } else { 0 } }
    }

    /// The id of the trace.
    pub fn trace_id(self) -> u128 {
        self.trace_id
    }

    /// The span from which whatever carries this follows.
    pub fn span_id(self) -> u64 {
        self.parent_id
    }

    /// True if the spans of this trace are kept: whoever began it has decided.
    pub fn is_sampled(self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The same trace, as a further span of it hands it on.
    ///
    /// # Panics
    ///
    /// If the id is zero, which means none.
    #[must_use]
    pub fn child(self, span_id: u64) -> Self {
        assert!(span_id != 0, "an id of a span is not zero");
        Self { parent_id: span_id, ..self }
    }
}

/// The text is no version 00 `traceparent`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a W3C traceparent of version 00")]
pub struct BadTraceParent;

impl FromStr for TraceParent {
    type Err = BadTraceParent;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hex = |part: &str| {
            part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')).then_some(()).ok_or(BadTraceParent)
        };
        let parts: Vec<&str> = text.split('-').collect();
        let [version @ "00", trace_id, parent_id, flags] = parts[..] else { return Err(BadTraceParent) };
        if (version.len(), trace_id.len(), parent_id.len(), flags.len()) != (2, 32, 16, 2) {
            return Err(BadTraceParent);
        }
        for part in [trace_id, parent_id, flags] {
            hex(part)?;
        }
        let parsed = Self {
            trace_id: u128::from_str_radix(trace_id, 16).map_err(|_| BadTraceParent)?,
            parent_id: u64::from_str_radix(parent_id, 16).map_err(|_| BadTraceParent)?,
            flags: u8::from_str_radix(flags, 16).map_err(|_| BadTraceParent)?,
        };
        if parsed.trace_id == 0 || parsed.parent_id == 0 { Err(BadTraceParent) } else { Ok(parsed) }
    }
}

impl TryFrom<String> for TraceParent {
    type Error = BadTraceParent;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<TraceParent> for String {
    fn from(traceparent: TraceParent) -> Self {
        traceparent.to_string()
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.parent_id, self.flags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_survives_the_round_trip() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(text.parse::<TraceParent>().unwrap().to_string(), text);
    }

    #[test]
    fn a_child_stays_in_its_trace_and_keeps_the_decision_about_it() {
        let parent: TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00".parse().unwrap();
        assert_eq!(parent.child(0xabc).to_string(), "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000abc-00");
        assert!(!parent.child(0xabc).is_sampled());
        assert!(TraceParent::new(1, 2, true).child(3).is_sampled());
    }

    #[test]
    fn other_text_is_no_traceparent() {
        for bad in [
            "",
            "00",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(bad.parse::<TraceParent>(), Err(BadTraceParent), "{bad}");
        }
    }
}
