//! Bounds on attempts to prove or to find an account: to sign in, to register, to change an address, to reset a
//! password.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use kernel::{Clock, email};
use service::http::auth::Caller;
use service::http::overload::{Client, Limiter, Rate};
use service::http::{ClientAddress, Problem};
use service::setting::Values;

use crate::{Ctx, settings};

/// Pairs of an account and an address that signed in: as many as sign in within weeks, at 8 bytes each.
const PROVEN_MAX: usize = 65_536;

/// The limits on attempts of guests and of accounts. The admin token has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AttemptLimits {
    /// On one account from one address.
    pub of_account_from_address: Rate,
    /// From one address, on whatever account.
    pub of_address: Rate,
    /// On one account from all addresses that have not signed in to it. Guesses from many addresses meet this bound,
    /// and its owner, from where they signed in before, doesn't.
    pub of_account: Rate,
}

impl AttemptLimits {
    pub fn of(values: &Values) -> Self {
        let a_minute = |attempts| Rate::new(attempts, Duration::from_mins(1));
        Self {
            of_account_from_address: a_minute(settings::ATTEMPT_LIMIT.of(values)),
            of_address: a_minute(settings::ATTEMPT_LIMIT_ADDRESS.of(values)),
            of_account: a_minute(settings::ATTEMPT_LIMIT_ACCOUNT.of(values)),
        }
    }
}

/// Counts attempts. Cheap to clone; clones share what they count.
#[derive(Clone, Debug)]
pub(crate) struct Attempts {
    limits: AttemptLimits,
    counted: Arc<OnceLock<Counted>>,
}

#[derive(Debug)]
struct Counted {
    of_account_from_address: Limiter,
    of_address: Limiter,
    of_account: Limiter,
    proven: Mutex<HashSet<u64>>,
    hasher: RandomState,
}

impl Attempts {
    pub fn new(limits: AttemptLimits) -> Self {
        Self { limits, counted: Arc::default() }
    }

    fn counted(&self, clock: &Clock) -> &Counted {
        let limiter = |rate| Limiter::new(rate, clock.clone());
        self.counted.get_or_init(|| Counted {
            of_account_from_address: limiter(self.limits.of_account_from_address),
            of_address: limiter(self.limits.of_address),
            of_account: limiter(self.limits.of_account),
            proven: Mutex::default(),
            hasher: RandomState::new(),
        })
    }
}

impl Counted {
    fn pair(&self, account: &str, from: ClientAddress) -> u64 {
        self.hasher.hash_one((account, Client::from(from.ip)))
    }
}

/// One more attempt on the account with this e-mail address: 429 `too_many_attempts` beyond the bounds.
///
/// It counts before anything is looked up or hashed, and whether or not there is such an account.
pub(crate) fn count(ctx: &Ctx, caller: &Caller, from: ClientAddress, address: &str) -> Result<(), Problem> {
    if caller.is_automation() {
        return Ok(());
    }
    count_address(ctx, caller, from)?;
    let (counted, account) = (ctx.state.attempts.counted(&ctx.clock), email::key(address));
    counted.of_account_from_address.check_text_from(&account, from.ip).map_err(too_many)?;
    let is_proven =
        counted.proven.lock().unwrap_or_else(PoisonError::into_inner).contains(&counted.pair(&account, from));
    if is_proven { Ok(()) } else { counted.of_account.check_text(&account).map_err(too_many) }
}

/// One more attempt from this address, where no account is named.
pub(crate) fn count_address(ctx: &Ctx, caller: &Caller, from: ClientAddress) -> Result<(), Problem> {
    if caller.is_automation() {
        return Ok(());
    }
    ctx.state.attempts.counted(&ctx.clock).of_address.check_address(from.ip).map_err(too_many)
}

/// Notes that the account's password was shown from this address.
pub(crate) fn proved(ctx: &Ctx, from: ClientAddress, address: &str) {
    let counted = ctx.state.attempts.counted(&ctx.clock);
    let pair = counted.pair(&email::key(address), from);
    let mut proven = counted.proven.lock().unwrap_or_else(PoisonError::into_inner);
    if proven.len() >= PROVEN_MAX {
        proven.clear();
    }
    proven.insert(pair);
}

fn too_many(refused: Problem) -> Problem {
    let detail = "too many attempts: wait as long as Retry-After states";
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", detail);
    problem.retry_after(refused.retry_after_s().unwrap_or(1))
}
