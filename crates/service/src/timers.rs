//! Durable timers: leased in batches, handled side by side, ended by their commit.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use kernel::{Cause, Origin, SignedDuration, TimerCause};
use storage::Committed;
use tokio::sync::watch;
use uuid::Uuid;

use crate::runner::panic_text;
use crate::{Backoff, Ctx, Failure, Tasks};

/// A kind of timer, and how it is run.
#[derive(Clone, Copy, Debug)]
pub struct TimerKind {
    /// Its name in the store and in logs.
    pub name: &'static str,
    /// How long one attempt may take. When the lease ends, the timer is due again.
    pub lease: Duration,
    /// Timers of this kind that are handled at once.
    pub concurrency: usize,
    /// When to try again after a failure.
    pub retry: Backoff,
}

impl TimerKind {
    /// A timer that only decides and commits.
    pub const fn internal(name: &'static str) -> Self {
        Self {
            name,
            lease: Duration::from_secs(30),
            concurrency: 64,
            retry: Backoff { base: Duration::from_millis(200), max: Duration::from_mins(1) },
        }
    }

    /// A timer whose handler calls something outside, for at most 30 s.
    pub const fn external(name: &'static str) -> Self {
        Self {
            name,
            lease: Duration::from_mins(1),
            concurrency: 64,
            retry: Backoff { base: Duration::from_millis(500), max: Duration::from_mins(5) },
        }
    }
}

/// A timer whose time has come, leased to this handler.
#[derive(Debug)]
pub struct Timer {
    /// How often it was begun, this time included. Above 1 an earlier attempt may have got anywhere: look before repeating.
    pub attempts: i64,
    /// What it is about.
    pub key: Uuid,
    cause: TimerCause,
}

impl Timer {
    /// What the commit answers: it ends the timer, if the lease still holds.
    pub fn cause(self) -> Cause {
        Cause::Timer(self.cause)
    }

    /// What set the timer.
    pub fn origin(&self) -> &Origin {
        &self.cause.origin
    }
}

type Handled = BoxFuture<'static, Result<Committed, Failure>>;

pub(crate) struct ErasedTimer<S> {
    pub kind: TimerKind,
    handle: Arc<dyn Fn(Ctx<S>, Timer) -> Handled + Send + Sync>,
}

impl<S: Clone + Send + Sync + 'static> ErasedTimer<S> {
    pub fn new<F, Fut>(kind: TimerKind, handle: F) -> Self
    where
        F: Fn(Ctx<S>, Timer) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Committed, Failure>> + Send + 'static,
    {
        Self { kind, handle: Arc::new(move |ctx, timer| Box::pin(handle(ctx, timer))) }
    }
}

/// The longest sleep: the safety net should a wake-up be missed.
const POLL: Duration = Duration::from_secs(1);

/// The wait before a store that is away is asked again to end a lease.
const STORE_AWAY: Duration = Duration::from_millis(500);

/// Reads and decisions of one timer that may find their row changed before it counts as failed.
const DECISIONS: usize = 50;

/// Runs one kind of timer until the tasks stop.
pub(crate) async fn run<S: Clone + Send + Sync + 'static>(
    ctx: Ctx<S>,
    timer: ErasedTimer<S>,
    mut wake: watch::Receiver<()>,
    tasks: Tasks,
) {
    let mut set = ctx.db.timers_signal();
    let mut running = FuturesUnordered::new();
    while !tasks.is_stopping() {
        let free = timer.kind.concurrency.saturating_sub(running.len());
        let mut leased_all = false;
        if free > timer.kind.concurrency / 2 {
            set.mark_unchanged();
            let leased = lease(&ctx, &timer.kind, free).await;
            leased_all = leased.len() < free;
            running.extend(leased.into_iter().map(|cause| attempt(ctx.clone(), &timer, cause)));
        }
        if !leased_all && running.len() < timer.kind.concurrency / 2 {
            continue;
        }
        let sleep = until_next(&ctx, timer.kind.name).await;
        tokio::select! {
            Some(()) = running.next() => {}
            _ = set.changed() => {}
            _ = wake.changed() => {}
            () = tokio::time::sleep(sleep) => {}
            () = tasks.stopping() => {}
        }
    }
    while running.next().await.is_some() {}
}

async fn lease<S>(ctx: &Ctx<S>, kind: &TimerKind, limit: usize) -> Vec<TimerCause> {
    let now = ctx.clock.now();
    if storage::timers::next_due(&ctx.db, kind.name).await.is_ok_and(|due| due.is_none_or(|due| due > now)) {
        return Vec::new();
    }
    let until = now + SignedDuration::try_from(kind.lease).expect("a lease is minutes long");
    let limit_rows = i64::try_from(limit).expect("the concurrency is small");
    match storage::timers::lease(&ctx.db, kind.name, now, until, limit_rows).await {
        Ok(leased) => leased,
        Err(error) => {
            tracing::warn!(timer = kind.name, %error, "timers can't be leased");
            Vec::new()
        }
    }
}

async fn until_next<S>(ctx: &Ctx<S>, name: &'static str) -> Duration {
    match storage::timers::next_due(&ctx.db, name).await {
        Ok(Some(due)) => {
            let wait = due.duration_since(ctx.clock.now());
            Duration::try_from(wait).unwrap_or_default().clamp(Duration::from_millis(1), POLL)
        }
        Ok(None) | Err(_) => POLL,
    }
}

fn attempt<S: Clone + Send + Sync + 'static>(
    ctx: Ctx<S>,
    timer: &ErasedTimer<S>,
    cause: TimerCause,
) -> impl Future<Output = ()> + Send + use<S> {
    let (kind, handle) = (timer.kind, timer.handle.clone());
    async move {
        let outcome = handle_until_decided(&ctx, &kind, &*handle, &cause).await;
        finish(&ctx, &kind, &cause, outcome).await;
    }
}

async fn handle_until_decided<S: Clone>(
    ctx: &Ctx<S>,
    kind: &TimerKind,
    handle: &(dyn Fn(Ctx<S>, Timer) -> Handled + Send + Sync),
    cause: &TimerCause,
) -> Result<(), Failure> {
    let mut outcome = Ok(());
    for _ in 0..DECISIONS {
        let timer = Timer { attempts: cause.attempts, key: cause.key, cause: cause.clone() };
        let handled = AssertUnwindSafe(handle(ctx.clone(), timer)).catch_unwind();
        outcome = match tokio::time::timeout(kind.lease, handled).await {
            Ok(Ok(Ok(_committed))) => return Ok(()),
            Ok(Ok(Err(failure))) => Err(failure),
            Ok(Err(panic)) => Err(Failure::Retry(format!("the handler panicked: {}", panic_text(&*panic)))),
            Err(_) => Err(Failure::Retry(format!("the handler took longer than its lease of {:?}", kind.lease))),
        };
        if !matches!(outcome, Err(Failure::Conflict(_))) {
            break;
        }
    }
    outcome
}

/// A timer that failed comes due again, later each time; it is never given up, for it stands for a promise.
async fn finish<S>(ctx: &Ctx<S>, kind: &TimerKind, cause: &TimerCause, outcome: Result<(), Failure>) {
    let reason = match outcome {
        Ok(()) | Err(Failure::AlreadyDone) => return,
        Err(
            Failure::Retry(reason) | Failure::Park(reason) | Failure::Conflict(reason) | Failure::StoreAway(reason),
        ) => reason,
    };
    let wait = kind.retry.after(cause.attempts, &ctx.ids);
    tracing::warn!(
        service = ctx.db.service(),
        timer = kind.name,
        key = %cause.key,
        attempts = cause.attempts,
        retry_in_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
        %reason,
        "a timer failed and will be tried again"
    );
    let due_at = ctx.clock.now() + SignedDuration::try_from(wait).expect("a backoff is minutes long");
    let lease_ends = Instant::now() + kind.lease;
    while let Err(error) = storage::timers::defer(&ctx.db, cause, due_at).await {
        if Instant::now() >= lease_ends {
            tracing::warn!(timer = kind.name, %error, "a failed timer could not be deferred; its lease has ended");
            return;
        }
        // The store is away. Once it is back, nobody should have to wait until the lease ends.
        tokio::time::sleep(STORE_AWAY).await;
    }
}
