//! Versioned tables.

use kernel::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::Error;

/// The versions of one set of tables, oldest first. Released versions never change.
#[derive(Clone, Copy, Debug)]
pub struct Migrations {
    /// Whose tables: the kit's or a service's.
    pub set: &'static str,
    /// Version 1, 2, ….
    pub steps: &'static [Migration],
}

/// One step from a version to the next.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// The text for SQLite.
    pub sqlite: &'static str,
}

/// The kit's own tables.
pub(crate) const KIT: Migrations =
    Migrations { set: "kit", steps: &[Migration { sqlite: include_str!("../migrations/sqlite/0001_kit.sql") }] };

/// The newest version of the tables that every store has.
pub fn kit_version() -> i64 {
    KIT.newest()
}

impl Migrations {
    /// The newest version.
    pub fn newest(&self) -> i64 {
        i64::try_from(self.steps.len()).expect("there are fewer migrations than 2^63")
    }

    /// Refuses a store whose tables are newer than this program. Reads only.
    pub(crate) fn check(&self, connection: &Connection, store: &str) -> rusqlite::Result<Result<i64, Error>> {
        let found = version(connection, self.set)?;
        let known = self.newest();
        if found > known {
            return Ok(Err(Error::Newer { store: store.to_owned(), set: self.set, found, known }));
        }
        Ok(Ok(found))
    }

    /// Runs the steps after version `found`, inside the caller's transaction.
    pub(crate) fn run(&self, connection: &Connection, found: i64, now: Timestamp) -> rusqlite::Result<()> {
        for (version, step) in (1..).zip(self.steps).skip(usize::try_from(found).unwrap_or_default()) {
            connection.execute_batch(step.sqlite)?;
            connection.execute(
                "insert into migrations (name, version, applied_at) values (?1, ?2, ?3)",
                params![self.set, version, now.as_microsecond()],
            )?;
        }
        Ok(())
    }
}

/// The table that says which steps ran; it exists before all others.
pub(crate) fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "create table if not exists migrations (
            name text not null, version integer not null, applied_at integer not null, primary key (name, version)
        ) strict, without rowid",
    )
}

fn version(connection: &Connection, set: &str) -> rusqlite::Result<i64> {
    let exists: Option<i64> = connection
        .query_row("select 1 from sqlite_schema where name = 'migrations'", [], |row| row.get(0))
        .optional()?;
    if exists.is_none() {
        return Ok(0);
    }
    connection.query_row("select coalesce(max(version), 0) from migrations where name = ?1", [set], |row| row.get(0))
}
