//! One service's store.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kernel::{Cause, Clock, EventId, Ids, Lane};
use tokio::sync::watch;

use crate::sqlite::commit::Commit;
use crate::sqlite::{Signals, Sqlite};
use crate::statement::Claim;
use crate::{Batch, Error, Migrations, Query, Registered, Row, Value};

/// How to open a store.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whose store: the name of its file, and of the source of its events.
    pub service: &'static str,
    /// The folder that holds the file.
    pub folder: PathBuf,
    /// The service's own tables.
    pub migrations: Migrations,
    /// Where events of each type have to be sent. A type without an entry is kept in the archive only.
    pub destinations: HashMap<String, Vec<String>>,
    /// How many unsent events there may be before requests are refused.
    pub outbox_cap: u64,
    /// Where times come from.
    pub clock: Clock,
    /// Where event ids come from.
    pub ids: Ids,
}

/// A service's store: its tables and the kit's. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    pub(crate) sqlite: Arc<Sqlite>,
    pub(crate) options: Arc<Options>,
}

/// Proof of a commit. Handlers of deliveries and timers must return one, so none can forget to commit.
#[derive(Debug)]
pub struct Committed {
    /// The events that were emitted, in their order.
    pub events: Vec<EventId>,
    /// How many batches shared the transaction.
    pub group_size: usize,
    /// From the call to the answer.
    pub took: Duration,
}

impl Db {
    /// Opens the store, making it if it isn't there, and brings its tables up to date.
    pub fn open(options: Options) -> Result<Self, Error> {
        let sqlite = Sqlite::open(&options)?;
        Ok(Self { sqlite: Arc::new(sqlite), options: Arc::new(options) })
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
        self.sqlite.readers.query(&query.0, params, map).await
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
        let (events, group_size) = self.sqlite.writer.commit(commit).await?;
        Ok(Committed { events, group_size, took: began.elapsed() })
    }

    fn check_outbox_cap(&self) -> Result<(), Error> {
        let cap = self.options.outbox_cap;
        if self.sqlite.signals.pending() < cap { Ok(()) } else { Err(Error::OutboxFull { cap }) }
    }

    /// Runs a write that is complete in itself and returns rows: a counter's next block, a lease.
    pub async fn claim<T: Send + 'static>(
        &self,
        claim: &'static Claim,
        params: Vec<Value>,
        map: impl Fn(&Row<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<Vec<T>, Error> {
        self.sqlite.writer.rows(&claim.0, params, map).await
    }

    /// Checks a statement against the kit's rules and this database, without running it.
    pub async fn check(&self, statement: Registered) -> Result<(), Error> {
        if let Some(fault) = statement.fault() {
            return Err(Error::Broken { statement: statement.name(), detail: fault.to_owned() });
        }
        self.sqlite.readers.prepare(statement.name(), statement.sqlite()).await
    }

    /// Writes what is left in memory and closes the file. Further calls are refused as unavailable.
    pub async fn close(&self) {
        self.sqlite.close().await;
    }

    /// Tells when events for this destination and lane were committed.
    pub fn outbox_signal(&self, destination: &str, lane: Lane) -> watch::Receiver<()> {
        self.signals().outbox(destination, lane)
    }

    /// Tells when any event was committed.
    pub fn archive_signal(&self) -> watch::Receiver<()> {
        self.signals().archive.subscribe()
    }

    /// Tells when a timer was set.
    pub fn timers_signal(&self) -> watch::Receiver<()> {
        self.signals().timers.subscribe()
    }

    fn signals(&self) -> &Signals {
        &self.sqlite.signals
    }
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Db({})", self.options.service)
    }
}
