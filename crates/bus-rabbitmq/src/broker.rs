//! The broker.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bus::remote::{EachLane, RecentErrors, Waits, confirmed};
use bus::{
    Broker, Destination, Error, Guarantees, Health, Message, PublishResult, Publishing, Subscribing, Subscription,
    Topology, Wanted,
};
use futures_util::FutureExt;
use futures_util::future::{self, BoxFuture};
use kernel::{Ids, Lane, Shards};
use lapin::Connection;
use lapin::types::ShortString;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::address::Address;
use crate::declare::{bind, declare, declare_exchange, is_final, open, unbind, waiting};
use crate::error::{CallError, Unusable};
use crate::layout::{Binding, Layout, Queue};
use crate::preflight::{self, ServerInfo};
use crate::publisher::{Publish, Publisher, WAITING_MAX};
use crate::reconnecting::{Reconnecting, Role};
use crate::subscription::{Channelled, Source};
use crate::{ConfigError, ReachError, wire};

/// The one destination: the exchange, which routes by type and key.
const DESTINATION: &str = "events";

/// The largest body that is sent. The API takes far less, and every RabbitMQ by its own limit takes more.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The time that a publish may go unconfirmed: longer than a quorum queue takes to elect a leader. Whatever was not
/// confirmed by then is published again.
const PUBLISH_DEADLINE: Duration = Duration::from_secs(15);

/// The longest wait before an unreachable broker is tried again: short, for all events wait as long, and long enough
/// that a hundred processes don't keep a broker from starting.
const RECONNECT_MAX: Duration = Duration::from_secs(10);

/// The time that a call waits for a connection that is being made: the caller gets an error soon, and tries again.
const PATIENCE: Duration = Duration::from_secs(5);

/// The interval at which queues and bindings of the consumers that receive here are declared anew: one that was deleted
/// by hand loses events in silence until then.
const RESTORE_EVERY: Duration = Duration::from_secs(30);

/// Attempts at a declaration: several processes that declare one queue at once can disturb each other.
const DECLARE_ATTEMPTS: u32 = 8;

/// The bound of the random wait before it is tried again.
const DECLARE_PAUSE: Duration = Duration::from_millis(500);

/// The options of a broker.
#[derive(Clone, Debug)]
pub struct Options {
    /// The services and the types to which they react.
    pub topology: Topology,
    /// The partitions of the keys of the background lane. It must be the same in all processes, for ever.
    pub shards: Shards,
    /// The time that a publish may go unconfirmed before its outcome is unknown.
    pub publish_deadline: Duration,
    /// The longest wait before an unreachable broker is tried again.
    pub reconnect_max: Duration,
    /// For the random waits.
    pub ids: Ids,
}

impl Options {
    /// With the deadlines that suit everything but tests.
    pub fn new(topology: Topology, shards: Shards, ids: Ids) -> Self {
        Self { topology, shards, publish_deadline: PUBLISH_DEADLINE, reconnect_max: RECONNECT_MAX, ids }
    }
}

/// RabbitMQ as Tradepost's broker.
pub struct RabbitMq {
    shared: Arc<Shared>,
    publish_deadline: Duration,
    publishes: EachLane<mpsc::Sender<Publish>>,
    /// End with this value.
    _links: JoinSet<()>,
}

/// Types by the generation under which they are bound.
type Bound = BTreeMap<i64, BTreeSet<String>>;

pub(crate) struct Shared {
    pub address: Address,
    pub layout: Layout,
    ids: Ids,
    publishing: EachLane<Reconnecting>,
    receiving: EachLane<Reconnecting>,
    recent_errors: RecentErrors,
    /// Number of subscriptions of each consumer here.
    consumers: Mutex<BTreeMap<String, usize>>,
    /// The types that were bound for each consumer from here, by generation: they are made anew with the queues.
    bound: Mutex<BTreeMap<String, Bound>>,
}

impl RabbitMq {
    /// A broker that begins to connect, and need not be there yet: until it is, events wait in the outbox.
    /// Must be called within a runtime of Tokio. The URL is like `amqp://user:password@host:5672/vhost`.
    pub fn new(url: &str, options: Options) -> Result<Self, ConfigError> {
        let Options { topology, shards, publish_deadline, reconnect_max, ids } = options;
        let waits = Waits::new(reconnect_max, ids.clone());
        let shared = Arc::new(Shared {
            address: Address::parse(url)?,
            layout: Layout::new(&topology, shards)?,
            ids,
            publishing: EachLane::new(Reconnecting::new),
            receiving: EachLane::new(Reconnecting::new),
            recent_errors: RecentErrors::default(),
            consumers: Mutex::default(),
            bound: Mutex::default(),
        });
        let mut links = JoinSet::new();
        let address = || shared.address.clone();
        // Callers have stopped waiting by then.
        let patience = publish_deadline * 2;
        let publisher = || {
            let (publishes, waiting) = mpsc::channel(WAITING_MAX);
            (
                publishes,
                Publisher { waiting, patience, waits: waits.clone(), recent_errors: shared.recent_errors.clone() },
            )
        };
        let ((immediate, at_once), (background, in_time)) = (publisher(), publisher());
        let (publishing, receiving) = (shared.publishing.clone(), shared.receiving.clone());
        links.spawn(publishing.immediate.keep(address(), "publishing immediate events", waits.clone(), at_once));
        links.spawn(publishing.background.keep(address(), "publishing background events", waits.clone(), in_time));
        links.spawn(receiving.immediate.keep(address(), "receiving immediate events", waits.clone(), Idle));
        let restorer = Restorer(shared.clone());
        links.spawn(receiving.background.keep(address(), "receiving background events", waits, restorer));
        Ok(Self { shared, publish_deadline, publishes: EachLane { immediate, background }, _links: links })
    }

    /// Makes the exchange and every consumer's queues with their bindings, for `migrate`. What is there stays; what is
    /// there otherwise is an error, and so is what the user has no right to.
    pub async fn declare(&self) -> Result<(), Error> {
        let consumers: Vec<&str> = self.shared.layout.consumers().collect();
        self.shared.declare(&consumers).await
    }

    /// Declares anew what belongs to the consumers that receive here. It happens by itself every 30 seconds.
    pub async fn restore(&self) -> Result<(), Error> {
        self.shared.restore().await
    }

    /// Waits for a broker that can be entered, at most as long as the patience; a defect that somebody must repair is
    /// reported at once. For what can't go on without one: a shop that runs does not wait.
    pub async fn reach(url: &str, patience: Duration, report: impl FnMut(&Unusable)) -> Result<(), ReachError> {
        let address = Address::parse(url)?;
        Ok(preflight::reach(&address, patience, report).await?)
    }

    /// Checks everything that is needed, for `doctor`; answers with the broker's name and version.
    /// Connects by itself, and changes nothing.
    pub async fn check(&self) -> Result<ServerInfo, Unusable> {
        preflight::check(&self.shared.address, &self.shared.layout, &self.shared.ids).await
    }
}

impl Shared {
    async fn declare(&self, consumers: &[&str]) -> Result<(), Error> {
        let queues: Vec<&Queue> = consumers.iter().flat_map(|consumer| self.layout.queues_of(consumer)).collect();
        let bindings: Vec<Binding> = consumers.iter().flat_map(|consumer| self.bindings_of(consumer)).collect();
        self.change(Change::Make(&queues, &bindings)).await
    }

    async fn bind(&self, consumer: &str, wanted: Wanted) -> Result<(), Error> {
        let bindings = self.layout.bindings_of(consumer, &wanted);
        if !bindings.is_empty() {
            // With the queues, one of which may have been deleted.
            let queues: Vec<&Queue> = self.layout.queues_of(consumer).collect();
            self.change(Change::Make(&queues, &bindings)).await?;
        }
        self.bound().entry(consumer.to_owned()).or_default().entry(wanted.generation).or_default().extend(wanted.types);
        Ok(())
    }

    async fn unbind(&self, consumer: &str, generation: i64) -> Result<(), Error> {
        // First, so that it is not made anew.
        if let Some(bound) = self.bound().get_mut(consumer) {
            bound.remove(&generation);
        }
        let bindings = self.layout.bindings_of_generation(consumer, generation);
        if bindings.is_empty() {
            return Ok(());
        }
        let queues: Vec<&Queue> = self.layout.queues_of(consumer).collect();
        self.change(Change::Unbind(&queues, &bindings)).await
    }

    /// The bindings that were made for a consumer from here.
    fn bindings_of(&self, consumer: &str) -> Vec<Binding> {
        let bound = self.bound().get(consumer).cloned().unwrap_or_default();
        let wanted = bound.into_iter().map(|(generation, types)| Wanted { generation, types });
        wanted.flat_map(|wanted| self.layout.bindings_of(consumer, &wanted)).collect()
    }

    /// Changes queues or bindings, again after a failure that may pass.
    async fn change(&self, change: Change<'_>) -> Result<(), Error> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            // A broker that fails at it may close the connection too.
            let connection = self.receiving().await?;
            match change.apply(&connection).await {
                Ok(()) => return Ok(()),
                Err(error) if attempts < DECLARE_ATTEMPTS && !is_final(&error) => {
                    tracing::info!(reason = %error, "a declaration failed, and is tried again");
                    tokio::time::sleep(self.ids.jitter(DECLARE_PAUSE)).await;
                }
                Err(error) => return Err(self.error(&error)),
            }
        }
    }

    async fn restore(&self) -> Result<(), Error> {
        let consumers: Vec<String> = self.consumers().keys().cloned().collect();
        if consumers.is_empty() {
            return Ok(());
        }
        self.declare(&consumers.iter().map(String::as_str).collect::<Vec<_>>()).await
    }

    async fn subscribe(self: Arc<Self>, consumer: String, lane: Lane, shard: u16) -> Result<Channelled, Error> {
        let Some(queue) = self.layout.queue(&consumer, lane, shard) else {
            return Err(Error::Rejected(format!("{consumer} has no {lane} shard {shard}")));
        };
        let connection = self.receiving.of(lane).connection(PATIENCE).await?;
        let dead = self.layout.dead(&consumer).filter(|_| lane == Lane::Immediate && shard == 0);
        // Dead-lettered messages need their queue too, whichever lane they were in.
        let needed = self.layout.dead(&consumer).into_iter().chain([queue]);
        let subscribed = async {
            declare_exchange(&connection).await?;
            let channel = open(&connection).await?;
            declare(&channel, needed).await?;
            let on_demand = self.bindings_of(&consumer).into_iter().filter(|binding| binding.queue == queue.name);
            bind(&channel, &on_demand.collect::<Vec<_>>()).await?;
            let receiving = Receiving::begin(self.clone(), consumer.clone());
            let from = Source { lane, shard, queue: queue.name.clone(), dead: dead.map(|it| it.name.clone()) };
            Channelled::begin(connection.clone(), channel, from, receiving).await
        };
        subscribed.await.map_err(|error| self.error(&error))
    }

    async fn waiting(&self, consumer: &str) -> Result<u64, Error> {
        let connection = self.receiving().await?;
        let mut sum = 0;
        let mut channel = None;
        for queue in self.layout.queues_of(consumer) {
            let on = match channel.take() {
                Some(channel) => channel,
                None => open(&connection).await.map_err(|error| self.error(&error))?,
            };
            // A queue that is not there took the channel with it.
            if let Some(count) = waiting(&on, queue).await.map_err(|error| self.error(&error))? {
                sum += count;
                channel = Some(on);
            }
        }
        Ok(sum)
    }

    /// A connection on which nothing is published.
    pub async fn receiving(&self) -> Result<Arc<Connection>, Error> {
        self.receiving.background.connection(PATIENCE).await
    }

    fn links(&self) -> impl Iterator<Item = &Reconnecting> {
        [&self.publishing, &self.receiving].into_iter().flat_map(|it| [&it.immediate, &it.background])
    }

    pub fn error(&self, error: &CallError) -> Error {
        let said = Unusable::calling(&self.address, error).to_string();
        if is_final(error) {
            self.recent_errors.note(said.clone());
            return Error::Rejected(said);
        }
        Error::Unavailable(said)
    }

    /// Every change is complete when the lock is given back.
    fn consumers(&self) -> MutexGuard<'_, BTreeMap<String, usize>> {
        self.consumers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every change is complete when the lock is given back.
    fn bound(&self) -> MutexGuard<'_, BTreeMap<String, Bound>> {
        self.bound.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A change of queues and bindings. Repeated, it changes nothing.
#[derive(Clone, Copy)]
enum Change<'a> {
    /// Makes the exchange, queues, and bindings to them on demand.
    Make(&'a [&'a Queue], &'a [Binding]),
    /// Removes bindings of queues. A queue that is not there is made, for it would fail the others.
    Unbind(&'a [&'a Queue], &'a [Binding]),
}

impl Change<'_> {
    async fn apply(self, connection: &Connection) -> Result<(), CallError> {
        let (Self::Make(queues, _) | Self::Unbind(queues, _)) = self;
        declare_exchange(connection).await?;
        let channel = open(connection).await?;
        declare(&channel, queues.iter().copied()).await?;
        match self {
            Self::Make(_, bindings) => bind(&channel, bindings).await,
            Self::Unbind(_, bindings) => unbind(&channel, bindings).await,
        }
    }
}

/// A subscription, as long as it lasts: what its consumer needs is restored.
pub(crate) struct Receiving {
    shared: Arc<Shared>,
    consumer: String,
}

impl Receiving {
    fn begin(shared: Arc<Shared>, consumer: String) -> Self {
        *shared.consumers().entry(consumer.clone()).or_default() += 1;
        Self { shared, consumer }
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        let mut consumers = self.shared.consumers();
        if let Some(count) = consumers.get_mut(&self.consumer) {
            *count -= 1;
            if *count == 0 {
                consumers.remove(&self.consumer);
            }
        }
    }
}

/// Declares anew what may have been deleted.
struct Restorer(Arc<Shared>);

/// Leaves a connection to who subscribes on it.
struct Idle;

impl Role for Idle {
    async fn perform(&mut self, _: Arc<Connection>) -> String {
        std::future::pending().await
    }
}

impl Role for Restorer {
    async fn perform(&mut self, _: Arc<Connection>) -> String {
        loop {
            tokio::time::sleep(RESTORE_EVERY).await;
            if let Err(error) = self.0.restore().await {
                kernel::warn_limited!(reason = %error, "queues and bindings can't be declared anew");
            }
        }
    }
}

impl Broker for RabbitMq {
    fn name(&self) -> &'static str {
        "rabbitmq"
    }

    fn guarantees(&self) -> Guarantees {
        GUARANTEES
    }

    fn destinations(&self, event_type: &str) -> Vec<Destination> {
        if self.shared.layout.is_wanted(event_type) { self.all_destinations() } else { Vec::new() }
    }

    fn all_destinations(&self) -> Vec<Destination> {
        vec![Destination::new(DESTINATION)]
    }

    fn publish(&self, destination: &Destination, message: Message) -> Publishing {
        if destination.as_str() != DESTINATION {
            return future::ready(PublishResult::Unroutable).boxed();
        }
        let (layout, envelope) = (&self.shared.layout, &message.envelope);
        let Some(routing_key) = layout.key(&envelope.event_type, envelope.lane, envelope.key) else {
            let detail = "its type is too long for a routing key".to_owned();
            return future::ready(PublishResult::Refused { detail }).boxed();
        };
        let (lane, (reply, confirmation)) = (envelope.lane, oneshot::channel());
        let publish = Publish {
            id: ShortString::from(envelope.id.to_string()),
            routing_key,
            // What no consumer always receives is done if nobody wants it now.
            is_mandatory: !layout.is_on_demand(&envelope.event_type),
            properties: wire::encode(&message),
            body: message.body,
            reply,
        };
        let deadline = self.publish_deadline;
        match self.send(lane, publish) {
            Ok(()) => async move { confirmed(confirmation, deadline).await }.boxed(),
            Err(outcome) => future::ready(outcome).boxed(),
        }
    }

    fn shards(&self) -> Shards {
        self.shared.layout.shards()
    }

    fn subscribe(&self, consumer: &str, lane: Lane, shard: u16) -> Subscribing {
        let subscribed = self.shared.clone().subscribe(consumer.to_owned(), lane, shard);
        subscribed.map(|subscribed| subscribed.map(|it| Box::new(it) as Box<dyn Subscription>)).boxed()
    }

    fn bind(&self, consumer: &str, wanted: Wanted) -> BoxFuture<'static, Result<(), Error>> {
        let (shared, consumer) = (self.shared.clone(), consumer.to_owned());
        async move { shared.bind(&consumer, wanted).await }.boxed()
    }

    fn unbind(&self, consumer: &str, generation: i64) -> BoxFuture<'static, Result<(), Error>> {
        let (shared, consumer) = (self.shared.clone(), consumer.to_owned());
        async move { shared.unbind(&consumer, generation).await }.boxed()
    }

    fn waiting(&self, consumer: &str) -> BoxFuture<'static, Result<u64, Error>> {
        let (shared, consumer) = (self.shared.clone(), consumer.to_owned());
        async move { shared.waiting(&consumer).await }.boxed()
    }

    fn health(&self) -> Health {
        let complaint = self.shared.links().find_map(Reconnecting::complaint);
        let complaint = complaint.or_else(|| self.shared.recent_errors.recent());
        complaint.map_or(Health::Ready, |reason| Health::Degraded { reason })
    }
}

impl RabbitMq {
    /// The promises of every RabbitMQ as it is used here, for documents that compare brokers.
    pub const GUARANTEES: Guarantees = GUARANTEES;

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Hands a message over, or returns its result at once.
    fn send(&self, lane: Lane, publish: Publish) -> Result<(), PublishResult> {
        let refused = |detail: String| PublishResult::Refused { detail };
        let bytes = publish.body.len();
        if bytes > BODY_BYTES_MAX {
            return Err(refused(format!("its body has {bytes} bytes, and {BODY_BYTES_MAX} may be sent")));
        }
        let state = self.shared.publishing.of(lane).state();
        if let Some(detail) = state.complaint() {
            // What is blocked was surely not sent, so it is refused; the rest of what is said of it is as true of both.
            let is_blocked = state.connection().is_some();
            return Err(if is_blocked { refused(detail) } else { PublishResult::Unknown { detail } });
        }
        self.publishes.of(lane).try_send(publish).map_err(|error| match error {
            TrySendError::Full(_) => refused(format!("{WAITING_MAX} messages wait to be sent")),
            TrySendError::Closed(_) => PublishResult::Unknown { detail: "the broker was closed".to_owned() },
        })
    }
}

const GUARANTEES: Guarantees = Guarantees {
    survives_restart: true,
    redelivered_flag: true,
    destination_per_consumer: false,
    stored_means_settled: false,
    bounded_queues: false,
    // The second waits until the first is gone.
    exclusive_subscriptions: false,
};
