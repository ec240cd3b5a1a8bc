//! A row of a result, whichever database it comes from.

use std::cell::Cell;
use std::fmt;
use std::str::FromStr;

use serde::de::DeserializeOwned;

use crate::value::FromValue;
use crate::{Error, postgres, sqlite};

/// A row of a result. Columns are read by name.
pub struct Row<'a> {
    pub(crate) statement: &'static str,
    pub(crate) source: Source<'a>,
}

/// Source of a row.
pub(crate) enum Source<'a> {
    /// And the column that is probably read next: they are read in their order, as a rule.
    Sqlite(&'a rusqlite::Row<'a>, Cell<usize>),
    Postgres(&'a tokio_postgres::Row),
}

impl Row<'_> {
    /// The column's value.
    pub fn get<T: FromValue>(&self, column: &str) -> Result<T, Error> {
        let found = match &self.source {
            Source::Sqlite(row, next) => sqlite::found(row, column, next),
            Source::Postgres(row) => postgres::found(row, column),
        };
        found.and_then(T::from_value).map_err(|detail| self.corrupt(column, &detail))
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

    /// A JSON column that may be null.
    pub fn json_or_null<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>, Error> {
        let text: Option<String> = self.get(column)?;
        let read = |text: String| serde_json::from_str(&text).map_err(|error| self.corrupt(column, &error));
        text.map(read).transpose()
    }

    /// The error for a column whose value makes no sense.
    pub fn corrupt(&self, column: &str, detail: &dyn fmt::Display) -> Error {
        Error::Corrupt { statement: self.statement, column: column.to_owned(), detail: detail.to_string() }
    }
}
