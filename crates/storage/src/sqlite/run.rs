//! Running one statement on a connection.

use std::cell::Cell;
use std::rc::Rc;

use rusqlite::types::{Null, Value as SqliteValue};
use rusqlite::{Connection, Statement};

use super::connection::classify;
use crate::row::{Row, Source};
use crate::statement::Sql;
use crate::{Error, Value};

/// A connection inside a transaction.
pub(crate) struct Context<'a> {
    pub connection: &'a Connection,
    pub store: &'a str,
}

impl Context<'_> {
    pub fn execute(&self, sql: &'static Sql, params: &[Value]) -> Result<usize, Error> {
        self.run(sql.name(), sql.sqlite(), params)
    }

    pub fn run(&self, name: &'static str, text: &str, params: &[Value]) -> Result<usize, Error> {
        let failed = |error: rusqlite::Error| classify(&error, name, self.store);
        let mut prepared = self.connection.prepare_cached(text).map_err(failed)?;
        bind(&mut prepared, params).map_err(failed)?;
        prepared.raw_execute().map_err(failed)
    }
}

/// Runs one statement that returns no rows; answers with how many it met.
pub(crate) fn execute(
    connection: &Connection,
    store: &str,
    sql: &'static Sql,
    params: &[Value],
) -> Result<usize, Error> {
    Context { connection, store }.execute(sql, params)
}

fn bind(statement: &mut Statement<'_>, params: &[Value]) -> rusqlite::Result<()> {
    for (index, value) in (1..).zip(params) {
        match value {
            Value::Null => statement.raw_bind_parameter(index, Null),
            Value::Uuid(id) => statement.raw_bind_parameter(index, id.as_bytes().as_slice()),
            Value::Int(n) => statement.raw_bind_parameter(index, *n),
            Value::Bool(b) => statement.raw_bind_parameter(index, *b),
            Value::Text(text) | Value::Json(text) => statement.raw_bind_parameter(index, text.as_str()),
            Value::Bytes(bytes) => statement.raw_bind_parameter(index, bytes.as_slice()),
            Value::Time(time) => statement.raw_bind_parameter(index, time.as_microsecond()),
            Value::Uuids(ids) => {
                bind_array(statement, index, ids.iter().map(|id| SqliteValue::Blob(id.as_bytes().to_vec())))
            }
            Value::Ints(numbers) => bind_array(statement, index, numbers.iter().copied().map(SqliteValue::Integer)),
            Value::Texts(texts) => bind_array(statement, index, texts.iter().cloned().map(SqliteValue::Text)),
        }?;
    }
    Ok(())
}

fn bind_array(
    statement: &mut Statement<'_>,
    index: usize,
    values: impl Iterator<Item = SqliteValue>,
) -> rusqlite::Result<()> {
    statement.raw_bind_parameter(index, Rc::new(values.collect::<Vec<_>>()))
}

/// Runs one statement that returns rows.
pub(crate) fn select<T>(
    connection: &Connection,
    store: &str,
    sql: &'static Sql,
    params: &[Value],
    map: impl Fn(&Row<'_>) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let statement = sql.name();
    let failed = |error: rusqlite::Error| classify(&error, statement, store);
    let mut prepared = connection.prepare_cached(sql.sqlite()).map_err(failed)?;
    bind(&mut prepared, params).map_err(failed)?;
    let mut rows = prepared.raw_query();
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        found.push(map(&Row { statement, source: Source::Sqlite(row, Cell::new(0)) })?);
    }
    Ok(found)
}
