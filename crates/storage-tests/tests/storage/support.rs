//! A small store for the tests: things, and events about them.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use crate::store_location::StoreLocation;
use kernel::{
    Cause, Clock, DeliveryCause, Event, EventId, Ids, Lane, MockClock, Origin, RequestCause, Shards, Timestamp, Uuid,
    Version,
};
use serde::{Deserialize, Serialize};
use storage::{Batch, Db, Migration, Migrations, Options, params, statements};
use test_servers::PATIENCE;

pub const MIGRATIONS: Migrations = Migrations {
    set: "warehouse",
    steps: &[Migration {
        sqlite: "create table things (
                     thing_id blob not null primary key, note text not null, version integer not null
                 ) strict;",
        postgres: "create table things (
                       thing_id uuid not null primary key, note text not null, version bigint not null);",
    }],
};

statements! {
    insert INSERT_THING into things (thing_id uuid, note text, version int);
    change TOUCH_THING "update things set note = $2, version = version + 1 where thing_id = $1 and version = $3";
    query THINGS "select thing_id, note, version from things order by thing_id";
    query COUNTS "select (select count(*) from things) as things, (select count(*) from events) as events,
        (select count(*) from outbox) as pointers, (select count(*) from inbox) as handled,
        (select count(*) from held) as held";
}

/// Emitted when a thing changes; two services react.
#[derive(Debug, Serialize, Deserialize)]
pub struct ThingMoved {
    pub thing_id: Uuid,
}

/// Emitted when a thing breaks; urgent, and one service reacts.
#[derive(Debug, Serialize, Deserialize)]
pub struct ThingBroke {
    pub thing_id: Uuid,
}

/// Emitted when a thing is looked at; nobody reacts.
#[derive(Debug, Serialize, Deserialize)]
pub struct ThingSeen {
    pub thing_id: Uuid,
}

macro_rules! emitted_by_the_warehouse {
    ($($event:ident $lane:ident $event_type:literal;)*) => {$(
        impl Event for $event {
            const TYPE: &'static str = $event_type;
            const SOURCE: &'static str = "warehouse";
            const LANE: Lane = Lane::$lane;

            fn key(&self) -> Uuid {
                self.thing_id
            }
        }
    )*};
}

emitted_by_the_warehouse! {
    ThingMoved Background "warehouse.thing_moved.v1";
    ThingBroke Immediate "warehouse.thing_broke.v1";
    ThingSeen Background "warehouse.thing_seen.v1";
}

/// The time at which every mock clock begins.
pub static START: LazyLock<Timestamp> = LazyLock::new(|| "2026-01-01T00:00:00Z".parse().expect("it is RFC 3339"));

/// An open store, the ids that it uses and the hands of its clock.
pub struct Store {
    pub db: Db,
    pub ids: Ids,
    pub hands: MockClock,
}

impl std::ops::Deref for Store {
    type Target = Db;

    fn deref(&self) -> &Db {
        &self.db
    }
}

pub fn options(place: &StoreLocation) -> (Options, MockClock) {
    let (clock, hands) = Clock::mock(*START);
    let to = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    let options = Options {
        service: "warehouse",
        location: place.location(),
        migrations: MIGRATIONS,
        destinations: HashMap::from([
            (ThingMoved::TYPE.to_owned(), to(&["mail", "stock"])),
            (ThingBroke::TYPE.to_owned(), to(&["mail"])),
        ]),
        shards: Shards::DEFAULT,
        outbox_cap: 1_000_000,
        ids: Ids::new(clock.clone()),
        clock,
    };
    (options, hands)
}

impl Store {
    pub async fn open(place: &StoreLocation) -> Self {
        let (options, hands) = options(place);
        let ids = options.ids.clone();
        Self { db: Db::open(options).await.expect("the place is there and can be written"), ids, hands }
    }

    pub fn now(&self) -> Timestamp {
        self.hands.clock().now()
    }

    pub async fn counts(&self) -> Counts {
        counts(&self.db).await
    }
}

/// Number of rows of each sort.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub things: i64,
    pub events: i64,
    pub pointers: i64,
    pub handled: i64,
    pub held: i64,
}

pub async fn counts(db: &Db) -> Counts {
    let found = db.query_one(&COUNTS, params![], |row| {
        Ok(Counts {
            things: row.get("things")?,
            events: row.get("events")?,
            pointers: row.get("pointers")?,
            handled: row.get("handled")?,
            held: row.get("held")?,
        })
    });
    found.await.expect("the tables are there").expect("a count is one row")
}

pub async fn notes(db: &Db) -> Vec<String> {
    db.query(&THINGS, params![], |row| row.get("note")).await.expect("the table is there")
}

pub fn insert(thing_id: Uuid, note: &str) -> Batch {
    Batch::new().insert(&INSERT_THING, params![thing_id, note, Version::FIRST])
}

pub fn touch(thing_id: Uuid, read: Version, note: &str) -> Batch {
    Batch::new().change(&TOUCH_THING, read, params![thing_id, note])
}

pub fn moved(thing_id: Uuid) -> Batch {
    Batch::new().emit(Version::FIRST, &ThingMoved { thing_id })
}

pub fn request(ids: &Ids) -> Cause {
    Cause::Request(RequestCause { request_id: ids.next(), traceparent: None, keyed: None })
}

pub fn delivery(event_id: EventId) -> DeliveryCause {
    DeliveryCause {
        consumer: "warehouse",
        event_id,
        digest: [7; 16],
        attempts: 1,
        held: None,
        origin: Origin { correlation_id: event_id.into(), causation_id: event_id.into(), traceparent: None },
    }
}

/// Waits until the condition holds; fails after five minutes.
pub async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
