//! Servers, and what runs on them as a process of the shop would.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bus::{Adapter, Broker, Health, Setup, Topology};
use events::{
    OrderPlaced, PaymentCaptured, PaymentFailed, SigningKeyPublished, UserBanned, UserRolesChanged, UserUnbanned,
};
use kernel::{Clock, Event, Ids, Shards};
use service::http::auth::Auth;
use service::http::overload::Overload;
use service::telemetry::Metrics;
use service::{AnyService, CatchingUp, Running, Runtime, Settings, Tasks, Tracer};
use storage::{Db, Location};
use test_servers::{Appending, BrokerKind, BrokerSpace, RedisOptions};

use crate::services::{CONSUMER, ORDERS, PAYMENTS, tables_of};

/// More than the largest piece of work takes that is in progress when a process is asked to stop.
const DRAIN: Duration = Duration::from_secs(30);

/// A broker, and how durable it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum BrokerServer {
    /// RabbitMQ with quorum queues and confirmations
    Rabbitmq,
    /// Redis that flushes before it answers
    Redis,
    /// Redis that flushes once a second
    RedisEverysec,
}

impl BrokerServer {
    fn kind(self) -> BrokerKind {
        match self {
            Self::Rabbitmq => BrokerKind::RabbitMq,
            Self::Redis | Self::RedisEverysec => BrokerKind::Redis,
        }
    }

    fn adapter(self) -> &'static dyn Adapter {
        match self {
            Self::Rabbitmq => &bus_rabbitmq::Adapter,
            Self::Redis | Self::RedisEverysec => &bus_redis::Adapter,
        }
    }

    fn start(self) -> Result<(String, OwnBroker)> {
        let appending = match self {
            Self::Rabbitmq => {
                let rabbitmq = test_servers::RabbitMq::try_start()?;
                return Ok((rabbitmq.url(), OwnBroker::RabbitMq(rabbitmq)));
            }
            Self::Redis => Appending::Always,
            Self::RedisEverysec => Appending::EverySecond,
        };
        let redis = RedisOptions { appending, ..RedisOptions::default() }.try_start()?;
        Ok((redis.url(), OwnBroker::Redis(redis)))
    }
}

/// A broker that ends with this value.
#[expect(dead_code, reason = "they only have to last")]
pub(crate) enum OwnBroker {
    RabbitMq(test_servers::RabbitMq),
    Redis(test_servers::Redis),
}

/// The kind of servers that a case runs on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct On {
    pub broker: BrokerServer,
    /// True for those that tests share.
    pub are_shared: bool,
}

/// PostgreSQL and a broker with full durability, as they are by default: `fsync`, and what the broker's kind says.
pub(crate) struct Servers {
    adapter: &'static dyn Adapter,
    store: Location,
    pub broker_url: String,
    pub clock: Clock,
    pub ids: Ids,
    _running: Started,
}

/// They end with this value.
pub(crate) enum Started {
    Own { _postgres: test_servers::Postgres, _broker: OwnBroker },
    Shared { _database: test_servers::Database, _broker: BrokerSpace },
}

impl Started {
    /// URLs of an empty database and of room on a broker, and what they are on.
    pub fn start(on: On) -> Result<(String, String, Self)> {
        Ok(if on.are_shared {
            let (database, broker) = (test_servers::Database::create(), BrokerSpace::create(on.broker.kind()));
            (database.url(), broker.url(), Self::Shared { _database: database, _broker: broker })
        } else {
            let postgres = test_servers::Options::default().start()?;
            let (broker_url, broker) = on.broker.start()?;
            (postgres.create_database(), broker_url, Self::Own { _postgres: postgres, _broker: broker })
        })
    }
}

impl Servers {
    /// Empty, with all queues or streams.
    pub async fn start(on: On) -> Result<Self> {
        let (store, broker_url, running) = Started::start(on)?;
        let clock = Clock::system();
        let servers = Self {
            adapter: on.broker.adapter(),
            store: Location::Postgres(store.parse()?),
            broker_url,
            ids: Ids::new(clock.clone()),
            clock,
            _running: running,
        };
        let declared = servers.adapter.declare(&servers.broker_url, servers.setup()).await;
        declared.context("the queues or streams can't be made")?;
        servers.migrate().await.context("the stores can't be made")?;
        Ok(servers)
    }

    /// The work of `tradepost migrate` for a shop in which nothing was emitted yet: every consumer is caught up.
    async fn migrate(&self) -> Result<()> {
        let (broker, topology) = (self.connect()?, topology());
        for service in [CONSUMER, ORDERS, PAYMENTS] {
            let store = Db::open(self.store_of(service, &*broker)).await?;
            let types: Vec<String> = topology.types_of(service).map(|(event_type, _)| event_type.to_owned()).collect();
            storage::subscriptions::copied(&store, &types, 0).await?;
            storage::subscriptions::go_live(&store, types).await?;
            store.close().await;
        }
        Ok(())
    }

    /// A connection of its own, as each process has it.
    pub fn connect(&self) -> Result<Arc<dyn Broker>> {
        Ok(self.adapter.connect(&self.broker_url, self.setup())?)
    }

    /// The broker's URL without what is Tradepost's own.
    pub fn server_url(&self) -> &str {
        self.broker_url.split('?').next().unwrap_or(&self.broker_url)
    }

    /// The key of a stream on Redis.
    pub fn key(&self, stream: &str) -> String {
        let prefix = self.broker_url.split_once("?prefix=").map_or("", |(_, prefix)| prefix);
        format!("{prefix}tradepost.{stream}")
    }

    fn setup(&self) -> Setup {
        Setup { topology: topology(), shards: Shards::DEFAULT, ids: self.ids.clone() }
    }

    /// Options that open a service's store without running the service.
    pub fn store_of(&self, service: &'static str, broker: &dyn Broker) -> storage::Options {
        let of_type = |event_type: &str| broker.destinations(event_type).iter().map(ToString::to_string).collect();
        let events = events::all().filter(|event| event.source == service);
        storage::Options {
            service,
            location: self.store.clone(),
            migrations: tables_of(service),
            destinations: events.map(|event| (event.event_type.to_owned(), of_type(event.event_type))).collect(),
            shards: Shards::DEFAULT,
            outbox_cap: OUTBOX_CAP,
            clock: self.clock.clone(),
            ids: self.ids.clone(),
        }
    }

    /// The consumer's store, after its end.
    pub async fn consumers_store(&self) -> Result<Db> {
        Ok(Db::open(self.store_of(CONSUMER, &*self.connect()?)).await?)
    }

    /// Number of messages that wait for the consumer in the broker.
    pub async fn waiting(&self) -> Result<u64> {
        let broker = self.connect()?;
        while broker.health() != Health::Ready {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(broker.waiting(CONSUMER).await?)
    }
}

/// The default of `outbox_cap`.
const OUTBOX_CAP: u64 = 1_000_000;

fn topology() -> Topology {
    // Every service checks users' tokens, by what these say; nobody emits any here.
    let common = [
        (SigningKeyPublished::TYPE, SigningKeyPublished::LANE),
        (UserBanned::TYPE, UserBanned::LANE),
        (UserUnbanned::TYPE, UserUnbanned::LANE),
        (UserRolesChanged::TYPE, UserRolesChanged::LANE),
    ];
    Topology::new()
        .consumer(
            CONSUMER,
            [
                (OrderPlaced::TYPE, OrderPlaced::LANE),
                (PaymentCaptured::TYPE, PaymentCaptured::LANE),
                (PaymentFailed::TYPE, PaymentFailed::LANE),
            ]
            .into_iter()
            .chain(common),
        )
        .consumer(ORDERS, common)
        .consumer(PAYMENTS, common)
}

/// A process that runs some services, with connections of its own.
pub(crate) struct Process {
    tasks: Tasks,
    running: Vec<Running>,
}

impl Process {
    pub async fn start(servers: &Servers, services: Vec<Box<dyn AnyService>>) -> Result<Self> {
        let tasks = Tasks::new();
        let runtime = Runtime {
            store: servers.store.clone(),
            broker: servers.connect()?,
            clock: servers.clock.clone(),
            ids: servers.ids.clone(),
            settings: Arc::new(Settings::default()),
            metrics: Arc::new(Metrics::new(servers.clock.now())),
            auth: Arc::new(Auth::new(Vec::new(), servers.clock.clone())),
            overload: Overload::new(&[]),
            tracer: Tracer::default(),
            catching_up: CatchingUp::default(),
            tasks: tasks.clone(),
        };
        let mut running = Vec::new();
        for service in services {
            let store = service.open(&runtime).await?;
            running.push(service.start(store, &runtime).await?);
        }
        Ok(Self { tasks, running })
    }

    /// Lets what has begun end.
    pub async fn stop(self) -> Result<()> {
        let is_drained = self.tasks.stop(DRAIN).await;
        for running in &self.running {
            Running::close(&running.operator, is_drained).await;
        }
        ensure!(is_drained, "work was still in progress after {DRAIN:?}");
        Ok(())
    }
}
