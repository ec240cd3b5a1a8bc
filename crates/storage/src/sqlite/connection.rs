//! Opening the file.

use std::fs::{File, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::tables;
use crate::{Error, Options};

/// Prepared statements that a connection keeps: more than a service has.
const STATEMENTS_KEPT: usize = 256;

/// Read and written by its owner.
const OWNER_ONLY: u32 = 0o600;

/// The rights of anybody but the owner.
const OTHERS: u32 = 0o077;

/// Pages of 4 KiB in the log before a commit copies them into the file.
/// At SQLite's own 1,000 a busy shop would stop to copy several times a second.
const CHECKPOINT_PAGES: u32 = 4_000;

/// The connection that writes, with all tables up to date.
pub(super) fn open_writer(path: &Path, store: &str, options: &Options) -> Result<Connection, Error> {
    let failed = |error: rusqlite::Error| unavailable(store, &error);
    if path.exists() {
        let reader = open_with(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(failed)?;
        tables::refuse_newer(&reader, store, options).map_err(failed)??;
    }
    let mut connection =
        open_with(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE).map_err(failed)?;
    configure_writer(&connection).map_err(failed)?;
    let now = options.clock.now();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    tables::refuse_newer(&transaction, store, options).map_err(failed)??;
    tables::migrate(&transaction, options, now).map_err(failed)?;
    // One process has the file, so what is leased was leased by one that is gone: nobody waits for its lease to end.
    let release = "update timers set due_at = ?1, is_leased = 0 where is_leased = 1";
    transaction.execute(release, [now.as_microsecond()]).map_err(failed)?;
    transaction.commit().map_err(failed)?;
    Ok(connection)
}

/// A connection that can't write.
pub(super) fn open_reader(path: &Path, store: &str) -> Result<Connection, Error> {
    let connection = open_with(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(|error| unavailable(store, &error))?;
    connection
        .execute_batch("pragma query_only = on; pragma cache_size = -2048")
        .map_err(|error| unavailable(store, &error))?;
    Ok(connection)
}

/// A connection to a file that is there, which asks for its write lock without waiting.
pub(super) fn open_locker(path: &Path, store: &str) -> Result<Connection, Error> {
    let opened = open_with(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .and_then(|connection| connection.busy_timeout(std::time::Duration::ZERO).map(|()| connection));
    opened.map_err(|error| unavailable(store, &error))
}

/// A file to copy another one into.
pub(super) fn open_new(path: &Path, store: &str) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    open_with(path, flags).map_err(|error| unavailable(store, &error))
}

/// Number of pointers in the outbox.
pub(super) fn pending_events(connection: &Connection, store: &str) -> Result<u64, Error> {
    connection
        .query_row("select count(*) from outbox", [], |row| row.get::<_, i64>(0))
        .map(|count| u64::try_from(count).unwrap_or_default())
        .map_err(|error| unavailable(store, &error))
}

fn open_with(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    if flags.contains(OpenFlags::SQLITE_OPEN_CREATE) {
        make_private(path);
    }
    #[expect(clippy::disallowed_methods, reason = "this is the storage kit")]
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    // Otherwise SQLite looks at the value of `limit $n` while it plans, and so plans anew at each execution.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    rusqlite::vtab::array::load_module(&connection)?;
    Ok(connection)
}

/// Keeps the file and its log from other users of the machine, whatever the folder and the umask let them do: SQLite
/// makes the log with the rights of the file. What can't be done is left to the open, which says why.
fn make_private(path: &Path) {
    let made = File::options().write(true).create(true).truncate(false).mode(OWNER_ONLY).open(path);
    let log = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let files = [path.to_owned(), log("-wal"), log("-shm")];
    for file in files.iter().filter(|file| file.metadata().is_ok_and(|it| it.permissions().mode() & OTHERS != 0)) {
        if let Err(error) = std::fs::set_permissions(file, Permissions::from_mode(OWNER_ONLY)) {
            tracing::warn!(file = %file.display(), %error, "other users of this machine may read the file");
        }
    }
    drop(made);
}

/// `synchronous = full`: a commit that was answered is on the disk. Group commit is what makes it affordable.
fn configure_writer(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "pragma journal_mode = wal;
         pragma synchronous = full;
         pragma foreign_keys = on;
         pragma temp_store = memory;
         pragma cache_size = -4096;
         pragma journal_size_limit = 67108864;
         pragma wal_autocheckpoint = {CHECKPOINT_PAGES};"
    ))
}

/// Maps a driver's error to the caller's.
pub(super) fn classify(error: &rusqlite::Error, statement: &'static str, store: &str) -> Error {
    if let rusqlite::Error::SqliteFailure(failure, _) = error {
        match failure.code {
            ErrorCode::ConstraintViolation if is_key_violation(failure.extended_code) => {
                return Error::Conflict { statement };
            }
            ErrorCode::DiskFull
            | ErrorCode::ReadOnly
            | ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::OutOfMemory => return unavailable(store, error),
            _ => {}
        }
    }
    Error::Broken { statement, detail: error.to_string() }
}

fn is_key_violation(extended_code: i32) -> bool {
    matches!(extended_code, rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY | rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE)
}

pub(super) fn unavailable(store: &str, error: &rusqlite::Error) -> Error {
    Error::Unavailable { store: store.to_owned(), detail: error.to_string() }
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    #[test]
    fn a_statement_is_planned_once_whatever_its_parameters_are() {
        let folder = tempfile::tempdir().unwrap();
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let connection = open_with(&folder.path().join("test.db"), flags).unwrap();
        connection.execute_batch("create table things (id integer primary key, name text)").unwrap();
        let text = "select id from things where id > ?1 and name <> ?2 order by id limit ?3";
        let mut statement = connection.prepare(text).unwrap();
        for limit in 1..10 {
            let rows = statement.query_map((limit, "a", limit), |row| row.get::<_, i64>(0)).unwrap();
            assert_eq!(rows.count(), 0);
        }
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
    }
}
