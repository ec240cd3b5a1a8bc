//! What the service has dealt with: events that were handled, requests that were committed.

use std::collections::HashMap;

use kernel::{EventId, Timestamp};
use uuid::Uuid;

use crate::statement::Sql;
use crate::{Db, Error, params};

static SEEN: Sql =
    Sql::new("SEEN_EVENTS", "select event_id, digest, attempts, handled_at from inbox where event_id = any($1)");
static FORGET_REQUESTS: Sql = Sql::new(
    "FORGET_REQUESTS",
    "delete from requests where request_id in (
         select request_id from requests where request_id < $1 order by request_id limit $2)",
);
static FORGET: Sql = Sql::new(
    "FORGET_HANDLED",
    "delete from inbox where event_id in (
         select event_id from inbox where event_id < $1 order by event_id limit $2)",
);

/// An event that was handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handled {
    /// The digest of the bytes that were handled.
    pub digest: [u8; 16],
    /// How often handling began.
    pub attempts: i64,
    /// When its effect was committed.
    pub handled_at: Timestamp,
}

/// Which of these events were handled.
pub async fn handled(db: &Db, events: Vec<EventId>) -> Result<HashMap<EventId, Handled>, Error> {
    let map = |row: &crate::Row<'_>| {
        let handled =
            Handled { digest: row.get("digest")?, attempts: row.get("attempts")?, handled_at: row.get("handled_at")? };
        Ok((row.get::<EventId>("event_id")?, handled))
    };
    Ok(db.sqlite.readers.query(&SEEN, params![events], map).await?.into_iter().collect())
}

/// Forgets at most `limit` events that were emitted before `horizon`; answers with how many.
///
/// Event ids are UUIDv7, so their order is that of their times.
pub async fn forget(db: &Db, horizon: Timestamp, limit: i64) -> Result<usize, Error> {
    forget_by(db, &FORGET, horizon, limit).await
}

/// Forgets at most `limit` requests that were made before `horizon`; answers with how many.
pub async fn forget_requests(db: &Db, horizon: Timestamp, limit: i64) -> Result<usize, Error> {
    forget_by(db, &FORGET_REQUESTS, horizon, limit).await
}

async fn forget_by(db: &Db, sql: &'static Sql, horizon: Timestamp, limit: i64) -> Result<usize, Error> {
    let statement = (sql, params![first_id_of(horizon), limit]);
    let met = db.sqlite.writer.sweep(vec![statement], |_| crate::sqlite::effects::none()).await?;
    Ok(met.into_iter().sum())
}

/// The smallest UUIDv7 of a millisecond (RFC 9562 §5.7).
fn first_id_of(time: Timestamp) -> Uuid {
    let millis = u64::try_from(time.as_millisecond()).unwrap_or_default();
    Uuid::from_u128(u128::from(millis) << 80)
}
