//! Reads, on connections that can't write.

use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::connection::{classify, open_reader};
use super::run::select;
use super::threads::{self, join_all};
use crate::statement::Sql;
use crate::{Error, Row, Value};

/// Reads that run at once. More would not be faster on the few cores of a shop's machine.
const THREADS: usize = 2;

/// Reads that may wait for each thread before callers wait to hand theirs over.
const QUEUE: usize = 256;

type Read = Box<dyn FnOnce(&Connection, &str) + Send>;

/// The reader threads.
pub(crate) struct Readers {
    queues: Mutex<Vec<mpsc::Sender<Read>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    next: AtomicUsize,
    store: String,
}

impl Readers {
    pub fn start(path: &Path, store: &str) -> Result<Self, Error> {
        let mut queues = Vec::with_capacity(THREADS);
        let mut started = Vec::with_capacity(THREADS);
        for _ in 0..THREADS {
            let connection = open_reader(path, store)?;
            let (sender, mut receiver) = mpsc::channel::<Read>(QUEUE);
            let name = store.to_owned();
            started.push(threads::start("read", store, move || {
                while let Some(read) = receiver.blocking_recv() {
                    read(&connection, &name);
                }
            })?);
            queues.push(sender);
        }
        Ok(Self {
            queues: Mutex::new(queues),
            threads: Mutex::new(started),
            next: AtomicUsize::new(0),
            store: store.to_owned(),
        })
    }

    /// Runs the statement and maps its rows on a reader thread.
    pub async fn query<T: Send + 'static>(
        &self,
        sql: &'static Sql,
        params: Vec<Value>,
        map: impl Fn(&Row<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<Vec<T>, Error> {
        let (reply, answer) = oneshot::channel();
        let read: Read = Box::new(move |connection, store| {
            // Nobody listens any more when the caller went away: then the result is not wanted.
            let _ = reply.send(select(connection, store, sql, params, map));
        });
        let queue = self.queue().ok_or_else(|| self.closed())?;
        queue.send(read).await.map_err(|_| self.closed())?;
        answer.await.map_err(|_| self.closed())?
    }

    /// Prepares the statement without running it.
    pub async fn prepare(&self, name: &'static str, text: &'static str) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        let read: Read = Box::new(move |connection, store| {
            let prepared = connection.prepare(text).map(|_| ()).map_err(|error| classify(&error, name, store));
            let _ = reply.send(prepared);
        });
        let queue = self.queue().ok_or_else(|| self.closed())?;
        queue.send(read).await.map_err(|_| self.closed())?;
        answer.await.map_err(|_| self.closed())?
    }

    fn queue(&self) -> Option<mpsc::Sender<Read>> {
        let queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        queues.get(turn % queues.len().max(1)).cloned()
    }

    fn closed(&self) -> Error {
        Error::Unavailable { store: self.store.clone(), detail: "it is closed".to_owned() }
    }

    pub async fn close(&self) {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        join_all(threads).await;
    }
}
