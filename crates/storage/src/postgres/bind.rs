//! Values as PostgreSQL's binary protocol has them.

use std::error::Error;

use bytes::{BufMut, BytesMut};
use kernel::Timestamp;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use uuid::Uuid;

use crate::Value;
use crate::value::Found;

/// PostgreSQL counts microseconds from 2000-01-01 (<https://www.postgresql.org/docs/current/datatype-datetime.html>);
/// this is that day in microseconds since 1970.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// The version that begins a binary `jsonb` value.
const JSONB_VERSION: u8 = 1;

type Failure = Box<dyn Error + Sync + Send>;

impl ToSql for Value {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        match self {
            Self::Null => return Ok(IsNull::Yes),
            Self::Uuid(id) => out.put_slice(id.as_bytes()),
            Self::Int(n) => out.put_i64(*n),
            Self::Bool(b) => out.put_u8(u8::from(*b)),
            Self::Time(time) => out.put_i64(time.as_microsecond() - EPOCH_MICROS),
            Self::Bytes(bytes) => out.put_slice(bytes),
            Self::Text(text) | Self::Json(text) => {
                if *kind == Type::JSONB {
                    out.put_u8(JSONB_VERSION);
                }
                out.put_slice(text.as_bytes());
            }
            Self::Uuids(ids) => return ids.iter().copied().map(Self::Uuid).collect::<Vec<_>>().to_sql(kind, out),
            Self::Ints(numbers) => return numbers.iter().copied().map(Self::Int).collect::<Vec<_>>().to_sql(kind, out),
            Self::Texts(texts) => return texts.to_sql(kind, out),
        }
        Ok(IsNull::No)
    }

    /// The statement's own types decide, and a wrong one is the server's to refuse: only widths must agree.
    fn accepts(kind: &Type) -> bool {
        !matches!(*kind, Type::INT2 | Type::INT4 | Type::FLOAT4 | Type::FLOAT8 | Type::NUMERIC)
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Found<'a> {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Failure> {
        Ok(match *kind {
            Type::INT8 => Found::Int(i64::from_be_bytes(raw.try_into()?)),
            Type::INT4 => Found::Int(i32::from_be_bytes(raw.try_into()?).into()),
            Type::BOOL => Found::Bool(raw == [1]),
            Type::BYTEA => Found::Bytes(raw),
            Type::UUID => Found::Uuid(Uuid::from_slice(raw)?),
            Type::TIMESTAMPTZ => {
                let micros = i64::from_be_bytes(raw.try_into()?);
                Found::Time(Timestamp::from_microsecond(micros.saturating_add(EPOCH_MICROS))?)
            }
            Type::JSONB => Found::Text(std::str::from_utf8(raw.get(1..).unwrap_or_default())?),
            _ => Found::Text(std::str::from_utf8(raw)?),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Failure> {
        Ok(Found::Null)
    }

    fn accepts(kind: &Type) -> bool {
        matches!(
            *kind,
            Type::INT8
                | Type::INT4
                | Type::BOOL
                | Type::BYTEA
                | Type::UUID
                | Type::TIMESTAMPTZ
                | Type::JSONB
                | Type::JSON
                | Type::TEXT
                | Type::VARCHAR
        )
    }
}
