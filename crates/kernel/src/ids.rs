//! The ids of what every service knows, and the one place where ids and random numbers are made.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;
use uuid::timestamp::context::ContextV7;

use crate::Clock;

crate::id!(UserId, UserKind, "Someone who registered.");
crate::id!(EventId, EventKind, "One event. UUIDv7, so ids sort by the time they were made.");
crate::id!(DeadLetterId, DeadLetterKind, "One event that one consumer could not handle.");
crate::id!(RequestId, RequestKind, "One HTTP request, or one command of a program.");
crate::id!(SessionId, SessionKind, "One sign-in, and all that was refreshed from it.");
crate::id!(KeyId, KeyKind, "One key that signs access tokens: their `kid`.");

/// Makes ids and random numbers; cheap to clone.
///
/// Ids are UUIDv7 (RFC 9562 §5.7) of the clock's time, strictly increasing within one process.
#[derive(Clone, Debug)]
pub struct Ids {
    clock: Clock,
    context: Arc<Mutex<ContextV7>>,
}

impl Ids {
    /// Ids whose time comes from `clock`.
    pub fn new(clock: Clock) -> Self {
        Self { clock, context: Arc::new(Mutex::new(ContextV7::new())) }
    }

    /// A new id of any kind.
    pub fn next<T: From<Uuid>>(&self) -> T {
        let now = self.clock.now();
        let context = self.context.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = u64::try_from(now.as_second()).unwrap_or_default();
        let nanos = now.subsec_nanosecond().unsigned_abs();
        let stamp = uuid::Timestamp::from_unix(&*context, seconds, nanos);
        T::from(Uuid::new_v7(stamp))
    }

    /// 256 random bits for a token that must not be guessed.
    pub fn secret(&self) -> Secret {
        let mut bytes = [0; 32];
        fill(&mut bytes);
        Secret(bytes)
    }

    /// A new W3C trace id: random, and never zero.
    pub fn trace_id(&self) -> u128 {
        let mut bytes = [0; 16];
        fill(&mut bytes);
        u128::from_be_bytes(bytes).max(1)
    }

    /// A new W3C span id: random, and never zero.
    pub fn span_id(&self) -> u64 {
        let mut bytes = [0; 8];
        fill(&mut bytes);
        u64::from_be_bytes(bytes).max(1)
    }

    /// A duration drawn evenly from zero to `max`: full jitter.
    pub fn jitter(&self, max: Duration) -> Duration {
        let mut bytes = [0; 8];
        fill(&mut bytes);
        let span = u64::try_from(max.as_micros()).unwrap_or(u64::MAX).max(1);
        Duration::from_micros(u64::from_le_bytes(bytes) % span)
    }
}

fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system gives random bytes once it has booted");
}

/// Random bytes that a person or program carries as a token. `Debug` never shows them.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; 32]);

impl Secret {
    /// The token's text: 43 characters of base64url.
    pub fn reveal(&self) -> String {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(self.0)
    }

    /// The bytes, for what is made from them, such as a key.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The time at which an id was made; `None` for one that does not hold it.
pub fn made_at(id: Uuid) -> Option<Timestamp> {
    let (seconds, nanos) = id.get_timestamp()?.to_unix();
    Timestamp::new(i64::try_from(seconds).ok()?, i32::try_from(nanos).ok()?).ok()
}

/// The id that is below all that are made at a time, to the millisecond, or later.
pub fn first_id_at(time: Timestamp) -> Uuid {
    let millis = u128::try_from(time.as_millisecond()).unwrap_or_default();
    Uuid::from_u128(millis << 80)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn an_id_says_when_it_was_made_to_the_millisecond() {
        let now = "2026-01-01T12:34:56.789Z".parse().unwrap();
        let id: EventId = Ids::new(Clock::mock(now).0).next();
        assert_eq!(made_at(id.into()), Some(now));
        assert_eq!(made_at(Uuid::from_u128(7)), None);
        let (just_before, just_after) = (now - SignedDuration::from_millis(1), now + SignedDuration::from_millis(1));
        assert!(first_id_at(now) < Uuid::from(id) && Uuid::from(id) < first_id_at(just_after));
        assert!(first_id_at(just_before) < first_id_at(now));
    }

    #[test]
    fn ids_increase_even_within_one_instant() {
        let ids = Ids::new(Clock::mock("2026-01-01T00:00:00Z".parse().unwrap()).0);
        let made: Vec<EventId> = (0..1_000).map(|_| ids.next()).collect();
        assert!(made.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn jitter_stays_below_its_bound() {
        let ids = Ids::new(Clock::system());
        let max = Duration::from_millis(3);
        assert!((0..1_000).all(|_| ids.jitter(max) < max));
    }
}
