//! The history of a store that is built anew: it is handled straight from the archives, without a copy.
//!
//! A running shop copies what a consumer is missing into that one's store first ([`crate::catch_up`]), because it must
//! outlive a crash. A store that is built anew is discarded after one, so it is not recorded how far it came.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bus::{Delivery, Tag};
use storage::archive::{self, StoredEvent};
use storage::{Db, Error};

use crate::relay::message;

/// Events of a source that are in memory at once.
const PAGE: i64 = 1_024;

/// The archives of all sources, up to the newest events that they had when it was taken.
#[derive(Debug)]
pub struct History {
    archives: Vec<Archive>,
    events: u64,
    is_handled: AtomicBool,
}

/// The part of a source's archive that is handled.
#[derive(Clone, Debug)]
pub(crate) struct Archive {
    pub db: Db,
    pub types: Vec<String>,
    pub newest: i64,
}

impl History {
    pub(crate) async fn of(archives: Vec<Archive>) -> Result<Arc<Self>, Error> {
        let mut events = 0;
        for Archive { db, types, newest } in &archives {
            events += archive::count(db, types.clone(), *newest).await?;
        }
        Ok(Arc::new(Self { archives, events, is_handled: AtomicBool::new(false) }))
    }

    /// Number of all its events.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Tests if each of them had its effect, waits for a retry, or is parked.
    pub fn is_handled(&self) -> bool {
        self.is_handled.load(Ordering::SeqCst)
    }

    pub(crate) fn set_handled(&self) {
        self.is_handled.store(true, Ordering::SeqCst);
    }

    /// A reader that begins with the oldest events.
    pub(crate) fn read(&self) -> Reader {
        Reader::of(&self.archives)
    }
}

/// Reads a history once.
pub(crate) struct Reader {
    sources: Vec<Source>,
    next_number: u64,
}

/// An archive, and a page of it.
struct Source {
    archive: Archive,
    page: VecDeque<StoredEvent>,
    /// The position up to which it was read.
    read_to: i64,
    is_read: bool,
}

impl Reader {
    fn of(archives: &[Archive]) -> Self {
        let source =
            |archive: &Archive| Source { archive: archive.clone(), page: VecDeque::new(), read_to: 0, is_read: false };
        Self { sources: archives.iter().map(source).collect(), next_number: 0 }
    }

    /// The next deliveries, exactly in the order of each source and about in that of all; none at the end.
    pub async fn next(&mut self, limit: usize) -> Result<Vec<Delivery>, Error> {
        let mut deliveries = Vec::with_capacity(limit);
        while deliveries.len() < limit
            && let Some(event) = self.take().await?
        {
            let tag = Tag::new(0, self.next_number);
            self.next_number += 1;
            deliveries.push(Delivery { message: message(event), tag, redelivered: false, defect: None });
        }
        Ok(deliveries)
    }

    /// The oldest of what comes next of each source.
    async fn take(&mut self) -> Result<Option<StoredEvent>, Error> {
        for source in self.sources.iter_mut().filter(|source| source.page.is_empty() && !source.is_read) {
            source.read_page().await?;
        }
        let with_next = self.sources.iter_mut().filter_map(|source| Some((source.page.front()?.envelope.id, source)));
        Ok(with_next.min_by_key(|(id, _)| *id).and_then(|(_, source)| source.page.pop_front()))
    }
}

impl Source {
    async fn read_page(&mut self) -> Result<(), Error> {
        let Archive { db, types, newest } = &self.archive;
        let page = archive::of_types(db, types.clone(), self.read_to, *newest, PAGE).await?;
        self.is_read = i64::try_from(page.len()).is_ok_and(|count| count < PAGE);
        self.read_to = page.last().map_or(self.read_to, |event| event.position);
        self.page = page.into();
        Ok(())
    }
}
