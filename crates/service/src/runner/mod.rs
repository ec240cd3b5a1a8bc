//! The consumer: from the broker to a committed effect.
//!
//! One runner serves one service and lane. It takes a window of deliveries and sorts it: duplicates are acknowledged,
//! what belongs behind a held delivery is held too, the rest is handled key by key in order.
//! What fails is held for a retry or parked; only then is it acknowledged.
//! Of a shard that has a backlog nothing live is received until that is handled: see `backlog`.
//! Held deliveries that come due are handled with their attempt counted first, from the second on alone: see `held`.

mod attempt;
mod backlog;
mod held;
mod sets;
mod window;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bus::{Broker, Delivery, Gathered, Message, Subscription};
use http::overload::{ManyEvents, YieldsTo};
use kernel::{Lane, Timestamp, Uuid, made_at};
use tokio::sync::watch;

use crate::membership::{Membership, Share};
use crate::reaction::Handler;
use crate::{CtxParts, History, OnDemand, Operator, Tasks};
use backlog::Behind;

/// Deliveries that are taken at once, and the most that one batch of `handle_many` holds.
pub const WINDOW: usize = 256;

/// The longest sleep: the safety net should a wake-up be missed.
const POLL: Duration = Duration::from_secs(1);

/// The wait before consumption continues when the store or the broker is unavailable, and the bound to which it
/// doubles.
const PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));

/// The reason for parking an event that is no duplicate of the one whose id it has.
const OTHER_BYTES: &str = "the id of a handled event, with other bytes";

/// Handles what arrives for one service in one lane.
pub(crate) struct Runner {
    ctx: Arc<CtxParts>,
    lane: Lane,
    handlers: HashMap<&'static str, Handler>,
    broker: Arc<dyn Broker>,
    share: Share,
    /// The shards that it handles.
    shards: Vec<u16>,
    /// Keys with held deliveries, as far as they are known here.
    held: HashSet<(String, Uuid)>,
    /// The history that comes before all else, in a store that is built anew.
    history: Option<Arc<History>>,
    /// Types of which the broker delivers everything, also what the service does not want now.
    unbound: Option<OnDemand>,
    /// Shards whose backlog comes before what is live.
    behind: Behind,
    /// The window that is being handled is of a backlog.
    handles_backlog: bool,
    /// Shards of which nothing was received since they were taken.
    not_yet_received: HashSet<u16>,
    /// After a crash: how many deliveries of each source may be those that were being handled then.
    suspects: Option<HashMap<String, usize>>,
    busy: Arc<AtomicUsize>,
    /// Wakes the runners of this service when something is held, released or replayed by another.
    wake: watch::Sender<()>,
    /// Number of pauses of consumption since something was handled.
    failures: u32,
}

impl Runner {
    pub fn new(
        ctx: Arc<CtxParts>,
        lane: Lane,
        handlers: HashMap<&'static str, Handler>,
        broker: Arc<dyn Broker>,
        membership: &Membership,
        after_crash: bool,
        operator: &Operator,
    ) -> Self {
        // A broker that marks redeliveries shows by itself what may have caused a crash.
        let suspects = (after_crash && !broker.guarantees().redelivered_flag).then(HashMap::new);
        let share = membership.share(lane);
        Self {
            ctx,
            lane,
            handlers,
            broker,
            share,
            shards: Vec::new(),
            history: None,
            unbound: None,
            behind: Behind::none(),
            handles_backlog: false,
            held: HashSet::new(),
            not_yet_received: HashSet::new(),
            suspects,
            busy: operator.busy.clone(),
            wake: operator.wake.clone(),
            failures: 0,
        }
    }

    /// The lane from which it receives.
    pub fn lane(&self) -> Lane {
        self.lane
    }

    /// Has it handle a history before anything else, of whichever lanes its events are.
    pub fn with_history(self, history: Option<Arc<History>>) -> Self {
        Self { history, ..self }
    }

    /// Has it acknowledge what the service does not want now, as if it had not been delivered.
    pub fn without_unwanted(self, unbound: Option<OnDemand>) -> Self {
        Self { unbound, ..self }
    }

    /// Consumes until the tasks stop; a broken subscription is made again.
    pub async fn run(mut self, tasks: Tasks) {
        let mut wake = self.wake.subscribe();
        while !tasks.is_stopping() {
            let mut subscription = Gathered::new();
            let paused = self.consume(&mut subscription, &mut wake, &tasks).await;
            // What was delivered and is unsettled goes back before anything else is done about these shards.
            subscription.close().await;
            if let Err(reason) = paused {
                kernel::warn_limited!(consumer = self.consumer(), lane = %self.lane, %reason, "consumption pauses");
                self.pause(&tasks).await;
            }
        }
    }

    /// Consumes until the tasks stop; an error says why it has to begin anew.
    async fn consume(
        &mut self,
        subscription: &mut Gathered,
        wake: &mut watch::Receiver<()>,
        tasks: &Tasks,
    ) -> Result<(), String> {
        let mut due = self.take_shards(subscription).await?;
        let mut looked_at_held = Instant::now();
        while !tasks.is_stopping() {
            if !self.share.holds() {
                // The store is unavailable, or this process was frozen: the shards may be another instance's by now.
                return Err("the leases of its shards have ended".to_owned());
            }
            // Beside others, what belongs here may be held, released or replayed by them.
            let may_change = !self.held.is_empty() || !self.share.is_alone();
            if may_change && looked_at_held.elapsed() >= POLL {
                due = self.load_held().await?;
                looked_at_held = Instant::now();
            }
            if due.is_some_and(|due| due <= self.ctx.clock.now()) {
                due = self.work(async |runner| runner.handle_due(tasks).await).await?;
            }
            if self.work(async |runner| runner.handle_behind().await).await? {
                self.open_shards(subscription).await?;
            }
            if !self.behind.is_none() && !self.held.is_empty() {
                due = self.next_due().await;
            }
            let sleep = due.map_or(POLL, |due| {
                let wait = due.duration_since(self.ctx.clock.now());
                Duration::try_from(wait).unwrap_or_default().clamp(Duration::from_millis(1), POLL)
            });
            tokio::select! {
                arrived = subscription.next(WINDOW) => {
                    let deliveries = arrived.map_err(|error| error.to_string())?;
                    self.yield_to_load(&deliveries).await;
                    let _many = self.if_many(deliveries.len());
                    self.work(async |runner| runner.handle_window(subscription, deliveries).await).await?;
                    self.failures = 0;
                    if !self.held.is_empty() {
                        due = self.next_due().await;
                    }
                }
                () = self.share.changed() => due = self.take_shards(subscription).await?,
                _ = wake.changed() => due = self.load_held().await?,
                // The backlog goes on, in turn with what is live of other shards.
                () = tokio::task::yield_now(), if !self.behind.is_none() => {}
                () = tokio::time::sleep(sleep), if self.behind.is_none() => {
                    self.ctx.catching_up.set(self.consumer(), self.lane, false);
                }
                () = tasks.stopping() => {}
            }
        }
        Ok(())
    }

    /// Receives from the shards that it has now, and from no others; answers with when the next held delivery is due.
    async fn take_shards(&mut self, subscription: &mut Gathered) -> Result<Option<Timestamp>, String> {
        let (shards, generation) = self.share.look();
        self.shards = shards;
        // Before anything is received: while the store is unavailable it would only be requeued, again and again, and
        // the broker counts how often. Whoever had these shards before holds nothing more of them by now.
        let due = self.load_held().await?;
        self.look_behind().await?;
        self.not_yet_received.clear();
        let opened = self.open_shards(subscription).await;
        self.share.apply(generation);
        opened?;
        Ok(due)
    }

    /// Receives what is live from the shards that have no backlog, and from no others.
    async fn open_shards(&mut self, subscription: &mut Gathered) -> Result<(), String> {
        let parts: Vec<u16> = match self.broker.shards().count(self.lane) {
            // A broker without shards has one subscription for whoever has anything: it is opened when nothing is
            // behind.
            1 => self.shards.first().filter(|_| self.behind.is_none()).map(|_| 0).into_iter().collect(),
            _ => self.shards.iter().copied().filter(|shard| !self.behind.contains(*shard)).collect(),
        };
        self.not_yet_received.extend(parts.iter().copied());
        let assigned = subscription.assign(&*self.broker, self.consumer(), self.lane, parts).await;
        assigned.map_err(|error| error.to_string())
    }

    /// Work that can wait yields. Its age is that of the oldest request or timer from which it follows: all steps of an
    /// order together wait no longer than one.
    async fn yield_to_load(&self, deliveries: &[Delivery]) {
        let Some(to) = self.yields_to() else { return };
        if let Some(oldest) = deliveries.iter().map(|delivery| began_at(&delivery.message)).min() {
            self.ctx.overload.yielding.wait(to, self.ctx.clock.now().duration_since(oldest)).await;
        }
    }

    /// The load to which its work yields. What is immediate yields to none.
    fn yields_to(&self) -> Option<YieldsTo> {
        (self.lane == Lane::Background).then_some(self.ctx.yields_to)
    }

    /// To be held while a window is handled: others yield while windows are so large that more events wait behind them.
    fn if_many(&self, deliveries: usize) -> Option<ManyEvents> {
        let are_many = self.ctx.yields_to != YieldsTo::Others && deliveries >= WINDOW / 2;
        are_many.then(|| self.ctx.overload.yielding.many_events())
    }

    /// Runs a piece of work that `settled` must wait for.
    async fn work<T>(&mut self, work: impl AsyncFnOnce(&mut Self) -> T) -> T {
        self.busy.fetch_add(1, Ordering::SeqCst);
        let done = work(self).await;
        self.busy.fetch_sub(1, Ordering::SeqCst);
        done
    }

    /// Learns from the store which keys are held; answers with when the next delivery is due.
    async fn load_held(&mut self) -> Result<Option<Timestamp>, String> {
        let unreadable = |error| format!("held deliveries can't be read: {error}");
        let keys = storage::held::keys(&self.ctx.db, self.lane, &self.shards).await.map_err(unreadable)?;
        self.held = keys.into_iter().collect();
        storage::held::next_due(&self.ctx.db, self.lane, &self.shards).await.map_err(unreadable)
    }

    /// The time at which the next held delivery is due; if the store can't be read, the next look will find it.
    async fn next_due(&self) -> Option<Timestamp> {
        storage::held::next_due(&self.ctx.db, self.lane, &self.shards).await.ok().flatten()
    }

    /// Waits before it begins anew, longer each time until something is handled.
    async fn pause(&mut self, tasks: &Tasks) {
        let wait = (PAUSE.0 * 2_u32.saturating_pow(self.failures)).min(PAUSE.1);
        self.failures = (self.failures + 1).min(16);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = tasks.stopping() => {}
        }
    }

    fn consumer(&self) -> &'static str {
        self.ctx.db.service()
    }
}

/// The time at which the request or timer began from which a message follows. It is read from the correlation id.
fn began_at(message: &Message) -> Timestamp {
    let envelope = &message.envelope;
    made_at(envelope.correlation_id).map_or(envelope.time, |began| began.min(envelope.time))
}

#[cfg(test)]
mod tests {
    use kernel::{Clock, Ids, SignedDuration};

    use super::*;

    #[test]
    fn each_step_is_as_old_as_the_request_that_began_it() {
        let (clock, hands) = Clock::mock("2026-01-01T12:00:00Z".parse().unwrap());
        let ids = Ids::new(clock.clone());
        let (request, began) = (ids.next(), clock.now());
        for _step in 0..3 {
            hands.advance(SignedDuration::from_secs(4));
            let mut message = bus::conformance::message("source.happened.v1", Lane::Background, ids.next());
            message.envelope.time = clock.now();
            message.envelope.correlation_id = request;
            assert_eq!(began_at(&message), began, "so all steps together wait no longer than one");
        }
        let mut message = bus::conformance::message("source.happened.v1", Lane::Background, ids.next());
        message.envelope.time = began;
        message.envelope.correlation_id = ids.next();
        assert_eq!(began_at(&message), began, "an id of a later time makes nothing younger");
    }
}
