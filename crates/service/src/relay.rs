//! The relay: from the outbox to one destination, in one lane.
//!
//! Reads pending events, publishes them side by side with one unconfirmed event a key, and forgets the pointers
//! that were stored, many in one statement.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::{Broker, Destination, Message, PublishResult};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use kernel::{Lane, Uuid};
use storage::archive::StoredEvent;
use storage::outbox::Wanted;
use storage::{Db, outbox};
use tokio::sync::watch;

use crate::membership::{Membership, Share};
use crate::telemetry::Metrics;
use crate::{CtxParts, Tasks};

/// Events that wait for their key or are unconfirmed at the most: what a broker confirms while it writes to its disk
/// once or twice.
const WINDOW: usize = 1_024;

/// Events that are known at the most, with those that were stored and whose pointers are still to go: a commit's time
/// longer, that is, so that the broker never waits for the database.
const KNOWN_MAX: usize = 3 * WINDOW;

/// Events beyond that which are known and whose keys wait for a broker that refuses the first of them, so that others
/// go on. When there are more, nothing more is read until some of them are stored.
const REFUSED_MAX: usize = 16 * WINDOW;

/// Room that is worth a read.
const READ_MIN: usize = WINDOW / 4;

/// The longest sleep: the safety net should a wake-up be missed.
const POLL: Duration = Duration::from_secs(1);

/// The same beside other instances, of the immediate and of the background lane.
const POLL_BESIDE_OTHERS: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(100));

/// The wait before a refused event is published again, and the bound to which it doubles.
const REFUSED_WAIT: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

pub(crate) struct Relay {
    db: Db,
    broker: Arc<dyn Broker>,
    destination: Destination,
    lane: Lane,
    share: Share,
    /// The shards that it relays; none are named where no other process can write to this store.
    shards: Option<Vec<u16>>,
    metrics: Arc<Metrics>,
    /// Read and not yet forgotten.
    in_flight: HashSet<i64>,
    /// The highest position that was read.
    read_to: i64,
    /// The time at which all that is pending was looked at, not only what is beyond `read_to`.
    looked_at_all: Option<Instant>,
    /// By key: the first is being published or waits for its next try.
    queues: HashMap<Uuid, Queue>,
    publishing: FuturesUnordered<BoxFuture<'static, (Uuid, PublishResult)>>,
    /// Keys whose first was refused, each until it is published again.
    refused: FuturesUnordered<BoxFuture<'static, Uuid>>,
    /// The events of keys whose first was refused, and not stored since.
    refused_count: usize,
    /// The pending events, while the store is asked for them.
    reading: Option<BoxFuture<'static, Read>>,
    forgetting: FuturesUnordered<BoxFuture<'static, Forgotten>>,
    /// Number of pointers that it removes at the moment.
    forgetting_count: usize,
    stored: Vec<i64>,
    is_letting_go: bool,
    poll_beside_others: Duration,
}

/// The request and result of a read.
struct Read {
    room: usize,
    looked_at_all: bool,
    pending: Result<Vec<StoredEvent>, storage::Error>,
}

/// Positions, and whether the store forgot them.
type Forgotten = (Vec<i64>, Result<(), storage::Error>);

#[derive(Default)]
struct Queue {
    events: VecDeque<StoredEvent>,
    refusals: u32,
}

impl Relay {
    pub fn new(
        ctx: &CtxParts,
        broker: Arc<dyn Broker>,
        destination: Destination,
        lane: Lane,
        membership: &Membership,
    ) -> Self {
        Self {
            db: ctx.db.clone(),
            broker,
            destination,
            lane,
            share: membership.share(lane),
            shards: Some(Vec::new()),
            metrics: ctx.metrics.clone(),
            in_flight: HashSet::new(),
            read_to: 0,
            looked_at_all: None,
            queues: HashMap::new(),
            publishing: FuturesUnordered::new(),
            refused: FuturesUnordered::new(),
            refused_count: 0,
            reading: None,
            forgetting: FuturesUnordered::new(),
            forgetting_count: 0,
            stored: Vec::new(),
            is_letting_go: false,
            poll_beside_others: match lane {
                Lane::Immediate => POLL_BESIDE_OTHERS.0,
                Lane::Background => POLL_BESIDE_OTHERS.1,
            },
        }
    }

    /// Looks seldom: no type has this lane and destination today, and only what a version before left is here.
    pub fn of_former_types(mut self) -> Self {
        self.poll_beside_others = POLL;
        self
    }

    /// Relays until the tasks stop. What is unconfirmed then stays in the outbox.
    pub async fn run(mut self, tasks: Tasks) {
        let mut committed = self.db.outbox_signal(self.destination.as_str(), self.lane);
        let mut more = true;
        self.take_shards();
        while !tasks.is_stopping() {
            if more && self.reading.is_none() && self.room() >= READ_MIN {
                committed.mark_unchanged();
                self.reading = self.read();
                more = false;
            }
            self.forget_stored();
            let has_room = self.room() >= READ_MIN;
            let poll = self.poll();
            tokio::select! {
                Some((key, outcome)) = self.publishing.next() => self.all_confirmed(key, outcome),
                Some(key) = self.refused.next() => self.publish_first(key),
                read = arrival(&mut self.reading) => {
                    self.reading = None;
                    more |= self.take_in(read);
                }
                Some((positions, result)) = self.forgetting.next() => self.forgotten(positions, result),
                () = changed(&mut committed), if !more => more = true,
                () = tokio::time::sleep(poll), if !more || !has_room => more = true,
                () = self.share.changed() => {
                    self.released(&tasks).await;
                    if !tasks.is_stopping() {
                        self.take_shards();
                        more = true;
                    }
                }
                () = tasks.stopping() => {}
            }
        }
        self.finish().await;
    }

    /// Switches to the shards that it has now. Nothing of others is in flight.
    fn take_shards(&mut self) {
        let (shards, generation) = self.share.look();
        self.shards = self.broker.guarantees().is_shared().then_some(shards);
        self.share.apply(generation);
    }

    /// Sends nothing more until it knows what its shards are, and forgets what it has read. What the broker does not
    /// speak of is waited for until its deadline, or until the tasks stop.
    async fn released(&mut self, tasks: &Tasks) {
        self.is_letting_go = true;
        self.reading = None;
        // Whoever has these keys next begins where this ends.
        while !self.publishing.is_empty() && !tasks.is_stopping() {
            tokio::select! {
                Some((key, outcome)) = self.publishing.next() => self.confirmed(key, outcome),
                () = tasks.stopping() => return,
            }
        }
        self.finish().await;
        self.is_letting_go = false;
        self.refused.clear();
        self.refused_count = 0;
        self.queues.clear();
        self.in_flight.clear();
        self.read_to = 0;
        self.looked_at_all = None;
    }

    /// The longest sleep: commits of other instances wake nobody here.
    fn poll(&self) -> Duration {
        if self.share.is_alone() { POLL } else { self.poll_beside_others }
    }

    /// Number of further events that may be known.
    fn room(&self) -> usize {
        let aside = self.refused_count.min(REFUSED_MAX);
        let known = self.in_flight.len().saturating_sub(aside);
        let unsent = known.saturating_sub(self.stored.len() + self.forgetting_count);
        WINDOW.saturating_sub(unsent).min(KNOWN_MAX.saturating_sub(known))
    }

    /// Asks for what is pending, while what was read before is being sent.
    fn read(&self) -> Option<BoxFuture<'static, Read>> {
        if self.shards.as_ref().is_some_and(Vec::is_empty) {
            return None;
        }
        let room = self.room();
        let limit = i64::try_from(room).expect("the window is small");
        let looked_at_all = self.shards.is_some() || self.looked_at_all.is_none_or(|at| at.elapsed() >= POLL);
        // Nothing else is read meanwhile, so what is known now is all that can be met twice.
        let (after, known) =
            if looked_at_all { (0, self.in_flight.iter().copied().collect()) } else { (self.read_to, Vec::new()) };
        let (db, destination, lane) = (self.db.clone(), self.destination.clone(), self.lane);
        let shards = self.shards.clone();
        Some(Box::pin(async move {
            let wanted = Wanted { destination: destination.as_str(), lane };
            let pending = match shards {
                Some(shards) => outbox::pending_of(&db, wanted, &shards, known, limit).await,
                None => outbox::pending(&db, wanted, after, known, limit).await,
            };
            Read { room, looked_at_all, pending }
        }))
    }

    /// Sends what was read; false if there was less than room for it.
    fn take_in(&mut self, read: Read) -> bool {
        let events = match read.pending {
            Ok(events) => events,
            Err(error) => {
                kernel::warn_limited!(service = self.db.service(), %error, "the outbox can't be read");
                return false;
            }
        };
        if read.looked_at_all {
            self.looked_at_all = Some(Instant::now());
        }
        let filled = events.len() == read.room;
        for event in events {
            self.in_flight.insert(event.position);
            self.read_to = self.read_to.max(event.position);
            let queue = self.queues.entry(event.envelope.key).or_default();
            queue.events.push_back(event);
            if queue.refusals > 0 {
                self.refused_count += 1;
            }
            if queue.events.len() == 1 {
                let key = queue.events[0].envelope.key;
                self.publish_first(key);
            }
        }
        filled
    }

    fn publish_first(&mut self, key: Uuid) {
        if self.is_letting_go {
            return;
        }
        let Some(event) = self.queues.get(&key).and_then(|queue| queue.events.front()) else { return };
        let message = message(event.clone());
        let outcome = self.broker.publish(&self.destination, message);
        self.publishing.push(Box::pin(async move { (key, outcome.await) }));
    }

    /// Handles a confirmation or refusal, and all others that have arrived by now: brokers confirm many at once.
    fn all_confirmed(&mut self, key: Uuid, outcome: PublishResult) {
        self.confirmed(key, outcome);
        while let Some(Some((key, outcome))) = self.publishing.next().now_or_never() {
            self.confirmed(key, outcome);
        }
    }

    /// The first of a key was confirmed or refused: the next goes, or the same goes again, and no other key waits.
    fn confirmed(&mut self, key: Uuid, outcome: PublishResult) {
        let Some(queue) = self.queues.get_mut(&key) else { return };
        if let PublishResult::Stored = outcome {
            if queue.refusals > 0 {
                self.refused_count -= queue.events.len();
            }
            queue.refusals = 0;
            if let Some(event) = queue.events.pop_front() {
                self.metrics.published(self.db.service(), &event.envelope.event_type);
                self.stored.push(event.position);
            }
            if queue.events.is_empty() {
                self.queues.remove(&key);
            } else {
                self.publish_first(key);
            }
            return;
        }
        if queue.refusals == 0 {
            self.refused_count += queue.events.len();
        }
        let wait = (REFUSED_WAIT.0 * 2_u32.saturating_pow(queue.refusals)).min(REFUSED_WAIT.1);
        queue.refusals = (queue.refusals + 1).min(16);
        tracing::debug!(
            service = self.db.service(), destination = %self.destination, %key, ?outcome, ?wait,
            "an event was not stored and will be published again"
        );
        self.refused.push(Box::pin(tokio::time::sleep(wait).map(move |()| key)));
    }

    /// Everything that was stored since the last time, in one statement.
    fn forget_stored(&mut self) {
        if self.stored.is_empty() || !self.forgetting.is_empty() {
            return;
        }
        let positions = std::mem::take(&mut self.stored);
        self.forgetting_count = positions.len();
        let (db, destination, lane) = (self.db.clone(), self.destination.clone(), self.lane);
        self.forgetting.push(Box::pin(async move {
            let result = outbox::sent(&db, destination.as_str(), lane, positions.clone()).await;
            if result.is_err() {
                tokio::time::sleep(REFUSED_WAIT.1).await;
            }
            (positions, result)
        }));
    }

    fn forgotten(&mut self, positions: Vec<i64>, result: Result<(), storage::Error>) {
        self.forgetting_count = 0;
        match result {
            Ok(()) => {
                for position in positions {
                    self.in_flight.remove(&position);
                }
            }
            Err(error) => {
                kernel::warn_limited!(service = self.db.service(), %error, "sent events can't be forgotten yet");
                self.stored.extend(positions);
            }
        }
    }

    /// Forgets what was stored.
    async fn finish(&mut self) {
        while let Some((positions, result)) = self.forgetting.next().await {
            self.forgotten(positions, result);
        }
        if !self.stored.is_empty() {
            let positions = std::mem::take(&mut self.stored);
            if let Err(error) = outbox::sent(&self.db, self.destination.as_str(), self.lane, positions).await {
                kernel::warn_limited!(service = self.db.service(), %error, "sent events will be published again");
            }
        }
    }
}

/// Waits for a read; for ever if there is none.
async fn arrival(reading: &mut Option<BoxFuture<'static, Read>>) -> Read {
    match reading {
        Some(reading) => reading.await,
        None => std::future::pending().await,
    }
}

/// Waits for a change; for ever if the store is gone.
async fn changed(signal: &mut watch::Receiver<()>) {
    if signal.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// An event as it travels.
pub(crate) fn message(event: StoredEvent) -> Message {
    let mut envelope = event.envelope;
    // That of its type today: a version before may have stored it for another, where nobody receives it any more.
    if let Some(known) = events::find(&envelope.event_type) {
        envelope.lane = known.lane;
    }
    Message { envelope, body: event.body.into() }
}
