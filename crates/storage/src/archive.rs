//! The events that this store's service emitted, for stories, tails and lists.

use std::time::{Duration, Instant};

use kernel::{Envelope, EventId};
use uuid::Uuid;

use crate::envelope::{self, envelope};
use crate::kit::kit;
use crate::statement::Sql;
use crate::{Db, Error, Row, params};

/// A statement that reads events of this archive; see [`stored`].
macro_rules! select {
    ($rest:literal) => {
        concat!("select position, ", envelope!(), ", body ", $rest)
    };
}

kit! {
    static OF_KEY: Sql = Sql::new("EVENTS_OF_KEY", select!("from events where key = $1 order by position limit $2"));
    static AFTER: Sql =
        Sql::new("EVENTS_AFTER", select!("from events where position > $1 and position <= $2 order by position limit $3"));
    static OF_TYPES: Sql = Sql::new(
        "EVENTS_OF_TYPES",
        select!("from events where position > $1 and position <= $2 and type = any($3) order by position limit $4"),
    );
    static COUNT_OF_TYPES: Sql = Sql::new(
        "COUNT_EVENTS_OF_TYPES",
        "select count(*) as events from events where position <= $1 and type = any($2)",
    );
    static BEFORE: Sql = Sql::new(
        "EVENTS_BEFORE",
        select!(
            "from events
             where event_id < $1 and (type = $2 or $2 is null) and (key = $3 or $3 is null)
             order by event_id desc limit $4"
        ),
    );
    static BY_ID: Sql = Sql::new("EVENT_BY_ID", select!("from events where event_id = $1"));
    /// With it, the number of the reader's own transaction: what has a lower position and can't be seen is of an
    /// earlier one, for a transaction has its number before its events have their positions. (A snapshot's `xmax` is no
    /// bound: it is the first number after those that have ended.)
    static NEWEST: Sql = Sql::each(
        "NEWEST_EVENT",
        "select coalesce(max(position), 0) as position, 0 as begun from events",
        "select coalesce(max(position), 0) as position, pg_current_xact_id()::text::bigint as begun from events",
    );
    /// A row, if all transactions before this one have ended. One writes at a time where there are no numbers.
    static HAVE_ENDED: Sql = Sql::each(
        "TRANSACTIONS_HAVE_ENDED",
        "select 1 as ended where $1 = 0",
        "select 1 as ended where pg_snapshot_xmin(pg_current_snapshot())::text::bigint >= $1",
    );
}

/// Longest wait for open transactions: commits take milliseconds.
const PATIENCE: Duration = Duration::from_secs(1);

/// The time between two looks at them.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// An event as it was committed.
#[derive(Clone, Debug)]
pub struct StoredEvent {
    /// Its place in this store: grows with each commit.
    pub position: i64,
    /// Its type, subject and other attributes.
    pub envelope: Envelope,
    /// The payload, as JSON.
    pub body: Vec<u8>,
}

/// The events about one key, oldest first, at most `limit`.
pub async fn of_key(db: &Db, key: Uuid, limit: i64) -> Result<Vec<StoredEvent>, Error> {
    db.read(&OF_KEY, params![key, limit], stored(db)).await
}

/// The events after a position, oldest first, at most `limit`. Whoever goes on from the last of them passes over none:
/// positions become visible out of order, so there are none while one with a lower position may still be committed.
pub async fn after(db: &Db, position: i64, limit: i64) -> Result<Vec<StoredEvent>, Error> {
    let horizon = horizon(db).await?;
    if horizon.position <= position || !horizon.is_settled(db).await? {
        return Ok(Vec::new());
    }
    db.read(&AFTER, params![position, horizon.position, limit], stored(db)).await
}

/// The newest position that was seen, and what may still come below it.
#[derive(Clone, Copy)]
struct Horizon {
    position: i64,
    begun: i64,
}

impl Horizon {
    /// Waits for the transactions that may have lower positions; false if one of them takes its time.
    async fn is_settled(self, db: &Db) -> Result<bool, Error> {
        let began = Instant::now();
        loop {
            if !db.read(&HAVE_ENDED, params![self.begun], |row| row.get::<i64>("ended")).await?.is_empty() {
                return Ok(true);
            }
            if began.elapsed() > PATIENCE {
                return Ok(false);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

async fn horizon(db: &Db) -> Result<Horizon, Error> {
    let map = |row: &Row<'_>| Ok(Horizon { position: row.get("position")?, begun: row.get("begun")? });
    Ok(db.read(&NEWEST, params![], map).await?.into_iter().next().unwrap_or(Horizon { position: 0, begun: 0 }))
}

/// The events of some types behind the position `after`, up to the position `up_to`, oldest first, at most `limit`.
///
/// With an `up_to` that was the [`newest`] at some time, all that was committed by then is found, and nothing of a key
/// without the earlier events of that key: an event gets its position after the one before it was committed.
pub async fn of_types(
    db: &Db,
    types: Vec<String>,
    after: i64,
    up_to: i64,
    limit: i64,
) -> Result<Vec<StoredEvent>, Error> {
    db.read(&OF_TYPES, params![after, up_to, types, limit], stored(db)).await
}

/// Number of the events of some types up to the position `up_to`. All of them are read for it.
pub async fn count(db: &Db, types: Vec<String>, up_to: i64) -> Result<u64, Error> {
    let counts = db.read(&COUNT_OF_TYPES, params![up_to, types], |row| row.get::<i64>("events")).await?;
    Ok(counts.into_iter().next().and_then(|count| u64::try_from(count).ok()).unwrap_or_default())
}

/// Events older than `before`, newest first, at most `limit`.
pub async fn before(
    db: &Db,
    before: EventId,
    event_type: Option<String>,
    key: Option<Uuid>,
    limit: i64,
) -> Result<Vec<StoredEvent>, Error> {
    db.read(&BEFORE, params![before, event_type, key, limit], stored(db)).await
}

/// One event.
pub async fn by_id(db: &Db, event_id: EventId) -> Result<Option<StoredEvent>, Error> {
    Ok(db.read(&BY_ID, params![event_id], stored(db)).await?.into_iter().next())
}

/// The position of the newest event, 0 if there is none. What was being committed with a lower one is there by now,
/// unless it takes longer than a second.
pub async fn newest(db: &Db) -> Result<i64, Error> {
    let horizon = horizon(db).await?;
    horizon.is_settled(db).await?;
    Ok(horizon.position)
}

/// Reads the rows of this store's archive.
pub(crate) fn stored(db: &Db) -> impl Fn(&Row<'_>) -> Result<StoredEvent, Error> + Send + 'static {
    let source = db.service();
    move |row| {
        Ok(StoredEvent {
            position: row.get("position")?,
            envelope: envelope::of_source(source, row)?,
            body: row.get("body")?,
        })
    }
}
