//! The context that every handler gets.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::idempotency::Idempotency;
use http::overload::{Limits, Overload, YieldsTo};
use http::{Keyring, Network, Origin, Problem};
use kernel::{Cause, Clock, Ids, Shards, Timestamp};
use storage::{Batch, Committed, Db, Error};

use crate::catching_up::CatchingUp;
use crate::on_demand::Bindings;
use crate::telemetry::Metrics;
use crate::traces::Tracer;
use crate::{Backoff, BindError, Selection};

/// Settings that all services share; their units are those of the configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The schedule of retries of failed deliveries.
    pub retry: Backoff,
    /// Attempts before a delivery is parked.
    pub retry_attempts: i64,
    /// Handlers that run at once for each consumer and lane.
    pub workers: usize,
    /// The time that a handler may take; longer than a commit waits for its store.
    pub handler_deadline: Duration,
    /// The time for which ids of handled events are kept.
    pub inbox_retention: Duration,
    /// The greatest age of events that are republished; less than `inbox_retention`.
    pub republish_window: Duration,
    /// The partitions of the keys, shared among the instances of a service.
    pub shards: Shards,
    /// Age of unfinished work from which requests that begin new work are refused. The smallest that a service declares
    /// counts for all.
    pub late_after: Duration,
    /// Unsent events in one store before requests are refused.
    pub outbox_cap: u64,
    /// The limits on requests of guests and customers.
    pub limits: Limits,
    /// Proxies whose word about a client's address is taken.
    pub trusted_proxies: Vec<Network>,
    /// Origins whose pages may read answers.
    pub cors_origins: Vec<Origin>,
}

impl Default for Settings {
    /// The defaults of the configuration, with no proxy trusted.
    fn default() -> Self {
        Self {
            retry: Backoff { base: Duration::from_millis(200), max: Duration::from_mins(5) },
            retry_attempts: 10,
            workers: 8,
            handler_deadline: Duration::from_mins(2),
            inbox_retention: Duration::from_hours(14 * 24),
            republish_window: Duration::from_hours(7 * 24),
            shards: Shards::DEFAULT,
            late_after: Duration::MAX,
            outbox_cap: 1_000_000,
            limits: Limits::DEFAULT,
            trusted_proxies: Vec::new(),
            cors_origins: Vec::new(),
        }
    }
}

/// A service's store, clock, ids and settings, which are those of its [`CtxParts`], and its own state `S`. Cheap to clone:
/// each request does it several times.
pub struct Ctx<S = ()> {
    parts: Arc<CtxParts>,
    /// The state of this service alone, such as a payment provider.
    pub state: Arc<S>,
}

impl<S> Ctx<S> {
    pub(crate) fn new(parts: Arc<CtxParts>, state: Arc<S>) -> Self {
        Self { parts, state }
    }
}

impl<S> Clone for Ctx<S> {
    fn clone(&self) -> Self {
        Self::new(self.parts.clone(), self.state.clone())
    }
}

impl<S> Deref for Ctx<S> {
    type Target = CtxParts;

    fn deref(&self) -> &CtxParts {
        &self.parts
    }
}

/// The parts of a [`Ctx`] that every service has. What runs a service knows these alone, and so is compiled once.
pub struct CtxParts {
    /// The service's store: read from it, commit through [`CtxParts::commit`].
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// New ids, and randomness.
    pub ids: Ids,
    /// The parts that all services share.
    pub settings: Arc<Settings>,
    /// Counters and histograms.
    pub metrics: Arc<Metrics>,
    /// Requests with an `Idempotency-Key`.
    pub idempotency: Idempotency,
    pub(crate) tracer: Tracer,
    pub(crate) keys: Keyring,
    pub(crate) store_unavailable: AtomicBool,
    pub(crate) overload: Overload,
    pub(crate) yields_to: YieldsTo,
    pub(crate) catching_up: CatchingUp,
    pub(crate) bindings: Bindings,
}

impl CtxParts {
    /// 503 `overloaded` while the shop is too far behind for new work. For requests that begin some, before anything
    /// else: those about work that has begun go on.
    pub fn admit(&self) -> Result<(), Problem> {
        self.overload.backlog.admit()
    }

    /// Has events of these types delivered from now on, of those that the service declares to want
    /// [at times](crate::Service::on_demand): none is missed that is emitted after this. Before the commit that makes the
    /// store say that they are wanted; the batch is a part of it.
    ///
    /// While the broker can't be reached it is an error, which answers a request with 503 `broker_unavailable`.
    pub async fn bind(&self, wanted: &Selection) -> Result<Batch, BindError> {
        self.bindings.bind(&self.db, wanted).await
    }

    /// Waits until these events have left the outbox: the broker has them then, and where it is in this process, their
    /// consumers have handled or held them. For a change on which the client's next request to another service relies.
    ///
    /// After [`SENT_WITHIN`] it waits no longer: the events are sent all the same.
    pub async fn until_sent(&self, committed: &Committed) {
        let sent = async {
            // What can't be read now is no reason to refuse what is committed.
            while let Ok(true) = storage::outbox::has_unsent(&self.db, committed.events.clone()).await {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        let _ = tokio::time::timeout(SENT_WITHIN, sent).await;
    }

    /// Waits while other services of the process have many events to handle or many requests are in flight, for ten seconds
    /// at the most, and not later than a minute after `since`: for work that can wait.
    pub async fn yield_to_others(&self, since: Timestamp) {
        self.overload.yielding.wait(YieldsTo::Others, self.clock.now().duration_since(since)).await;
    }

    /// Waits before something is decided again that found its row changed, longer each time: its rival has committed, and
    /// without a pause the next decision would meet the next rival.
    pub async fn between_decisions(&self, tries: i64) {
        tokio::time::sleep(BETWEEN.after(tries, &self.ids)).await;
    }

    /// Executes the batch and records its cause in one transaction; see [`Db::commit`].
    pub async fn commit(&self, batch: Batch, cause: Cause) -> Result<Committed, Error> {
        let outcome = self.db.commit(batch, cause).await;
        self.store_unavailable
            .store(matches!(outcome, Err(Error::Unavailable { .. } | Error::Unknown { .. })), Ordering::Relaxed);
        if let Ok(committed) = &outcome {
            self.metrics.committed(self.db.service(), committed);
        }
        outcome
    }
}

/// The longest wait for events to be sent before a change is answered: far longer than it takes, unless the broker or a
/// consumer is unreachable.
const SENT_WITHIN: Duration = Duration::from_secs(1);

/// The time between two looks into the outbox: a delivery takes a few milliseconds.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// Reads and decisions that may run again before a request is refused as `busy`.
const DECISIONS: i64 = 16;

/// Waits between decisions: short, because what changed the row has committed already.
const BETWEEN: Backoff = Backoff { base: Duration::from_millis(1), max: Duration::from_millis(50) };

/// Runs read, decide and commit of a request again while its commit finds a row changed since it was read.
///
/// After 16 times it answers 503 `busy`.
pub async fn decide<T, F, Fut>(ctx: &CtxParts, mut attempt: F) -> Result<T, Problem>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, Problem>>,
{
    for tries in 1..DECISIONS {
        match attempt().await {
            Err(problem) if problem.is_conflict() => ctx.between_decisions(tries).await,
            decided => return decided,
        }
    }
    attempt().await
}
