//! Reads, on connections that can't write.
//!
//! A read by key takes a few microseconds, less than to hand it to another thread and to be woken for its answer: it
//! runs where it is asked for. All others, and those that find no connection idle, have a thread of their own.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::connection::{classify, open_reader};
use super::run::select;
use super::threads::{self, join_all};
use crate::statement::Sql;
use crate::{Error, Row, Value};

/// Connections for reads by key. More would not be faster on the few cores of a shop's machine.
const LOOKUPS: usize = 2;

/// Reads that may wait for the thread before callers wait to hand theirs over.
const QUEUE: usize = 256;

type Read = Box<dyn FnOnce(&Connection, &str) + Send>;

/// The connections that read.
pub(crate) struct Readers {
    idle: Mutex<Idle>,
    queue: Mutex<Option<mpsc::Sender<Read>>>,
    thread: Mutex<Vec<JoinHandle<()>>>,
    store: String,
}

/// Connections of lookups that nobody uses at the moment.
#[derive(Default)]
struct Idle {
    connections: Vec<Connection>,
    is_closed: bool,
}

impl Readers {
    pub fn start(path: &Path, store: &str) -> Result<Self, Error> {
        let connections = (0..LOOKUPS).map(|_| open_reader(path, store)).collect::<Result<_, _>>()?;
        let connection = open_reader(path, store)?;
        let (sender, mut receiver) = mpsc::channel::<Read>(QUEUE);
        let name = store.to_owned();
        let thread = threads::start("read", store, move || {
            while let Some(read) = receiver.blocking_recv() {
                read(&connection, &name);
            }
        })?;
        Ok(Self {
            idle: Mutex::new(Idle { connections, is_closed: false }),
            queue: Mutex::new(Some(sender)),
            thread: Mutex::new(vec![thread]),
            store: store.to_owned(),
        })
    }

    /// Runs the statement and maps its rows.
    pub async fn query<T: Send + 'static>(
        &self,
        sql: &'static Sql,
        params: Vec<Value>,
        map: impl Fn(&Row<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<Vec<T>, Error> {
        if sql.is_lookup()
            && let Some(borrowed) = self.borrow()
        {
            return select(borrowed.connection(), &self.store, sql, &params, map);
        }
        self.on_thread(move |connection, store| select(connection, store, sql, &params, map)).await
    }

    /// Prepares the statement without running it.
    pub async fn prepare(&self, name: &'static str, text: &'static str) -> Result<(), Error> {
        self.on_thread(move |connection, store| {
            connection.prepare(text).map(|_| ()).map_err(|error| classify(&error, name, store))
        })
        .await
    }

    async fn on_thread<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection, &str) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let read: Read = Box::new(move |connection, store| {
            // Nobody receives the result if the caller was dropped: then it is not wanted.
            let _ = reply.send(read(connection, store));
        });
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        queue.ok_or_else(|| self.closed())?.send(read).await.map_err(|_| self.closed())?;
        answer.await.map_err(|_| self.closed())?
    }

    fn borrow(&self) -> Option<Borrowed<'_>> {
        let connection = self.idle().connections.pop()?;
        Some(Borrowed { connection: Some(connection), readers: self })
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn closed(&self) -> Error {
        Error::Unavailable { store: self.store.clone(), detail: "it is closed".to_owned() }
    }

    pub async fn close(&self) {
        *self.idle() = Idle { connections: Vec::new(), is_closed: true };
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        let thread = std::mem::take(&mut *self.thread.lock().unwrap_or_else(PoisonError::into_inner));
        join_all(thread).await;
    }
}

/// A connection that is in use. It is idle again when this is dropped.
struct Borrowed<'a> {
    connection: Option<Connection>,
    readers: &'a Readers,
}

impl Borrowed<'_> {
    fn connection(&self) -> &Connection {
        self.connection.as_ref().expect("only `drop` takes it")
    }
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        let mut idle = self.readers.idle();
        if !idle.is_closed {
            idle.connections.extend(self.connection.take());
        }
    }
}
