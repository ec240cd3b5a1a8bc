//! Servers, and what runs on them as a process of the shop would.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bus::{Broker, Topology};
use bus_rabbitmq::RabbitMq;
use events::{
    OrderPlaced, PaymentCaptured, PaymentFailed, SigningKeyPublished, UserBanned, UserRolesChanged, UserUnbanned,
};
use kernel::{Clock, Event, Ids, Shards};
use service::http::auth::Auth;
use service::http::overload::Overload;
use service::telemetry::Metrics;
use service::{AnyService, CatchingUp, Running, Runtime, Settings, Tasks, Tracer};
use storage::{Db, Location};

use crate::services::{CONSUMER, ORDERS, PAYMENTS, tables_of};

/// More than the largest piece of work takes that is in progress when a process is asked to stop.
const DRAIN: Duration = Duration::from_secs(30);

/// PostgreSQL and RabbitMQ with full durability, as they are by default: `fsync`, quorum queues, confirmations.
pub(crate) struct Servers {
    store: Location,
    pub broker_url: String,
    pub clock: Clock,
    pub ids: Ids,
    _running: Started,
}

/// They end with this value.
pub(crate) enum Started {
    Own { _postgres: test_servers::Postgres, _rabbitmq: test_servers::RabbitMq },
    Shared { _database: test_servers::Database, _vhost: test_servers::Vhost },
}

impl Started {
    /// URLs of an empty database and an empty virtual host, and what they are on.
    pub fn start(are_shared: bool) -> Result<(String, String, Self)> {
        Ok(if are_shared {
            let (database, vhost) = (test_servers::Database::create(), test_servers::Vhost::create());
            (database.url(), vhost.url(), Self::Shared { _database: database, _vhost: vhost })
        } else {
            let postgres = test_servers::Options::default().start()?;
            let rabbitmq = test_servers::RabbitMq::try_start()?;
            let (store, broker_url) = (postgres.create_database(), rabbitmq.url());
            (store, broker_url, Self::Own { _postgres: postgres, _rabbitmq: rabbitmq })
        })
    }
}

impl Servers {
    /// Empty, with all queues and bindings.
    pub async fn start(are_shared: bool) -> Result<Self> {
        let (store, broker_url, running) = Started::start(are_shared)?;
        let clock = Clock::system();
        let servers = Self {
            store: Location::Postgres(store.parse()?),
            broker_url,
            ids: Ids::new(clock.clone()),
            clock,
            _running: running,
        };
        servers.connect()?.declare().await.context("the queues can't be made")?;
        servers.migrate().await.context("the stores can't be made")?;
        Ok(servers)
    }

    /// The work of `tradepost migrate` for a shop in which nothing was emitted yet: every consumer is caught up.
    async fn migrate(&self) -> Result<()> {
        let (broker, topology) = (self.connect()?, topology());
        for service in [CONSUMER, ORDERS, PAYMENTS] {
            let store = Db::open(self.store_of(service, &broker)).await?;
            let types: Vec<String> = topology.types_of(service).map(|(event_type, _)| event_type.to_owned()).collect();
            storage::subscriptions::copied(&store, &types, 0).await?;
            storage::subscriptions::go_live(&store, types).await?;
            store.close().await;
        }
        Ok(())
    }

    /// A connection of its own, as each process has it.
    pub fn connect(&self) -> Result<RabbitMq> {
        let options = bus_rabbitmq::Options::new(topology(), Shards::DEFAULT, self.ids.clone());
        Ok(RabbitMq::new(&self.broker_url, options)?)
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
        Ok(Db::open(self.store_of(CONSUMER, &self.connect()?)).await?)
    }

    /// Number of messages that wait for the consumer in the broker.
    pub async fn waiting(&self) -> Result<u64> {
        let broker = self.connect()?;
        broker.until(|health| *health == bus::Health::Ready).await;
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
            broker: Arc::new(servers.connect()?),
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
