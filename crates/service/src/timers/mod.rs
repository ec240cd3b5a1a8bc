//! Durable timers: leased in batches, handled side by side, ended by their commit.
//!
//! Here is what a service declares; `run` runs it.

mod run;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use kernel::{Cause, Origin, TimerCause};
use storage::Committed;
use uuid::Uuid;

use crate::{Backoff, Ctx, CtxParts, Failure};

pub(crate) use run::run;

/// A kind of timer, and how it is run.
#[derive(Clone, Copy, Debug)]
pub struct TimerKind {
    /// Its name in the store and in logs.
    pub name: &'static str,
    /// The time that one attempt may take. When the lease ends, the timer is due again.
    pub lease: Duration,
    /// Timers of this kind that are handled at once.
    pub concurrency: usize,
    /// The schedule of retries.
    pub retry: Backoff,
}

impl TimerKind {
    /// A timer that only decides and commits.
    pub const fn internal(name: &'static str) -> Self {
        Self {
            name,
            lease: Duration::from_secs(30),
            concurrency: 256,
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
    /// Number of attempts that began, this one included. Above 1 an earlier attempt may have done anything: look before
    /// repeating.
    pub attempts: i64,
    /// Its subject.
    pub key: Uuid,
    cause: TimerCause,
}

impl Timer {
    pub(crate) fn new(cause: TimerCause) -> Self {
        Self { attempts: cause.attempts, key: cause.key, cause }
    }

    /// The cause of the commit: it ends the timer, if the lease still holds.
    pub fn cause(self) -> Cause {
        Cause::Timers(vec![self.cause])
    }

    /// The same for a commit that is tried again where it meets a conflict: then it wrote nothing, and ended nothing.
    pub fn end(&self) -> Cause {
        Cause::Timers(vec![self.cause.clone()])
    }

    /// The origin of the timer.
    pub fn origin(&self) -> &Origin {
        &self.cause.origin
    }
}

/// The cause of the commit that ends all of these, if every lease still holds.
pub fn ends(timers: Vec<Timer>) -> Cause {
    Cause::Timers(timers.into_iter().map(|timer| timer.cause).collect())
}

/// The cause of a first commit about these: it ends none, and is refused if a lease was lost.
pub fn holds<'a>(timers: impl IntoIterator<Item = &'a Timer>) -> Cause {
    Cause::Leases(timers.into_iter().map(|timer| timer.cause.clone()).collect())
}

/// The handling of one timer.
type Handled = BoxFuture<'static, Result<(), Failure>>;

/// The work that is left for each timer of a set, beside those that are done.
type Left = Vec<(Uuid, Handled)>;

type Begin = Arc<dyn Fn(Arc<CtxParts>, Vec<Timer>) -> BoxFuture<'static, Result<Left, Failure>> + Send + Sync>;

/// A kind of timer with its handler.
pub(crate) struct ErasedTimer {
    pub kind: TimerKind,
    /// Does what is done for a whole set at once, which happens for all of it or for none.
    begin: Begin,
}

impl ErasedTimer {
    /// Each alone.
    pub fn one<S, F, Fut>(kind: TimerKind, state: &Arc<S>, handle: F) -> Self
    where
        S: Send + Sync + 'static,
        F: Fn(Ctx<S>, Timer) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Committed, Failure>> + Send + 'static,
    {
        let state = state.clone();
        let begin = move |parts: Arc<CtxParts>, timers: Vec<Timer>| {
            let ctx = Ctx::new(parts, state.clone());
            let left = timers.into_iter().map(|timer| (timer.key, done(handle(ctx.clone(), timer)))).collect();
            std::future::ready(Ok(left)).boxed()
        };
        Self { kind, begin: Arc::new(begin) }
    }

    /// All that are leased together, by one commit.
    pub fn many<S, F, Fut>(kind: TimerKind, state: &Arc<S>, handle: F) -> Self
    where
        S: Send + Sync + 'static,
        F: Fn(Ctx<S>, Vec<Timer>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Committed, Failure>> + Send + 'static,
    {
        let state = state.clone();
        let begin = move |parts: Arc<CtxParts>, timers: Vec<Timer>| {
            let handled = done(handle(Ctx::new(parts, state.clone()), timers));
            async move { handled.await.map(|()| Left::new()) }.boxed()
        };
        Self { kind, begin: Arc::new(begin) }
    }

    /// First all that are leased together, then each that is left with what was found for it.
    pub fn staged<S, T, F, FirstFut, G, ThenFut>(kind: TimerKind, state: &Arc<S>, first: F, then: G) -> Self
    where
        S: Send + Sync + 'static,
        T: Send + 'static,
        F: Fn(Ctx<S>, Vec<Timer>) -> FirstFut + Send + Sync + 'static,
        FirstFut: Future<Output = Result<Vec<(Timer, T)>, Failure>> + Send + 'static,
        G: Fn(Ctx<S>, Timer, T) -> ThenFut + Send + Sync + 'static,
        ThenFut: Future<Output = Result<Committed, Failure>> + Send + 'static,
    {
        let (state, then) = (state.clone(), Arc::new(then));
        let begin = move |parts: Arc<CtxParts>, timers: Vec<Timer>| {
            let ctx = Ctx::new(parts, state.clone());
            let (found, then) = (first(ctx.clone(), timers), then.clone());
            async move {
                let left = found.await?.into_iter();
                Ok(left.map(|(timer, found)| (timer.key, done(then(ctx.clone(), timer, found)))).collect())
            }
            .boxed()
        };
        Self { kind, begin: Arc::new(begin) }
    }
}

fn done(handled: impl Future<Output = Result<Committed, Failure>> + Send + 'static) -> Handled {
    async move { handled.await.map(|_committed| ()) }.boxed()
}
