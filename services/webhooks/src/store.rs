//! Endpoints, their slots, and the deliveries and attempts of each in the database.
//!
//! Deliveries and slots are written and read in `deliveries`, attempts in `attempts`, by statements that stand here.

pub(crate) mod attempts;
pub(crate) mod deliveries;

use events::EndpointId;
use kernel::{Ids, Timestamp, Uuid};
use service::TimerKind;
use service::storage::{self, Batch, Db, Error, Row, Value, params};

use crate::domain::{Disabled, Endpoint, SLOTS, Secret, SlotId};

/// The columns of an endpoint, for every read.
macro_rules! endpoints {
    ($rest:literal) => {
        concat!(
            "select endpoint_id, url, description, event_types, secret, previous_secret, previous_until, is_enabled,
                active_since, failing_since, disabled_at, disabled_reason, resend_after, resend_until, created_at,
                updated_at, version from endpoints where ",
            $rest
        )
    };
}

/// The columns of a delivery, for every read.
macro_rules! deliveries {
    ($rest:literal) => {
        concat!(
            "select delivery_id, endpoint_id, slot_id, key, place, event_id, event_type, body, status, attempts, due_at,
                queued_at, ended_at, version from deliveries where ",
            $rest
        )
    };
}

/// The columns of an attempt with its delivery, for every read.
macro_rules! attempts {
    ($rest:literal) => {
        concat!(
            "select a.attempt_id, a.endpoint_id, a.delivery_id, a.number, a.url, a.signature, a.attempted_at,
                a.duration_ms, a.is_delivered, a.status, a.headers, a.answer, a.error, d.event_id, d.event_type, d.body,
                d.status as delivery_status, d.due_at
            from attempts a join deliveries d on d.delivery_id = a.delivery_id where ",
            $rest
        )
    };
}

storage::statements! {
    lookup ENDPOINTS endpoints!("endpoint_id = any($1)");
    lookup ENABLED_ENDPOINTS endpoints!("is_enabled = $1");
    query ENDPOINT_PAGE endpoints!("endpoint_id < $1 order by endpoint_id desc limit $2");
    lookup COUNT_ENDPOINTS "select count(*) as endpoints from endpoints";
    insert INSERT_ENDPOINT into endpoints (endpoint_id uuid, url text, description text, event_types json, secret text,
        previous_secret text, previous_until time, is_enabled bool, active_since time, failing_since time,
        disabled_at time, disabled_reason text, resend_after uuid, resend_until uuid, created_at time, updated_at time,
        version int);
    change SET_ENDPOINT "update endpoints set url = $2, description = $3, event_types = $4, secret = $5,
        previous_secret = $6, previous_until = $7, is_enabled = $8, active_since = $9, failing_since = $10,
        disabled_at = $11, disabled_reason = $12, resend_after = $13, resend_until = $14, updated_at = $15,
        version = version + 1 where endpoint_id = $1 and version = $16";
    change DELETE_ENDPOINT "delete from endpoints where endpoint_id = $1 and version = $2";

    lookup SLOTS_BY_ID "select slot_id, endpoint_id, number, next_place, is_awake, version from slots
        where slot_id = any($1)";
    lookup SLOTS_OF_ENDPOINTS "select slot_id, endpoint_id, number, next_place, is_awake, version from slots
        where endpoint_id = any($1)";
    insert INSERT_SLOT into slots (slot_id uuid, endpoint_id uuid, number int, next_place int, is_awake bool,
        version int);
    change SET_SLOT "update slots set next_place = $2, is_awake = $3, version = version + 1
        where slot_id = $1 and version = $4";
    change DELETE_SLOT "delete from slots where slot_id = $1 and version = $2";

    lookup TAKEN_KEYS "select slot_id, key from deliveries
        where slot_id = any($1) and key = any($2) and due_at is not null";
    lookup DUE_KEYS "select key from deliveries where slot_id = $1 and due_at is not null and due_at <= $2
        order by due_at limit $3";
    lookup QUEUED_OF_KEYS deliveries!("slot_id = $1 and key = any($2) and status = 'queued' order by place limit $3");
    lookup NEXT_OF_KEY deliveries!("slot_id = $1 and key = $2 and status = 'queued' and place > $3
        order by place limit 1");
    lookup NEXT_DUE "select due_at from deliveries where slot_id = $1 and due_at is not null and delivery_id <> all($2)
        order by due_at limit 1";
    lookup DELIVERY deliveries!("delivery_id = $1");
    query ENDED_DELIVERIES deliveries!("endpoint_id = $1 and delivery_id > $2 and delivery_id < $3
        and status <> 'queued' and event_type <> $4 order by delivery_id limit $5");
    insert INSERT_DELIVERY into deliveries (delivery_id uuid, endpoint_id uuid, slot_id uuid, key uuid, place int,
        event_id uuid, event_type text, body text, status text, attempts int, due_at time, queued_at time,
        ended_at time, version int);
    change SET_DELIVERY "update deliveries set slot_id = $2, place = $3, status = $4, attempts = $5, due_at = $6,
        queued_at = $7, ended_at = $8, version = version + 1 where delivery_id = $1 and version = $9";
    change DELETE_DELIVERY "delete from deliveries where delivery_id = $1 and version = $2";
    lookup OLD_DELIVERIES "select delivery_id, version from deliveries where endpoint_id = $1 and ended_at is not null
        and ended_at <= $2 order by ended_at limit $3";
    lookup ALL_DELIVERIES "select delivery_id, version from deliveries where endpoint_id = $1 limit $2";
    query NTH_END "select ended_at from deliveries where endpoint_id = $1 and ended_at is not null
        order by ended_at desc limit 1 offset $2";

    query ATTEMPT_PAGE attempts!("a.endpoint_id = $1 and a.attempt_id < $2 order by a.attempt_id desc limit $3");
    lookup ATTEMPT attempts!("a.attempt_id = $1");
    query ATTEMPTS_OF_DELIVERIES "select attempt_id, version from attempts where delivery_id = any($1)";
    insert INSERT_ATTEMPT into attempts (attempt_id uuid, endpoint_id uuid, delivery_id uuid, number int, url text,
        signature text, attempted_at time, duration_ms int, is_delivered bool, status int, headers json, answer text,
        error text, version int);
    change DELETE_ATTEMPT "delete from attempts where attempt_id = $1 and version = $2";
}

/// Set while a slot has deliveries in its queue: it sends those that are due.
pub(crate) const DELIVER: TimerKind = TimerKind {
    // Twice the slots of all endpoints: timers are leased while more than half of these places are free, and none is to
    // wait for another's.
    concurrency: 2 * SLOTS * ENDPOINTS_MAX,
    ..TimerKind::external("deliver")
};

/// Set while deliveries of a time are queued again.
pub(crate) const RESEND: TimerKind = TimerKind::internal("resend");

/// Set for each endpoint, and after its end until nothing is left of it.
pub(crate) const CLEAN_UP: TimerKind = TimerKind::internal("clean_up");

/// Endpoints of a shop at the most: each event is compared with all of them.
pub(crate) const ENDPOINTS_MAX: usize = 50;

pub(crate) async fn endpoint(db: &Db, endpoint_id: EndpointId) -> Result<Option<Endpoint>, Error> {
    db.query_one(&ENDPOINTS, params![vec![endpoint_id]], endpoint_of).await
}

pub(crate) async fn endpoints(db: &Db, ids: Vec<EndpointId>) -> Result<Vec<Endpoint>, Error> {
    db.query(&ENDPOINTS, params![ids], endpoint_of).await
}

/// Those to which events are sent.
pub(crate) async fn enabled(db: &Db) -> Result<Vec<Endpoint>, Error> {
    db.query(&ENABLED_ENDPOINTS, params![true], endpoint_of).await
}

/// Endpoints below an id, newest first.
pub(crate) async fn page(db: &Db, before: EndpointId, rows: i64) -> Result<Vec<Endpoint>, Error> {
    db.query(&ENDPOINT_PAGE, params![before, rows], endpoint_of).await
}

pub(crate) async fn count(db: &Db) -> Result<i64, Error> {
    Ok(db.query_one(&COUNT_ENDPOINTS, params![], |row| row.get("endpoints")).await?.unwrap_or_default())
}

/// A new endpoint, with its slots.
pub(crate) fn insert(endpoint: &Endpoint, ids: &Ids) -> Batch {
    let mut row = values(endpoint);
    row.insert(14, endpoint.created_at.into());
    row.push(endpoint.version.into());
    (0_i64..).take(SLOTS).fold(Batch::new().insert(&INSERT_ENDPOINT, row), |batch, number| {
        let slot_id: SlotId = ids.next();
        batch.insert(&INSERT_SLOT, params![slot_id, endpoint.endpoint_id, number, 1_i64, false, endpoint.version])
    })
}

/// Writes a change of an endpoint, guarded by the version on which it was decided.
pub(crate) fn update(endpoint: &Endpoint) -> Batch {
    Batch::new().change(&SET_ENDPOINT, endpoint.version, values(endpoint))
}

/// Removes an endpoint. What was sent to it is removed by `clean_up.rs`.
pub(crate) fn delete(endpoint: &Endpoint) -> Batch {
    Batch::new().change(&DELETE_ENDPOINT, endpoint.version, params![endpoint.endpoint_id])
}

/// The columns of an endpoint, without those that never change.
fn values(endpoint: &Endpoint) -> Vec<Value> {
    let (previous_secret, previous_until) = endpoint.previous.clone().unzip();
    let (resend_after, resend_until) = endpoint.resend.unzip();
    params![
        endpoint.endpoint_id,
        &endpoint.url,
        endpoint.description.as_ref(),
        Value::json(&endpoint.event_types),
        endpoint.secret.reveal(),
        previous_secret.as_ref().map(Secret::reveal),
        previous_until,
        endpoint.is_enabled(),
        endpoint.active_since,
        endpoint.failing_since,
        endpoint.disabled.as_ref().map(|disabled| disabled.at),
        endpoint.disabled.as_ref().and_then(|disabled| disabled.reason.as_ref()),
        resend_after,
        resend_until,
        endpoint.updated_at,
    ]
}

fn endpoint_of(row: &Row<'_>) -> Result<Endpoint, Error> {
    let previous: Option<String> = row.get("previous_secret")?;
    let previous_until: Option<Timestamp> = row.get("previous_until")?;
    let disabled_at: Option<Timestamp> = row.get("disabled_at")?;
    let disabled_reason: Option<String> = row.get("disabled_reason")?;
    let resend_after: Option<Uuid> = row.get("resend_after")?;
    Ok(Endpoint {
        endpoint_id: row.get("endpoint_id")?,
        url: row.get("url")?,
        description: row.get("description")?,
        event_types: row.json("event_types")?,
        secret: Secret::from_text(row.get("secret")?),
        previous: previous.map(Secret::from_text).zip(previous_until),
        disabled: disabled_at.map(|at| Disabled { at, reason: disabled_reason }),
        active_since: row.get("active_since")?,
        failing_since: row.get("failing_since")?,
        resend: resend_after.zip(row.get("resend_until")?),
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
        version: row.get("version")?,
    })
}
