//! Writes: one thread, one transaction for all batches that wait.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use kernel::EventId;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::commit;
use super::connection::{classify, unavailable};
use super::run::{execute, select};
use super::threads::{self, join_all};
use crate::commit::Commit;
use crate::statement::Sql;
use crate::wake_ups::{Effects, WakeUps};
use crate::{Error, Row, Value};

/// Batches that share one transaction at the most: beyond it the first would wait long for its answer.
const GROUP: usize = 256;

/// Batches that may wait before callers wait to hand theirs over.
const QUEUE: usize = 1_024;

/// One write of a group: applied inside its transaction, more than once if another one fails, answered after the
/// commit.
trait Task: Send {
    fn apply(&mut self, connection: &Connection, store: &str) -> Result<Effects, Error>;
    fn answer(self: Box<Self>, outcome: Result<usize, Error>);
}

/// The writer thread.
pub(crate) struct Writer {
    queue: Mutex<Option<mpsc::Sender<Box<dyn Task>>>>,
    thread: Mutex<Vec<JoinHandle<()>>>,
    store: String,
}

impl Writer {
    pub fn start(connection: Connection, store: String, signals: Arc<WakeUps>) -> Result<Self, Error> {
        let (sender, mut receiver) = mpsc::channel::<Box<dyn Task>>(QUEUE);
        let name = store.clone();
        let thread = threads::start("write", &store, move || {
            let mut group = Vec::with_capacity(GROUP);
            while receiver.blocking_recv_many(&mut group, GROUP) > 0 {
                run_group(&connection, &name, &signals, &mut group);
            }
        })?;
        Ok(Self { queue: Mutex::new(Some(sender)), thread: Mutex::new(vec![thread]), store })
    }

    /// Commits a batch with its cause; answers with its events and the size of its group.
    pub async fn commit(&self, commit: Commit) -> Result<(Vec<EventId>, usize), Error> {
        let (reply, answer) = oneshot::channel();
        self.send(Box::new(CommitTask { commit, reply })).await?;
        answer.await.map_err(|_| self.closed())?
    }

    /// Runs one statement that returns rows.
    pub async fn rows<T: Send + 'static>(
        &self,
        sql: &'static Sql,
        params: Vec<Value>,
        map: impl Fn(&Row<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<Vec<T>, Error> {
        let work = move |connection: &Connection, store: &str| select(connection, store, sql, &params, &map);
        self.run(work).await
    }

    /// Runs the kit's own statements, all or none; answers with the rows that each met.
    pub async fn sweep(&self, statements: Vec<(&'static Sql, Vec<Value>)>) -> Result<Vec<usize>, Error> {
        self.run(move |connection: &Connection, store: &str| {
            statements.iter().map(|(sql, params)| execute(connection, store, sql, params)).collect()
        })
        .await
    }

    async fn run<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnMut(&Connection, &str) -> Result<T, Error> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.send(Box::new(WorkTask { work, made: None, reply })).await?;
        answer.await.map_err(|_| self.closed())?
    }

    async fn send(&self, task: Box<dyn Task>) -> Result<(), Error> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        queue.ok_or_else(|| self.closed())?.send(task).await.map_err(|_| self.closed())
    }

    fn closed(&self) -> Error {
        Error::Unavailable { store: self.store.clone(), detail: "it is closed".to_owned() }
    }

    pub async fn close(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        let thread = std::mem::take(&mut *self.thread.lock().unwrap_or_else(PoisonError::into_inner));
        join_all(thread).await;
    }
}

struct CommitTask {
    commit: Commit,
    reply: oneshot::Sender<Result<(Vec<EventId>, usize), Error>>,
}

impl Task for CommitTask {
    fn apply(&mut self, connection: &Connection, store: &str) -> Result<Effects, Error> {
        commit::apply(&self.commit, connection, store)
    }

    fn answer(self: Box<Self>, outcome: Result<usize, Error>) {
        let events = self.commit.into_event_ids();
        // Nobody listens any more when the client hung up: the commit stands all the same.
        let _ = self.reply.send(outcome.map(|group_size| (events, group_size)));
    }
}

struct WorkTask<T, F> {
    work: F,
    made: Option<T>,
    reply: oneshot::Sender<Result<T, Error>>,
}

impl<T, F> Task for WorkTask<T, F>
where
    T: Send,
    F: FnMut(&Connection, &str) -> Result<T, Error> + Send,
{
    fn apply(&mut self, connection: &Connection, store: &str) -> Result<Effects, Error> {
        self.made = Some((self.work)(connection, store)?);
        Ok(Effects::default())
    }

    fn answer(self: Box<Self>, outcome: Result<usize, Error>) {
        let made = self.made;
        let _ = self.reply.send(outcome.map(|_| made.expect("a task that was applied made its result")));
    }
}

fn run_group(connection: &Connection, store: &str, signals: &WakeUps, group: &mut Vec<Box<dyn Task>>) {
    let size = group.len();
    let (outcomes, effects) = match apply_group(connection, store, group) {
        Ok(applied) => applied,
        Err(error) => (vec![Err(error); size], Effects::default()),
    };
    signals.announce(effects);
    for (task, outcome) in group.drain(..).zip(outcomes) {
        task.answer(outcome.map(|()| size));
    }
}

type Outcomes = Vec<Result<(), Error>>;

/// Runs the whole group in one transaction. An error of the transaction itself fails every task of it.
///
/// A savepoint for each task would make SQLite copy every page that the task touches, and nearly every task succeeds:
/// so the group is tried without, and only if one of them fails, again with.
fn apply_group(
    connection: &Connection,
    store: &str,
    group: &mut [Box<dyn Task>],
) -> Result<(Outcomes, Effects), Error> {
    run(connection, "begin immediate", store)?;
    match apply_all(connection, store, group) {
        Ok(effects) => {
            commit(connection, store)?;
            Ok((vec![Ok(()); group.len()], effects))
        }
        Err(error) => {
            if !connection.is_autocommit() {
                run(connection, "rollback", store)?;
            }
            match group.len() {
                1 => Err(error),
                _ => apply_each(connection, store, group),
            }
        }
    }
}

fn apply_all(connection: &Connection, store: &str, group: &mut [Box<dyn Task>]) -> Result<Effects, Error> {
    let mut effects = Effects::default();
    for task in group {
        effects.merge(task.apply(connection, store)?);
    }
    Ok(effects)
}

/// Those that succeed stay, the others get their own errors.
fn apply_each(connection: &Connection, store: &str, group: &mut [Box<dyn Task>]) -> Result<(Outcomes, Effects), Error> {
    run(connection, "begin immediate", store)?;
    let mut effects = Effects::default();
    let mut outcomes = Vec::with_capacity(group.len());
    for task in group {
        let outcome = apply_one(connection, store, task.as_mut());
        if connection.is_autocommit() {
            // A full disk makes SQLite roll back the whole transaction, not only the statement.
            return Err(outcome.err().unwrap_or_else(|| lost(store)));
        }
        outcomes.push(outcome.map(|made| effects.merge(made)));
    }
    commit(connection, store)?;
    Ok((outcomes, effects))
}

fn commit(connection: &Connection, store: &str) -> Result<(), Error> {
    let Err(error) = run(connection, "commit", store) else { return Ok(()) };
    if !connection.is_autocommit() {
        run(connection, "rollback", store)?;
    }
    Err(error)
}

fn apply_one(connection: &Connection, store: &str, task: &mut dyn Task) -> Result<Effects, Error> {
    run(connection, "savepoint batch", store)?;
    let applied = task.apply(connection, store);
    if applied.is_err() && !connection.is_autocommit() {
        run(connection, "rollback to batch", store)?;
    }
    if !connection.is_autocommit() {
        run(connection, "release batch", store)?;
    }
    applied
}

fn lost(store: &str) -> Error {
    Error::Unavailable { store: store.to_owned(), detail: "the transaction was rolled back".to_owned() }
}

fn run(connection: &Connection, sql: &'static str, store: &str) -> Result<(), Error> {
    let mut statement = connection.prepare_cached(sql).map_err(|error| classify(&error, sql, store))?;
    statement.raw_execute().map(|_| ()).map_err(|error| unavailable(store, &error))
}
