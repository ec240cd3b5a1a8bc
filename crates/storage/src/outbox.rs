//! Unsent events: pointers to them, one for each destination.

use std::collections::BTreeSet;

use kernel::{EventId, Lane, Timestamp, Uuid};

use crate::archive::{StoredEvent, stored};
use crate::envelope::envelope;
use crate::kit::kit;
use crate::statement::Sql;
use crate::{Db, Error, Row, params};

kit! {
    static PENDING: Sql = Sql::lookup(
        "PENDING_EVENTS",
        concat!(
            "select events.position, ",
            envelope!("events"),
            ", body
             from outbox join events on events.position = outbox.position
             where destination = $1 and outbox.lane = $2 and outbox.position > $3 and outbox.position <> all($4)
             order by outbox.position limit $5"
        ),
    );
    static PENDING_OF_SHARDS: Sql = Sql::each(
        "PENDING_EVENTS_OF_SHARDS",
        concat!(
            "select events.position, ",
            envelope!("events"),
            ", body
             from outbox join events on events.position = outbox.position
             where destination = $1 and outbox.lane = $2 and outbox.position <> all($3) and outbox.shard = any($5)
             order by outbox.position limit $4"
        ),
        // The first of them are enough: as many as are wanted, and as many more as are in flight. Asked in one piece,
        // PostgreSQL would join all that is pending with its event, and sort it.
        concat!(
            "with first as materialized (
             select position from outbox
             where destination = $1 and lane = $2 and shard = any($5)
             order by position limit $4::int8 + cardinality($3::int8[])),
         wanted as materialized (
             select position from first
             where not exists (select 1 from unnest($3::int8[]) as in_flight(position)
                 where in_flight.position = first.position)
             order by position limit $4::int8)
         select events.position, ",
            envelope!("events"),
            ", body
         from wanted join events on events.position = wanted.position
         order by events.position"
        ),
    );
    // The range bounds what is walked: of a table without statistics PostgreSQL takes the list for a mere filter, and
    // would look at the whole backlog for each few hundred rows.
    static SENT: Sql = Sql::new(
        "FORGET_SENT",
        "delete from outbox where destination = $1 and lane = $2 and position between $3 and $4 and position = any($5)",
    );
    static OLDEST: Sql = Sql::new(
        "OLDEST_PENDING",
        "select count(*) as pending, min(time) as oldest from (
             select time from outbox join events on events.position = outbox.position
             where outbox.lane = $1 limit $2) as counted",
    );

    static NTH_OLDEST: Sql = Sql::new(
        "NTH_OLDEST_PENDING",
        "select time from outbox join events on events.position = outbox.position
         where destination = $1 and outbox.lane = $2 order by outbox.position limit 1 offset $3",
    );
    static COUNT: Sql = Sql::new("COUNT_PENDING", "select count(*) as pending from outbox");
    static COUNT_TO: Sql =
        Sql::new("COUNT_PENDING_TO", "select count(*) as pending from (select 1 from outbox limit $1) as counted");

    static UNSENT_OF: Sql = Sql::lookup(
        "UNSENT_OF_EVENTS",
        "select outbox.position from events
         join outbox on outbox.position = events.position and outbox.lane = events.lane
         where events.event_id = any($1) and outbox.destination = any($2) limit 1",
    );

    static UNSENT_ABOUT: Sql = Sql::lookup(
        "UNSENT_ABOUT",
        "select distinct event_id, events.position from events
         join outbox on outbox.position = events.position and outbox.lane = events.lane
         where events.key = $1 order by events.position limit $2",
    );

    static ELSEWHERE: Sql = Sql::new(
        "POINTS_ELSEWHERE",
        "select position from outbox where destination <> all($1) order by destination, lane, position limit 1",
    );
    // No join: PostgreSQL, which knows little of a table that grows and shrinks, would walk all events and look for the
    // pointer of each.
    static REDIRECT: Sql = Sql::new(
        "REDIRECT_PENDING",
        "insert into outbox (destination, lane, position, shard)
         select cast($1 as text), lane, position, shard from outbox
         where destination <> all($3) and (select type from events where events.position = outbox.position) = $2
         on conflict (destination, lane, position) do nothing",
    );
    static FORGET_OTHERS: Sql = Sql::new("FORGET_OTHER_DESTINATIONS", "delete from outbox where destination <> all($1)");

    static EMITTED_SINCE: Sql = Sql::new(
        "EMITTED_SINCE",
        "select event_id, position, type, key, lane from events where event_id > $1 order by event_id limit $2",
    );
    static POINT_AGAIN: Sql = Sql::new(
        "POINT_AGAIN",
        "insert into outbox (destination, lane, position, shard) values ($1, $2, $3, $4)
         on conflict (destination, lane, position) do nothing",
    );
}

/// Pointers at which the gauges stop counting: a scrape must not walk a backlog of millions.
const COUNTED: i64 = 100_000;

/// True while one of these events is still to be sent to some destination of this process.
pub async fn has_unsent(db: &Db, events: Vec<EventId>) -> Result<bool, Error> {
    let destinations: BTreeSet<&String> = db.destinations().values().flatten().collect();
    let destinations: Vec<String> = destinations.into_iter().cloned().collect();
    let position = |row: &Row<'_>| row.get::<i64>("position");
    Ok(!db.read(&UNSENT_OF, params![events, destinations], position).await?.is_empty())
}

/// The events about a key that are still to be sent to some destination, oldest first, at most `limit`.
pub async fn unsent_about(db: &Db, key: Uuid, limit: i64) -> Result<Vec<EventId>, Error> {
    db.read(&UNSENT_ABOUT, params![key, limit], |row| row.get("event_id")).await
}

/// Selection of pending events.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Their destination.
    pub destination: &'a str,
    /// In which lane.
    pub lane: Lane,
}

/// The next events, in the order in which they were committed, at most `limit`.
///
/// Those up to the position `after` are passed over, and those of `in_flight`, which were handed out and not yet
/// confirmed. This is for the only process that writes: beside others a row may become visible after one that has a
/// higher position, and whoever had passed over it would send a later event of its key first.
pub async fn pending(
    db: &Db,
    wanted: Wanted<'_>,
    after: i64,
    in_flight: Vec<i64>,
    limit: i64,
) -> Result<Vec<StoredEvent>, Error> {
    let row = params![wanted.destination, wanted.lane, after, in_flight, limit];
    db.read(&PENDING, row, stored(db)).await
}

/// The next events of some shards, at most `limit`, whoever wrote them; those of `in_flight` are passed over.
///
/// All that is pending is looked at, so of each key the first comes first.
pub async fn pending_of(
    db: &Db,
    wanted: Wanted<'_>,
    shards: &[u16],
    in_flight: Vec<i64>,
    limit: i64,
) -> Result<Vec<StoredEvent>, Error> {
    let row = params![wanted.destination, wanted.lane, in_flight, limit, numbers(shards)];
    db.read(&PENDING_OF_SHARDS, row, stored(db)).await
}

/// Shards for `= any($n)`.
pub(crate) fn numbers(shards: &[u16]) -> Vec<i64> {
    shards.iter().copied().map(i64::from).collect()
}

/// Points to the destinations that the types have now, wherever the pointers pointed before: the shop has another
/// broker. A consumer that had an event by its old destination drops the duplicate.
pub async fn redirect(db: &Db) -> Result<(), Error> {
    if unsent(db) == 0 {
        return Ok(());
    }
    let types = db.destinations();
    let known: Vec<String> = types.values().flatten().cloned().collect();
    let elsewhere: Vec<i64> = db.read(&ELSEWHERE, params![known.clone()], |row| row.get("position")).await?;
    if elsewhere.is_empty() {
        return Ok(());
    }
    let pointers = types
        .iter()
        .flat_map(|(event_type, names)| names.iter().map(move |name| (event_type, name)))
        .map(|(event_type, name)| (&REDIRECT, params![name, event_type, known.clone()]));
    db.sweep(pointers.chain([(&FORGET_OTHERS, params![known.clone()])]).collect()).await?;
    recount(db, u64::MAX).await
}

/// Marks events for being published again: writes the pointers of at most `limit` events after `after`, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Republished {
    /// Number of events that have pointers again. Types to which nobody reacts have none.
    pub events: usize,
    /// The event up to which this came, if there may be more.
    pub up_to: Option<EventId>,
}

/// Points again to events whose ids are above `after`, at most `limit`. Consumers know what they have handled.
pub async fn republish(db: &Db, after: EventId, limit: i64) -> Result<Republished, Error> {
    let map = |row: &crate::Row<'_>| {
        let at: (EventId, i64) = (row.get("event_id")?, row.get("position")?);
        Ok((at, row.get::<String>("type")?, row.get::<Uuid>("key")?, row.get::<Lane>("lane")?))
    };
    let page = db.read(&EMITTED_SINCE, params![after, limit], map).await?;
    let is_full = i64::try_from(page.len()).is_ok_and(|count| count >= limit);
    let up_to = page.last().filter(|_| is_full).map(|((event_id, _), ..)| *event_id);
    let mut pointers = Vec::new();
    let mut events = 0;
    for ((_, position), event_type, key, lane) in page {
        let destinations = db.destinations().get(&event_type).map(Vec::as_slice).unwrap_or_default();
        events += usize::from(!destinations.is_empty());
        let shard = db.shards().of(lane, key);
        pointers.extend(destinations.iter().map(|name| (&POINT_AGAIN, params![name, lane, position, shard])));
    }
    db.sweep(pointers).await?;
    recount(db, u64::MAX).await?;
    db.signals().look_at_outbox();
    Ok(Republished { events, up_to })
}

/// Forgets pointers whose destination has the event.
pub async fn sent(db: &Db, destination: &str, lane: Lane, positions: Vec<i64>) -> Result<(), Error> {
    let (Some(first), Some(last)) = (positions.iter().min().copied(), positions.iter().max().copied()) else {
        return Ok(());
    };
    let statement = (&SENT, params![destination, lane, first, last, positions]);
    let met = db.sweep(vec![statement]).await?;
    db.signals().fewer_pending(met.iter().sum());
    Ok(())
}

/// Number of unsent events in a lane (counted to 100,000), and the age of the oldest.
pub async fn backlog(db: &Db, lane: Lane) -> Result<(i64, Option<Timestamp>), Error> {
    let map = |row: &crate::Row<'_>| Ok((row.get("pending")?, row.get("oldest")?));
    let found = db.read(&OLDEST, params![lane, COUNTED], map).await?;
    Ok(found.into_iter().next().unwrap_or_default())
}

/// Since when the `n`th oldest event for a destination waits, if so many do.
pub async fn nth_oldest(db: &Db, destination: &str, lane: Lane, n: i64) -> Result<Option<Timestamp>, Error> {
    let found = db.read(&NTH_OLDEST, params![destination, lane, n - 1], |row| row.get("time")).await?;
    Ok(found.into_iter().next())
}

/// Number of unsent pointers in all lanes.
pub async fn count(db: &Db) -> Result<i64, Error> {
    let found = db.read(&COUNT, params![], |row| row.get("pending")).await?;
    Ok(found.into_iter().next().unwrap_or_default())
}

/// Counts the unsent pointers anew, as far as the cap of the outbox: beside other instances a process sees only what it
/// writes and sends itself.
pub async fn recount(db: &Db, cap: u64) -> Result<(), Error> {
    let cap = i64::try_from(cap).unwrap_or(i64::MAX);
    let found: Vec<i64> = db.read(&COUNT_TO, params![cap], |row| row.get("pending")).await?;
    db.signals().set_pending(found.first().copied().and_then(|count| count.try_into().ok()).unwrap_or_default());
    Ok(())
}

/// About how many pointers are unsent, in all lanes, without asking the database.
pub fn unsent(db: &Db) -> u64 {
    db.signals().pending()
}
