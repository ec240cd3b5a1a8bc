//! Bringing the tables of a file up to date.

use kernel::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::migrate::{KIT, Migrations};
use crate::{Error, Options};

/// Refuses a file whose tables are newer than this program. Reads only.
pub(super) fn refuse_newer(
    connection: &Connection,
    store: &str,
    options: &Options,
) -> rusqlite::Result<Result<(), Error>> {
    for set in [&KIT, &options.migrations] {
        let found = version(connection, set.set)?;
        if let Err(newer) = set.refuse_newer(found, store) {
            return Ok(Err(newer));
        }
    }
    Ok(Ok(()))
}

/// Runs the steps that are missing, inside the caller's transaction.
pub(super) fn migrate(connection: &Connection, options: &Options, now: Timestamp) -> rusqlite::Result<()> {
    connection.execute_batch(
        "create table if not exists migrations (
            name text not null, version integer not null, applied_at integer not null, primary key (name, version)
        ) strict, without rowid",
    )?;
    for set in [&KIT, &options.migrations] {
        run(connection, set, now)?;
    }
    Ok(())
}

fn run(connection: &Connection, set: &Migrations, now: Timestamp) -> rusqlite::Result<()> {
    for (version, step) in set.after(version(connection, set.set)?) {
        connection.execute_batch(step.sqlite)?;
        connection.execute(
            "insert into migrations (name, version, applied_at) values (?1, ?2, ?3)",
            params![set.set, version, now.as_microsecond()],
        )?;
    }
    Ok(())
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
