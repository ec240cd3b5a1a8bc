//! SQLite behind the kit: one writer thread, a few reader threads.

mod commit;
mod connection;
mod readers;
mod run;
mod snapshots;
mod tables;
mod threads;
mod writer;

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;

use rusqlite::types::ValueRef;

use crate::value::Found;
use crate::wake_ups::WakeUps;
use crate::{Error, Options};

pub(crate) use commit::STATEMENTS;
pub(crate) use readers::Readers;
pub use snapshots::Snapshots;
pub(crate) use writer::Writer;

/// One open file.
pub(crate) struct Sqlite {
    pub writer: Writer,
    pub readers: Readers,
    pub signals: Arc<WakeUps>,
}

impl Sqlite {
    pub fn open(folder: &Path, options: &Options) -> Result<Self, Error> {
        let path = folder.join(format!("{}.db", options.service));
        let store = path.display().to_string();
        let connection = connection::open_writer(&path, &store, options)?;
        let pending = connection::pending_events(&connection, &store)?;
        let signals = Arc::new(WakeUps::new(&options.destinations, pending));
        let readers = Readers::start(&path, &store)?;
        let writer = Writer::start(connection, store, signals.clone())?;
        Ok(Self { writer, readers, signals })
    }

    /// Lets the writer finish what it was given, then closes every connection.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Makes a store's file from its dump.
#[cfg(feature = "test-support")]
pub fn load_dump(file: &Path, dump: &str) -> Result<(), Error> {
    let store = file.display().to_string();
    let connection = connection::open_new(file, &store)?;
    connection.execute_batch(dump).map_err(|error| connection::unavailable(&store, &error))
}

/// A column's value as the kit sees it. `next` is where it probably is.
pub(crate) fn found<'a>(row: &'a rusqlite::Row<'_>, column: &str, next: &Cell<usize>) -> Result<Found<'a>, String> {
    let statement: &rusqlite::Statement<'_> = row.as_ref();
    let index = match statement.column_name(next.get()) {
        Ok(name) if name == column => next.get(),
        _ => statement.column_index(column).map_err(|error| error.to_string())?,
    };
    next.set(index + 1);
    match row.get_ref(index).map_err(|error| error.to_string())? {
        ValueRef::Null => Ok(Found::Null),
        ValueRef::Integer(n) => Ok(Found::Int(n)),
        ValueRef::Real(n) => Err(format!("a floating-point number, {n}, is no value that the kit stores")),
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).map(Found::Text).map_err(|error| error.to_string()),
        ValueRef::Blob(bytes) => Ok(Found::Bytes(bytes)),
    }
}
