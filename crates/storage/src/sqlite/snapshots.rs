//! Copies of several files as they all were at one instant, while another process writes to them.
//!
//! Stores that exchange events must be copied at one instant: else a copy knows of an event whose sender's copy never
//! emitted it, or an event is out by the one and has not arrived by the other, and nobody sends it again. Whoever holds
//! the write lock of every file knows that no commit is in flight anywhere. In that moment a read transaction is begun
//! on each; then the locks are dropped, and the copying takes as long as it takes.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::connection::{open_locker, open_new, open_reader, unavailable};
use crate::Error;

/// Longest single pause of the writers: a fraction of the time that they wait for a lock.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Total time of all tries. A busy store's lock is free for moments only, but often.
const PATIENCE: Duration = Duration::from_secs(30);

/// The wait before a lock is tried again: shorter than a commit, so that the moment between two is met.
const TRY_AGAIN: Duration = Duration::from_micros(200);

/// The wait after writers were held up for nothing, so that they get on.
const BREATHER: Duration = Duration::from_millis(250);

/// Pages that are copied between two looks at how far it is: a mebibyte or so.
const PAGES_AT_ONCE: i32 = 256;

/// Several stores' files as they were at one instant.
///
/// While this is held, the files' logs grow with all that is written meanwhile.
pub struct Snapshots {
    files: Vec<Snapshot>,
    paused: Duration,
}

struct Snapshot {
    path: PathBuf,
    /// In a read transaction, which is what keeps the instant.
    reader: Connection,
}

impl Snapshots {
    /// Takes the instant. Writers of all the files, in whatever process, wait for it for a moment.
    ///
    /// Blocks its thread: for milliseconds as a rule, and for half a minute at most.
    pub fn take(files: &[PathBuf]) -> Result<Self, Error> {
        let lockers = files.iter().map(|path| Locker::open(path)).collect::<Result<Vec<_>, _>>()?;
        let mut snapshots = Vec::new();
        for path in files {
            let store = path.display().to_string();
            snapshots.push(Snapshot { path: path.clone(), reader: open_reader(path, &store)? });
        }
        let deadline = Instant::now() + PATIENCE;
        let paused = loop {
            if let Some(began) = lock_all(&lockers, deadline)? {
                // Locks that are held too long must not be dropped before all have begun: they were held for nothing.
                snapshots.iter().try_for_each(Snapshot::begin)?;
                lockers.iter().try_for_each(Locker::unlock)?;
                break began.elapsed();
            }
            std::thread::sleep(BREATHER);
        };
        Ok(Self { files: snapshots, paused })
    }

    /// Time for which commits were paused.
    pub fn paused(&self) -> Duration {
        self.paused
    }

    /// Copies each file into a folder, under its own name, and checks the copy. Answers with the bytes of all copies,
    /// which are on the disk then. Blocks its thread for as long as that takes.
    pub fn copy_to(self, folder: &Path) -> Result<u64, Error> {
        let mut bytes = 0;
        for snapshot in self.files {
            let name = snapshot.path.file_name().expect("the path of a file ends with its name");
            let to = folder.join(name);
            bytes += snapshot.copy(&to)?;
        }
        Ok(bytes)
    }
}

/// Locks all, or none. `None` if it would have taken too long; then others go first.
fn lock_all(lockers: &[Locker], deadline: Instant) -> Result<Option<Instant>, Error> {
    let mut began = None;
    for (at, locker) in lockers.iter().enumerate() {
        while !locker.try_lock()? {
            let now = Instant::now();
            if now > deadline {
                return Err(locker.busy());
            }
            if began.is_some_and(|began| now - began > PAUSE_MAX) {
                lockers[..at].iter().try_for_each(Locker::unlock)?;
                return Ok(None);
            }
            std::thread::sleep(TRY_AGAIN);
        }
        began.get_or_insert_with(Instant::now);
    }
    Ok(Some(began.unwrap_or_else(Instant::now)))
}

/// A connection that takes a file's write lock and writes nothing.
struct Locker {
    connection: Connection,
    store: String,
}

impl Locker {
    fn open(path: &Path) -> Result<Self, Error> {
        let store = path.display().to_string();
        Ok(Self { connection: open_locker(path, &store)?, store })
    }

    fn try_lock(&self) -> Result<bool, Error> {
        match self.connection.execute_batch("begin immediate") {
            Ok(()) => Ok(true),
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => Ok(false),
            Err(error) => Err(unavailable(&self.store, &error)),
        }
    }

    fn unlock(&self) -> Result<(), Error> {
        self.connection.execute_batch("rollback").map_err(|error| unavailable(&self.store, &error))
    }

    fn busy(&self) -> Error {
        let detail = format!("others were writing to it without a pause for {PATIENCE:?}");
        Error::Unavailable { store: self.store.clone(), detail }
    }
}

impl Snapshot {
    fn begin(&self) -> Result<(), Error> {
        // A transaction begins with its first read.
        let read = "begin; select count(*) from sqlite_schema";
        self.reader.execute_batch(read).map_err(|error| self.failed(&error))
    }

    fn copy(self, to: &Path) -> Result<u64, Error> {
        let store = to.display().to_string();
        let failed = |error: rusqlite::Error| unavailable(&store, &error);
        let mut copy = open_new(to, &store)?;
        {
            let backup = Backup::new(&self.reader, &mut copy).map_err(failed)?;
            while !matches!(backup.step(PAGES_AT_ONCE).map_err(failed)?, StepResult::Done) {}
        }
        let verdict: String = copy.query_row("pragma quick_check(1)", [], |row| row.get(0)).map_err(failed)?;
        copy.close().map_err(|(_, error)| failed(error))?;
        if verdict != "ok" {
            return Err(Error::Unavailable { store, detail: format!("the copy is damaged: {verdict}") });
        }
        std::fs::metadata(to).map(|file| file.len()).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &dyn std::fmt::Display) -> Error {
        Error::Unavailable { store: self.path.display().to_string(), detail: error.to_string() }
    }
}
