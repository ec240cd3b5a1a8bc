//! Deliveries that the consumer's store keeps: due for a retry, waiting behind one that is, or parked.
//!
//! While a key has a row here, later events of that key and lane go behind it; all other keys flow.

use kernel::{DeadLetterId, Envelope, EventId, Lane, Timestamp};
use uuid::Uuid;

use crate::decisions::{Decision, decide};
use crate::envelope::{self, envelope, envelope_values, storable};
use crate::kit::kit;
use crate::outbox::numbers;
use crate::statement::Sql;
use crate::{Db, Error, Row, Value, params};

/// A body that is larger is not listed with its dead letter: PARKED reads one byte more.
pub const LISTED_BYTES_MAX: usize = 64 * 1024;

/// A body that is larger stays in the store: PARKED_ONE reads one byte more. Twice what any event may have.
pub const SHOWN_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The condition, in a statement of a service, that a delivery about a key is held here, for a retry or parked: the row
/// that has this key is known to be out of date.
///
/// `$source` is the parameter that holds the name of the emitting service, `$key` the column of the key.
// One search of the index for each lane: `lane in (…)` has SQLite make a table for each row, which costs more than the
// rest of an order.
#[macro_export]
macro_rules! is_held {
    ($source:literal, $key:literal) => {
        concat!(
            "(exists (select 1 from held where source = ",
            $source,
            " and lane = 'immediate' and held.key = ",
            $key,
            ") or exists (select 1 from held where source = ",
            $source,
            " and lane = 'background' and held.key = ",
            $key,
            "))"
        )
    };
}

/// A statement that reads held deliveries, or of their bodies only some; see [`held`].
macro_rules! select {
    ($body:literal, $rest:literal) => {
        concat!(
            "select position, dead_letter_id, source, ",
            envelope!(),
            ", ",
            $body,
            ", digest, state, due_at, attempts, reason, first_failed_at ",
            $rest
        )
    };
}

kit! {
    /// Stores a delivery, unless it was handled meanwhile: by an instance that had its shard before.
    static HOLD: Sql = Sql::each(
        "HOLD_DELIVERY",
        concat!(
            "insert into held
                 (",
            envelope!(),
            ", source, dead_letter_id, body, digest, state, due_at, attempts, reason, first_failed_at,
                  shard)
             select ",
            envelope_values!(),
            ", $10, $11, $12, $13,
                 case when exists (select 1 from held where source = $10 and lane = $4 and key = $3) then 'waiting'
                     else $14 end,
                 case when exists (select 1 from held where source = $10 and lane = $4 and key = $3) then null else $15 end,
                 $16, $17, $18, $19
             where not exists (select 1 from inbox where event_id = $1 and digest = $13)
             on conflict (event_id, digest) do nothing"
        ),
        concat!(
            "insert into held
                 (",
            envelope!(),
            ", source, dead_letter_id, body, digest, state, due_at, attempts, reason, first_failed_at,
                  shard)
             select ",
            envelope_values!(postgres),
            ", $10::text, $11::uuid, $12::bytea, $13::bytea,
                 case when exists (select 1 from held where source = $10 and lane = $4 and key = $3) then 'waiting'
                     else $14::text end,
                 case when exists (select 1 from held where source = $10 and lane = $4 and key = $3) then null
                     else $15::timestamptz end,
                 $16::int8, $17::text, $18::timestamptz, $19::int8
             where not exists (select 1 from inbox where event_id = $1 and digest = $13)
             on conflict (event_id, digest) do nothing"
        ),
    );
    static COUNT_ATTEMPT: Sql = Sql::new(
        "COUNT_ATTEMPT",
        "update held set attempts = $2 + 1 where position = $1 and state = 'due' and attempts = $2",
    );
    static FAILED_AGAIN: Sql = Sql::new(
        "FAILED_AGAIN",
        "update held
         set state = $3, due_at = $4, attempts = $5, reason = $6, first_failed_at = coalesce(first_failed_at, $7)
         where position = $1 and state = 'due' and attempts = $2",
    );
    static NEXT_OF_KEY: Sql = Sql::new(
        "RELEASE_NEXT",
        "update held set state = 'due', due_at = $2
         where state = 'waiting' and position = (
             select min(next.position) from held next join held done on done.position = $1
             where next.source = done.source and next.lane = done.lane and next.key = done.key
                 and next.position > done.position)",
    );
    static REMOVE: Sql = Sql::new("RELEASE_HELD", "delete from held where position = $1");
    static KEYS: Sql = Sql::new("HELD_KEYS", "select distinct source, key from held where lane = $1 and shard = any($2)");
    static DUE: Sql = Sql::new(
        "HELD_DUE",
        select!(
            "body",
            "from held where state = 'due' and lane = $1 and due_at <= $2 and shard = any($4)
             order by due_at, position limit $3"
        ),
    );
    static NEXT_DUE: Sql = Sql::lookup(
        "HELD_NEXT_DUE",
        "select min(due_at) as due_at from held where state = 'due' and lane = $1 and shard = any($2)",
    );
    static PARKED: Sql = Sql::new(
        "PARKED",
        select!(
            "substr(body, 1, 65537) as body",
            "from held where state = 'parked' and dead_letter_id < $1 order by dead_letter_id desc limit $2"
        ),
    );
    static PARKED_ONE: Sql = Sql::new(
        "PARKED_ONE",
        select!("substr(body, 1, 16777217) as body", "from held where state = 'parked' and dead_letter_id = $1"),
    );
    static PARKED_NAMES: Sql = Sql::new(
        "PARKED_NAMES",
        "select dead_letter_id, type, key, reason, first_failed_at
         from held where state = 'parked' and dead_letter_id < $1 order by dead_letter_id desc limit $2",
    );
    static OF_EVENTS: Sql = Sql::new("HELD_EVENTS", select!("body", "from held where event_id = any($1)"));
    static COUNTS: Sql = Sql::new(
        "HELD_COUNTS",
        "select count(*) filter (where state = 'parked') as parked, count(*) filter (where state = 'due') as due,
             count(*) as held
         from held",
    );
    static COUNT_DUE: Sql =
        Sql::new("COUNT_DUE_RETRIES", "select count(*) as due from held where state = 'due' and due_at <= $1");
    static REPLAY: Sql = Sql::new(
        "REPLAY_PARKED",
        "update held set state = 'due', due_at = $2, attempts = 0 where dead_letter_id = $1 and state = 'parked'",
    );
    static DISCARD: Sql = Sql::new(
        "DISCARD_PARKED",
        "insert into inbox (event_id, digest, attempts, handled_at)
         select event_id, digest, attempts, $2 from held where dead_letter_id = $1 and state = 'parked'
         on conflict (event_id) do nothing",
    );
    static RELEASE_BEHIND_DISCARDED: Sql = Sql::new(
        "RELEASE_BEHIND_DISCARDED",
        "update held set state = 'due', due_at = $2
         where state = 'waiting' and position = (
             select min(next.position) from held next join held done on done.dead_letter_id = $1
             where done.state = 'parked' and next.source = done.source and next.lane = done.lane and next.key = done.key
                 and next.position > done.position)",
    );
    static REMOVE_DISCARDED: Sql =
        Sql::new("REMOVE_DISCARDED", "delete from held where dead_letter_id = $1 and state = 'parked'");
}

/// Reason why a delivery is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldState {
    /// Its time.
    Due,
    /// The delivery before it.
    Waiting,
    /// Somebody who replays or discards it.
    Parked,
}

impl HeldState {
    /// The name in tables and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Waiting => "waiting",
            Self::Parked => "parked",
        }
    }
}

impl std::str::FromStr for HeldState {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "due" => Ok(Self::Due),
            "waiting" => Ok(Self::Waiting),
            "parked" => Ok(Self::Parked),
            _ => Err("no state of a held delivery"),
        }
    }
}

/// A delivery in the consumer's store, with everything that is needed to handle it.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are those of the table")]
pub struct Held {
    /// 0 for one that is about to be stored.
    pub position: i64,
    pub dead_letter_id: DeadLetterId,
    pub envelope: Envelope,
    pub body: Vec<u8>,
    pub digest: [u8; 16],
    pub state: HeldState,
    pub due_at: Option<Timestamp>,
    pub attempts: i64,
    pub reason: Option<String>,
    pub first_failed_at: Option<Timestamp>,
}

/// Stores deliveries: each waits if another of its key is there already, whatever its own state says.
/// Those that are held or were handled already stay as they are.
pub async fn hold(db: &Db, deliveries: Vec<Held>) -> Result<(), Error> {
    let with_shard = |held: Held| {
        let shard = db.shards().of(held.envelope.lane, held.envelope.key);
        let mut row = held.into_params();
        row.push(shard.into());
        (&HOLD, row)
    };
    let statements = deliveries.into_iter().map(with_shard).collect();
    db.sweep(statements).await?;
    Ok(())
}

impl Held {
    fn into_params(self) -> Vec<Value> {
        let source = storable(self.envelope.source.clone());
        let mut row = envelope::values(self.envelope);
        row.extend(params![
            source,
            self.dead_letter_id,
            self.body,
            self.digest.as_slice(),
            self.state.as_str(),
            self.due_at,
            self.attempts,
            self.reason.map(storable),
            self.first_failed_at,
        ]);
        row
    }
}

/// A delivery that is due, and how many of its attempts are counted: somebody else who has it changes that number, so
/// whoever is late meets no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Of the delivery.
    pub position: i64,
    /// The attempts that are counted.
    pub counted: i64,
}

impl Attempt {
    /// Counts the next attempt before it is made, so that one which ends the process counts too. `None` if somebody
    /// else has it.
    pub async fn next(self, db: &Db) -> Result<Option<Self>, Error> {
        let met = db.sweep(vec![(&COUNT_ATTEMPT, params![self.position, self.counted])]).await?;
        Ok((met == [1]).then_some(Self { counted: self.counted + 1, ..self }))
    }

    /// Records that it failed, and how many attempts there were: due again at a time, or parked if there is none.
    /// Nothing if somebody else has it.
    pub async fn failed(
        self,
        db: &Db,
        retry_at: Option<Timestamp>,
        attempts: i64,
        reason: String,
        now: Timestamp,
    ) -> Result<(), Error> {
        let state = if retry_at.is_some() { HeldState::Due } else { HeldState::Parked };
        let row = params![self.position, self.counted, state.as_str(), retry_at, attempts, storable(reason), now];
        db.sweep(vec![(&FAILED_AGAIN, row)]).await?;
        Ok(())
    }
}

/// Removes a delivery that was dealt with, without recording it: a duplicate of one that was handled.
pub async fn drop_duplicate(db: &Db, position: i64, now: Timestamp) -> Result<(), Error> {
    db.sweep(release(position, now).into()).await?;
    Ok(())
}

/// Statements that run in the effect's transaction: they make the next delivery of the key due, and remove this one.
pub(crate) fn release(position: i64, now: Timestamp) -> [(&'static Sql, Vec<Value>); 2] {
    [(&NEXT_OF_KEY, params![position, now]), (&REMOVE, params![position])]
}

/// The sources and keys of a lane that have held deliveries in these shards.
pub async fn keys(db: &Db, lane: Lane, shards: &[u16]) -> Result<Vec<(String, Uuid)>, Error> {
    db.read(&KEYS, params![lane, numbers(shards)], |row| Ok((row.get("source")?, row.get("key")?))).await
}

/// Deliveries of a lane's shards whose time has come, at most `limit`: only firsts of their keys.
pub async fn due(db: &Db, lane: Lane, shards: &[u16], now: Timestamp, limit: i64) -> Result<Vec<Held>, Error> {
    db.read(&DUE, params![lane, now, limit, numbers(shards)], held).await
}

/// Time at which the next delivery of a lane's shards is due.
pub async fn next_due(db: &Db, lane: Lane, shards: &[u16]) -> Result<Option<Timestamp>, Error> {
    let found = db.read(&NEXT_DUE, params![lane, numbers(shards)], |row| row.get("due_at")).await?;
    Ok(found.into_iter().next().flatten())
}

/// Parked deliveries with ids below `before`, newest first, at most `limit`.
///
/// Of a body, only as much as says that it is larger than [`LISTED_BYTES_MAX`].
pub async fn parked(db: &Db, before: DeadLetterId, limit: i64) -> Result<Vec<Held>, Error> {
    db.read(&PARKED, params![before, limit], held).await
}

/// One parked delivery. Of its body, only as much as says that it is larger than [`SHOWN_BYTES_MAX`].
pub async fn parked_one(db: &Db, id: DeadLetterId) -> Result<Option<Held>, Error> {
    Ok(db.read(&PARKED_ONE, params![id], held).await?.into_iter().next())
}

/// A parked delivery without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the field of `Held` or its envelope of this name")]
pub struct ParkedName {
    pub dead_letter_id: DeadLetterId,
    pub event_type: String,
    pub key: Uuid,
    pub reason: Option<String>,
    pub first_failed_at: Option<Timestamp>,
}

/// Parked deliveries with ids below `before`, newest first, at most `limit`, without their bodies.
pub async fn parked_names(db: &Db, before: DeadLetterId, limit: i64) -> Result<Vec<ParkedName>, Error> {
    let name = |row: &Row<'_>| {
        Ok(ParkedName {
            dead_letter_id: row.get("dead_letter_id")?,
            event_type: row.get("type")?,
            key: row.get("key")?,
            reason: row.get("reason")?,
            first_failed_at: row.get("first_failed_at")?,
        })
    };
    db.read(&PARKED_NAMES, params![before, limit], name).await
}

/// Those of these events that are held.
pub async fn of_events(db: &Db, events: Vec<EventId>) -> Result<Vec<Held>, Error> {
    db.read(&OF_EVENTS, params![events], held).await
}

/// Number of held deliveries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Parked as dead letters.
    pub parked: i64,
    /// Due now or later.
    pub due: i64,
    /// All, those that wait behind others included.
    pub held: i64,
}

/// Number of held deliveries by state.
pub async fn counts(db: &Db) -> Result<Counts, Error> {
    let map = |row: &Row<'_>| Ok(Counts { parked: row.get("parked")?, due: row.get("due")?, held: row.get("held")? });
    Ok(db.read(&COUNTS, params![], map).await?.into_iter().next().unwrap_or_default())
}

/// Number of due deliveries of all lanes.
pub async fn due_by(db: &Db, now: Timestamp) -> Result<i64, Error> {
    let found = db.read(&COUNT_DUE, params![now], |row| row.get("due")).await?;
    Ok(found.into_iter().next().unwrap_or_default())
}

/// Makes a parked delivery due now, with all its attempts before it, and keeps who decided it. False if it is not parked
/// (any more).
pub async fn replay(db: &Db, id: DeadLetterId, decided_by: &str, now: Timestamp) -> Result<bool, Error> {
    let statements = vec![decide(id, Decision::Replay, decided_by, now), (&REPLAY, params![id, now])];
    let met = db.sweep(statements).await?;
    Ok(met.last() == Some(&1))
}

/// Gives a parked delivery up: it counts as handled, and the next of its key goes. Keeps who decided it. False if it is
/// not parked (any more).
pub async fn discard(db: &Db, id: DeadLetterId, decided_by: &str, now: Timestamp) -> Result<bool, Error> {
    let statements = vec![
        decide(id, Decision::Discard, decided_by, now),
        (&DISCARD, params![id, now]),
        (&RELEASE_BEHIND_DISCARDED, params![id, now]),
        (&REMOVE_DISCARDED, params![id]),
    ];
    let met = db.sweep(statements).await?;
    Ok(met.last() == Some(&1))
}

fn held(row: &Row<'_>) -> Result<Held, Error> {
    Ok(Held {
        position: row.get("position")?,
        dead_letter_id: row.get("dead_letter_id")?,
        envelope: envelope::of_row(row)?,
        body: row.get("body")?,
        digest: row.get("digest")?,
        state: row.parse("state")?,
        due_at: row.get("due_at")?,
        attempts: row.get("attempts")?,
        reason: row.get("reason")?,
        first_failed_at: row.get("first_failed_at")?,
    })
}
