//! Who is woken after a commit.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicI64, Ordering};

use kernel::Lane;
use tokio::sync::watch;

/// Wakes the relays and timers that have something to do, and counts what is unsent.
pub(crate) struct Signals {
    outbox: HashMap<(String, Lane), watch::Sender<()>>,
    pub archive: watch::Sender<()>,
    pub timers: watch::Sender<()>,
    pending: AtomicI64,
}

/// What a commit changed that others wait for.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub destinations: HashSet<(String, Lane)>,
    pub events: bool,
    pub timers: bool,
    pub pending: i64,
}

impl Effects {
    pub fn merge(&mut self, other: Self) {
        self.destinations.extend(other.destinations);
        self.events |= other.events;
        self.timers |= other.timers;
        self.pending += other.pending;
    }
}

impl Signals {
    pub fn new(destinations: &HashMap<String, Vec<String>>, pending: u64) -> Self {
        let names: HashSet<&String> = destinations.values().flatten().collect();
        let outbox = names
            .into_iter()
            .flat_map(|name| Lane::ALL.map(|lane| ((name.clone(), lane), watch::Sender::new(()))))
            .collect();
        Self {
            outbox,
            archive: watch::Sender::new(()),
            timers: watch::Sender::new(()),
            pending: AtomicI64::new(i64::try_from(pending).unwrap_or(i64::MAX)),
        }
    }

    pub fn outbox(&self, destination: &str, lane: Lane) -> watch::Receiver<()> {
        let found = self.outbox.get(&(destination.to_owned(), lane));
        found.map_or_else(|| watch::Sender::new(()).subscribe(), watch::Sender::subscribe)
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
        if effects.timers {
            self.timers.send_replace(());
        }
    }
}
