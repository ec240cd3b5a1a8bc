//! The cases that are measured, and the baseline of each.

use anyhow::Result;

use super::report::Row;
use super::shop::{Load, Store};
use super::{Bench, baseline, shop, split};

/// One line of the table. They run in this order: a baseline before the cases that are compared with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Case {
    Disk,
    BareSqlite,
    Pgbench,
    PgbenchHot,
    Burst,
    Sustained,
    Paced,
    Hot,
    Life,
    PostgresBurst,
    PostgresHot,
    BareLapin,
    BareLapinHeaders,
    Relay,
    Events,
    EventsPaced,
    Backlog,
    Lanes,
    LanesInOutbox,
    Bans,
    BansOnServers,
    Rebuild,
    Webhooks,
    WebhooksOnServers,
    BesideWebhooks,
    OneInstance,
    ThreeInstances,
    BareRedis,
    RedisRelay,
    RedisEvents,
    RedisEventsAlways,
    RedisEventsPaced,
    RedisBacklog,
    RedisLanes,
}

/// The load on Tradepost: orders are spread over a hundred products, except where all want the same.
const BURST: Load = Load { seconds: 10, rate: None, hot: false, life: false };
const SUSTAINED: Load = Load { seconds: 30, rate: Some(2_000), hot: false, life: false };
const PACED: Load = Load { seconds: 10, rate: Some(1_000), hot: false, life: false };
const HOT: Load = Load { seconds: 0, rate: None, hot: true, life: false };
const LIFE: Load = Load { seconds: 10, rate: None, hot: false, life: true };

impl Case {
    pub fn all() -> &'static [Self] {
        use clap::ValueEnum;
        Self::value_variants()
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::BareSqlite => "bare-sqlite",
            Self::Pgbench => "pgbench",
            Self::PgbenchHot => "pgbench-hot",
            Self::Burst => "burst",
            Self::Sustained => "sustained",
            Self::Paced => "paced",
            Self::Hot => "hot",
            Self::Life => "life",
            Self::PostgresBurst => "postgres-burst",
            Self::PostgresHot => "postgres-hot",
            Self::BareLapin => "bare-lapin",
            Self::BareLapinHeaders => "bare-lapin-headers",
            Self::Relay => "relay",
            Self::Events => "events",
            Self::EventsPaced => "events-paced",
            Self::Backlog => "backlog",
            Self::Lanes => "lanes",
            Self::LanesInOutbox => "lanes-in-outbox",
            Self::Bans => "bans",
            Self::BansOnServers => "bans-on-servers",
            Self::Rebuild => "rebuild",
            Self::Webhooks => "webhooks",
            Self::WebhooksOnServers => "webhooks-on-servers",
            Self::BesideWebhooks => "beside-webhooks",
            Self::OneInstance => "one-instance",
            Self::ThreeInstances => "three-instances",
            Self::BareRedis => "bare-redis",
            Self::RedisRelay => "redis-relay",
            Self::RedisEvents => "redis-events",
            Self::RedisEventsAlways => "redis-events-always",
            Self::RedisEventsPaced => "redis-events-paced",
            Self::RedisBacklog => "redis-backlog",
            Self::RedisLanes => "redis-lanes",
        }
    }

    pub fn about(self) -> &'static str {
        match self {
            Self::Disk => "the disk: 4 KiB and a flush, one after another",
            Self::BareSqlite => "SQLite alone: order, line and event, 256 orders a commit",
            Self::Pgbench => "pgbench: order, line and event in a transaction, 32 clients, prepared",
            Self::PgbenchHot => "pgbench: one row updated, 16 clients, prepared",
            Self::Burst => "Tradepost, embedded: as fast as it accepts",
            Self::Sustained => "Tradepost, embedded: 2,000 orders/s to the confirmation",
            Self::Paced => "Tradepost, embedded: 1,000 orders/s",
            Self::Hot => "Tradepost, embedded: 10,000 buyers of 100 units",
            Self::Life => "Tradepost, embedded: 64 orders in flight, each placed, paid, sent and delivered",
            Self::PostgresBurst => "Tradepost on PostgreSQL: as fast as it accepts",
            Self::PostgresHot => "Tradepost on PostgreSQL: 10,000 buyers of 100 units",
            Self::BareLapin => "lapin alone: the relay's bodies, persistent, mandatory, confirmed, 1,024 at a time",
            Self::BareLapinHeaders => "lapin alone: the same with an event's headers",
            Self::Relay => "PostgreSQL and RabbitMQ: from a full outbox to the broker",
            Self::Events => "PostgreSQL and RabbitMQ: from the commit to the effect, as fast as it goes",
            Self::EventsPaced => "PostgreSQL and RabbitMQ: from the commit to the effect, 500 events/s",
            Self::Backlog => "PostgreSQL and RabbitMQ: 100,000 events that wait in the broker",
            Self::Lanes => "PostgreSQL and RabbitMQ: immediate events beside 100,000 others in the broker",
            Self::LanesInOutbox => "PostgreSQL and RabbitMQ: immediate events behind 100,000 others in one outbox",
            Self::Bans => "Tradepost, embedded: a ban in all services, behind the events of 100,000 orders",
            Self::BansOnServers => {
                "PostgreSQL and RabbitMQ: a ban in all services, behind the events of 100,000 orders"
            }
            Self::Rebuild => "Tradepost, embedded: the numbers of 1,000,000 events, counted anew from the archives",
            Self::Webhooks => "Tradepost, embedded: messages of 2,000 orders, to a receiver on this machine",
            Self::WebhooksOnServers => {
                "PostgreSQL and RabbitMQ: messages of 2,000 orders, to a receiver on this machine"
            }
            Self::BesideWebhooks => "Tradepost, embedded: orders, each paid one sent to ten endpoints of webhooks",
            Self::OneInstance => "PostgreSQL and RabbitMQ: a reaction that waits 10 ms, one instance",
            Self::ThreeInstances => "PostgreSQL and RabbitMQ: a reaction that waits 10 ms, three instances",
            Self::BareRedis => "the redis crate alone: the relay's entries, 1,024 in a pipeline, appendfsync everysec",
            Self::RedisRelay => "PostgreSQL and Redis, everysec: from a full outbox to the broker",
            Self::RedisEvents => "PostgreSQL and Redis, everysec: from the commit to the effect, as fast as it goes",
            Self::RedisEventsAlways => {
                "PostgreSQL and Redis, always: from the commit to the effect, as fast as it goes"
            }
            Self::RedisEventsPaced => "PostgreSQL and Redis, always: from the commit to the effect, 500 events/s",
            Self::RedisBacklog => "PostgreSQL and Redis, always: 100,000 events that wait in the broker",
            Self::RedisLanes => "PostgreSQL and Redis, always: immediate events beside 100,000 others in the broker",
        }
    }

    /// The case by whose rate its own is divided.
    pub fn held_against(self) -> Option<Self> {
        match self {
            Self::Burst => Some(Self::BareSqlite),
            Self::PostgresBurst => Some(Self::Pgbench),
            Self::PostgresHot => Some(Self::PgbenchHot),
            Self::BareLapinHeaders | Self::Relay | Self::Events => Some(Self::BareLapin),
            Self::ThreeInstances => Some(Self::OneInstance),
            Self::RedisRelay => Some(Self::BareRedis),
            _ => None,
        }
    }

    /// Its target, on a disk of 3,000 flushes a second and with two cores.
    pub fn target(self) -> &'static str {
        match self {
            Self::Burst => "≥ 8,000 accepted/s",
            Self::Sustained => "≥ 2,000 confirmed/s",
            Self::Paced => "accept p99 < 20 ms",
            Self::Hot => "decided in ≤ 2 s, final in ≤ 6 s",
            Self::PostgresBurst => "≥ 1 ×",
            Self::PostgresHot => "≥ 10 ×",
            Self::Relay => "≥ 0.6 ×",
            Self::Events | Self::RedisEventsAlways => "≥ 3,000/s",
            Self::EventsPaced => "p50 < 10 ms",
            Self::Backlog | Self::RedisBacklog => "0.8 to 1.2 ×",
            Self::Lanes | Self::LanesInOutbox | Self::RedisLanes | Self::Bans | Self::BansOnServers => "p99 ≤ 50 ms",
            Self::Rebuild => "≥ 17,000/s",
            Self::Webhooks | Self::WebhooksOnServers => "≥ 1,000/s",
            Self::BesideWebhooks => "≥ 0.9 ×, paid ≥ 0.8 ×",
            Self::ThreeInstances => "≥ 2.5 ×",
            Self::RedisRelay => "≥ 0.5 ×",
            Self::RedisEvents => "≥ 8,000/s",
            Self::RedisEventsPaced => "p50 < 5 ms",
            _ => "",
        }
    }

    pub fn run(self, bench: &Bench) -> Result<Row> {
        match self {
            Self::Disk => baseline::disk(bench),
            Self::BareSqlite => baseline::bare_sqlite(bench),
            Self::Pgbench => baseline::pgbench(bench),
            Self::PgbenchHot => baseline::pgbench_hot(bench),
            Self::Burst => shop::run(bench, self, Store::Embedded, BURST),
            Self::Sustained => shop::run(bench, self, Store::Embedded, SUSTAINED),
            Self::Paced => shop::run(bench, self, Store::Embedded, PACED),
            Self::Hot => shop::run(bench, self, Store::Embedded, HOT),
            Self::Life => shop::run(bench, self, Store::Embedded, LIFE),
            Self::PostgresBurst => shop::run(bench, self, Store::Postgres, BURST),
            Self::PostgresHot => shop::run(bench, self, Store::Postgres, HOT),
            Self::BareLapin => split::run(bench, self, &["bare"]),
            Self::BareLapinHeaders => split::run(bench, self, &["bare", "--with-headers"]),
            Self::Relay => split::run(bench, self, &["relay"]),
            Self::Events => split::run(bench, self, &["events"]),
            Self::EventsPaced => split::run(bench, self, &["paced"]),
            Self::Backlog => split::run(bench, self, &["backlog"]),
            Self::Lanes => split::run(bench, self, &["lanes"]),
            Self::LanesInOutbox => split::run(bench, self, &["lanes", "--in-outbox"]),
            Self::Bans => split::run(bench, self, &["bans"]),
            Self::BansOnServers => split::run(bench, self, &["bans", "--on-servers"]),
            Self::Rebuild => split::run(bench, self, &["rebuild"]),
            Self::Webhooks => split::run(bench, self, &["webhooks"]),
            Self::WebhooksOnServers => split::run(bench, self, &["webhooks", "--on-servers"]),
            Self::BesideWebhooks => split::run(bench, self, &["beside-webhooks"]),
            Self::OneInstance => split::run(bench, self, &["instances", "1"]),
            Self::ThreeInstances => split::run(bench, self, &["instances", "3"]),
            Self::BareRedis => split::run(bench, self, &["bare", "--broker=redis-everysec"]),
            Self::RedisRelay => split::run(bench, self, &["relay", "--broker=redis-everysec"]),
            Self::RedisEvents => split::run(bench, self, &["events", "--broker=redis-everysec"]),
            Self::RedisEventsAlways => split::run(bench, self, &["events", "--broker=redis"]),
            Self::RedisEventsPaced => split::run(bench, self, &["paced", "--broker=redis"]),
            Self::RedisBacklog => split::run(bench, self, &["backlog", "--broker=redis"]),
            Self::RedisLanes => split::run(bench, self, &["lanes", "--broker=redis"]),
        }
    }
}
