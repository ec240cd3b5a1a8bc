//! The backlog of a shard: what its sources emitted before the subscription, in the store of the consumer.
//!
//! It is read like a subscription: deliveries that are handled, settled, and marked as redelivered where their handling
//! began before. While a shard has a backlog, nothing live is received from it.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use bus::{Delivery, Gathered, Settlement, Subscription, Tag};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use kernel::EventId;
use storage::Db;
use storage::backlog::{self, Entry, Part};

use super::{Runner, WINDOW};
use crate::history::Reader;
use crate::relay::message;

/// Events of a source that are in memory at once.
const PAGE: i64 = 256;

/// The time between two log lines about progress.
const REPORT_EVERY: Duration = Duration::from_secs(5);

/// The longest that a window of the backlog yields to load: not for the time that what is new waits, for there may be
/// thousands of windows, and not never because it is old.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// The source of deliveries, at which they are acknowledged.
pub(super) trait Acknowledge: Send {
    /// The consumer's store has the results of these deliveries.
    fn done<'a>(&'a mut self, tags: &'a [Tag]) -> BoxFuture<'a, Result<(), String>>;
}

impl Acknowledge for Gathered {
    fn done<'a>(&'a mut self, tags: &'a [Tag]) -> BoxFuture<'a, Result<(), String>> {
        async move { self.settle(tags, Settlement::Done).await.map_err(|error| error.to_string()) }.boxed()
    }
}

/// Acknowledges nothing: of a history it is not recorded how far it was handled.
struct NotRecorded;

impl Acknowledge for NotRecorded {
    fn done<'a>(&'a mut self, _tags: &'a [Tag]) -> BoxFuture<'a, Result<(), String>> {
        std::future::ready(Ok(())).boxed()
    }
}

/// The backlog of one shard, as far as it is of the types that are handled.
pub(super) struct Backlog {
    db: Db,
    part: Part,
    types: Vec<String>,
    sources: Vec<Source>,
    /// The deliveries that are not settled.
    unsettled: HashMap<Tag, BacklogPosition>,
    next_number: u64,
}

/// A source, and a page of its events.
struct Source {
    name: String,
    page: VecDeque<Entry>,
    /// The position up to which it was read.
    read_to: i64,
    is_read: bool,
}

/// A row, by the index of its source.
type BacklogPosition = (usize, i64, EventId);

impl Backlog {
    pub async fn open(db: Db, part: Part, types: Vec<String>) -> Result<Self, storage::Error> {
        let names = backlog::sources(&db, part, types.clone()).await?;
        let source = |name| Source { name, page: VecDeque::new(), read_to: 0, is_read: false };
        let sources = names.into_iter().map(source).collect();
        Ok(Self { db, part, types, sources, unsettled: HashMap::new(), next_number: 0 })
    }

    pub fn shard(&self) -> u16 {
        self.part.shard
    }

    /// The next deliveries, exactly in the order of each source and about in that of all; none at the end.
    pub async fn next(&mut self) -> Result<Vec<Delivery>, storage::Error> {
        let mut deliveries = Vec::with_capacity(WINDOW);
        let mut new: HashMap<usize, Vec<(i64, EventId)>> = HashMap::new();
        while deliveries.len() < WINDOW
            && let Some((source, Entry { event, is_delivered })) = self.take().await?
        {
            let tag = Tag::new(self.part.shard, self.next_number);
            self.next_number += 1;
            self.unsettled.insert(tag, (source, event.position, event.envelope.id));
            if !is_delivered {
                new.entry(source).or_default().push((event.position, event.envelope.id));
            }
            let message = message(event);
            deliveries.push(Delivery { message, tag, redelivered: is_delivered, defect: None });
        }
        if !new.is_empty() {
            let new = self.named(new);
            backlog::delivered(&self.db, self.part, new).await?;
        }
        Ok(deliveries)
    }

    /// The oldest of what comes next of each source.
    async fn take(&mut self) -> Result<Option<(usize, Entry)>, storage::Error> {
        for source in self.sources.iter_mut().filter(|source| source.page.is_empty() && !source.is_read) {
            let types = self.types.clone();
            let page = backlog::page(&self.db, self.part, &source.name, types, source.read_to, PAGE).await?;
            source.is_read = i64::try_from(page.len()).is_ok_and(|count| count < PAGE);
            source.read_to = page.last().map_or(source.read_to, |entry| entry.event.position);
            source.page = page.into();
        }
        let with_next = self.sources.iter().enumerate().filter(|(_, source)| !source.page.is_empty());
        let oldest = with_next.min_by_key(|(_, source)| source.page.front().map(|entry| entry.event.envelope.id));
        let Some((oldest, _)) = oldest else { return Ok(None) };
        Ok(self.sources[oldest].page.pop_front().map(|entry| (oldest, entry)))
    }

    fn named(&self, events: HashMap<usize, Vec<(i64, EventId)>>) -> Vec<(String, Vec<(i64, EventId)>)> {
        events.into_iter().map(|(source, events)| (self.sources[source].name.clone(), events)).collect()
    }
}

impl Acknowledge for Backlog {
    fn done<'a>(&'a mut self, tags: &'a [Tag]) -> BoxFuture<'a, Result<(), String>> {
        async move {
            let mut done: HashMap<usize, Vec<(i64, EventId)>> = HashMap::new();
            for (source, position, event_id) in tags.iter().filter_map(|tag| self.unsettled.remove(tag)) {
                done.entry(source).or_default().push((position, event_id));
            }
            let done = self.named(done);
            backlog::remove(&self.db, self.part, done).await.map_err(|error| error.to_string())
        }
        .boxed()
    }
}

/// The history of a store that is built anew, or the shards that are behind and the backlog of the first of them.
pub(super) struct Behind {
    /// The reader, and the window that it has read.
    history: Option<(Reader, Vec<Delivery>)>,
    shards: VecDeque<u16>,
    open: Option<Backlog>,
    reported: Instant,
}

impl Behind {
    pub fn none() -> Self {
        Self { history: None, shards: VecDeque::new(), open: None, reported: Instant::now() }
    }

    pub fn is_none(&self) -> bool {
        self.history.is_none() && self.shards.is_empty()
    }

    pub fn contains(&self, shard: u16) -> bool {
        self.history.is_some() || self.shards.contains(&shard)
    }
}

impl Runner {
    /// Finds the shards of this runner that have a backlog.
    pub(super) async fn look_behind(&mut self) -> Result<(), String> {
        let found = backlog::shards(&self.ctx.db, self.lane, self.types()).await.map_err(unreadable)?;
        let shards: VecDeque<u16> = found.into_iter().filter(|shard| self.shards.contains(shard)).collect();
        if !shards.is_empty() {
            self.ctx.catching_up.set(self.consumer(), self.lane, true);
            tracing::info!(consumer = self.consumer(), lane = %self.lane, ?shards, "the backlog is handled first");
        }
        // Where it began before, the inbox drops what was handled.
        let history = match self.history.as_ref().filter(|history| !history.is_handled()) {
            Some(history) => Some(begin(history.read()).await.map_err(unreadable_history)?),
            None => None,
        };
        self.behind = Behind { history, shards, ..Behind::none() };
        Ok(())
    }

    /// Handles a window of what is behind; true if it was the last of a shard, or of the history.
    pub(super) async fn handle_behind(&mut self) -> Result<bool, String> {
        match self.behind.history.take() {
            Some((history, window)) => self.handle_history(history, window).await,
            None => self.handle_backlog().await,
        }
    }

    /// Handles a window of the history. After an error it is read again from its beginning.
    async fn handle_history(&mut self, mut history: Reader, window: Vec<Delivery>) -> Result<bool, String> {
        // The next is read while this one is handled.
        let mut not_recorded = NotRecorded;
        let (handled, next) = futures_util::join!(self.handle_window(&mut not_recorded, window), history.next(WINDOW));
        handled?;
        let next = next.map_err(unreadable_history)?;
        if next.is_empty() {
            if let Some(history) = &self.history {
                history.set_handled();
            }
            return Ok(true);
        }
        self.behind.history = Some((history, next));
        Ok(false)
    }

    /// Handles a window of the backlog of the first shard that is behind; true if it was the last of that shard.
    async fn handle_backlog(&mut self) -> Result<bool, String> {
        let Some(shard) = self.behind.shards.front().copied() else { return Ok(false) };
        let mut backlog = if let Some(open) = self.behind.open.take().filter(|open| open.shard() == shard) {
            open
        } else {
            let part = Part { lane: self.lane, shard };
            Backlog::open(self.ctx.db.clone(), part, self.types()).await.map_err(unreadable)?
        };
        let deliveries = backlog.next().await.map_err(unreadable)?;
        if deliveries.is_empty() {
            self.behind.shards.pop_front();
            return Ok(true);
        }
        self.report_backlog().await;
        if let Some(to) = self.yields_to() {
            self.ctx.overload.yielding.wait_at_most(to, WAIT_MAX).await;
        }
        self.handles_backlog = true;
        let handled = self.handle_window(&mut backlog, deliveries).await;
        self.handles_backlog = false;
        self.behind.open = Some(backlog);
        handled.map(|()| false)
    }

    async fn report_backlog(&mut self) {
        if self.behind.reported.elapsed() < REPORT_EVERY {
            return;
        }
        self.behind.reported = Instant::now();
        if let Ok(left) = backlog::count(&self.ctx.db, self.types()).await {
            tracing::info!(consumer = self.consumer(), lane = %self.lane, left, "catching up");
        }
    }

    fn types(&self) -> Vec<String> {
        self.handlers.keys().map(|event_type| (*event_type).to_owned()).collect()
    }
}

async fn begin(mut history: Reader) -> Result<(Reader, Vec<Delivery>), storage::Error> {
    let first = history.next(WINDOW).await?;
    Ok((history, first))
}

fn unreadable_history(error: storage::Error) -> String {
    format!("the history can't be read: {error}")
}

fn unreadable(error: storage::Error) -> String {
    format!("the backlog can't be read: {error}")
}
