//! Decisions about dead letters: who took which, and when.
//!
//! Each is kept in the transaction of its effect (`held.rs`), and forgotten with what the inbox forgets (`inbox.rs`).

use std::collections::HashMap;

use kernel::{DeadLetterId, EventId, Timestamp};

use crate::envelope::storable;
use crate::kit::kit;
use crate::statement::Sql;
use crate::{Db, Error, Row, Value, params};

kit! {
    /// Keeps a decision about a letter that is still parked. On PostgreSQL whoever decides second waits here, and then
    /// finds that it is parked no more: several instances share the store.
    static DECIDE: Sql = Sql::each(
        "DECIDE_PARKED",
        "insert into decisions (dead_letter_id, event_id, decision, decided_by, decided_at)
         select dead_letter_id, event_id, $2, $3, $4 from held where dead_letter_id = $1 and state = 'parked'",
        "insert into decisions (dead_letter_id, event_id, decision, decided_by, decided_at)
         select dead_letter_id, event_id, $2::text, $3::text, $4::timestamptz
         from held where dead_letter_id = $1 and state = 'parked' for update",
    );
    static NEWEST: Sql = Sql::new(
        "NEWEST_DECISIONS",
        "select event_id, decision, decided_by, decided_at from decisions where position in (
             select max(position) from decisions where event_id = any($1) group by event_id)",
    );
    static FORGET: Sql = Sql::new(
        "FORGET_DECISIONS",
        "delete from decisions where position in (
             select position from decisions where decided_at < $1 order by decided_at limit $2)",
    );
}

/// Decision about a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is handled again.
    Replay,
    /// It counts as handled.
    Discard,
}

kernel::named!(Decision { Replay = "replay", Discard = "discard" });

/// Decision that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The decision.
    pub decision: Decision,
    /// The id of the account that took it, or `automation`.
    pub decided_by: String,
    /// The time at which it took effect.
    pub decided_at: Timestamp,
}

/// The statement that keeps a decision, in front of those of its effect.
pub(crate) fn decide(
    id: DeadLetterId,
    decision: Decision,
    decided_by: &str,
    now: Timestamp,
) -> (&'static Sql, Vec<Value>) {
    (&DECIDE, params![id, decision.as_str(), storable(decided_by.to_owned()), now])
}

/// The newest decision about each of these events that has one.
pub async fn newest(db: &Db, events: Vec<EventId>) -> Result<HashMap<EventId, Decided>, Error> {
    let map = |row: &Row<'_>| {
        let decided = Decided {
            decision: row.parse("decision")?,
            decided_by: row.get("decided_by")?,
            decided_at: row.get("decided_at")?,
        };
        Ok((row.get::<EventId>("event_id")?, decided))
    };
    Ok(db.read(&NEWEST, params![events], map).await?.into_iter().collect())
}

/// The statement that forgets at most `limit` decisions from before `horizon`.
pub(crate) fn forget(horizon: Timestamp, limit: i64) -> (&'static Sql, Vec<Value>) {
    (&FORGET, params![horizon, limit])
}
