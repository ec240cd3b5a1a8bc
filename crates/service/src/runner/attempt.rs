//! One attempt to handle a delivery or a set of them.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use bus::Message;
use futures_util::FutureExt;
use kernel::{DeliveryCause, Envelope, panic_text};
use sha2::{Digest, Sha256};

use super::Runner;
use crate::reaction::{Handled, Handler, Raw};
use crate::telemetry::Outcome;
use crate::traces::{End, Span, SpanKind};
use crate::{Failure, accounts};

/// Reads and decisions that may find their row changed before they count as failed.
/// Who changed it has made progress meanwhile, so a few are enough; the last tries wait a little.
const DECISIONS: i64 = 32;

/// The longest wait between two of them.
const BETWEEN_MAX: Duration = Duration::from_millis(20);

/// The outcome of a span whose commit may or may not have taken place: the delivery is redelivered.
pub(super) const STORE_UNAVAILABLE: &str = "store_unavailable";

/// The first 16 bytes of the SHA-256 of type and body: distinguishes other bytes under the same id.
pub(super) fn digest(event_type: &str, body: &[u8]) -> [u8; 16] {
    let hash = Sha256::new().chain_update(event_type).chain_update([0]).chain_update(body).finalize();
    hash[..16].try_into().expect("SHA-256 has 32 bytes")
}

impl Runner {
    /// The message as its handler wants it.
    pub(super) fn raw(&self, message: &Message, span: Span, digest: [u8; 16], attempts: i64, held: Option<i64>) -> Raw {
        Raw {
            envelope: message.envelope.clone(),
            body: message.body.clone(),
            is_last_attempt: attempts >= self.ctx.settings.retry_attempts,
            cause: DeliveryCause {
                consumer: self.consumer(),
                event_id: message.envelope.id,
                digest,
                attempts,
                held,
                origin: message.envelope.origin(span.carried),
            },
        }
    }

    /// Handles one delivery until it is decided.
    pub(super) async fn attempt_one(&self, event_type: &str, raw: Raw) -> Result<(), Failure> {
        let Some(handler) = self.handlers.get(event_type) else {
            return Err(Failure::park(format!("{} does not react to {event_type}", self.consumer())));
        };
        self.until_decided(std::slice::from_ref(&raw), || handler.call_one(self.ctx.clone(), raw.clone())).await
    }

    /// Handles a set of one type, or of one selection, at once. `None` if the type is handled one by one.
    pub(super) async fn attempt_many(&self, event_type: &str, raws: &[Raw]) -> Option<Result<(), Failure>> {
        let Some(Handler::Many(handle) | Handler::Set(handle)) = self.handlers.get(event_type) else { return None };
        Some(self.until_decided(raws, || handle(self.ctx.clone(), raws.to_vec())).await)
    }

    /// Keeps what they say about accounts and handles them, again while rows change in between.
    async fn until_decided(&self, raws: &[Raw], handle: impl Fn() -> Handled + Sync) -> Result<(), Failure> {
        let deadline = self.ctx.settings.handler_deadline;
        let mut outcome = Ok(());
        for tries in 1..=DECISIONS {
            let handled = AssertUnwindSafe(async {
                accounts::keep(&self.ctx.db, raws).await?;
                handle().await
            })
            .catch_unwind();
            outcome = match tokio::time::timeout(deadline, handled).await {
                Ok(Ok(Ok(_committed))) => return Ok(()),
                Ok(Ok(Err(failure))) => Err(failure),
                Ok(Err(panic)) => Err(Failure::Retry(format!("the handler panicked: {}", panic_text(&*panic)))),
                // Should its commit be in flight, the inbox will show it to the next attempt.
                Err(_) => Err(Failure::Retry(format!("the handler took more than {deadline:?} and was cancelled"))),
            };
            if !matches!(outcome, Err(Failure::Conflict(_))) {
                break;
            }
            let bound = Duration::from_micros(100).saturating_mul(1 << tries.min(16)).min(BETWEEN_MAX);
            tokio::time::sleep(self.ctx.ids.jitter(bound)).await;
        }
        outcome
    }

    /// Begins the span of an attempt to handle a delivery.
    pub(super) fn begin_span(&self, envelope: &Envelope) -> Span {
        self.ctx.tracer.begin(envelope.traceparent)
    }

    /// Ends it. `reason` says what went wrong.
    pub(super) fn end_span(
        &self,
        envelope: &Envelope,
        span: Span,
        outcome: &'static str,
        attempts: i64,
        reason: Option<&str>,
    ) {
        let known = || End {
            name: format!("{}.{}", self.consumer(), reaction_name(&envelope.event_type)),
            kind: SpanKind::Consumer,
            service: self.consumer(),
            attributes: vec![
                ("messaging.system", self.broker.name().into()),
                ("messaging.operation.type", "process".into()),
                ("messaging.message.id", envelope.id.to_string().into()),
                ("tradepost.event.type", envelope.event_type.as_str().into()),
                ("tradepost.event.source", envelope.source.as_str().into()),
                ("tradepost.event.key", envelope.key.to_string().into()),
                ("tradepost.lane", self.lane.as_str().into()),
                ("tradepost.correlation_id", envelope.correlation_id.to_string().into()),
                ("tradepost.outcome", outcome.into()),
                ("tradepost.attempts", attempts.into()),
            ],
            error: reason.map(str::to_owned),
        };
        self.ctx.tracer.end(span, known);
    }

    /// Counts and logs how a delivery ended, and ends its span.
    pub(super) fn report(
        &self,
        envelope: &Envelope,
        span: Span,
        outcome: Outcome,
        attempts: i64,
        reason: Option<&str>,
        began: Instant,
    ) {
        let consumer = self.consumer();
        // A label for each foreign text would fill the memory.
        let known =
            if self.handlers.contains_key(envelope.event_type.as_str()) { &*envelope.event_type } else { "unknown" };
        self.ctx.metrics.handled(consumer, known, outcome);
        self.end_span(envelope, span, outcome.as_str(), attempts, reason);
        let latency = self.ctx.clock.now().duration_since(envelope.time);
        let latency = Duration::try_from(latency).unwrap_or_default();
        if outcome == Outcome::Done {
            // History is old, which says nothing about how fast the shop is.
            let latency = (!self.handles_backlog).then_some(latency);
            self.ctx.metrics.took_effect(consumer, &envelope.event_type, began.elapsed(), latency);
        }
        let latency_ms = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
        match outcome {
            Outcome::Done | Outcome::Duplicate => tracing::info!(
                target: "tradepost::events",
                consumer, event.r#type = envelope.event_type, event.id = %envelope.id, event.key = %envelope.key,
                correlation_id = %envelope.correlation_id, outcome = outcome.as_str(), attempts, latency_ms,
                "event {}", outcome.as_str(),
            ),
            Outcome::Retried | Outcome::Parked => tracing::warn!(
                target: "tradepost::events",
                consumer, event.r#type = envelope.event_type, event.id = %envelope.id, event.key = %envelope.key,
                correlation_id = %envelope.correlation_id, outcome = outcome.as_str(), attempts, latency_ms,
                reason = reason.unwrap_or_default(),
                "event {}", outcome.as_str(),
            ),
        }
    }
}

/// The name of the span and the file that react to a type: `on_order_placed` for `orders.order_placed.v1`.
fn reaction_name(event_type: &str) -> String {
    format!("on_{}", event_type.split('.').nth(1).unwrap_or(event_type))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reaction_is_called_as_its_file_is() {
        assert_eq!(reaction_name("orders.order_placed.v1"), "on_order_placed");
        assert_eq!(reaction_name("odd"), "on_odd");
    }
}
