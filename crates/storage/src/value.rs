//! Values that go into statements and come back in rows, the same for both databases.

use std::fmt;
use std::str::FromStr;

use kernel::{
    Currency, DeadLetterId, EventId, Lane, MailId, OrderId, PaymentId, ProductId, RequestId, Timestamp, UserId, Version,
};
use rusqlite::types::ValueRef;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::Error;

/// A column's type: SQLite and PostgreSQL names beside each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(non_camel_case_types, reason = "`statements!` spells column types as SQL does")]
pub enum Type {
    /// `blob` of 16 bytes, or `uuid`.
    uuid,
    /// `integer`, or `bigint`.
    int,
    /// `integer` 0 or 1, or `boolean`.
    bool,
    /// `text`.
    text,
    /// `blob`, or `bytea`.
    bytes,
    /// `integer` microseconds since 1970, or `timestamptz`.
    time,
    /// `text`, or `jsonb`.
    json,
}

/// A parameter of a statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// A UUID.
    Uuid(Uuid),
    /// A 64-bit integer.
    Int(i64),
    /// True or false.
    Bool(bool),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A point in time, to the microsecond.
    Time(Timestamp),
    /// A JSON document.
    Json(String),
    /// UUIDs for `= any($n)`.
    Uuids(Vec<Uuid>),
    /// Integers for `= any($n)`.
    Ints(Vec<i64>),
    /// Texts for `= any($n)`.
    Texts(Vec<String>),
}

impl Value {
    /// `value` as a JSON document.
    pub fn json<T: Serialize>(value: &T) -> Self {
        Self::Json(serde_json::to_string(value).expect("what is stored as JSON has text keys and no failing fields"))
    }
}

macro_rules! value_from {
    ($($kind:ty => |$it:ident| $make:expr),* $(,)?) => {$(
        impl From<$kind> for Value {
            fn from($it: $kind) -> Self {
                $make
            }
        }
    )*};
}

value_from! {
    Uuid => |id| Self::Uuid(id),
    i64 => |n| Self::Int(n),
    bool => |b| Self::Bool(b),
    String => |text| Self::Text(text),
    &String => |text| Self::Text(text.clone()),
    &str => |text| Self::Text(text.to_owned()),
    Vec<u8> => |bytes| Self::Bytes(bytes),
    &[u8] => |bytes| Self::Bytes(bytes.to_vec()),
    Timestamp => |time| Self::Time(time),
    Version => |version| Self::Int(version.get()),
    Lane => |lane| Self::Text(lane.as_str().to_owned()),
    Currency => |currency| Self::Text(currency.as_str().to_owned()),
    Vec<Uuid> => |ids| Self::Uuids(ids),
    Vec<i64> => |numbers| Self::Ints(numbers),
    Vec<String> => |texts| Self::Texts(texts),
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// The parameters of a statement, in the order of `$1`, `$2`, ….
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => { vec![$($crate::Value::from($value)),*] };
}

/// A row of a result. Columns are read by name.
pub struct Row<'a> {
    pub(crate) statement: &'static str,
    pub(crate) row: &'a rusqlite::Row<'a>,
}

impl Row<'_> {
    /// The column's value.
    pub fn get<T: FromValue>(&self, column: &str) -> Result<T, Error> {
        let value = self.row.get_ref(column).map_err(|error| self.corrupt(column, &error))?;
        T::from_value(value).map_err(|detail| self.corrupt(column, &detail))
    }

    /// A text column that names one of a fixed set, such as a status.
    pub fn parse<T: FromStr<Err: fmt::Display>>(&self, column: &str) -> Result<T, Error> {
        let text: String = self.get(column)?;
        text.parse().map_err(|error| self.corrupt(column, &format_args!("{text:?}: {error}")))
    }

    /// A JSON column.
    pub fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T, Error> {
        let text: String = self.get(column)?;
        serde_json::from_str(&text).map_err(|error| self.corrupt(column, &error))
    }

    /// The error for a column whose value makes no sense.
    pub fn corrupt(&self, column: &str, detail: &dyn fmt::Display) -> Error {
        Error::Corrupt { statement: self.statement, column: column.to_owned(), detail: detail.to_string() }
    }
}

/// What a column can be read as.
pub trait FromValue: Sized {
    /// Reads the value; the error says what was found instead.
    fn from_value(value: ValueRef<'_>) -> Result<Self, String>;
}

fn unexpected<T>(wanted: &str, found: ValueRef<'_>) -> Result<T, String> {
    Err(format!("wanted {wanted}, found {}", found.data_type()))
}

impl FromValue for i64 {
    fn from_value(value: ValueRef<'_>) -> Result<Self, String> {
        if let ValueRef::Integer(n) = value { Ok(n) } else { unexpected("an integer", value) }
    }
}

impl FromValue for bool {
    fn from_value(value: ValueRef<'_>) -> Result<Self, String> {
        match value {
            ValueRef::Integer(0) => Ok(false),
            ValueRef::Integer(1) => Ok(true),
            other => unexpected("0 or 1", other),
        }
    }
}

impl FromValue for String {
    fn from_value(value: ValueRef<'_>) -> Result<Self, String> {
        match value {
            ValueRef::Text(bytes) => Self::from_utf8(bytes.to_vec()).map_err(|error| error.to_string()),
            other => unexpected("text", other),
        }
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: ValueRef<'_>) -> Result<Self, String> {
        if let ValueRef::Blob(bytes) = value { Ok(bytes.to_vec()) } else { unexpected("bytes", value) }
    }
}

impl FromValue for Uuid {
    fn from_value(value: ValueRef<'_>) -> Result<Self, String> {
        match value {
            ValueRef::Blob(bytes) => Self::from_slice(bytes).map_err(|error| error.to_string()),
            other => unexpected("a UUID", other),
        }
    }
}

impl FromValue for Timestamp {
    fn from_value(value: ValueRef<'_>) -> Result<Self, String> {
        match value {
            ValueRef::Integer(micros) => Self::from_microsecond(micros).map_err(|error| error.to_string()),
            other => unexpected("a time", other),
        }
    }
}

impl FromValue for [u8; 16] {
    fn from_value(value: ValueRef<'_>) -> Result<Self, String> {
        match value {
            ValueRef::Blob(bytes) => bytes.try_into().map_err(|_| format!("wanted 16 bytes, found {}", bytes.len())),
            other => unexpected("16 bytes", other),
        }
    }
}

impl FromValue for Version {
    fn from_value(value: ValueRef<'_>) -> Result<Self, String> {
        i64::from_value(value).map(Self::from_stored)
    }
}

impl FromValue for Currency {
    fn from_value(value: ValueRef<'_>) -> Result<Self, String> {
        String::from_value(value)?.parse().map_err(|error| format!("{error}"))
    }
}

impl FromValue for Lane {
    fn from_value(value: ValueRef<'_>) -> Result<Self, String> {
        let name = String::from_value(value)?;
        Self::parse(&name).ok_or_else(|| format!("{name:?} is no lane"))
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: ValueRef<'_>) -> Result<Self, String> {
        if matches!(value, ValueRef::Null) { Ok(None) } else { T::from_value(value).map(Some) }
    }
}

macro_rules! id_values {
    ($($id:ty),* $(,)?) => {$(
        impl From<$id> for Value {
            fn from(id: $id) -> Self {
                Self::Uuid(id.into())
            }
        }

        impl From<Vec<$id>> for Value {
            fn from(ids: Vec<$id>) -> Self {
                Self::Uuids(ids.into_iter().map(Uuid::from).collect())
            }
        }

        impl FromValue for $id {
            fn from_value(value: ValueRef<'_>) -> Result<Self, String> {
                Uuid::from_value(value).map(Self::from)
            }
        }
    )*};
}

id_values!(UserId, ProductId, OrderId, PaymentId, EventId, MailId, DeadLetterId, RequestId);
