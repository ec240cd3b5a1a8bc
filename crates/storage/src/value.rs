//! Values that go into statements and come back in rows, the same for both databases.

use kernel::{Currency, Id, Lane, Timestamp, Version};
use serde::Serialize;
use uuid::Uuid;

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
    u16 => |n| Self::Int(n.into()),
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

/// Value of a column, whichever database it comes from. The variants that a column may arrive as are those of its
/// [`Type`] on either side: a UUID is 16 bytes on SQLite, a time is an integer there, a boolean too.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Found<'a> {
    /// No value.
    Null,
    /// An integer.
    Int(i64),
    /// True or false.
    Bool(bool),
    /// Text, or a JSON document.
    Text(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A UUID.
    Uuid(Uuid),
    /// A point in time.
    Time(Timestamp),
}

/// Type as which a column can be read.
pub trait FromValue: Sized {
    /// Reads the value; the error says what was found instead.
    fn from_value(value: Found<'_>) -> Result<Self, String>;
}

fn unexpected<T>(wanted: &str, found: Found<'_>) -> Result<T, String> {
    let kind = match found {
        Found::Null => "null",
        Found::Int(_) => "an integer",
        Found::Bool(_) => "a boolean",
        Found::Text(_) => "text",
        Found::Bytes(_) => "bytes",
        Found::Uuid(_) => "a UUID",
        Found::Time(_) => "a time",
    };
    Err(format!("wanted {wanted}, found {kind}"))
}

impl FromValue for i64 {
    fn from_value(value: Found<'_>) -> Result<Self, String> {
        if let Found::Int(n) = value { Ok(n) } else { unexpected("an integer", value) }
    }
}

impl FromValue for bool {
    fn from_value(value: Found<'_>) -> Result<Self, String> {
        match value {
            Found::Bool(b) => Ok(b),
            Found::Int(0) => Ok(false),
            Found::Int(1) => Ok(true),
            other => unexpected("true or false", other),
        }
    }
}

impl FromValue for String {
    fn from_value(value: Found<'_>) -> Result<Self, String> {
        if let Found::Text(text) = value { Ok(text.to_owned()) } else { unexpected("text", value) }
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: Found<'_>) -> Result<Self, String> {
        match value {
            Found::Bytes(bytes) => Ok(bytes.to_vec()),
            // The body of an event is bytes on SQLite and a `json` column on PostgreSQL, which keeps them as they are.
            Found::Text(text) => Ok(text.as_bytes().to_vec()),
            other => unexpected("bytes", other),
        }
    }
}

impl FromValue for Uuid {
    fn from_value(value: Found<'_>) -> Result<Self, String> {
        match value {
            Found::Uuid(id) => Ok(id),
            Found::Bytes(bytes) => Self::from_slice(bytes).map_err(|error| error.to_string()),
            other => unexpected("a UUID", other),
        }
    }
}

impl FromValue for Timestamp {
    fn from_value(value: Found<'_>) -> Result<Self, String> {
        match value {
            Found::Time(time) => Ok(time),
            Found::Int(micros) => Self::from_microsecond(micros).map_err(|error| error.to_string()),
            other => unexpected("a time", other),
        }
    }
}

impl<const N: usize> FromValue for [u8; N] {
    fn from_value(value: Found<'_>) -> Result<Self, String> {
        match value {
            Found::Bytes(bytes) => bytes.try_into().map_err(|_| format!("wanted {N} bytes, found {}", bytes.len())),
            other => unexpected("bytes", other),
        }
    }
}

impl FromValue for Version {
    fn from_value(value: Found<'_>) -> Result<Self, String> {
        i64::from_value(value).map(Self::from_stored)
    }
}

impl FromValue for Currency {
    fn from_value(value: Found<'_>) -> Result<Self, String> {
        String::from_value(value)?.parse().map_err(|error| format!("{error}"))
    }
}

impl FromValue for Lane {
    fn from_value(value: Found<'_>) -> Result<Self, String> {
        let name = String::from_value(value)?;
        Self::parse(&name).ok_or_else(|| format!("{name:?} is no lane"))
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Found<'_>) -> Result<Self, String> {
        if value == Found::Null { Ok(None) } else { T::from_value(value).map(Some) }
    }
}

impl<K> From<Id<K>> for Value {
    fn from(id: Id<K>) -> Self {
        Self::Uuid(id.into())
    }
}

impl<K> From<Vec<Id<K>>> for Value {
    fn from(ids: Vec<Id<K>>) -> Self {
        Self::Uuids(ids.into_iter().map(Uuid::from).collect())
    }
}

impl<K> FromValue for Id<K> {
    fn from_value(value: Found<'_>) -> Result<Self, String> {
        Uuid::from_value(value).map(Self::from)
    }
}
