//! State of the bridge beside its store: the contracts in force, and their condition.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use kernel::{Cause, Clock, Currency, RequestCause, Timestamp, Uuid};
use service::CannotStart;
use service::storage::{Batch, Error};
use service::telemetry::Counter;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::api::Api;
use crate::contract::Contract;
use crate::settings::{Chosen, Settings};
use crate::take_in::Counts;
use crate::{Ctx, store};

/// State that only this service's handlers see.
pub struct Bridge {
    pub(crate) currency: Currency,
    listen: IpAddr,
    pub(crate) api: Api,
    chosen: Vec<Chosen>,
    contracts: Vec<Arc<Contract>>,
    identity: OnceLock<Uuid>,
    /// The times since which contracts are in force.
    since: OnceLock<HashMap<String, Timestamp>>,
    /// Changes when messages are queued.
    queued: watch::Sender<()>,
    counter: Counter<2>,
    fares: Mutex<BTreeMap<String, Fare>>,
    listeners: Mutex<Vec<(u16, TcpListener)>>,
    /// Digests of messages that were committed and could not be acknowledged, by queue.
    unacknowledged: Mutex<HashMap<String, Vec<String>>>,
}

/// The condition of a contract in this process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fare {
    /// Messages since the start, by direction and outcome.
    pub counts: BTreeMap<(&'static str, &'static str), u64>,
    /// The reason why its broker can't be used. None while it can.
    pub broken: Option<String>,
    pub is_connected: bool,
    /// The last time at which a message came.
    pub last_seen: Option<Timestamp>,
}

impl Bridge {
    pub(crate) fn new(settings: Settings, counter: Counter<2>) -> Self {
        let Settings { currency, contracts: chosen, listen, api_url, api_token } = settings;
        let contracts = chosen.iter().map(|chosen| chosen.contract.clone()).collect();
        Self {
            currency,
            listen,
            api: Api::new(api_url, api_token),
            chosen,
            contracts,
            identity: OnceLock::new(),
            since: OnceLock::new(),
            queued: watch::Sender::new(()),
            counter,
            fares: Mutex::default(),
            listeners: Mutex::default(),
            unacknowledged: Mutex::default(),
        }
    }

    /// The contracts in force.
    pub fn contracts(&self) -> &[Arc<Contract>] {
        &self.contracts
    }

    /// The contracts in force, with their brokers.
    pub fn chosen(&self) -> &[Chosen] {
        &self.chosen
    }

    /// The mark of this shop in its messages.
    pub fn identity(&self) -> Option<Uuid> {
        self.identity.get().copied()
    }

    /// True if a contract has a broker. Without one nobody would take its messages.
    pub fn has_broker(&self, contract: &Contract) -> bool {
        self.chosen.iter().any(|chosen| chosen.contract.name == contract.name && chosen.broker.is_some())
    }

    /// True if a contract was in force when something happened.
    pub fn was_in_force(&self, contract: &Contract, at: Timestamp) -> bool {
        self.since(contract).is_some_and(|since| at >= since)
    }

    /// The time since which a contract is in force.
    pub fn since(&self, contract: &Contract) -> Option<Timestamp> {
        self.since.get().and_then(|since| since.get(&contract.name)).copied()
    }

    /// Wakes those who send messages.
    pub fn wake_senders(&self) {
        self.queued.send_replace(());
    }

    /// Is done when messages were queued after this call.
    pub fn queued(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut queued = self.queued.subscribe();
        async move {
            if queued.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Counts messages.
    pub fn count(&self, contract: &Contract, direction: &'static str, outcome: &'static str, messages: u64) {
        if messages == 0 {
            return;
        }
        self.counter.count_many([direction, outcome], messages);
        let mut fares = self.fares();
        let fare = fares.entry(contract.name.clone()).or_default();
        *fare.counts.entry((direction, outcome)).or_default() += messages;
        if direction == "in" {
            fare.last_seen = Some(Clock::system().now());
        }
    }

    /// Counts messages that came.
    pub(crate) fn count_taken_in(&self, contract: &Contract, counts: Counts) {
        self.count(contract, "in", "taken", counts.taken);
        self.count(contract, "in", "known", counts.known);
        self.count(contract, "in", "parked", counts.parked);
    }

    /// Notes if the broker of a contract can be used, or the reason why not.
    pub fn is_connected(&self, contract: &Contract, broken: Option<String>) {
        let mut fares = self.fares();
        let fare = fares.entry(contract.name.clone()).or_default();
        fare.is_connected = broken.is_none();
        fare.broken = broken;
    }

    /// The condition of a contract.
    pub(crate) fn fare(&self, contract: &Contract) -> Fare {
        self.fares().get(&contract.name).cloned().unwrap_or_default()
    }

    /// The listeners of the façades. They are handed out once.
    pub fn take_listeners(&self) -> Vec<(u16, TcpListener)> {
        std::mem::take(&mut *self.listeners.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Digests of a queue's messages that were committed and could not be acknowledged.
    pub fn unacknowledged(&self, queue: &str) -> Vec<String> {
        let queues = self.unacknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        queues.get(queue).cloned().unwrap_or_default()
    }

    /// Keeps them until they are redelivered.
    pub fn set_unacknowledged(&self, queue: &str, digests: Vec<String>) {
        let mut queues = self.unacknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        queues.insert(queue.to_owned(), digests);
    }

    fn fares(&self) -> MutexGuard<'_, BTreeMap<String, Fare>> {
        self.fares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Learns or makes the mark of the shop, notes which contracts are in force, and opens the ports of the façades.
pub(crate) async fn prepare(ctx: Ctx) -> Result<(), CannotStart> {
    let since = put_in_force(&ctx).await?;
    let _ = ctx.state.since.set(since);
    if ctx.state.contracts().is_empty() {
        return Ok(());
    }
    let identity = mark(&ctx).await?;
    let _ = ctx.state.identity.set(identity);
    for contract in ctx.state.contracts() {
        for port in contract.ports() {
            let address = SocketAddr::new(ctx.state.listen, port);
            let listener = TcpListener::bind(address).await.map_err(|error| {
                CannotStart::Refused(format!("the contract {} answers on {address}: {error}", contract.name))
            })?;
            ctx.state.listeners.lock().unwrap_or_else(PoisonError::into_inner).push((port, listener));
        }
    }
    Ok(())
}

/// The times since which contracts are in force: now, of those that were not at the last start.
async fn put_in_force(ctx: &Ctx) -> Result<HashMap<String, Timestamp>, Error> {
    loop {
        let before = store::in_force(&ctx.db).await?;
        let names: HashSet<&str> = ctx.state.contracts().iter().map(|contract| contract.name.as_str()).collect();
        let (mut batch, mut after, mut has_changed) = (Batch::new(), before.clone(), false);
        for ended in before.keys().filter(|name| !names.contains(name.as_str())) {
            batch = batch.and(store::delete_in_force(ended));
            after.remove(ended);
            has_changed = true;
        }
        for new in names.into_iter().filter(|name| !before.contains_key(*name)) {
            let now = ctx.clock.now();
            batch = batch.and(store::insert_in_force(new, now));
            after.insert(new.to_owned(), now);
            has_changed = true;
        }
        if !has_changed {
            return Ok(after);
        }
        let cause = RequestCause { request_id: ctx.ids.next(), traceparent: None, keyed: None };
        match ctx.commit(batch, Cause::Request(cause)).await {
            Ok(_) => return Ok(after),
            // Another instance has done it.
            Err(Error::Conflict { .. }) => {}
            Err(error) => return Err(error),
        }
    }
}

async fn mark(ctx: &Ctx) -> Result<Uuid, Error> {
    loop {
        if let Some(identity) = store::identity(&ctx.db).await? {
            return Ok(identity);
        }
        let cause = RequestCause { request_id: ctx.ids.next(), traceparent: None, keyed: None };
        match ctx.commit(store::insert_identity(ctx.ids.next()), Cause::Request(cause)).await {
            // Another instance has made one.
            Ok(_) | Err(Error::Conflict { .. }) => {}
            Err(error) => return Err(error),
        }
    }
}
