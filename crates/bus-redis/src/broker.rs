//! The broker.

use std::sync::Arc;
use std::time::Duration;

use bus::remote::{EachLane, Waits, confirmed};
use bus::{
    Broker, Destination, Error, Guarantees, Health, Message, PublishResult, Publishing, Subscribing, Subscription,
    Topology, Wanted,
};
use futures_util::FutureExt;
use futures_util::future::{self, BoxFuture};
use kernel::{Ids, Lane, Shards};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::address::Address;
use crate::error::Unusable;
use crate::layout::Layout;
use crate::preflight;
use crate::publisher::{Publish, Publisher, WAITING_MAX};
use crate::reconnecting::Reconnecting;
use crate::server_info::ServerInfo;
use crate::shared::{Idle, Shared, Watcher};
use crate::{ConfigError, ReachError, wire};

/// The one destination: the server, which routes by type and key.
const DESTINATION: &str = "events";

/// The largest body that is sent. The API takes far less, and every Redis by its own limit takes more.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The time that a publish may go unconfirmed: longer than a busy disk takes to flush. Whatever was not confirmed by then
/// is published again.
const PUBLISH_DEADLINE: Duration = Duration::from_secs(15);

/// The longest wait before an unreachable broker is tried again: short, for all events wait as long, and long enough
/// that a hundred processes don't keep a broker from starting.
const RECONNECT_MAX: Duration = Duration::from_secs(10);

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
    /// Ids and random waits.
    pub ids: Ids,
}

impl Options {
    /// With the deadlines that suit everything but tests.
    pub fn new(topology: Topology, shards: Shards, ids: Ids) -> Self {
        Self { topology, shards, publish_deadline: PUBLISH_DEADLINE, reconnect_max: RECONNECT_MAX, ids }
    }
}

/// Redis as Tradepost's broker.
pub struct Redis {
    shared: Arc<Shared>,
    publish_deadline: Duration,
    publishes: EachLane<mpsc::Sender<Publish>>,
    /// End with this value.
    _links: JoinSet<()>,
}

impl Redis {
    /// The promises of every Redis as it is used here, whatever its settings are. One whose settings promise more does so
    /// by [`Broker::guarantees`].
    pub const GUARANTEES: Guarantees = Guarantees {
        survives_restart: false,
        redelivered_flag: true,
        destination_per_consumer: false,
        stored_means_settled: false,
        bounded_queues: true,
        // The second waits until the first is gone.
        exclusive_subscriptions: false,
    };

    /// A broker that begins to connect, and need not be there yet: until it is, events wait in the outbox.
    /// Must be called within a runtime of Tokio. The URL is like `redis://user:password@host:6379/0?prefix=shop:`.
    pub fn new(url: &str, options: Options) -> Result<Self, ConfigError> {
        let Options { topology, shards, publish_deadline, reconnect_max, ids } = options;
        let address = Address::parse(url)?;
        let waits = Waits::new(reconnect_max, ids.clone());
        let layout = Layout::new(&topology, shards, address.prefix());
        let shared = Arc::new(Shared::new(address, layout, ids));
        let mut links = JoinSet::new();
        let publisher = || {
            let (publishes, waiting) = mpsc::channel(WAITING_MAX);
            (publishes, Self::publisher(&shared, waiting, publish_deadline))
        };
        let ((immediate, at_once), (background, in_time)) = (publisher(), publisher());
        let (publishing, receiving) = (shared.publishing.clone(), shared.receiving.clone());
        let address = || shared.address.clone();
        let watcher = Watcher(shared.clone());
        links.spawn(publishing.immediate.keep(address(), "publishing immediate events", waits.clone(), at_once));
        links.spawn(publishing.background.keep(address(), "publishing background events", waits.clone(), in_time));
        links.spawn(receiving.immediate.keep(address(), "receiving immediate events", waits.clone(), Idle));
        links.spawn(receiving.background.keep(address(), "receiving background events", waits, watcher));
        Ok(Self { shared, publish_deadline, publishes: EachLane { immediate, background }, _links: links })
    }

    fn publisher(shared: &Shared, waiting: mpsc::Receiver<Publish>, publish_deadline: Duration) -> Publisher {
        Publisher {
            waiting,
            address: shared.address.clone(),
            prefix: shared.layout.prefix().to_owned(),
            publish_deadline,
            recent_errors: shared.recent_errors.clone(),
        }
    }

    /// Makes every consumer's streams, groups and routes, for `migrate`. What is there stays; what is there otherwise is
    /// an error, and so is what the user has no right to.
    pub async fn declare(&self) -> Result<(), Error> {
        self.shared.declare().await
    }

    /// Makes anew the routes of the consumers that receive here. It happens by itself every 30 seconds.
    pub async fn restore(&self) -> Result<(), Error> {
        self.shared.restore().await
    }

    /// Waits for a broker that can be used, at most as long as the patience; a defect that somebody must repair is
    /// reported at once. For what can't go on without one: a shop that runs does not wait.
    pub async fn reach(url: &str, patience: Duration, report: impl FnMut(&Unusable)) -> Result<(), ReachError> {
        let address = Address::parse(url)?;
        Ok(preflight::reach(&address, patience, report).await?)
    }

    /// Checks everything that is needed, for `doctor`; answers with the broker's name, version and durability.
    /// Connects by itself, and changes nothing.
    pub async fn check(&self) -> Result<ServerInfo, Unusable> {
        preflight::check(&self.shared.address, &self.shared.layout).await
    }

    /// Hands a message over, or returns its result at once.
    fn send(&self, lane: Lane, publish: Publish) -> Result<(), PublishResult> {
        let refused = |detail: String| PublishResult::Refused { detail };
        let bytes = publish.body.len();
        if bytes > BODY_BYTES_MAX {
            return Err(refused(format!("its body has {bytes} bytes, and {BODY_BYTES_MAX} may be sent")));
        }
        if let Some(detail) = self.shared.publishing.of(lane).complaint() {
            return Err(PublishResult::Unknown { detail });
        }
        self.publishes.of(lane).try_send(publish).map_err(|error| match error {
            TrySendError::Full(_) => refused(format!("{WAITING_MAX} messages wait to be sent")),
            TrySendError::Closed(_) => PublishResult::Unknown { detail: "the broker was closed".to_owned() },
        })
    }
}

impl Broker for Redis {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn guarantees(&self) -> Guarantees {
        let survives_restart = self.shared.durability().is_some_and(|durability| durability.survives_restart());
        Guarantees { survives_restart, ..Self::GUARANTEES }
    }

    fn durability(&self) -> Option<String> {
        self.shared.durability().map(|durability| durability.to_string())
    }

    fn destinations(&self, event_type: &str) -> Vec<Destination> {
        if self.shared.layout.is_wanted(event_type) { self.all_destinations() } else { Vec::new() }
    }

    fn all_destinations(&self) -> Vec<Destination> {
        vec![Destination::new(DESTINATION)]
    }

    fn publish(&self, destination: &Destination, message: Message) -> Publishing {
        let envelope = &message.envelope;
        let target = self.shared.layout.target(&envelope.event_type, envelope.key);
        let Some(target) = target.filter(|_| destination.as_str() == DESTINATION) else {
            return future::ready(PublishResult::Unroutable).boxed();
        };
        let (lane, (reply, confirmation)) = (envelope.lane, oneshot::channel());
        let publish = Publish { target, fields: wire::encode(&message), body: message.body, reply };
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
