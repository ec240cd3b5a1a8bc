//! One service's store.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kernel::{Cause, Clock, EventId, Ids, Lane, Shards};
use tokio::sync::watch;

use crate::commit::Commit;
use crate::postgres::{BadUrl, Postgres, Server};
use crate::sqlite::Sqlite;
use crate::statement::{Claim, Sql};
use crate::wake_ups::{TimerWakeUp, WakeUps};
use crate::{Batch, Error, Migrations, Query, Registered, Row, Value};

/// Options for opening a store.
#[derive(Clone, Debug)]
pub struct Options {
    /// The service: the name of its file or schema, and of the source of its events.
    pub service: &'static str,
    /// The store's location.
    pub location: Location,
    /// The service's own tables.
    pub migrations: Migrations,
    /// Destinations of each event type. A type without an entry is kept in the archive only.
    pub destinations: HashMap<String, Vec<String>>,
    /// Number of shards of the keys. It never changes once the store is made.
    pub shards: Shards,
    /// Number of unsent events above which requests are refused.
    pub outbox_cap: u64,
    /// Source of times.
    pub clock: Clock,
    /// Source of event ids.
    pub ids: Ids,
}

/// Location of stores. All services of a process may share one.
#[derive(Clone, Debug)]
pub enum Location {
    /// A folder: one SQLite file for each service.
    Folder(PathBuf),
    /// A PostgreSQL database, or one for each service: in any case a schema for each.
    Postgres(Server),
}

impl Location {
    /// The location of a service's store.
    ///
    /// # Errors
    ///
    /// [`Error::Unusable`] if the URL of the databases is none with this name in it.
    pub fn of(&self, service: &str) -> Result<Self, Error> {
        match self {
            Self::Folder(_) => Ok(self.clone()),
            Self::Postgres(server) => {
                let unusable = |bad: BadUrl| Error::Unusable { store: server.to_string(), detail: bad.to_string() };
                server.of(service).map(Self::Postgres).map_err(unusable)
            }
        }
    }
}

/// A service's store: its tables and the kit's. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    engine: Arc<Engine>,
    options: Arc<Options>,
}

enum Engine {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

/// Proof of a commit. Handlers of deliveries and timers must return one, so none can forget to commit.
#[derive(Debug)]
pub struct Committed {
    /// The events that were emitted, in their order.
    pub events: Vec<EventId>,
    /// Number of batches that shared the transaction.
    pub group_size: usize,
    /// From the call to the answer.
    pub took: Duration,
}

impl Db {
    /// Opens the store, making it if it isn't there, and brings its tables up to date.
    ///
    /// Waits for a database server that is down, at most as long as its [`Server`] says.
    pub async fn open(mut options: Options) -> Result<Self, Error> {
        options.location = options.location.of(options.service)?;
        let engine = match &options.location {
            Location::Folder(folder) => Engine::Sqlite(Sqlite::open(folder, &options)?),
            Location::Postgres(server) => Engine::Postgres(Postgres::open(server, &options).await?),
        };
        let db = Self { engine: Arc::new(engine), options: Arc::new(options) };
        db.settle_shards().await?;
        Ok(db)
    }

    /// Opens a store that other programs serve, to read it. Nothing is made or changed, so it must be there, with the
    /// tables and the number of shards that this program knows.
    ///
    /// # Errors
    ///
    /// [`Error::Unusable`] if it is not so, and of files, which one process has for itself.
    pub async fn open_to_read(mut options: Options) -> Result<Self, Error> {
        options.location = options.location.of(options.service)?;
        let engine = match &options.location {
            Location::Postgres(server) => Engine::Postgres(Postgres::open_to_read(server, &options).await?),
            Location::Folder(folder) => {
                let detail = "a file has one process, so no other program can read it".to_owned();
                return Err(Error::Unusable { store: folder.display().to_string(), detail });
            }
        };
        let db = Self { engine: Arc::new(engine), options: Arc::new(options) };
        db.refuse_other_shards().await?;
        Ok(db)
    }

    /// The service whose store this is.
    pub fn service(&self) -> &'static str {
        self.options.service
    }

    /// Reads rows from a snapshot; never waits for writers.
    pub async fn query<T: Send + 'static>(
        &self,
        query: &'static Query,
        params: Vec<Value>,
        map: impl Fn(&Row<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<Vec<T>, Error> {
        self.read(&query.0, params, map).await
    }

    /// Reads the first row, if there is one.
    pub async fn query_one<T: Send + 'static>(
        &self,
        query: &'static Query,
        params: Vec<Value>,
        map: impl Fn(&Row<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<Option<T>, Error> {
        Ok(self.query(query, params, map).await?.into_iter().next())
    }

    /// Executes the batch and records its cause, in one transaction that is on the disk when this returns `Ok`.
    ///
    /// Dropping the future cancels nothing half way: either all of it happens or nothing.
    pub async fn commit(&self, batch: Batch, cause: Cause) -> Result<Committed, Error> {
        if matches!(cause, Cause::Request(_)) && !batch.events.is_empty() {
            self.check_outbox_cap()?;
        }
        let began = Instant::now();
        let commit = Commit::prepare(batch, cause, &self.options);
        let (events, group_size) = match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.writer.commit(commit).await?,
            Engine::Postgres(postgres) => postgres.writer.commit(commit).await?,
        };
        Ok(Committed { events, group_size, took: began.elapsed() })
    }

    fn check_outbox_cap(&self) -> Result<(), Error> {
        let cap = self.options.outbox_cap;
        if self.signals().pending() < cap { Ok(()) } else { Err(Error::OutboxFull { cap }) }
    }

    /// Runs a write that is complete in itself and returns rows: a counter's next block, a lease.
    pub async fn claim<T: Send + 'static>(
        &self,
        claim: &'static Claim,
        params: Vec<Value>,
        map: impl Fn(&Row<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<Vec<T>, Error> {
        self.write_rows(&claim.0, params, map).await
    }

    /// Checks a statement against the kit's rules and this database, without running it.
    pub async fn check(&self, statement: Registered) -> Result<(), Error> {
        if let Some(fault) = statement.fault() {
            return Err(Error::Broken { statement: statement.name(), detail: fault.to_owned() });
        }
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.readers.prepare(statement.name(), statement.sqlite()).await,
            Engine::Postgres(postgres) => postgres.readers.check(statement).await,
        }
    }

    /// Checks one of the kit's own statements against this database, without running it.
    pub(crate) async fn check_own(&self, sql: &'static Sql) -> Result<(), Error> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.readers.prepare(sql.name(), sql.sqlite()).await,
            Engine::Postgres(postgres) => postgres.readers.check_kit(sql).await,
        }
    }

    /// Writes what is left in memory and closes the store. Further calls are refused as unavailable.
    pub async fn close(&self) {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.close().await,
            Engine::Postgres(postgres) => postgres.close().await,
        }
    }

    /// Wakes when events for this destination and lane were committed.
    pub fn outbox_signal(&self, destination: &str, lane: Lane) -> watch::Receiver<()> {
        self.signals().outbox(destination, lane)
    }

    /// Wakes when any event was committed.
    pub fn archive_signal(&self) -> watch::Receiver<()> {
        self.signals().archive.subscribe()
    }

    /// Wakes when a timer of this kind was set.
    pub fn timer_signal(&self, name: &'static str) -> Arc<TimerWakeUp> {
        self.signals().timer(name)
    }

    pub(crate) fn destinations(&self) -> &HashMap<String, Vec<String>> {
        &self.options.destinations
    }

    /// The number of shards of the keys.
    pub fn shards(&self) -> Shards {
        self.options.shards
    }

    /// The store's location, for messages.
    pub(crate) fn store(&self) -> String {
        match &self.options.location {
            Location::Folder(folder) => folder.join(format!("{}.db", self.service())).display().to_string(),
            Location::Postgres(server) => format!("{server}, schema {},", self.service()),
        }
    }

    pub(crate) fn signals(&self) -> &WakeUps {
        match &*self.engine {
            Engine::Sqlite(sqlite) => &sqlite.signals,
            Engine::Postgres(postgres) => &postgres.signals,
        }
    }

    /// Reads rows.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        sql: &'static Sql,
        params: Vec<Value>,
        map: impl Fn(&Row<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<Vec<T>, Error> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.readers.query(sql, params, map).await,
            Engine::Postgres(postgres) => postgres.readers.query(sql, params, map).await,
        }
    }

    /// Runs one write that returns rows.
    pub(crate) async fn write_rows<T: Send + 'static>(
        &self,
        sql: &'static Sql,
        params: Vec<Value>,
        map: impl Fn(&Row<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<Vec<T>, Error> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.writer.rows(sql, params, map).await,
            Engine::Postgres(postgres) => postgres.writer.rows(sql, params, map).await,
        }
    }

    /// Runs the kit's own writes, all or none; answers with the rows that each met.
    pub(crate) async fn sweep(&self, statements: Vec<(&'static Sql, Vec<Value>)>) -> Result<Vec<usize>, Error> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.writer.sweep(statements).await,
            Engine::Postgres(postgres) => postgres.writer.sweep(statements).await,
        }
    }
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Db({})", self.options.service)
    }
}
