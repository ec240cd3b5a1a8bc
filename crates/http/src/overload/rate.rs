//! A limit on the requests that each client may send over time.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::ShrinkableKeyedStateStore;
use governor::{Quota, RateLimiter};
use kernel::{Clock, Timestamp};

use super::Client;
use crate::problem::Problem;

/// Clients that one limiter distinguishes, about 3 MB: more than use a shop within a minute.
const KEYS_MAX: usize = 65_536;

/// Buckets for clients beyond [`KEYS_MAX`]: enough that one flood doesn't empty all of them.
const SHARED: u64 = 1_024;

/// Requests between two rounds of forgetting those who may send their full quota again.
const FORGET_EVERY: u64 = 4_096;

/// So many requests in so much time, all of them at once if the client likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests that may follow one another at once.
    pub requests: NonZeroU32,
    /// The time in which that many may be sent again.
    pub per: Duration,
}

impl Rate {
    /// A rate. Panics if it lets nobody in.
    pub const fn new(requests: u32, per: Duration) -> Self {
        Self { requests: NonZeroU32::new(requests).expect("a rate lets somebody in"), per }
    }
}

/// The limits of guests and customers; the admin has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Writes from one address.
    pub writes: Rate,
}

impl Limits {
    /// The defaults of the configuration.
    pub const DEFAULT: Self = Self { writes: Rate::new(100, Duration::from_secs(1)) };

    /// So many that no test meets them: its clock stands still, and all of it comes from one address.
    pub const NONE: Self = Self { writes: Rate::new(1_000_000_000, Duration::from_secs(1)) };
}

/// Lets each client send at its [`Rate`]. Cheap to clone; clones share what they count.
///
/// It distinguishes [`KEYS_MAX`] clients. Those who come while so many are known share buckets by their hash,
/// so that a flood of addresses costs no memory, and lets nobody send more. Only hashes are kept, under a key of
/// the process, so that neither addresses nor names can be read from it.
#[derive(Clone)]
pub struct Limiter(Arc<Inner>);

struct Inner {
    limiter: RateLimiter<u64, KeyTimes, Elapsed, NoOpMiddleware<Nanos>>,
    hasher: RandomState,
    checked: AtomicU64,
}

impl Limiter {
    /// Nobody has sent anything yet.
    pub fn new(rate: Rate, clock: Clock) -> Self {
        // A period shorter than its requests in nanoseconds would have no interval at all.
        let interval = (rate.per / rate.requests.get()).max(Duration::from_nanos(1));
        let quota = Quota::with_period(interval).expect("the interval is at least a nanosecond");
        let limiter = RateLimiter::new(quota.allow_burst(rate.requests), KeyTimes::default(), Elapsed::new(clock));
        Self(Arc::new(Inner { limiter, hasher: RandomState::new(), checked: AtomicU64::new(0) }))
    }

    /// One more request from this address: 429 `too_many_requests` with `Retry-After` beyond the rate.
    ///
    /// Of an IPv6 address the first 64 bits count; see [`Client`].
    pub fn check_address(&self, address: IpAddr) -> Result<(), Problem> {
        self.check(Client::from(address))
    }

    /// One more request about this text from this address.
    pub fn check_text_from(&self, text: &str, address: IpAddr) -> Result<(), Problem> {
        self.check((text, Client::from(address)))
    }

    /// One more request about this text, such as an account's e-mail address, lower-cased by the caller.
    pub fn check_text(&self, text: &str) -> Result<(), Problem> {
        self.check(text)
    }

    fn check(&self, key: impl Hash) -> Result<(), Problem> {
        let Inner { limiter, hasher, checked } = &*self.0;
        if checked.fetch_add(1, Ordering::Relaxed) % FORGET_EVERY == FORGET_EVERY - 1 {
            limiter.retain_recent();
        }
        limiter.check_key(&hasher.hash_one(key)).map_err(|refused| {
            let wait = refused.wait_time_from(governor::clock::Clock::now(limiter.clock()));
            Problem::too_many_requests("too many requests: wait as long as Retry-After states", wait)
        })
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter").field("clients", &self.0.limiter.len()).finish_non_exhaustive()
    }
}

/// The times at which each client will have its full quota again.
#[derive(Default)]
struct KeyTimes(Mutex<HashMap<u64, Nanos>>);

impl KeyTimes {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Nanos>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateStore for KeyTimes {
    type Key = u64;

    fn measure_and_replace<T, F, E>(&self, key: &u64, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut kept = self.lock();
        let has_its_own = kept.len() < KEYS_MAX || kept.contains_key(key);
        let key = if has_its_own { *key } else { key % SHARED };
        let (decided, full_again) = decide(kept.get(&key).copied())?;
        kept.insert(key, full_again);
        Ok(decided)
    }
}

impl ShrinkableKeyedStateStore<u64> for KeyTimes {
    fn retain_recent(&self, drop_below: Nanos) {
        self.lock().retain(|_, full_again| *full_again > drop_below);
    }

    fn len(&self) -> usize {
        self.lock().len()
    }

    fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }
}

/// The time since the first look at the clock. A clock that is set back costs no time: otherwise whoever was
/// refused would wait until it has caught up.
struct Elapsed {
    clock: Clock,
    last: Mutex<(Timestamp, Nanos)>,
}

impl Elapsed {
    fn new(clock: Clock) -> Self {
        let last = Mutex::new((clock.now(), Nanos::new(0)));
        Self { clock, last }
    }
}

impl governor::clock::Clock for Elapsed {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        let passed = Duration::try_from(now.duration_since(last.0)).unwrap_or_default();
        *last = (now, last.1 + Nanos::from(passed));
        last.1
    }
}

#[cfg(test)]
mod tests {
    use kernel::SignedDuration;

    use super::*;

    fn limiter(requests: u32, per: Duration) -> (Limiter, kernel::MockClock) {
        let (clock, hands) = Clock::mock("2026-01-01T00:00:00Z".parse().unwrap());
        (Limiter::new(Rate::new(requests, per), clock), hands)
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn each_client_has_its_own_quota_and_gets_it_back_with_time() {
        let (limiter, hands) = limiter(10, Duration::from_mins(1));
        for _ in 0..10 {
            limiter.check_text("ada@example.com").unwrap();
        }
        let refused = limiter.check_text("ada@example.com").unwrap_err();
        assert_eq!((refused.status().as_u16(), refused.code()), (429, "too_many_requests"));
        assert_eq!(refused.retry_after_s(), Some(6), "one of ten a minute is free after six seconds");
        limiter.check_text("eve@example.com").unwrap();
        hands.advance(SignedDuration::from_secs(6));
        limiter.check_text("ada@example.com").unwrap();
        limiter.check_text("ada@example.com").unwrap_err();
        hands.advance(SignedDuration::from_mins(1));
        for _ in 0..10 {
            limiter.check_text("ada@example.com").unwrap();
        }
    }

    #[test]
    fn a_network_of_ipv6_is_one_client_and_so_is_an_address_in_both_spellings() {
        let (limiter, _) = limiter(1, Duration::from_secs(1));
        limiter.check_address(address("2001:db8:1:2::1")).unwrap();
        limiter.check_address(address("2001:db8:1:2:ffff::9")).unwrap_err();
        limiter.check_address(address("2001:db8:1:3::1")).unwrap();
        limiter.check_address(address("192.0.2.1")).unwrap();
        limiter.check_address(address("::ffff:192.0.2.1")).unwrap_err();
        limiter.check_address(address("::1")).unwrap();
    }

    #[test]
    fn a_flood_of_clients_costs_no_more_memory_and_gets_no_more_than_their_quota() {
        let (limiter, hands) = limiter(1, Duration::from_mins(1));
        let mut let_in = 0;
        for client in 0..200_000_u32 {
            let_in += usize::from(limiter.check_address(IpAddr::V4(client.into())).is_ok());
        }
        let bound = KEYS_MAX + usize::try_from(SHARED).unwrap();
        assert!(limiter.0.limiter.len() <= bound, "{limiter:?}");
        assert!((KEYS_MAX..=bound).contains(&let_in), "{let_in} were let in");
        limiter.check_address(IpAddr::V4(0.into())).unwrap_err();
        hands.advance(SignedDuration::from_mins(2));
        for client in 0..8_192_u32 {
            limiter.check_address(IpAddr::V4(client.into())).unwrap();
        }
        assert!(limiter.0.limiter.len() <= 8_192, "those who were quiet are forgotten: {limiter:?}");
    }

    #[test]
    fn a_clock_that_is_set_back_makes_nobody_wait() {
        let (limiter, hands) = limiter(1, Duration::from_secs(1));
        limiter.check_text("ada").unwrap();
        hands.advance(SignedDuration::from_hours(-1));
        limiter.check_text("ada").unwrap_err();
        hands.advance(SignedDuration::from_secs(1));
        limiter.check_text("ada").unwrap();
    }
}
