//! Durable timers: what is to happen later, once.

use kernel::{Origin, TimerCause, Timestamp};
use uuid::Uuid;

use crate::kit::kit;
use crate::statement::Sql;
use crate::{Db, Error, Row, params};

kit! {
    static LEASE: Sql = Sql::each(
        "LEASE_TIMERS",
        "update timers set due_at = $3, fence = fence + 1, attempts = attempts + 1, is_leased = $5
         where name = $1 and key in (select key from timers where name = $1 and due_at <= $2 order by due_at limit $4)
         returning key, fence, attempts, correlation_id, causation_id, traceparent",
        // Those that another process is leasing at this moment are passed over. Materialized, for a subselect that
        // locks may be run again for each row of the update, and then leases more than its limit.
        "with due as materialized (select key from timers where name = $1 and due_at <= $2 order by due_at limit $4
             for update skip locked)
         update timers set due_at = $3, fence = timers.fence + 1, attempts = timers.attempts + 1, is_leased = $5
         from due where timers.name = $1 and timers.key = due.key
         returning timers.key, fence, attempts, correlation_id, causation_id, traceparent",
    );
    static DEFER: Sql = Sql::new(
        "DEFER_TIMER",
        "update timers set due_at = $4, is_leased = $5 where name = $1 and key = $2 and fence = $3",
    );
    static NEXT_DUE: Sql = Sql::lookup("NEXT_TIMER", "select min(due_at) as due_at from timers where name = $1");
    static NTH_DUE: Sql =
        Sql::new("NTH_TIMER", "select due_at from timers where name = $1 order by due_at limit 1 offset $2");
    static OF_KEYS: Sql = Sql::new(
        "TIMERS_OF_KEYS",
        "select name, due_at, attempts, is_leased from timers where key = any($1) order by due_at, name limit $2",
    );
    static COUNT_DUE: Sql = Sql::new("COUNT_DUE_TIMERS", "select count(*) as due from timers where due_at <= $1");
    static COUNT_UNFINISHED: Sql = Sql::new(
        "COUNT_UNFINISHED_TIMERS",
        "select count(*) as unfinished from timers where due_at <= $1 or is_leased = $2",
    );
}

/// Leases timers of a kind that are due, at most `limit`, until `until`. A lease that ends makes them due again.
pub async fn lease(
    db: &Db,
    name: &'static str,
    now: Timestamp,
    until: Timestamp,
    limit: i64,
) -> Result<Vec<TimerCause>, Error> {
    let map = move |row: &Row<'_>| {
        let traceparent: Option<String> = row.get("traceparent")?;
        Ok(TimerCause {
            name,
            key: row.get::<Uuid>("key")?,
            fence: row.get("fence")?,
            attempts: row.get("attempts")?,
            origin: Origin {
                correlation_id: row.get("correlation_id")?,
                causation_id: row.get("causation_id")?,
                traceparent: traceparent.and_then(|text| text.parse().ok()),
            },
        })
    };
    db.write_rows(&LEASE, params![name, now, until, limit, true], map).await
}

/// Ends the lease of a timer that could not be handled: it comes due at `due_at`.
/// Does nothing if the lease was lost.
pub async fn defer(db: &Db, timer: &TimerCause, due_at: Timestamp) -> Result<(), Error> {
    let row = params![timer.name, timer.key, timer.fence, due_at, false];
    db.sweep(vec![(&DEFER, row)]).await?;
    Ok(())
}

/// Time at which the next timer of a kind is due.
pub async fn next_due(db: &Db, name: &'static str) -> Result<Option<Timestamp>, Error> {
    let found = db.read(&NEXT_DUE, params![name], |row| row.get("due_at")).await?;
    Ok(found.into_iter().next().flatten())
}

/// Time at which the `n`th next timer of a kind is due, if there are so many.
pub async fn nth_due(db: &Db, name: &str, n: i64) -> Result<Option<Timestamp>, Error> {
    let found = db.read(&NTH_DUE, params![name, n - 1], |row| row.get("due_at")).await?;
    Ok(found.into_iter().next())
}

/// A timer as somebody sees it who looks for the reason of a delay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingTimer {
    /// Its kind.
    pub name: String,
    /// The time at which it is due, or at which its lease ends.
    pub due_at: Timestamp,
    /// Attempts that began.
    pub attempts: i64,
    /// True while it is being handled.
    pub is_leased: bool,
}

/// The timers about these keys, at most `limit`. Walks all timers of the service, so it is for people and not for each
/// request.
pub async fn of_keys(db: &Db, keys: Vec<Uuid>, limit: i64) -> Result<Vec<PendingTimer>, Error> {
    let timer = |row: &Row<'_>| {
        Ok(PendingTimer {
            name: row.get("name")?,
            due_at: row.get("due_at")?,
            attempts: row.get("attempts")?,
            is_leased: row.get("is_leased")?,
        })
    };
    db.read(&OF_KEYS, params![keys, limit], timer).await
}

/// Number of due timers.
pub async fn due(db: &Db, now: Timestamp) -> Result<i64, Error> {
    let found = db.read(&COUNT_DUE, params![now], |row| row.get("due")).await?;
    Ok(found.into_iter().next().unwrap_or_default())
}

/// Number of timers that are due or being handled.
pub async fn unfinished(db: &Db, now: Timestamp) -> Result<i64, Error> {
    let found = db.read(&COUNT_UNFINISHED, params![now, true], |row| row.get("unfinished")).await?;
    Ok(found.into_iter().next().unwrap_or_default())
}
