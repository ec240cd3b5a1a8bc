//! The operator's view of one service: its events, deliveries, dead letters, and whether it has work.
//!
//! The console gathers these; business code never uses them, so services still don't call one another.
//! A [`Question`] is one type each, in `questions/`; `route.rs` answers them over HTTP, for a console in another process.

mod as_base64;
mod gauges;
mod question;
mod questions;
pub(crate) mod route;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bus::Broker;
use futures_util::future::BoxFuture;
use http::auth::Caller;
use kernel::{DeadLetterId, EventId, Timestamp, UserId, Uuid};
use serde::{Deserialize, Serialize};
use storage::accounts::{self, Account};
use storage::archive::{self, StoredEvent};
use storage::decisions::{self, Decided};
use storage::held::{self, Held, HeldState};
use storage::published_keys::{self, PublishedKey};
use storage::{Error, backlog, inbox, outbox, timers};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::CtxParts;

pub use question::{Question, path};
pub use questions::*;

/// The longest sleep of whoever waits for an event: another instance on the same store wakes nobody here.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A service's work at its stop.
pub(crate) type StopFn = Arc<dyn Fn(Arc<CtxParts>) -> BoxFuture<'static, Result<(), Error>> + Send + Sync>;

/// A service's answer to who may read the story of a subject.
pub(crate) type AccessFn = Arc<dyn Fn(Arc<CtxParts>, Uuid, Caller) -> AccessAnswer + Send + Sync>;

type AccessAnswer = BoxFuture<'static, Result<Option<bool>, Error>>;

/// A service's answer to the state of a subject.
pub(crate) type StateFn = Arc<dyn Fn(Arc<CtxParts>, Uuid) -> StateAnswer + Send + Sync>;

type StateAnswer = BoxFuture<'static, Result<Option<SubjectState>, Error>>;

/// A service's sums by name.
pub(crate) type SumsFn = Arc<dyn Fn(Arc<CtxParts>) -> SumsAnswer + Send + Sync>;

type SumsAnswer = BoxFuture<'static, Result<Vec<(&'static str, i64)>, Error>>;

/// The operator's handle of a running service. Cheap to clone.
#[derive(Clone)]
pub struct Operator {
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) subscriptions: Arc<HashSet<&'static str>>,
    /// Types of which only some events are delivered: those that were wanted when they were emitted.
    pub(crate) on_demand: Arc<BTreeSet<&'static str>>,
    pub(crate) ctx: Arc<CtxParts>,
    pub(crate) access: Option<AccessFn>,
    pub(crate) sums: Option<SumsFn>,
    pub(crate) state: Option<StateFn>,
    pub(crate) at_stop: Option<StopFn>,
    pub(crate) wake: watch::Sender<()>,
    pub(crate) busy: Arc<AtomicUsize>,
}

/// The status of one event at one consumer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeliveryStatus {
    /// One of [`STATUSES`](Self::STATUSES).
    pub status: &'static str,
    /// Number of attempts that began.
    pub attempts: i64,
    /// The time at which its effect was committed.
    pub handled_at: Option<Timestamp>,
    /// The reason why the last attempt failed.
    pub reason: Option<String>,
    /// The time of the next attempt, if there will be one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// Its id as a dead letter, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letter_id: Option<DeadLetterId>,
    /// The last decision about it, if it was a dead letter.
    #[serde(with = "questions::decided", skip_serializing_if = "Option::is_none")]
    pub decided: Option<Decided>,
}

impl DeliveryStatus {
    /// Handling has not begun, or nothing says so in the store.
    pub const PENDING: &'static str = "pending";

    /// All that can have become of an event.
    pub const STATUSES: [&'static str; 5] = [Self::PENDING, "done", "retrying", "waiting", "parked"];

    fn pending() -> Self {
        Self {
            status: Self::PENDING,
            attempts: 0,
            handled_at: None,
            reason: None,
            due_at: None,
            dead_letter_id: None,
            decided: None,
        }
    }
}

/// The unfinished work of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Activity {
    /// Unsent events, the backlog, due retries, due timers, what waits in the broker for the service, and running
    /// handlers. The handlers are those of the instance that was asked; all else is the same whichever is asked.
    pub pending: u64,
    /// Those of it that wait in the broker, if it can say.
    pub queued: Option<u64>,
    /// Grows with every event: if it stands still between two looks, nothing moved in between.
    pub newest_event: i64,
}

impl Operator {
    /// The service.
    pub fn service(&self) -> &'static str {
        self.ctx.db.service()
    }

    /// Checks that the store can be read, and written again if the last commit could not write.
    pub async fn check_store(&self) -> Result<(), Error> {
        if self.ctx.store_unavailable.load(Ordering::Relaxed) {
            // A write that says what is so anyway: nobody else may come to try one while the service is not ready.
            self.ctx.db.mark_running().await?;
            self.ctx.store_unavailable.store(false, Ordering::Relaxed);
        }
        self.newest_position().await.map(|_| ())
    }

    /// True if the service reacts to events of this type.
    pub fn reacts_to(&self, event_type: &str) -> bool {
        self.subscriptions.contains(event_type)
    }

    /// True if the caller may read the story of this subject; `None` if the service doesn't know it.
    pub async fn may_read(&self, subject: Uuid, caller: Caller) -> Result<Option<bool>, Error> {
        match &self.access {
            Some(check) => check(self.ctx.clone(), subject, caller).await,
            None => Ok(None),
        }
    }

    /// The state of a subject; `None` if the service doesn't know it.
    pub async fn state_of(&self, subject: Uuid) -> Result<Option<SubjectState>, Error> {
        match &self.state {
            Some(read) => read(self.ctx.clone(), subject).await,
            None => Ok(None),
        }
    }

    /// The service's sums by name.
    pub async fn sums(&self) -> Result<HashMap<String, i64>, Error> {
        let Some(read) = &self.sums else { return Ok(HashMap::new()) };
        Ok(read(self.ctx.clone()).await?.into_iter().map(|(name, sum)| (name.to_owned(), sum)).collect())
    }

    /// The keys by which the service checks users' tokens.
    pub async fn keys(&self) -> Result<Vec<PublishedKey>, Error> {
        published_keys::known(&self.ctx.db, self.ctx.clock.now()).await
    }

    /// An account's standing, as the service's store has it now, and how new that is.
    pub async fn account(&self, user_id: UserId) -> Result<Account, Error> {
        accounts::account(&self.ctx.db, user_id).await
    }

    /// The service's events about a subject, oldest first.
    pub async fn events_about(&self, subject: Uuid, limit: i64) -> Result<Vec<StoredEvent>, Error> {
        archive::of_key(&self.ctx.db, subject, limit).await
    }

    /// The service's events older than `before`, newest first.
    pub async fn events_before(
        &self,
        before: EventId,
        event_type: Option<String>,
        subject: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<StoredEvent>, Error> {
        archive::before(&self.ctx.db, before, event_type, subject, limit).await
    }

    /// The service's events after a position, oldest first.
    pub async fn events_after(&self, position: i64, limit: i64) -> Result<Vec<StoredEvent>, Error> {
        archive::after(&self.ctx.db, position, limit).await
    }

    /// The service's events after a position, oldest first; if there are none, waits until there are, at most so long.
    pub async fn events_to_come(&self, position: i64, limit: i64, within: Duration) -> Result<Vec<StoredEvent>, Error> {
        let (mut emitted, deadline) = (self.ctx.db.archive_signal(), Instant::now() + within);
        loop {
            emitted.mark_unchanged();
            let events = self.events_after(position, limit).await?;
            let now = Instant::now();
            if !events.is_empty() || now >= deadline {
                return Ok(events);
            }
            // Without a sender the timeout alone ends the wait.
            let woken = async {
                if emitted.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            let _ = tokio::time::timeout_at(deadline.min(now + LOOK_AGAIN), woken).await;
        }
    }

    /// One of the service's events.
    pub async fn event(&self, event_id: EventId) -> Result<Option<StoredEvent>, Error> {
        archive::by_id(&self.ctx.db, event_id).await
    }

    /// The position of the newest event.
    pub async fn newest_position(&self) -> Result<i64, Error> {
        archive::newest(&self.ctx.db).await
    }

    /// The status of these events here: only of those to whose type the service reacts. Of a type that it receives only
    /// while it wants it, only of those that it has received.
    pub async fn deliveries(&self, events: &[(EventId, &str)]) -> Result<HashMap<EventId, DeliveryStatus>, Error> {
        let wanted: Vec<EventId> =
            events.iter().filter(|(_, event_type)| self.reacts_to(event_type)).map(|(id, _)| *id).collect();
        if wanted.is_empty() {
            return Ok(HashMap::new());
        }
        // Held ones first: what is handled between the two is found there, or in the inbox.
        let held = held::of_events(&self.ctx.db, wanted.clone()).await?;
        let handled = inbox::handled(&self.ctx.db, wanted.clone()).await?;
        let mut decided = decisions::newest(&self.ctx.db, wanted.clone()).await?;
        let held: HashMap<EventId, Held> = held.into_iter().map(|held| (held.envelope.id, held)).collect();
        let mut status = |id: EventId| {
            let pending = DeliveryStatus { decided: decided.remove(&id), ..DeliveryStatus::pending() };
            match (handled.get(&id), held.get(&id)) {
                (Some(done), _) => DeliveryStatus {
                    status: "done",
                    attempts: done.attempts,
                    handled_at: Some(done.handled_at),
                    ..pending
                },
                (None, Some(held)) => DeliveryStatus {
                    status: match held.state {
                        HeldState::Due => "retrying",
                        HeldState::Waiting => "waiting",
                        HeldState::Parked => "parked",
                    },
                    attempts: held.attempts,
                    reason: held.reason.clone(),
                    due_at: held.due_at.filter(|_| held.state == HeldState::Due),
                    dead_letter_id: (held.state == HeldState::Parked).then_some(held.dead_letter_id),
                    ..pending
                },
                (None, None) => pending,
            }
        };
        let statuses: HashMap<EventId, DeliveryStatus> = wanted.into_iter().map(|id| (id, status(id))).collect();
        let is_on_demand = |id: &EventId| {
            events.iter().any(|(event_id, event_type)| event_id == id && self.on_demand.contains(event_type))
        };
        let is_known = |(id, it): &(EventId, DeliveryStatus)| it.status != DeliveryStatus::PENDING || !is_on_demand(id);
        Ok(statuses.into_iter().filter(is_known).collect())
    }

    /// The service's dead letters with ids below `before`, newest first.
    pub async fn dead_letters(&self, before: DeadLetterId, limit: i64) -> Result<Vec<Held>, Error> {
        held::parked(&self.ctx.db, before, limit).await
    }

    /// One of the service's dead letters.
    pub async fn dead_letter(&self, id: DeadLetterId) -> Result<Option<Held>, Error> {
        held::parked_one(&self.ctx.db, id).await
    }

    /// Handles a dead letter again, with all its attempts before it, and keeps who decided it. False if it isn't one (any
    /// more).
    pub async fn replay(&self, id: DeadLetterId, decided_by: &str) -> Result<bool, Error> {
        let replayed = held::replay(&self.ctx.db, id, decided_by, self.ctx.clock.now()).await?;
        self.wake();
        Ok(replayed)
    }

    /// Gives a dead letter up, and keeps who decided it; what waits behind it goes on. False if it isn't one (any more).
    pub async fn discard(&self, id: DeadLetterId, decided_by: &str) -> Result<bool, Error> {
        let discarded = held::discard(&self.ctx.db, id, decided_by, self.ctx.clock.now()).await?;
        self.wake();
        Ok(discarded)
    }

    /// Sends at most `limit` events after `after` again, oldest first.
    pub async fn republish(&self, after: EventId, limit: i64) -> Result<outbox::Republished, Error> {
        outbox::republish(&self.ctx.db, after, limit).await
    }

    /// Makes runners and timers look for what is due now.
    pub fn wake(&self) {
        self.wake.send_replace(());
    }

    /// True if an event leaves the outbox only once all its consumers have handled it, or hold it to try again.
    pub fn sent_means_handled(&self) -> bool {
        self.broker.guarantees().stored_means_settled
    }

    /// The unfinished work.
    pub async fn activity(&self) -> Result<Activity, Error> {
        let now = self.ctx.clock.now();
        let busy = self.busy.load(Ordering::SeqCst) as u64;
        let retries = held::due_by(&self.ctx.db, now).await?;
        let timers = timers::unfinished(&self.ctx.db, now).await?;
        let unsent = outbox::count(&self.ctx.db).await?;
        let types = self.subscriptions.iter().map(|event_type| (*event_type).to_owned()).collect();
        let backlog = backlog::count(&self.ctx.db, types).await?;
        let due = u64::try_from(retries + timers + unsent + backlog).unwrap_or_default();
        let newest_event = self.newest_position().await?;
        // A broker that can't count may hold anything.
        let queued = self.broker.waiting(self.service()).await.ok();
        Ok(Activity { pending: busy + due + queued.unwrap_or(1), queued, newest_event })
    }
}

impl std::fmt::Debug for Operator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Operator({})", self.service())
    }
}
