//! Time as a parameter.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// The time; cheap to clone. Whole microseconds, because that is what both databases keep.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    System,
    Mock(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until its [`MockClock`] moves it.
    pub fn mock(start: Timestamp) -> (Self, MockClock) {
        let micros = Arc::new(AtomicI64::new(start.as_microsecond()));
        let clock = Self(Source::Mock(micros.clone()));
        let hands = MockClock { micros, listeners: Arc::default() };
        (clock, hands)
    }

    /// The time now, to the microsecond.
    pub fn now(&self) -> Timestamp {
        let micros = match &self.0 {
            #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
            Source::System => Timestamp::now().as_microsecond(),
            Source::Mock(micros) => micros.load(Ordering::SeqCst),
        };
        Timestamp::from_microsecond(micros).expect("a clock stays within the years that a timestamp can hold")
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.0 {
            Source::System => "system",
            Source::Mock(_) => "mock",
        };
        write!(f, "Clock({kind})")
    }
}

type Listener = Box<dyn Fn() + Send + Sync>;

/// The hands of a mock [`Clock`]: tests move them.
#[derive(Clone)]
pub struct MockClock {
    micros: Arc<AtomicI64>,
    listeners: Arc<Mutex<Vec<Listener>>>,
}

impl MockClock {
    /// A clock with these hands.
    pub fn clock(&self) -> Clock {
        Clock(Source::Mock(self.micros.clone()))
    }

    /// Moves the clock and wakes everyone who waits for a time.
    pub fn advance(&self, by: SignedDuration) {
        let micros = i64::try_from(by.as_micros()).expect("a test moves the clock by less than 290,000 years");
        self.micros.fetch_add(micros, Ordering::SeqCst);
        for listener in self.listeners.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            listener();
        }
    }

    /// Calls `listener` after each move.
    pub fn on_advance(&self, listener: impl Fn() + Send + Sync + 'static) {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(listener));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mock_clock_moves_only_when_asked() {
        let (clock, hands) = Clock::mock("2026-01-01T00:00:00Z".parse().unwrap());
        let before = clock.now();
        assert_eq!(clock.now(), before);
        hands.advance(SignedDuration::from_mins(15));
        assert_eq!(clock.now().duration_since(before), SignedDuration::from_mins(15));
    }
}
