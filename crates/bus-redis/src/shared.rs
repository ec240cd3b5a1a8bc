//! The state that all parts of a broker share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bus::remote::{EachLane, RecentErrors};
use bus::{Error, Wanted};
use kernel::{Ids, Lane, Uuid};
use redis::aio::MultiplexedConnection;
use redis::{Pipeline, Value};
use tokio::time::Instant;

use crate::address::Address;
use crate::connection::{call, call_all, connect, number, ping};
use crate::error::{CallError, Unusable};
use crate::layout::{ALWAYS, Bound, GROUP, Layout, Route};
use crate::leases::{Leases, RENEW_EVERY};
use crate::reader::Reader;
use crate::reconnecting::{LOOK_EVERY, Reconnecting, Role};
use crate::scripts::{BIND, UNBIND, eval};
use crate::server_info::{Durability, ServerInfo};
use crate::subscription::Streamed;

/// The time that a call waits for a connection that is being made: the caller gets an error soon, and tries again.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// The interval at which routes of the consumers that receive here are made anew: one that was deleted by hand loses
/// events on demand in silence until then.
const RESTORE_EVERY: Duration = Duration::from_secs(30);

pub(crate) struct Shared {
    pub address: Address,
    pub layout: Layout,
    pub publishing: EachLane<Reconnecting>,
    pub receiving: EachLane<Reconnecting>,
    pub recent_errors: RecentErrors,
    pub leases: Leases,
    ids: Ids,
    /// The last that was seen.
    durability: Mutex<Option<Durability>>,
    /// The types that were bound for each consumer from here: they are made anew with the routes.
    bound: Mutex<BTreeMap<String, Bound>>,
}

impl Shared {
    pub fn new(address: Address, layout: Layout, ids: Ids) -> Self {
        Self {
            address,
            layout,
            publishing: EachLane::new(Reconnecting::new),
            receiving: EachLane::new(Reconnecting::new),
            recent_errors: RecentErrors::default(),
            leases: Leases::default(),
            ids,
            durability: Mutex::default(),
            bound: Mutex::default(),
        }
    }

    /// Makes every consumer's streams, groups and routes. What is there stays.
    pub async fn declare(&self) -> Result<(), Error> {
        let connection = self.receiving().await?;
        for consumer in self.layout.consumers() {
            self.declare_groups(consumer, &connection).await.map_err(|error| self.error(&error))?;
            self.declare_routes(consumer, &connection).await?;
        }
        Ok(())
    }

    async fn declare_groups(&self, consumer: &str, connection: &MultiplexedConnection) -> Result<(), CallError> {
        let streams: Vec<_> = self.layout.streams_of(consumer).collect();
        let mut groups = redis::pipe();
        for stream in &streams {
            groups.cmd("XGROUP").arg("CREATE").arg(&*stream.key).arg(GROUP).arg("0").arg("MKSTREAM");
        }
        for (answer, stream) in call_all(connection, "making groups", &groups).await?.into_iter().zip(streams) {
            match answer {
                Value::ServerError(error) if error.code() == "BUSYGROUP" => {}
                Value::ServerError(error) if error.code() == "WRONGTYPE" => {
                    return Err(CallError::WrongType(stream.key.to_string()));
                }
                answer => drop(answer.extract_error().map_err(CallError::Failed)?),
            }
        }
        Ok(())
    }

    /// Makes the routes of a consumer: of what it always receives, and of what was bound from here.
    pub async fn declare_routes(&self, consumer: &str, connection: &MultiplexedConnection) -> Result<(), Error> {
        let mut routes = vec![(ALWAYS, self.layout.always_of(consumer))];
        if let Some(bound) = self.bound().get(consumer) {
            routes.extend(bound.iter().map(|(generation, types)| (generation, self.layout.routes_of(consumer, types))));
        }
        let made = async {
            for (generation, routes) in &routes {
                change(connection, BIND, *generation, routes).await?;
            }
            // After those that replace them, so that nothing is missed.
            remove(connection, &self.layout.former_of(consumer)).await
        };
        made.await.map_err(|error| self.error(&error))
    }

    /// Makes anew the routes of the consumers that receive here.
    pub async fn restore(&self) -> Result<(), Error> {
        let consumers = self.leases.consumers();
        if consumers.is_empty() {
            return Ok(());
        }
        let connection = self.receiving().await?;
        for consumer in consumers {
            self.declare_routes(&consumer, &connection).await?;
        }
        Ok(())
    }

    pub async fn bind(&self, consumer: &str, wanted: Wanted) -> Result<(), Error> {
        let routes = self.layout.routes_of(consumer, &wanted.types);
        let connection = self.receiving().await?;
        change(&connection, BIND, wanted.generation, &routes).await.map_err(|error| self.error(&error))?;
        self.bound().entry(consumer.to_owned()).or_default().add(wanted);
        Ok(())
    }

    pub async fn unbind(&self, consumer: &str, generation: i64) -> Result<(), Error> {
        // First, so that it is not made anew.
        if let Some(bound) = self.bound().get_mut(consumer) {
            bound.remove(generation);
        }
        let routes = self.layout.routes_of_generation(consumer);
        let connection = self.receiving().await?;
        change(&connection, UNBIND, generation, &routes).await.map_err(|error| self.error(&error))
    }

    pub async fn subscribe(self: Arc<Self>, consumer: String, lane: Lane, shard: u16) -> Result<Streamed, Error> {
        let Some(stream) = self.layout.stream(&consumer, lane, shard).cloned() else {
            return Err(Error::Rejected(format!("{consumer} has no {lane} shard {shard}")));
        };
        let calls = self.receiving.of(lane).connection(PATIENCE).await?;
        self.declare_routes(&consumer, &calls).await?;
        let purpose = format!("waiting for {consumer}");
        let waits = connect(&self.address, &purpose).await.map_err(|unusable| self.unusable(&unusable))?;
        let token = self.ids.next::<Uuid>().to_string();
        let lease = self.leases.begin(token.clone(), stream.holder.clone(), &consumer);
        let reader = Reader::new(self, (consumer, lane), stream, token, (calls, waits));
        Ok(Streamed::begin(reader, shard, lease))
    }

    /// Entries of a consumer that were never delivered.
    pub async fn waiting(&self, consumer: &str) -> Result<u64, Error> {
        let connection = self.receiving().await?;
        let mut counts = redis::pipe();
        for stream in self.layout.streams_of(consumer) {
            counts.cmd("XLEN").arg(&*stream.key);
            counts.cmd("XPENDING").arg(&*stream.key).arg(GROUP);
        }
        if counts.is_empty() {
            return Ok(0);
        }
        let answers = call_all(&connection, "counting entries", &counts).await.map_err(|error| self.error(&error))?;
        let mut sum = 0;
        for pair in answers.chunks(2) {
            let [length, pending] = pair else { continue };
            let length = length.clone().extract_error().map_err(|error| self.error(&CallError::Failed(error)))?;
            // Where there is no group yet, nothing was delivered.
            let pending = if let Value::Array(parts) = pending { parts.first().and_then(number) } else { None };
            sum += number(&length).unwrap_or(0).saturating_sub(pending.unwrap_or(0));
        }
        Ok(sum)
    }

    /// A connection on which nothing is published.
    async fn receiving(&self) -> Result<MultiplexedConnection, Error> {
        self.receiving.background.connection(PATIENCE).await
    }

    pub fn links(&self) -> impl Iterator<Item = &Reconnecting> {
        [&self.publishing, &self.receiving].into_iter().flat_map(|it| [&it.immediate, &it.background])
    }

    pub fn durability(&self) -> Option<Durability> {
        self.durability.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn error(&self, error: &CallError) -> Error {
        let said = Unusable::calling(&self.address, error).to_string();
        if error.is_final() {
            self.recent_errors.note(said.clone());
            return Error::Rejected(said);
        }
        Error::Unavailable(said)
    }

    fn unusable(&self, unusable: &Unusable) -> Error {
        let said = unusable.to_string();
        if unusable.may_pass() {
            return Error::Unavailable(said);
        }
        self.recent_errors.note(said.clone());
        Error::Rejected(said)
    }

    /// Every change is complete when the lock is given back.
    fn bound(&self) -> MutexGuard<'_, BTreeMap<String, Bound>> {
        self.bound.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a script that changes routes.
async fn change(
    connection: &MultiplexedConnection,
    script: &str,
    generation: i64,
    routes: &[Route],
) -> Result<(), CallError> {
    if routes.is_empty() {
        return Ok(());
    }
    let mut change = eval(script, routes.iter().map(|route| &*route.key));
    change.arg(generation);
    for route in routes {
        change.arg(&route.field);
    }
    call(connection, "changing routes", &change).await.map(drop)
}

async fn remove(connection: &MultiplexedConnection, routes: &[Route]) -> Result<(), CallError> {
    let mut removals = Pipeline::new();
    for route in routes {
        removals.cmd("HDEL").arg(&*route.key).arg(&route.field);
    }
    if removals.is_empty() {
        return Ok(());
    }
    for answer in call_all(connection, "removing routes of another lane", &removals).await? {
        answer.extract_error().map_err(CallError::Failed)?;
    }
    Ok(())
}

/// Looks after what is received here.
pub(crate) struct Watcher(pub Arc<Shared>);

/// Leaves a connection to who subscribes on it.
pub(crate) struct Idle;

impl Role for Idle {
    async fn perform(&mut self, connection: MultiplexedConnection) -> String {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            if let Err(error) = ping(&connection).await {
                return error.to_string();
            }
        }
    }
}

impl Role for Watcher {
    /// Says once what the server promises, and again when that changes.
    fn meet(&mut self, server: &ServerInfo) {
        let mut durability = self.0.durability.lock().unwrap_or_else(PoisonError::into_inner);
        if durability.as_ref() != Some(&server.durability) {
            tracing::info!(product = server.product, version = server.version, "{}", server.durability);
            *durability = Some(server.durability.clone());
        }
    }

    /// Renews the leases of all subscriptions, and makes anew what may have been deleted.
    async fn perform(&mut self, connection: MultiplexedConnection) -> String {
        let (mut renewed, mut restored) = (Instant::now(), Instant::now());
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let looked = if renewed.elapsed() >= RENEW_EVERY {
                renewed = Instant::now();
                self.0.leases.renew(&connection).await
            } else {
                ping(&connection).await
            };
            if let Err(error) = looked {
                return error.to_string();
            }
            if restored.elapsed() >= RESTORE_EVERY {
                restored = Instant::now();
                if let Err(error) = self.0.restore().await {
                    kernel::warn_limited!(reason = %error, "routes can't be made anew");
                }
            }
        }
    }
}
