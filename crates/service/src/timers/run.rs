//! Running one kind of timer.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, Fuse, FusedFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use http::overload::YieldsTo;
use kernel::{SignedDuration, TimerCause, panic_text};
use storage::TimerWakeUp;
use tokio::sync::watch;
use uuid::Uuid;

use super::{Begin, ErasedTimer, Handled, Left, Timer, TimerKind};
use crate::traces::{End, Span, SpanKind};
use crate::{CtxParts, Failure, Tasks};

/// The longest sleep: the safety net should a wake-up be missed.
const POLL: Duration = Duration::from_secs(1);

/// The wait before an unavailable store is asked again to end a lease.
const STORE_UNAVAILABLE: Duration = Duration::from_millis(500);

/// Reads and decisions of one timer that may find their row changed before it counts as failed.
const DECISIONS: i64 = 50;

/// Timers that are many where more wait behind them.
const MANY: usize = 16;

/// Runs one kind of timer until the tasks stop.
pub(crate) async fn run(ctx: Arc<CtxParts>, timer: ErasedTimer, mut wake: watch::Receiver<()>, tasks: Tasks) {
    let signal = ctx.db.timer_signal(timer.kind.name);
    let worker = Worker { ctx, kind: timer.kind, begin: timer.begin, lease_ends: Instant::now() };
    let mut running: FuturesUnordered<BoxFuture<'static, TimerProgress>> = FuturesUnordered::new();
    // Beside what is running, which goes on while the store is asked.
    let mut looking: Fuse<BoxFuture<'static, Look>> = Fuse::terminated();
    let mut free = worker.kind.concurrency;
    let mut may_be_due = true;
    let mut look_at = Instant::now();
    while !tasks.is_stopping() {
        if may_be_due && looking.is_terminated() && free > worker.kind.concurrency / 2 {
            may_be_due = false;
            looking = worker.clone().look(signal.clone(), free).boxed().fuse();
        }
        tokio::select! {
            Some(progress) = running.next() => {
                free += progress.ended;
                running.extend(progress.left);
            }
            look = &mut looking, if !looking.is_terminated() => {
                if look.are_many {
                    worker.ctx.overload.yielding.note_many_events();
                }
                free -= look.leased;
                running.extend(look.handling);
                match look.next_in {
                    Some(wait) => look_at = Instant::now() + wait,
                    None => may_be_due = true,
                }
            }
            () = signal.earlier(), if !may_be_due => may_be_due = true,
            _ = wake.changed() => may_be_due = true,
            // A point in time, not a wait: what ends meanwhile must not put it off.
            () = tokio::time::sleep_until(look_at.into()), if !may_be_due && looking.is_terminated() => may_be_due = true,
            () = tasks.stopping() => {}
        }
    }
    if !looking.is_terminated() {
        running.extend(looking.await.handling);
    }
    while let Some(progress) = running.next().await {
        running.extend(progress.left);
    }
}

/// The result of a look into the store.
struct Look {
    /// Number of timers that were leased.
    leased: usize,
    /// True if more wait behind many that are handled at once: others yield while such looks follow one another quickly. They
    /// do not where the timers wait for something outside.
    are_many: bool,
    /// The handling of them.
    handling: Option<BoxFuture<'static, TimerProgress>>,
    /// The time until the next look, unless one is set meanwhile; none if there may be more that are due now.
    next_in: Option<Duration>,
}

/// A leased timer and the span of this attempt at it, which is what the timer's commit hands on.
struct Attempt {
    cause: TimerCause,
    span: Span,
}

/// The result of one piece of handling: the number of timers that it ended, and the work that is left for others.
struct TimerProgress {
    ended: usize,
    left: Vec<BoxFuture<'static, TimerProgress>>,
}

impl TimerProgress {
    const ENDED: Self = Self { ended: 1, left: Vec::new() };
}

#[derive(Clone)]
struct Worker {
    ctx: Arc<CtxParts>,
    kind: TimerKind,
    begin: Begin,
    /// The time at which the lease of what it handles ends, by the clock of this machine.
    lease_ends: Instant,
}

impl Worker {
    /// Leases what is due, at most `limit`, for this worker to handle.
    async fn look(mut self, signal: Arc<TimerWakeUp>, limit: usize) -> Look {
        self.lease_ends = Instant::now() + self.kind.lease;
        let leased = self.lease(&signal, limit).await;
        let count = leased.len();
        let next_in = if count == limit { None } else { Some(self.until_next(&signal).await) };
        let are_many = self.ctx.yields_to != YieldsTo::Others && count == limit && count >= MANY;
        let handling = (count > 0).then(|| self.attempt_set(leased).boxed());
        Look { leased: count, are_many, handling, next_in }
    }

    /// Leases what is due, at most `limit`.
    async fn lease(&self, signal: &TimerWakeUp, limit: usize) -> Vec<TimerCause> {
        let (name, now) = (self.kind.name, self.ctx.clock.now());
        if signal.next_due() > now {
            // Only a look: a lease writes, and most looks find nothing.
            signal.forget();
            match storage::timers::next_due(&self.ctx.db, name).await {
                Ok(Some(due_at)) if due_at > now => {
                    signal.known(due_at);
                    return Vec::new();
                }
                Ok(None) => return Vec::new(),
                Ok(Some(_)) | Err(_) => {}
            }
        }
        let until = now + SignedDuration::try_from(self.kind.lease).expect("a lease is minutes long");
        let rows = i64::try_from(limit).expect("the concurrency is small");
        signal.forget();
        storage::timers::lease(&self.ctx.db, name, now, until, rows).await.unwrap_or_else(|error| {
            kernel::warn_limited!(timer = name, %error, "timers can't be leased");
            Vec::new()
        })
    }

    /// The time until a timer comes due, unless one is set meanwhile.
    async fn until_next(&self, signal: &TimerWakeUp) -> Duration {
        if let Ok(Some(due_at)) = storage::timers::next_due(&self.ctx.db, self.kind.name).await {
            signal.known(due_at);
        }
        let wait = signal.next_due().duration_since(self.ctx.clock.now());
        Duration::try_from(wait).unwrap_or_default().clamp(Duration::from_millis(1), POLL)
    }

    /// Handles what was leased together. If that fails, each alone shows whose fault it is.
    async fn attempt_set(self, leased: Vec<TimerCause>) -> TimerProgress {
        let attempts: Vec<Attempt> = leased.into_iter().map(|cause| self.begin_span(cause)).collect();
        let began = self.begin(attempts.iter()).await;
        let mut attempts: HashMap<Uuid, Attempt> = attempts.into_iter().map(|it| (it.cause.key, it)).collect();
        let mut left: Vec<BoxFuture<'static, TimerProgress>> = Vec::new();
        match began {
            Ok(handled) => {
                for (key, handled) in handled {
                    let Some(attempt) = attempts.remove(&key) else { continue };
                    left.push(self.clone().attempt_left(attempt, handled).boxed());
                }
                for attempt in attempts.values() {
                    self.end_span(attempt, &Ok(()));
                }
                TimerProgress { ended: attempts.len(), left }
            }
            Err(failure) => {
                let is_everyones = match failure {
                    Failure::Conflict(_) => false,
                    Failure::StoreUnavailable(_) => true,
                    _ => attempts.len() == 1,
                };
                for attempt in attempts.into_values() {
                    let (worker, failure) = (self.clone(), failure.clone());
                    left.push(if is_everyones {
                        async move { worker.finish(&attempt, Err(failure)).await }.boxed()
                    } else {
                        worker.attempt_one(attempt).boxed()
                    });
                }
                TimerProgress { ended: 0, left }
            }
        }
    }

    /// The rest of one timer of a set.
    async fn attempt_left(self, attempt: Attempt, handled: Handled) -> TimerProgress {
        match self.within_lease(handled).await {
            // Decided on what has changed since: read and decide again.
            Err(Failure::Conflict(_)) => self.attempt_one(attempt).await,
            outcome => self.finish(&attempt, outcome).await,
        }
    }

    async fn attempt_one(self, attempt: Attempt) -> TimerProgress {
        let mut outcome = Ok(());
        for tries in 1..=DECISIONS {
            outcome = self.handle(&attempt).await;
            if !matches!(outcome, Err(Failure::Conflict(_))) {
                break;
            }
            self.ctx.between_decisions(tries).await;
        }
        self.finish(&attempt, outcome).await
    }

    async fn handle(&self, attempt: &Attempt) -> Result<(), Failure> {
        match self.begin(std::iter::once(attempt)).await?.pop() {
            Some((_, handled)) => self.within_lease(handled).await,
            None => Ok(()),
        }
    }

    async fn begin(&self, attempts: impl Iterator<Item = &Attempt>) -> Result<Left, Failure> {
        let timers = attempts.map(|attempt| Timer::new(attempt.cause.clone())).collect();
        let (ctx, begin) = (self.ctx.clone(), self.begin.clone());
        // The call itself is inside too, for a handler may panic before it is first polled.
        self.within_lease(async move { begin(ctx, timers).await }).await
    }

    async fn within_lease<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let caught = AssertUnwindSafe(work).catch_unwind();
        match tokio::time::timeout_at(self.lease_ends.into(), caught).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(panic)) => Err(Failure::Retry(format!("the handler panicked: {}", panic_text(&*panic)))),
            Err(_) => Err(Failure::Retry(format!("the handler took longer than its lease of {:?}", self.kind.lease))),
        }
    }

    /// A timer that failed comes due again, later each time; it is never dropped, for it stands for a promise.
    async fn finish(&self, attempt: &Attempt, outcome: Result<(), Failure>) -> TimerProgress {
        self.end_span(attempt, &outcome);
        let cause = &attempt.cause;
        let store_is_unavailable = matches!(outcome, Err(Failure::StoreUnavailable(_)));
        let reason = match outcome {
            Ok(()) | Err(Failure::AlreadyDone) => return TimerProgress::ENDED,
            Err(
                Failure::Retry(reason)
                | Failure::Park(reason)
                | Failure::Conflict(reason)
                | Failure::StoreUnavailable(reason),
            ) => reason,
        };
        let wait = self.kind.retry.after(cause.attempts, &self.ctx.ids);
        let service = self.ctx.db.service();
        if store_is_unavailable {
            kernel::warn_limited!(service, timer = self.kind.name, %reason, "timers wait for the store");
        } else {
            tracing::warn!(
                service,
                timer = self.kind.name,
                key = %cause.key,
                attempts = cause.attempts,
                retry_in_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                %reason,
                "a timer failed and will be tried again"
            );
        }
        let due_at = self.ctx.clock.now() + SignedDuration::try_from(wait).expect("a backoff is minutes long");
        while let Err(error) = storage::timers::defer(&self.ctx.db, cause, due_at).await {
            if Instant::now() >= self.lease_ends {
                kernel::warn_limited!(timer = self.kind.name, %error, "a failed timer could not be deferred; its lease has ended");
                break;
            }
            // The store is unavailable. Once it is back, nobody should wait until the lease ends.
            tokio::time::sleep(STORE_UNAVAILABLE).await;
        }
        self.ctx.db.timer_signal(self.kind.name).set(due_at);
        TimerProgress::ENDED
    }

    /// Begins the span of an attempt. Events that the timer's commit emits follow from it.
    fn begin_span(&self, mut cause: TimerCause) -> Attempt {
        let span = self.ctx.tracer.begin(cause.origin.traceparent);
        cause.origin.traceparent = span.carried;
        Attempt { cause, span }
    }

    fn end_span(&self, attempt: &Attempt, outcome: &Result<(), Failure>) {
        let Attempt { cause, span } = attempt;
        let (result, reason) = match outcome {
            Ok(()) => ("done", None),
            Err(Failure::AlreadyDone) => ("duplicate", None),
            Err(
                Failure::Retry(reason)
                | Failure::Park(reason)
                | Failure::Conflict(reason)
                | Failure::StoreUnavailable(reason),
            ) => ("retried", Some(reason.clone())),
        };
        let service = self.ctx.db.service();
        let known = || End {
            name: format!("{service}.{}", self.kind.name),
            kind: SpanKind::Internal,
            service,
            attributes: vec![
                ("tradepost.timer", self.kind.name.into()),
                ("tradepost.key", cause.key.to_string().into()),
                ("tradepost.correlation_id", cause.origin.correlation_id.to_string().into()),
                ("tradepost.outcome", result.into()),
                ("tradepost.attempts", cause.attempts.into()),
            ],
            error: reason,
        };
        self.ctx.tracer.end(*span, known);
    }
}
