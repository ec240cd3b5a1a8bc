//! The description of a service.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use events::SigningKeyPublished;
use futures_util::future::BoxFuture;
use http::auth::Caller;
use http::overload::YieldsTo;
use http::{ObjectToken, Policy, Routes};
use kernel::Event;
use storage::{Committed, Db, Migrations, Registered};
use utoipa_axum::router::UtoipaMethodRouter;
use uuid::Uuid;

use crate::operator::{AccessFn, StateFn, StopFn, SubjectState, SumsFn};
use crate::reaction::Reaction;
use crate::setting::AnySetting;
use crate::telemetry::{Counter, Register};
use crate::timers::{ErasedTimer, Timer, TimerKind};
use crate::{
    CannotStart, Ctx, CtxParts, Delivery, Failure, OnDemand, Selection, Tasks, accounts, on_account_changed,
    on_signing_key_published,
};

/// A service: its name, its tables, and on one screen its routes, reactions and timers.
///
/// `S` is the state that only its handlers see.
#[must_use]
pub struct Service<S = ()> {
    pub(crate) definition: Definition,
    pub(crate) routes: Routes<Ctx<S>>,
    pub(crate) state: Arc<S>,
}

/// A service without its routes. Its handlers are bound to its state where they are declared, so that the type of the
/// state is gone here: what runs services is compiled once, and not for each of them (ADR 42).
pub(crate) struct Definition {
    pub name: &'static str,
    pub migrations: Migrations,
    pub statements: &'static [Registered],
    pub reactions: Vec<Reaction>,
    pub on_demand: Option<OnDemand>,
    pub timers: Vec<ErasedTimer>,
    pub access: Option<AccessFn>,
    pub sums: Option<SumsFn>,
    pub state: Option<StateFn>,
    pub at_start: Vec<AtStart>,
    pub settings: &'static [&'static dyn AnySetting],
    pub counters: Vec<Register>,
    pub late_after: Option<Duration>,
    pub object_token: Option<&'static ObjectToken>,
    pub is_projection: bool,
    pub yields_to: YieldsTo,
    pub at_stop: Option<StopFn>,
    pub tasks: Vec<Task>,
}

/// The reactions that every service has.
fn common_reactions() -> Vec<Reaction> {
    let no_state = Arc::new(());
    let to_key = Reaction::one::<_, SigningKeyPublished, _, _>(&no_state, on_signing_key_published::handle);
    Reaction::of_all(&no_state, &accounts::types(), on_account_changed::handle).chain([to_key]).collect()
}

/// Work that goes on beside reactions and timers.
type Task = Box<dyn FnOnce(Arc<CtxParts>, Tasks) -> BoxFuture<'static, ()> + Send>;

type AtStart = Box<dyn FnOnce(Arc<CtxParts>) -> BoxFuture<'static, Result<(), CannotStart>> + Send>;

impl<S: Send + Sync + 'static> Service<S> {
    /// A service without routes or timers. Its only reactions are those of every service: it learns the keys by which
    /// it checks tokens, and the accounts that are banned or have roles.
    pub fn new(name: &'static str, migrations: Migrations, statements: &'static [Registered], state: S) -> Self {
        let definition = Definition {
            name,
            migrations,
            statements,
            reactions: common_reactions(),
            on_demand: None,
            timers: Vec::new(),
            access: None,
            sums: None,
            state: None,
            at_start: Vec::new(),
            settings: &[],
            counters: Vec::new(),
            late_after: None,
            object_token: None,
            is_projection: false,
            yields_to: YieldsTo::Requests,
            at_stop: None,
            tasks: Vec::new(),
        };
        Self { definition, routes: Routes::new(), state: Arc::new(state) }
    }

    /// Declares the settings that it reads.
    pub fn settings(mut self, settings: &'static [&'static dyn AnySetting]) -> Self {
        self.definition.settings = settings;
        self
    }

    /// Declares a counter: it is shown from the start.
    pub fn counter<const N: usize>(mut self, counter: &Counter<N>) -> Self {
        self.definition.counters.push(counter.register());
        self
    }

    /// Declares the age of unfinished work, of whatever service, from which requests that begin new work are refused.
    pub fn late_after(mut self, age: Duration) -> Self {
        self.definition.late_after = Some(age);
        self
    }

    /// Declares a token that opens one of its objects to whoever has it, for routes with [`Policy::Own`].
    pub fn object_token(mut self, token: &'static ObjectToken) -> Self {
        self.definition.object_token = Some(token);
        self
    }

    /// Adds routes with their descriptions, and who may call them: `http::routes!(get, patch)` of one path.
    pub fn routes(mut self, policy: Policy, routes: UtoipaMethodRouter<Ctx<S>>) -> Self {
        self.routes = self.routes.add(policy, routes);
        self
    }

    /// Reacts to an event, one delivery at a time.
    pub fn on<E: Event>(mut self, handle: impl AsyncHandler<(Ctx<S>, Delivery<E>)>) -> Self {
        let reaction = Reaction::one::<S, E, _, _>(&self.state, move |ctx, delivery| handle.call((ctx, delivery)));
        reaction.add(&mut self.definition.reactions);
        self
    }

    /// Reacts to an event, many deliveries at a time: read the set, decide in order, commit one batch.
    pub fn on_many<E: Event>(mut self, handle: impl AsyncHandler<(Ctx<S>, Vec<Delivery<E>>)>) -> Self {
        let reaction = Reaction::many::<S, E, _, _>(&self.state, move |ctx, deliveries| handle.call((ctx, deliveries)));
        reaction.add(&mut self.definition.reactions);
        self
    }

    /// Reacts to all types of a selection with one handler, one delivery at a time. The bodies are as they were sent;
    /// the envelope names the type. A type to which the service reacts by [`on`](Self::on) or
    /// [`on_many`](Self::on_many) stays with that reaction, for a service handles each event once.
    ///
    /// That is so for `SigningKeyPublished`, to which every service has a reaction of its own. A selection may name the
    /// types about an account's standing: the service keeps what they say before it calls the handler.
    pub fn on_any(mut self, selection: &Selection, handle: impl AsyncHandler<(Ctx<S>, Delivery<Bytes>)>) -> Self {
        for reaction in Reaction::any(&self.state, selection, move |ctx, delivery| handle.call((ctx, delivery))) {
            reaction.add(&mut self.definition.reactions);
        }
        self
    }

    /// Reacts to all types of a selection with one handler, many deliveries at a time: read the set, decide in order, commit
    /// one batch. They are of one lane and of any types and keys; those of a key are in their order, one behind the other.
    ///
    /// A set that fails is handled again without what follows within a key, and then one by one: each alone shows which
    /// fails, and only its key waits. For the rest it is as with [`on_any`](Self::on_any).
    pub fn on_any_many(
        mut self,
        selection: &Selection,
        handle: impl AsyncHandler<(Ctx<S>, Vec<Delivery<Bytes>>)>,
    ) -> Self {
        let handle = move |ctx, deliveries| handle.call((ctx, deliveries));
        for reaction in Reaction::any_many(&self.state, selection, handle) {
            reaction.add(&mut self.definition.reactions);
        }
        self
    }

    /// Declares that it wants types to which it reacts only at times, and how its store says which it wants now: a broker
    /// that routes events delivers no others of them, and no history of them is copied. A handler that adds to what is
    /// wanted calls [`CtxParts::bind`]. A handler of deliveries may get more than is wanted now.
    pub fn on_demand<F, Fut>(mut self, selection: &Selection, wanted: F) -> Self
    where
        F: Fn(Db) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Selection, storage::Error>> + Send + 'static,
    {
        // What every service reacts to it always wants.
        let always = accounts::types().and(Selection::of::<SigningKeyPublished>());
        self.definition.on_demand = Some(OnDemand::new(selection, &always, wanted));
        self
    }

    /// Handles a kind of durable timer.
    pub fn timer(mut self, kind: TimerKind, handle: impl AsyncHandler<(Ctx<S>, Timer)>) -> Self {
        let timer = ErasedTimer::one(kind, &self.state, move |ctx, timer| handle.call((ctx, timer)));
        self.definition.timers.push(timer);
        self
    }

    /// Handles a kind of durable timer, many at a time: read the set, decide each, commit one batch.
    pub fn timer_many(mut self, kind: TimerKind, handle: impl AsyncHandler<(Ctx<S>, Vec<Timer>)>) -> Self {
        let timer = ErasedTimer::many(kind, &self.state, move |ctx, timers| handle.call((ctx, timers)));
        self.definition.timers.push(timer);
        self
    }

    /// Handles a kind of durable timer that calls something outside: `first` reads a set, commits what must be
    /// there before the call, and answers with those that are to go on; `then` handles each of them, side by side.
    /// Those that `first` leaves out must be ended by its commit.
    pub fn timer_staged<T, FirstFut, ThenFut>(
        mut self,
        kind: TimerKind,
        first: impl Fn(Ctx<S>, Vec<Timer>) -> FirstFut + Send + Sync + 'static,
        then: impl Fn(Ctx<S>, Timer, T) -> ThenFut + Send + Sync + 'static,
    ) -> Self
    where
        T: Send + 'static,
        FirstFut: Future<Output = Result<Vec<(Timer, T)>, Failure>> + Send + 'static,
        ThenFut: Future<Output = Result<Committed, Failure>> + Send + 'static,
    {
        self.definition.timers.push(ErasedTimer::staged(kind, &self.state, first, then));
        self
    }

    /// Declares that the service is a projection: what its tables hold follows from the events to which it reacts, and from
    /// nothing else, so that `tradepost rebuild` may build them anew. One that emits events or has timers is none.
    pub fn projection(mut self) -> Self {
        self.definition.is_projection = true;
        self
    }

    /// Declares that nothing of the shop waits for what this service does. Its reactions in the background lane wait while
    /// other services of the process have many events to handle, until a minute after the request or timer from which an
    /// event follows, and no request is refused because it is late (ADR 44). A timer with a queue of its own calls
    /// [`CtxParts::yield_to_others`].
    pub fn yields_to_others(mut self) -> Self {
        self.definition.yields_to = YieldsTo::Others;
        self
    }

    /// Runs once at each start, in the order in which such steps were added: the store is open, and nothing is answered
    /// or handled before it is done. A refusal ends the start.
    pub fn at_start<F, Fut>(mut self, run: F) -> Self
    where
        F: FnOnce(Ctx<S>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), CannotStart>> + Send + 'static,
    {
        let state = self.state.clone();
        self.definition.at_start.push(Box::new(move |parts| Box::pin(run(Ctx::new(parts, state)))));
        self
    }

    /// Runs beside the reactions and timers, from their start until the tasks are asked to stop: for what waits on something
    /// outside, such as a connection to others.
    pub fn task<F, Fut>(mut self, run: F) -> Self
    where
        F: FnOnce(Ctx<S>, Tasks) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let state = self.state.clone();
        self.definition.tasks.push(Box::new(move |parts, tasks| Box::pin(run(Ctx::new(parts, state), tasks))));
        self
    }

    /// Runs at each stop by which the process ends by itself, when nothing is answered or handled any more. A process that
    /// is killed doesn't run it.
    pub fn at_stop<Fut>(mut self, run: impl Fn(Ctx<S>) -> Fut + Send + Sync + 'static) -> Self
    where
        Fut: Future<Output = Result<(), storage::Error>> + Send + 'static,
    {
        let state = self.state.clone();
        self.definition.at_stop = Some(Arc::new(move |parts| Box::pin(run(Ctx::new(parts, state.clone())))));
        self
    }

    /// Declares sums of what its tables hold, by name, which another service has too: whoever watches the shop compares them.
    pub fn sums<F, Fut>(mut self, read: F) -> Self
    where
        F: Fn(Ctx<S>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<(&'static str, i64)>, storage::Error>> + Send + 'static,
    {
        let state = self.state.clone();
        let read = move |parts| read(Ctx::new(parts, state.clone()));
        self.definition.sums = Some(Arc::new(move |parts| Box::pin(read(parts))));
        self
    }

    /// Says the state of a subject that this service knows, for whoever looks for the reason of a delay: `None` if it doesn't
    /// know it.
    pub fn state<F, Fut>(mut self, read: F) -> Self
    where
        F: Fn(Ctx<S>, Uuid) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<SubjectState>, storage::Error>> + Send + 'static,
    {
        let state = self.state.clone();
        let read = move |parts, subject| read(Ctx::new(parts, state.clone()), subject);
        self.definition.state = Some(Arc::new(move |parts, subject| Box::pin(read(parts, subject))));
        self
    }

    /// Says who may read the story of a subject that this service knows: `None` if it doesn't know it.
    pub fn access<F, Fut>(mut self, check: F) -> Self
    where
        F: Fn(Ctx<S>, Uuid, Caller) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<bool>, storage::Error>> + Send + 'static,
    {
        let state = self.state.clone();
        let check = move |parts, subject, caller| check(Ctx::new(parts, state.clone()), subject, caller);
        self.definition.access = Some(Arc::new(move |parts, subject, caller| Box::pin(check(parts, subject, caller))));
        self
    }
}

/// An async function that handles deliveries or a timer.
pub trait AsyncHandler<Args>: Send + Sync + 'static {
    /// Calls it.
    fn call(&self, args: Args) -> impl Future<Output = Result<Committed, Failure>> + Send + 'static + use<Self, Args>;
}

impl<F, A, B, Fut> AsyncHandler<(A, B)> for F
where
    F: Fn(A, B) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Committed, Failure>> + Send + 'static,
{
    fn call(
        &self,
        (first, second): (A, B),
    ) -> impl Future<Output = Result<Committed, Failure>> + Send + 'static + use<F, A, B, Fut> {
        self(first, second)
    }
}
