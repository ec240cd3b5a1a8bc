//! A write as data: nothing happens until it is committed.

use kernel::{Event, EventId, Lane, Origin, Timestamp, Version};
use uuid::Uuid;

use crate::{Add, Change, Insert, Upsert, Value};

/// Statements, events and timers that take effect together or not at all.
///
/// ```no_run
/// # use kernel::{Ids, Clock, Uuid, Version};
/// # tradepost_storage::statements! {
/// # change MARK_PAID "update orders set status = 'paid', version = version + 1 where order_id = $1 and version = $2";
/// # }
/// use tradepost_storage::{Batch, params};
///
/// # fn paid(order_id: Uuid, version: Version) -> Batch {
/// Batch::new().change(&MARK_PAID, version, params![order_id])
/// # }
/// ```
#[derive(Debug, Default)]
#[must_use = "a batch does nothing until it is committed"]
pub struct Batch {
    pub(crate) writes: Vec<Write>,
    pub(crate) events: Vec<NewEvent>,
    pub(crate) timers: Vec<TimerChange>,
}

#[derive(Debug)]
pub(crate) enum Write {
    Insert(&'static Insert, Vec<Value>),
    Change(&'static Change, Vec<Value>),
    Upsert(&'static Upsert, Vec<Value>),
    Add(&'static Add, Vec<Value>),
}

#[derive(Debug)]
pub(crate) struct NewEvent {
    pub event_type: &'static str,
    pub source: &'static str,
    pub key: Uuid,
    pub lane: Lane,
    pub sequence: i64,
    pub body: Vec<u8>,
    pub origin: Option<Origin>,
    /// Given at commit.
    pub event_id: Option<EventId>,
}

#[derive(Debug)]
pub(crate) enum TimerChange {
    Set { name: &'static str, key: Uuid, due_at: Timestamp, origin: Option<Origin> },
    Clear { name: &'static str, key: Uuid },
}

impl TimerChange {
    /// The timer that it changes.
    pub fn target(&self) -> (&'static str, Uuid) {
        match self {
            Self::Set { name, key, .. } | Self::Clear { name, key } => (name, *key),
        }
    }
}

impl Batch {
    /// A batch that changes nothing. Committed, it still records that its cause was handled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a row that must be new.
    pub fn insert(mut self, statement: &'static Insert, params: Vec<Value>) -> Self {
        debug_assert_eq!(params.len(), statement.columns().len(), "{} binds every column", statement.name());
        self.writes.push(Write::Insert(statement, params));
        self
    }

    /// Changes a row that is still at `version`, the one on which the change was decided.
    /// The version binds to the statement's last parameter.
    pub fn change(mut self, statement: &'static Change, version: Version, mut params: Vec<Value>) -> Self {
        params.push(version.into());
        self.writes.push(Write::Change(statement, params));
        self
    }

    /// Projects another's fact, unless a newer one is there.
    pub fn upsert(mut self, statement: &'static Upsert, params: Vec<Value>) -> Self {
        self.writes.push(Write::Upsert(statement, params));
        self
    }

    /// Adds to sums: the key, the period if there is one, and what is added to each sum.
    ///
    /// Fold what is of one key beforehand, and add in the order of the keys: two additions to one row in a batch are
    /// slow, and others that add to the same rows in another order wait for each other.
    pub fn add(mut self, statement: &'static Add, params: Vec<Value>) -> Self {
        debug_assert_eq!(params.len(), statement.parameters(), "{} binds every column", statement.name());
        self.writes.push(Write::Add(statement, params));
        self
    }

    /// Emits an event; `version` is the one that the change made.
    pub fn emit<E: Event>(mut self, version: Version, event: &E) -> Self {
        let body = serde_json::to_vec(event).expect("an event has text keys and no failing fields");
        self.events.push(NewEvent {
            event_type: E::TYPE,
            source: E::SOURCE,
            key: event.key(),
            lane: E::LANE,
            sequence: version.get(),
            body,
            origin: None,
            event_id: None,
        });
        self
    }

    /// Sets the timer `name` of `key`, or moves it if it is set. A handler that runs meanwhile loses its lease.
    pub fn schedule(mut self, name: &'static str, key: impl Into<Uuid>, due_at: Timestamp) -> Self {
        self.timers.push(TimerChange::Set { name, key: key.into(), due_at, origin: None });
        self
    }

    /// Removes the timer `name` of `key`, if it is set.
    pub fn unschedule(mut self, name: &'static str, key: impl Into<Uuid>) -> Self {
        self.timers.push(TimerChange::Clear { name, key: key.into() });
        self
    }

    /// Says which of several causes this part answers. Without it, that is the cause of the commit.
    pub fn caused_by(mut self, origin: &Origin) -> Self {
        for event in &mut self.events {
            event.origin.get_or_insert_with(|| origin.clone());
        }
        for timer in &mut self.timers {
            if let TimerChange::Set { origin: of, .. } = timer {
                of.get_or_insert_with(|| origin.clone());
            }
        }
        self
    }

    /// Both batches as one.
    pub fn and(mut self, other: Self) -> Self {
        self.writes.extend(other.writes);
        self.events.extend(other.events);
        self.timers.extend(other.timers);
        self
    }
}
