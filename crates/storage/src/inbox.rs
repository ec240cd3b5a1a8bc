//! The events that the service has handled.

use std::collections::HashMap;

use kernel::{EventId, Timestamp};
use uuid::Uuid;

use crate::kit::kit;
use crate::statement::Sql;
use crate::{Db, Error, decisions, params};

kit! {
    static SEEN: Sql =
        Sql::lookup("SEEN_EVENTS", "select event_id, digest, attempts, handled_at from inbox where event_id = any($1)");
    /// Found by the age of the event, and spared if it was handled later: from an archive comes what is older than
    /// that.
    static FORGET: Sql = Sql::new(
        "FORGET_HANDLED",
        "delete from inbox where event_id in (
             select event_id from inbox where event_id < $1 and handled_at < $2 order by event_id limit $3)",
    );
}

/// An event that was handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handled {
    /// The digest of the bytes that were handled.
    pub digest: [u8; 16],
    /// Number of times that handling began.
    pub attempts: i64,
    /// Time at which its effect was committed.
    pub handled_at: Timestamp,
}

/// Those of these events that were handled.
pub async fn handled(db: &Db, events: Vec<EventId>) -> Result<HashMap<EventId, Handled>, Error> {
    let map = |row: &crate::Row<'_>| {
        let handled =
            Handled { digest: row.get("digest")?, attempts: row.get("attempts")?, handled_at: row.get("handled_at")? };
        Ok((row.get::<EventId>("event_id")?, handled))
    };
    Ok(db.read(&SEEN, params![events], map).await?.into_iter().collect())
}

/// Forgets at most `limit` events that were emitted and handled before `horizon`, and as many decisions about dead letters
/// from before; answers with how many of whichever are more.
///
/// Event ids are UUIDv7, so their order is that of their times.
pub async fn forget(db: &Db, horizon: Timestamp, limit: i64) -> Result<usize, Error> {
    let handled = (&FORGET, params![first_id_of(horizon), horizon, limit]);
    let forgotten = db.sweep(vec![handled, decisions::forget(horizon, limit)]).await?;
    Ok(forgotten.into_iter().max().unwrap_or_default())
}

/// The smallest UUIDv7 of a millisecond (RFC 9562 §5.7).
pub fn first_id_of(time: Timestamp) -> Uuid {
    let millis = u64::try_from(time.as_millisecond()).unwrap_or_default();
    Uuid::from_u128(u128::from(millis) << 80)
}
