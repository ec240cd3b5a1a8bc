//! Messages in both directions.

use std::collections::HashSet;

use kernel::{Timestamp, Uuid, Version};
use service::storage::{Batch, Db, Error, Row, Value, params};

use super::{
    COUNT_OUTGOING, COUNT_PARKED, DELETE_OUTGOING, DELETE_PARKED, DELETE_TAKEN, INSERT_OUTGOING, INSERT_PARKED,
    INSERT_SENDER, INSERT_TAKEN, OLD_TAKEN, OUTGOING, PARKED, PARKED_PAGE, SENDER, SET_SENDER, TAKEN,
};

kernel::id!(ParkedId, ParkedKind, "A message that could not be taken in.");
kernel::id!(MessageId, MessageKind, "A message that is sent to others.");

/// A message that could not be taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parked {
    pub parked_id: ParkedId,
    pub contract: String,
    pub queue: String,
    pub reason: String,
    pub body: Vec<u8>,
    /// Its properties and headers as JSON.
    pub message: serde_json::Value,
    pub parked_at: Timestamp,
    pub version: Version,
}

/// A message that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outgoing {
    pub message_id: MessageId,
    pub exchange: String,
    pub keys: Vec<String>,
    pub is_optional: bool,
    pub is_json: bool,
    pub body: Vec<u8>,
    pub version: Version,
}

/// The instance that sends, until its time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sender {
    pub holder: Uuid,
    pub until: Timestamp,
    pub version: Version,
}

/// Those of these messages that were taken in already.
pub(crate) async fn taken(db: &Db, keys: Vec<String>) -> Result<HashSet<String>, Error> {
    if keys.is_empty() {
        return Ok(HashSet::new());
    }
    Ok(db.query(&TAKEN, params![keys], |row: &Row<'_>| row.get("message_key")).await?.into_iter().collect())
}

/// Marks a message as taken in.
pub(crate) fn insert_taken(key: &str, now: Timestamp) -> Batch {
    Batch::new().insert(&INSERT_TAKEN, params![key, now, Version::FIRST])
}

/// Messages that were taken in until a time, the oldest first.
pub(crate) async fn taken_until(db: &Db, time: Timestamp, limit: i64) -> Result<Vec<(String, Version)>, Error> {
    let pair = |row: &Row<'_>| Ok((row.get("message_key")?, row.get("version")?));
    db.query(&OLD_TAKEN, params![time, limit], pair).await
}

/// Forgets that a message was taken in.
pub(crate) fn delete_taken(key: &str, version: Version) -> Batch {
    Batch::new().change(&DELETE_TAKEN, version, params![key])
}

/// Messages that could not be taken in, below an id, newest first.
pub(crate) async fn parked_page(db: &Db, before: ParkedId, limit: i64) -> Result<Vec<Parked>, Error> {
    db.query(&PARKED_PAGE, params![before, limit], parked).await
}

/// One of them.
pub(crate) async fn parked_message(db: &Db, parked_id: ParkedId) -> Result<Option<Parked>, Error> {
    db.query_one(&PARKED, params![parked_id], parked).await
}

/// Number of a contract's messages that could not be taken in.
pub(crate) async fn count_parked(db: &Db, contract: &str) -> Result<i64, Error> {
    let count = |row: &Row<'_>| row.get("parked");
    Ok(db.query_one(&COUNT_PARKED, params![contract], count).await?.unwrap_or_default())
}

/// Keeps a message that could not be taken in.
pub(crate) fn insert_parked(parked: &Parked) -> Batch {
    let row = params![
        parked.parked_id,
        &parked.contract,
        &parked.queue,
        &parked.reason,
        parked.body.as_slice(),
        Value::json(&parked.message),
        parked.parked_at,
        parked.version,
    ];
    Batch::new().insert(&INSERT_PARKED, row)
}

/// Forgets a message that could not be taken in.
pub(crate) fn delete_parked(parked: &Parked) -> Batch {
    Batch::new().change(&DELETE_PARKED, parked.version, params![parked.parked_id])
}

/// The first messages of a contract that are to be sent.
pub(crate) async fn outgoing(db: &Db, contract: &str, limit: i64) -> Result<Vec<Outgoing>, Error> {
    let message = |row: &Row<'_>| {
        Ok(Outgoing {
            message_id: row.get("message_id")?,
            exchange: row.get("exchange")?,
            keys: row.json("keys")?,
            is_optional: row.get("is_optional")?,
            is_json: row.get("is_json")?,
            body: row.get("body")?,
            version: row.get("version")?,
        })
    };
    db.query(&OUTGOING, params![contract, limit], message).await
}

/// Number of a contract's messages that are to be sent.
pub(crate) async fn count_outgoing(db: &Db, contract: &str) -> Result<i64, Error> {
    let count = |row: &Row<'_>| row.get("waiting");
    Ok(db.query_one(&COUNT_OUTGOING, params![contract], count).await?.unwrap_or_default())
}

/// Queues a message.
pub(crate) fn insert_outgoing(contract: &str, message: &Outgoing, now: Timestamp) -> Batch {
    let row = params![
        message.message_id,
        contract,
        &message.exchange,
        Value::json(&message.keys),
        message.is_optional,
        message.is_json,
        message.body.as_slice(),
        now,
        message.version,
    ];
    Batch::new().insert(&INSERT_OUTGOING, row)
}

/// Forgets a message that the broker has.
pub(crate) fn delete_outgoing(message: &Outgoing) -> Batch {
    Batch::new().change(&DELETE_OUTGOING, message.version, params![message.message_id])
}

/// The instance that sends a contract's messages.
pub(crate) async fn sender(db: &Db, contract: &str) -> Result<Option<Sender>, Error> {
    let sender = |row: &Row<'_>| {
        Ok(Sender { holder: row.get("holder")?, until: row.get("until")?, version: row.get("version")? })
    };
    db.query_one(&SENDER, params![contract], sender).await
}

/// Makes an instance the one that sends.
pub(crate) fn put_sender(contract: &str, before: Option<Sender>, holder: Uuid, until: Timestamp) -> Batch {
    match before {
        None => Batch::new().insert(&INSERT_SENDER, params![contract, holder, until, Version::FIRST]),
        Some(before) => Batch::new().change(&SET_SENDER, before.version, params![contract, holder, until]),
    }
}

fn parked(row: &Row<'_>) -> Result<Parked, Error> {
    Ok(Parked {
        parked_id: row.get("parked_id")?,
        contract: row.get("contract")?,
        queue: row.get("queue")?,
        reason: row.get("reason")?,
        body: row.get("body")?,
        message: row.json("message")?,
        parked_at: row.get("parked_at")?,
        version: row.get("version")?,
    })
}
