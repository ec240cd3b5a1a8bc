//! Event types that a broker delivers to a service only while its store says that it wants them.
//!
//! They are bound under the generation that the store has: see [`storage::bindings`]. A request that adds to what is
//! wanted binds it first and commits that it relies on it, so nothing is missed that happens after its answer. Whatever is
//! wanted no longer is unbound later, by `migrate` or by an instance that finds it: until then it is delivered in vain.
//!
//! Each instance looks into the store again and again, for another may have added to what is wanted: the broker that it
//! has then makes bindings anew that were lost.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use bus::{Broker, Wanted};
use futures_util::future::BoxFuture;
use http::Problem;
use storage::bindings::{self, Generation};
use storage::{Batch, Db};

use crate::{Selection, Tasks};

/// The time between two looks into the store.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Attempts to unbind what is wanted no longer. One fails if somebody binds something meanwhile.
const ATTEMPTS: u32 = 8;

type WantedFn = dyn Fn(Db) -> BoxFuture<'static, Result<Selection, storage::Error>> + Send + Sync;

/// Types that a service receives only while it wants them, and how its store says which it wants now.
#[derive(Clone)]
pub struct OnDemand {
    types: Arc<BTreeSet<&'static str>>,
    wanted: Arc<WantedFn>,
}

impl OnDemand {
    /// The types of a selection, but for those that are always wanted.
    pub(crate) fn new<F, Fut>(selection: &Selection, always: &Selection, wanted: F) -> Self
    where
        F: Fn(Db) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Selection, storage::Error>> + Send + 'static,
    {
        let types = selection.types().map(|(event_type, _)| event_type);
        let types = types.filter(|event_type| !always.contains(event_type)).collect();
        Self { types: Arc::new(types), wanted: Arc::new(move |db| Box::pin(wanted(db))) }
    }

    /// The types.
    pub fn types(&self) -> &BTreeSet<&'static str> {
        &self.types
    }

    /// The types that are wanted now.
    pub(crate) async fn wanted(&self, db: &Db) -> Result<BTreeSet<String>, storage::Error> {
        Ok(self.among(&(self.wanted)(db.clone()).await?))
    }

    fn among(&self, selection: &Selection) -> BTreeSet<String> {
        let types = self.types.iter().filter(|event_type| selection.contains(event_type));
        types.map(|event_type| (*event_type).to_owned()).collect()
    }
}

impl fmt::Debug for OnDemand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OnDemand").field(&self.types).finish()
    }
}

/// The reason why something can't be bound.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BindError {
    /// The store can't say under which generation, or what is wanted.
    #[error(transparent)]
    Store(#[from] storage::Error),
    /// The broker can't bind it.
    #[error(transparent)]
    Broker(#[from] bus::Error),
}

impl From<BindError> for Problem {
    fn from(error: BindError) -> Self {
        match error {
            BindError::Store(error) => error.into(),
            BindError::Broker(error) => {
                kernel::error_limited!(%error, "a request was refused");
                let detail = "the broker is unavailable, so that events would be missed: retry later";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "broker_unavailable", detail).retry_after(5)
            }
        }
    }
}

/// Unbinds what a service wants no longer, and what an earlier version bound. Its other bindings are made under a new
/// generation. For `migrate`, beside processes of the service.
pub async fn narrow(on_demand: &OnDemand, db: &Db, broker: &dyn Broker) -> Result<(), BindError> {
    for _ in 0..ATTEMPTS {
        let (before, next) = next(on_demand, db).await?;
        broker.bind(db.service(), next).await?;
        if replace(db, broker, before).await? {
            return unbind_leftovers(db, broker, before.number).await;
        }
    }
    tracing::info!(service = db.service(), "what is wanted changes all the time; the rest is unbound later");
    Ok(())
}

/// The generation of now, and what is wanted under the one that is to take its place.
async fn next(on_demand: &OnDemand, db: &Db) -> Result<(Generation, Wanted), BindError> {
    let before = bindings::generation(db).await?;
    Ok((before, Wanted { generation: before.number + 1, types: on_demand.wanted(db).await? }))
}

/// Puts the next generation, which is bound, in the place of this one, and removes this one. False if somebody else bound
/// something meanwhile, who may rely on what is bound under this one.
async fn replace(db: &Db, broker: &dyn Broker, before: Generation) -> Result<bool, BindError> {
    let number = before.number;
    if !bindings::replace(db, before).await? {
        return Ok(false);
    }
    broker.unbind(db.service(), number).await?;
    Ok(true)
}

/// Removes what a process left that ended before it had unbound it, and what an earlier version has bound again since.
async fn unbind_leftovers(db: &Db, broker: &dyn Broker, generation: i64) -> Result<(), BindError> {
    for former in BTreeSet::from([0, generation - 1]).into_iter().filter(|former| (0..generation).contains(former)) {
        broker.unbind(db.service(), former).await?;
    }
    Ok(())
}

/// The bindings of a service in this process.
#[derive(Clone, Default)]
pub(crate) struct Bindings(Option<Arc<Inner>>);

struct Inner {
    on_demand: OnDemand,
    broker: Arc<dyn Broker>,
    /// Everything that was bound from here, by its generation, and is not known to be removed.
    bound: Mutex<BTreeMap<i64, BTreeSet<String>>>,
}

impl Bindings {
    /// Nothing where the broker has a destination for each consumer: what is wanted is filtered by the service alone.
    pub fn new(on_demand: Option<OnDemand>, broker: &Arc<dyn Broker>) -> Self {
        let on_demand = on_demand.filter(|_| !broker.guarantees().destination_per_consumer);
        Self(on_demand.map(|on_demand| Arc::new(Inner { on_demand, broker: broker.clone(), bound: Mutex::default() })))
    }

    /// Binds these types. The batch is part of the commit that relies on it.
    pub async fn bind(&self, db: &Db, selection: &Selection) -> Result<Batch, BindError> {
        let Some(inner) = &self.0 else { return Ok(Batch::new()) };
        let types = inner.on_demand.among(selection);
        if types.is_empty() {
            return Ok(Batch::new());
        }
        let generation = bindings::generation(db).await?;
        inner.bind(db, Wanted { generation: generation.number, types }).await?;
        Ok(bindings::hold(generation))
    }

    /// Binds what the store says is wanted, again and again until the tasks stop.
    pub async fn keep(self, db: Db, tasks: Tasks) {
        let Some(inner) = self.0 else { return };
        let mut has_begun = false;
        while !tasks.is_stopping() {
            let look = async {
                match inner.look(&db, !has_begun).await {
                    Ok(()) => has_begun = true,
                    Err(error) => {
                        kernel::warn_limited!(service = db.service(), %error, "the wanted events can't be bound");
                    }
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            };
            tokio::select! {
                () = look => {}
                () = tasks.stopping() => {}
            }
        }
    }
}

impl Inner {
    async fn look(&self, db: &Db, is_first: bool) -> Result<(), BindError> {
        // Before the store is read: what is bound from here after that is no reason to unbind.
        let mut bound = self.bound().clone();
        let generation = bindings::generation(db).await?.number;
        let wanted = Wanted { generation, types: self.on_demand.wanted(db).await? };
        let later = bound.split_off(&generation);
        let now = later.get(&generation).cloned().unwrap_or_default();
        if !wanted.types.is_subset(&now) {
            self.bind(db, wanted.clone()).await?;
        }
        if is_first {
            unbind_leftovers(db, &*self.broker, generation).await?;
        }
        // Before this instance learned of the new generation it may have bound something of a former one again.
        for former in bound.into_keys() {
            self.broker.unbind(db.service(), former).await?;
            self.bound().remove(&former);
        }
        // Another instance may be doing the same: then the next look finds what it has done.
        if !now.is_subset(&wanted.types) {
            let (before, next) = next(&self.on_demand, db).await?;
            let number = before.number;
            self.bind(db, next).await?;
            if replace(db, &*self.broker, before).await? {
                self.bound().remove(&number);
            }
        }
        Ok(())
    }

    async fn bind(&self, db: &Db, wanted: Wanted) -> Result<(), BindError> {
        self.broker.bind(db.service(), wanted.clone()).await?;
        self.note(wanted);
        Ok(())
    }

    fn note(&self, wanted: Wanted) {
        self.bound().entry(wanted.generation).or_default().extend(wanted.types);
    }

    /// Every change is complete when the lock is given back.
    fn bound(&self) -> MutexGuard<'_, BTreeMap<i64, BTreeSet<String>>> {
        self.bound.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
