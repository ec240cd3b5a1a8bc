//! Events of other services' archives that the service has yet to handle, before what is live.
//!
//! Whoever catches a service up copies archives into this table; the service's runners handle the rows like deliveries,
//! and remove each once its effect, its retry or its dead letter is in the store.

use kernel::{EventId, Lane};

use crate::archive::StoredEvent;
use crate::envelope::{self, envelope, envelope_values};
use crate::kit::kit;
use crate::statement::Sql;
use crate::subscriptions::copied_rows;
use crate::{Db, Error, Row, Value, params};

kit! {
    static APPEND: Sql = Sql::new(
        "APPEND_TO_BACKLOG",
        concat!(
            "insert into backlog (",
            envelope!(),
            ", source, shard, position, body, is_delivered) values (",
            envelope_values!(),
            ", $10, $11, $12, $13, $14)
             on conflict (lane, shard, source, position, event_id) do nothing"
        ),
    );
    static PAGE: Sql = Sql::new(
        "BACKLOG_PAGE",
        concat!(
            "select source, position, ",
            envelope!(),
            ", body, is_delivered
             from backlog
             where lane = $1 and shard = $2 and source = $3 and position > $4 and type = any($5)
             order by position limit $6"
        ),
    );
    static SOURCES: Sql = Sql::new(
        "BACKLOG_SOURCES",
        "select distinct source from backlog where lane = $1 and shard = $2 and type = any($3) order by source",
    );
    static SHARDS: Sql =
        Sql::new("BACKLOG_SHARDS", "select distinct shard from backlog where lane = $1 and type = any($2) order by shard");
    static DELIVERED: Sql = Sql::new(
        "BACKLOG_DELIVERED",
        "update backlog set is_delivered = $6
         where lane = $1 and shard = $2 and source = $3 and position = any($4) and event_id = any($5)",
    );
    static REMOVE: Sql = Sql::new(
        "REMOVE_FROM_BACKLOG",
        "delete from backlog where lane = $1 and shard = $2 and source = $3 and position = any($4) and event_id = any($5)",
    );
    static COUNT: Sql = Sql::new(
        "COUNT_BACKLOG",
        "select count(*) as rows from (select 1 from backlog where type = any($1) limit $2) as b",
    );
}

/// Rows that [`count`] counts before it stops: a scrape must not walk a history of millions.
pub const COUNTED: i64 = 100_000;

/// An event that waits here.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The event, with its position in the archive of its source.
    pub event: StoredEvent,
    /// Its handling began before, and its end was not recorded.
    pub is_delivered: bool,
}

/// A shard of a lane, of which one runner at a time handles the backlog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The lane.
    pub lane: Lane,
    /// The shard's number.
    pub shard: u16,
}

/// Copies events of a source's archive, and records how far its archive was copied for these types, all or none. What
/// is here already stays as it is.
pub async fn append(db: &Db, types: &[String], events: Vec<StoredEvent>, up_to: i64) -> Result<(), Error> {
    let rows = events.into_iter().map(|event| {
        let shard = db.shards().of(event.envelope.lane, event.envelope.key);
        let source = event.envelope.source.clone();
        let mut row = envelope::values(event.envelope);
        row.extend(params![source, shard, event.position, event.body, false]);
        (&APPEND, row)
    });
    db.sweep(rows.chain(copied_rows(types, up_to)).collect()).await.map(drop)
}

/// The shards of a lane that have something of these types.
pub async fn shards(db: &Db, lane: Lane, types: Vec<String>) -> Result<Vec<u16>, Error> {
    let number = |row: &Row<'_>| Ok(u16::try_from(row.get::<i64>("shard")?).unwrap_or(u16::MAX));
    db.read(&SHARDS, params![lane, types], number).await
}

/// The sources of what a shard has of these types.
pub async fn sources(db: &Db, part: Part, types: Vec<String>) -> Result<Vec<String>, Error> {
    db.read(&SOURCES, params![part.lane, part.shard, types], |row| row.get("source")).await
}

/// A source's events behind a position, oldest first, at most `limit`.
pub async fn page(
    db: &Db,
    part: Part,
    source: &str,
    types: Vec<String>,
    after: i64,
    limit: i64,
) -> Result<Vec<Entry>, Error> {
    let map = |row: &Row<'_>| {
        let event =
            StoredEvent { position: row.get("position")?, envelope: envelope::of_row(row)?, body: row.get("body")? };
        Ok(Entry { event, is_delivered: row.get("is_delivered")? })
    };
    db.read(&PAGE, params![part.lane, part.shard, source, after, types, limit], map).await
}

/// Marks events of a source as being handled.
pub async fn delivered(db: &Db, part: Part, events: Vec<(String, Vec<(i64, EventId)>)>) -> Result<(), Error> {
    let statements = events.into_iter().map(|(source, events)| {
        let mut row = places(part, source, events);
        row.push(true.into());
        (&DELIVERED, row)
    });
    db.sweep(statements.collect()).await.map(drop)
}

/// Removes events of a source that were dealt with.
pub async fn remove(db: &Db, part: Part, events: Vec<(String, Vec<(i64, EventId)>)>) -> Result<(), Error> {
    let statements = events.into_iter().map(|(source, events)| (&REMOVE, places(part, source, events)));
    db.sweep(statements.collect()).await.map(drop)
}

fn places(part: Part, source: String, events: Vec<(i64, EventId)>) -> Vec<Value> {
    let (positions, ids): (Vec<i64>, Vec<EventId>) = events.into_iter().unzip();
    params![part.lane, part.shard, source, positions, ids]
}

/// Number of events of these types that wait, counted to [`COUNTED`].
pub async fn count(db: &Db, types: Vec<String>) -> Result<i64, Error> {
    let found = db.read(&COUNT, params![types, COUNTED], |row| row.get("rows")).await?;
    Ok(found.into_iter().next().unwrap_or_default())
}
