//! Attempts.

use events::EndpointId;
use kernel::{EventId, Timestamp, Version};
use service::storage::{Batch, Db, Error, Row, Value, params};

use super::{ATTEMPT, ATTEMPT_PAGE, ATTEMPTS_OF_DELIVERIES, DELETE_ATTEMPT, INSERT_ATTEMPT};
use crate::domain::{AttemptId, Delivery, DeliveryId, DeliveryStatus};
use crate::sender::Answer;

/// An attempt that is to be recorded.
pub(crate) struct NewAttempt<'a> {
    pub attempt_id: AttemptId,
    /// As it was before the attempt.
    pub delivery: &'a Delivery,
    pub url: &'a str,
    pub signature: &'a str,
    pub at: Timestamp,
    pub answer: &'a Answer,
}

/// An attempt as it was recorded, with its delivery as it is now.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub attempt_id: AttemptId,
    pub endpoint_id: EndpointId,
    pub delivery_id: DeliveryId,
    pub number: i64,
    pub url: String,
    pub signature: String,
    pub at: Timestamp,
    pub duration_ms: i64,
    pub is_delivered: bool,
    pub status: Option<i64>,
    pub headers: Option<Vec<(String, String)>>,
    pub answer: Option<String>,
    pub error: Option<String>,
    pub event_id: EventId,
    pub event_type: String,
    pub body: String,
    pub delivery_status: DeliveryStatus,
    pub due_at: Option<Timestamp>,
}

/// Attempts below an id, newest first.
pub(crate) async fn page(
    db: &Db,
    endpoint_id: EndpointId,
    before: AttemptId,
    rows: i64,
) -> Result<Vec<Attempt>, Error> {
    db.query(&ATTEMPT_PAGE, params![endpoint_id, before, rows], attempt_of).await
}

pub(crate) async fn attempt(db: &Db, attempt_id: AttemptId) -> Result<Option<Attempt>, Error> {
    db.query_one(&ATTEMPT, params![attempt_id], attempt_of).await
}

pub(crate) fn insert(attempt: &NewAttempt<'_>) -> Batch {
    let NewAttempt { attempt_id, delivery, url, signature, at, answer } = attempt;
    let row = params![
        *attempt_id,
        delivery.endpoint_id,
        delivery.delivery_id,
        delivery.attempts + 1,
        *url,
        *signature,
        *at,
        i64::try_from(answer.duration.as_millis()).unwrap_or(i64::MAX),
        answer.error.is_none(),
        answer.status.map(i64::from),
        answer.status.map(|_| Value::json(&answer.headers)),
        answer.body.as_ref(),
        answer.error.as_ref(),
        Version::FIRST,
    ];
    Batch::new().insert(&INSERT_ATTEMPT, row)
}

/// Removes all attempts of some deliveries.
pub(crate) async fn delete_of(db: &Db, deliveries: Vec<DeliveryId>) -> Result<Batch, Error> {
    let version_of = |row: &Row<'_>| Ok((row.get("attempt_id")?, row.get("version")?));
    let found: Vec<(AttemptId, Version)> = db.query(&ATTEMPTS_OF_DELIVERIES, params![deliveries], version_of).await?;
    Ok(found
        .into_iter()
        .fold(Batch::new(), |batch, (attempt_id, version)| batch.change(&DELETE_ATTEMPT, version, params![attempt_id])))
}

fn attempt_of(row: &Row<'_>) -> Result<Attempt, Error> {
    Ok(Attempt {
        attempt_id: row.get("attempt_id")?,
        endpoint_id: row.get("endpoint_id")?,
        delivery_id: row.get("delivery_id")?,
        number: row.get("number")?,
        url: row.get("url")?,
        signature: row.get("signature")?,
        at: row.get("attempted_at")?,
        duration_ms: row.get("duration_ms")?,
        is_delivered: row.get("is_delivered")?,
        status: row.get("status")?,
        headers: row.json_or_null("headers")?,
        answer: row.get("answer")?,
        error: row.get("error")?,
        event_id: row.get("event_id")?,
        event_type: row.get("event_type")?,
        body: row.get("body")?,
        delivery_status: row.parse("delivery_status")?,
        due_at: row.get("due_at")?,
    })
}
