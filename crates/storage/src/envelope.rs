//! The columns in which a table keeps an envelope: the archive, and whatever keeps deliveries.
//!
//! The archive of a service holds only what that service emitted, and has no column `source`; the others have it beside
//! these.

use kernel::Envelope;

use crate::{Error, Row, Value, params};

/// The columns, all but `source`; with an argument, those of the table of this name.
macro_rules! envelope {
    () => {
        "event_id, type, key, lane, sequence, time, correlation_id, causation_id, traceparent"
    };
    ($table:literal) => {
        concat!(
            $table,
            ".event_id, ",
            $table,
            ".type, ",
            $table,
            ".key, ",
            $table,
            ".lane, ",
            $table,
            ".sequence, ",
            $table,
            ".time, ",
            $table,
            ".correlation_id, ",
            $table,
            ".causation_id, ",
            $table,
            ".traceparent"
        )
    };
}

/// The first parameters of a statement that writes these columns; PostgreSQL needs their types where they stand in a
/// `select`.
macro_rules! envelope_values {
    () => {
        "$1, $2, $3, $4, $5, $6, $7, $8, $9"
    };
    (postgres) => {
        "$1::uuid, $2::text, $3::uuid, $4::text, $5::int8, $6::timestamptz, $7::uuid, $8::uuid, $9::text"
    };
    (postgres arrays) => {
        "$1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::int8[], $6::timestamptz[], $7::uuid[], $8::uuid[], $9::text[]"
    };
}

pub(crate) use {envelope, envelope_values};

/// The values of the columns, in their order.
pub(crate) fn values(envelope: Envelope) -> Vec<Value> {
    params![
        envelope.id,
        storable(envelope.event_type),
        envelope.key,
        envelope.lane,
        envelope.sequence,
        envelope.time,
        envelope.correlation_id,
        envelope.causation_id,
        envelope.traceparent.map(|it| it.to_string()),
    ]
}

/// The envelope in a row of a table that holds what one service emitted.
pub(crate) fn of_source(source: &str, row: &Row<'_>) -> Result<Envelope, Error> {
    let traceparent: Option<String> = row.get("traceparent")?;
    Ok(Envelope {
        id: row.get("event_id")?,
        event_type: row.get("type")?,
        source: source.to_owned(),
        key: row.get("key")?,
        lane: row.get("lane")?,
        sequence: row.get("sequence")?,
        time: row.get("time")?,
        correlation_id: row.get("correlation_id")?,
        causation_id: row.get("causation_id")?,
        // A trace that can't be read is none; the event is as good without it.
        traceparent: traceparent.and_then(|text| text.parse().ok()),
    })
}

/// The envelope in a row of a table that has the column `source` too.
pub(crate) fn of_row(row: &Row<'_>) -> Result<Envelope, Error> {
    of_source(&row.get::<String>("source")?, row)
}

/// PostgreSQL's text can't contain a NUL, and a foreign message may.
pub(crate) fn storable(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}
