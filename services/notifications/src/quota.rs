//! The bound on mails to one recipient: so many an hour, whoever causes them.
//!
//! The generic cell rate algorithm, counted in this process: of each recipient only the time at which its full quota
//! is there again. A limiter of requests refuses; this one also reserves a place in the time to come.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use kernel::{SignedDuration, Timestamp};

/// The time in which a recipient gets at most the quota.
const PERIOD: SignedDuration = SignedDuration::from_hours(1);

/// Recipients that are distinguished, about 3 MB: more than get mail within an hour. Those beyond share [`SHARED`]
/// quotas.
const RECIPIENTS_MAX: usize = 65_536;

/// Quotas of recipients beyond [`RECIPIENTS_MAX`]: enough that one flood doesn't use up all of them.
const SHARED: u64 = 1_024;

/// Mails that each recipient gets in an hour. Cheap to clone; clones share what they count.
#[derive(Clone, Debug)]
pub(crate) struct Quota {
    interval: SignedDuration,
    full_again: Arc<Mutex<HashMap<u64, Timestamp>>>,
    hasher: RandomState,
}

impl Quota {
    pub fn per_hour(mails: u32) -> Self {
        let interval = PERIOD / i32::try_from(mails).unwrap_or(i32::MAX).max(1);
        Self { interval, full_again: Arc::default(), hasher: RandomState::new() }
    }

    /// One more mail, if the recipient's quota has room for it.
    pub fn take(&self, recipient: &str, now: Timestamp) -> bool {
        self.next(recipient, now, |due| due <= now).is_some()
    }

    /// One more mail, at the time at which the recipient's quota has room for it: `now`, or later.
    pub fn reserve(&self, recipient: &str, now: Timestamp) -> Timestamp {
        self.next(recipient, now, |_| true).unwrap_or(now)
    }

    fn next(&self, recipient: &str, now: Timestamp, is_taken: impl Fn(Timestamp) -> bool) -> Option<Timestamp> {
        let hash = self.hasher.hash_one(kernel::email::key(recipient));
        let mut full_again = self.full_again.lock().unwrap_or_else(PoisonError::into_inner);
        if full_again.len() >= RECIPIENTS_MAX && !full_again.contains_key(&hash) {
            full_again.retain(|_, time| *time > now);
        }
        let has_its_own = full_again.len() < RECIPIENTS_MAX || full_again.contains_key(&hash);
        let key = if has_its_own { hash } else { hash % SHARED };
        let full = full_again.get(&key).map_or(now, |time| now.max(*time)) + self.interval;
        let due = now.max(full - PERIOD);
        is_taken(due).then(|| {
            full_again.insert(key, full);
            due
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
    }

    #[test]
    fn a_recipient_gets_the_quota_and_then_one_mail_at_a_time() {
        let quota = Quota::per_hour(4);
        let taken = |to: &str, now: Timestamp| (0..10).filter(|_| quota.take(to, now)).count();
        assert_eq!(taken("ada@example.com", after(0)), 4);
        assert_eq!(taken("ADA@example.com", after(0)), 0, "the same recipient");
        assert_eq!(taken("eve@example.com", after(0)), 4);
        assert_eq!(taken("ada@example.com", after(15)), 1);
        assert_eq!(taken("ada@example.com", after(75)), 4);
    }

    #[test]
    fn what_must_arrive_gets_a_place_in_the_time_to_come() {
        let quota = Quota::per_hour(4);
        let due: Vec<Timestamp> = (0..6).map(|_| quota.reserve("ada@example.com", after(0))).collect();
        assert_eq!(due, [0, 0, 0, 0, 15, 30].map(after));
        assert!(!quota.take("ada@example.com", after(30)), "the places are taken");
    }

    #[test]
    fn a_flood_of_recipients_costs_no_more_memory() {
        let quota = Quota::per_hour(1);
        for n in 0..RECIPIENTS_MAX + 1_000 {
            quota.take(&format!("{n}@example.com"), after(0));
        }
        let known = || quota.full_again.lock().unwrap().len();
        assert!(known() <= RECIPIENTS_MAX + usize::try_from(SHARED).unwrap());
        quota.take("ada@example.com", after(120));
        assert_eq!(known(), 1, "those whose quota is full again are forgotten");
    }
}
