//! Wake-ups after a commit.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kernel::{Lane, Timestamp};
use tokio::sync::{Notify, watch};

use crate::batch::TimerChange;

/// Wakes the relays and timers that have something to do, and counts what is unsent.
pub(crate) struct WakeUps {
    outbox: HashMap<(String, Lane), watch::Sender<()>>,
    pub archive: watch::Sender<()>,
    timers: Mutex<HashMap<&'static str, Arc<TimerWakeUp>>>,
    pending: AtomicI64,
}

/// Changes of a commit for which others wait.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub destinations: HashSet<(String, Lane)>,
    pub events: bool,
    pub pending: i64,
    /// Time at which the first timer of each kind that was set is due.
    timers: HashMap<&'static str, Timestamp>,
}

/// Wakes the worker of a kind of timer when one was set that comes due before all that it knows.
#[derive(Debug)]
pub struct TimerWakeUp {
    next: Mutex<Timestamp>,
    earlier: Notify,
}

impl Default for TimerWakeUp {
    fn default() -> Self {
        Self { next: Mutex::new(Timestamp::MAX), earlier: Notify::new() }
    }
}

impl TimerWakeUp {
    /// Forgets what is known. Called before the store is asked, so that nothing that is set meanwhile is missed.
    pub fn forget(&self) {
        *self.next() = Timestamp::MAX;
    }

    /// The store said when the next one comes due: what is set for later is no news.
    pub fn known(&self, due_at: Timestamp) {
        let mut next = self.next();
        *next = due_at.min(*next);
    }

    /// Time at which the next one is due, as far as is known.
    pub fn next_due(&self) -> Timestamp {
        *self.next()
    }

    /// Waits until one is set that comes due earlier.
    pub async fn earlier(&self) {
        self.earlier.notified().await;
    }

    /// One was set: who waits is woken if it is due earlier than all that are known.
    pub fn set(&self, due_at: Timestamp) {
        let mut next = self.next();
        if due_at < *next {
            *next = due_at;
            self.earlier.notify_one();
        }
    }

    fn next(&self) -> MutexGuard<'_, Timestamp> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Effects {
    pub fn merge(&mut self, other: Self) {
        self.destinations.extend(other.destinations);
        self.events |= other.events;
        self.pending += other.pending;
        for (name, due_at) in other.timers {
            self.timer_set(name, due_at);
        }
    }

    /// A timer was changed.
    pub fn timer(&mut self, change: &TimerChange) {
        if let TimerChange::Set { name, due_at, .. } = change {
            self.timer_set(name, *due_at);
        }
    }

    fn timer_set(&mut self, name: &'static str, due_at: Timestamp) {
        let first = self.timers.entry(name).or_insert(due_at);
        *first = due_at.min(*first);
    }
}

impl WakeUps {
    pub fn new(destinations: &HashMap<String, Vec<String>>, pending: u64) -> Self {
        let names: HashSet<&String> = destinations.values().flatten().collect();
        let outbox = names
            .into_iter()
            .flat_map(|name| Lane::ALL.map(|lane| ((name.clone(), lane), watch::Sender::new(()))))
            .collect();
        Self {
            outbox,
            archive: watch::Sender::new(()),
            timers: Mutex::default(),
            pending: AtomicI64::new(i64::try_from(pending).unwrap_or(i64::MAX)),
        }
    }

    pub fn outbox(&self, destination: &str, lane: Lane) -> watch::Receiver<()> {
        let found = self.outbox.get(&(destination.to_owned(), lane));
        found.map_or_else(|| watch::Sender::new(()).subscribe(), watch::Sender::subscribe)
    }

    pub fn timer(&self, name: &'static str) -> Arc<TimerWakeUp> {
        self.timers.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default().clone()
    }

    pub fn pending(&self) -> u64 {
        u64::try_from(self.pending.load(Ordering::Relaxed)).unwrap_or_default()
    }

    /// Pointers were counted anew.
    pub fn set_pending(&self, pending: u64) {
        self.pending.store(i64::try_from(pending).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// Pointers were deleted.
    pub fn fewer_pending(&self, sent: usize) {
        self.pending.fetch_sub(i64::try_from(sent).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// Pointers were written by no commit.
    pub fn look_at_outbox(&self) {
        self.outbox.values().for_each(|signal| signal.send_replace(()));
    }

    /// Called once the transaction is on the disk.
    pub fn announce(&self, effects: Effects) {
        self.pending.fetch_add(effects.pending, Ordering::Relaxed);
        for target in &effects.destinations {
            if let Some(signal) = self.outbox.get(target) {
                signal.send_replace(());
            }
        }
        if effects.events {
            self.archive.send_replace(());
        }
        for (name, due_at) in effects.timers {
            self.timer(name).set(due_at);
        }
    }
}
