//! Writes: what waits is grouped, and each group is one transaction on one connection.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use kernel::{Clock, EventId, Ids};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::connection::unavailable;
use super::group::{self, Done, Failed, Name};
use super::reconnecting::Reconnecting;
use super::task::{Ran, Task};
use super::{readers, tables};
use crate::commit::Commit;
use crate::statement::Sql;
use crate::wake_ups::WakeUps;
use crate::{Error, Options, Row, Value};

/// Tasks that share one transaction at the most: beyond it the first would wait long for its answer.
const GROUP: usize = 256;

/// Tasks that may wait before callers wait to hand theirs over.
const QUEUE: usize = 1_024;

/// Tries of a group whose connection broke before `commit` was sent, or that conflicted with others.
const TRIES: u32 = 4;

/// Time in which the outcome of a commit is looked up while the server is down.
const LOOK_UP: Duration = Duration::from_secs(30);

/// The wait between two look-ups.
const LOOK_UP_PAUSE: Duration = Duration::from_millis(100);

/// The handle of the task that writes.
pub(crate) struct Writer {
    queue: Mutex<Option<mpsc::Sender<Task>>>,
    running: Mutex<Option<JoinHandle<()>>>,
    store: String,
}

impl Writer {
    pub(super) fn start(link: Reconnecting, options: &Options, signals: Arc<WakeUps>) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let store = link.server().to_string();
        let worker =
            Worker { link, signals, clock: options.clock.clone(), ids: options.ids.clone(), known: Vec::new() };
        #[expect(clippy::disallowed_methods, reason = "`close` waits for it, as for the thread of the other engine")]
        let running = tokio::spawn(worker.run(receiver));
        Self { queue: Mutex::new(Some(sender)), running: Mutex::new(Some(running)), store }
    }

    /// Commits a batch with its cause; answers with its events and the size of its group.
    pub async fn commit(&self, commit: Commit) -> Result<(Vec<EventId>, usize), Error> {
        let (reply, answer) = oneshot::channel();
        self.send(Task::Commit { commit, reply }).await?;
        answer.await.map_err(|_| self.closed())?
    }

    /// Runs one statement that returns rows.
    pub async fn rows<T>(
        &self,
        sql: &'static Sql,
        params: Vec<Value>,
        map: impl Fn(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let ran = self.work(vec![(sql, params)]).await?;
        ran.iter().flat_map(|ran| &ran.rows).map(|row| map(&readers::of(sql, row))).collect()
    }

    /// Runs the kit's own statements, all or none; answers with the rows that each met.
    pub async fn sweep(&self, statements: Vec<(&'static Sql, Vec<Value>)>) -> Result<Vec<usize>, Error> {
        Ok(self.work(statements).await?.into_iter().map(|ran| ran.met).collect())
    }

    async fn work(&self, statements: Vec<(&'static Sql, Vec<Value>)>) -> Result<Vec<Ran>, Error> {
        let (reply, answer) = oneshot::channel();
        self.send(Task::Work { statements, reply }).await?;
        answer.await.map_err(|_| self.closed())?
    }

    async fn send(&self, task: Task) -> Result<(), Error> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        queue.ok_or_else(|| self.closed())?.send(task).await.map_err(|_| self.closed())
    }

    fn closed(&self) -> Error {
        Error::Unavailable { store: self.store.clone(), detail: "it is closed".to_owned() }
    }

    /// Lets the writer finish what it was given.
    pub async fn close(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(running) = running
            && running.await.is_err()
        {
            tracing::error!("a storage task ended by a panic");
        }
    }
}

/// The task that writes.
struct Worker {
    link: Reconnecting,
    signals: Arc<WakeUps>,
    clock: Clock,
    ids: Ids,
    /// Names of transactions whose outcome is known: the next one forgets them.
    known: Vec<Uuid>,
}

impl Worker {
    async fn run(mut self, mut queue: mpsc::Receiver<Task>) {
        let mut waiting = VecDeque::with_capacity(GROUP);
        let mut arrived = Vec::with_capacity(GROUP);
        loop {
            if waiting.is_empty() {
                if queue.recv_many(&mut arrived, GROUP).await == 0 {
                    break;
                }
            } else {
                while waiting.len() + arrived.len() < GROUP
                    && let Ok(task) = queue.try_recv()
                {
                    arrived.push(task);
                }
            }
            waiting.extend(arrived.drain(..));
            let group = take_group(&mut waiting);
            self.write(group).await;
        }
        self.link.drop_connection();
    }

    /// Brings every task of a group to its end. A task that fails the others is split off, by halves where it is not
    /// known which it is; a task that fails alone, statement by statement, gets its error.
    async fn write(&mut self, group: Vec<Task>) {
        let mut parts = vec![Part { tasks: group, merged: true, tries: 0 }];
        while let Some(mut part) = parts.pop() {
            if part.tasks.is_empty() {
                continue;
            }
            part.tries += 1;
            match self.attempt(&part).await {
                Ok(done) => self.answer(part.tasks, done),
                Err(Failed::Unavailable(error)) if part.tries >= TRIES || !self.is_broken(&error).await => {
                    part.refuse(&error);
                }
                Err(Failed::Contended(error)) if part.tries >= TRIES && part.is_last() => part.refuse(&error),
                Err(Failed::Unavailable(_)) => parts.push(part),
                Err(Failed::Contended(_)) if part.tries < TRIES => parts.push(part),
                Err(Failed::Without { error, .. } | Failed::Some(error)) if part.is_last() => part.refuse(&error),
                Err(Failed::Without { tasks, .. }) => parts.extend(part.without(&tasks)),
                Err(Failed::Some(_) | Failed::Contended(_)) => parts.extend(part.halves()),
                Err(Failed::Unknown) => part.refuse(&Error::Unknown { store: self.link.server().to_string() }),
            }
        }
    }

    /// One transaction. An outcome that was not seen is looked up: either it happened, or it is as if never tried.
    async fn attempt(&mut self, part: &Part) -> Result<Done, Failed> {
        let connection = self.link.get().await.map_err(Failed::Unavailable)?;
        let name = Name { commit_id: self.ids.next(), now: self.clock.now(), known: std::mem::take(&mut self.known) };
        let outcome = group::run(&connection, self.link.server(), &part.tasks, &name, part.merged).await;
        let was_looked_up = matches!(outcome, Err(Failed::Unknown));
        let outcome = match outcome {
            Err(Failed::Unknown) => {
                drop(connection);
                self.link.drop_connection();
                match self.look_up(&name).await {
                    Some(true) => Ok(Done::after_look_up(&part.tasks)),
                    Some(false) => Err(Failed::Unavailable(unavailable(self.link.server(), "the connection died"))),
                    None => Err(Failed::Unknown),
                }
            }
            outcome => outcome,
        };
        // A name that was claimed by a look-up is known too, and goes with the next transaction.
        let is_known = outcome.is_ok() || was_looked_up;
        if outcome.is_err() {
            self.known = name.known;
        }
        if is_known {
            self.known.push(name.commit_id);
        }
        if matches!(outcome, Err(Failed::Unavailable(_))) {
            self.link.drop_connection();
        }
        outcome
    }

    /// True if only the connection failed: then another one may succeed now.
    async fn is_broken(&self, error: &Error) -> bool {
        kernel::warn_limited!(%error, "a transaction could not be made");
        self.link.get().await.is_ok()
    }

    /// Asks until there is an answer. `None` if the server stays down.
    async fn look_up(&self, name: &Name) -> Option<bool> {
        let began = Instant::now();
        kernel::warn_limited!(store = %self.link.server(), commit_id = %name.commit_id, "the outcome of a commit is looked up");
        while began.elapsed() < LOOK_UP {
            if let Ok(connection) = self.link.get().await {
                match tokio::time::timeout(LOOK_UP, group::look_up(&connection, name.commit_id, name.now)).await {
                    Ok(Ok(happened)) => {
                        // Pointers may have been deleted by statements whose counts are lost.
                        if let Ok(pending) = tables::pending_events(&connection, self.link.server()).await {
                            self.signals.set_pending(pending);
                        }
                        return Some(happened);
                    }
                    Ok(Err(error)) => tracing::debug!(%error, "the look-up failed and is tried again"),
                    Err(_) => {}
                }
                self.link.drop_connection();
            }
            tokio::time::sleep(LOOK_UP_PAUSE).await;
        }
        None
    }

    fn answer(&self, tasks: Vec<Task>, done: Done) {
        self.signals.announce(done.effects);
        let size = tasks.len();
        for (task, ran) in tasks.into_iter().zip(done.ran) {
            task.done(size, ran);
        }
    }
}

/// Some of a group.
struct Part {
    tasks: Vec<Task>,
    /// True if the same statement of several rows runs as one.
    merged: bool,
    tries: u32,
}

impl Part {
    /// A single task whose statements ran one by one: what failed it is its own error.
    fn is_last(&self) -> bool {
        self.tasks.len() == 1 && !self.merged
    }

    fn refuse(self, error: &Error) {
        for task in self.tasks {
            task.refuse(error.clone());
        }
    }

    /// The others first, then each that can't be among them, alone.
    fn without(self, apart: &HashSet<usize>) -> Vec<Self> {
        let mut others = Vec::new();
        let mut parts = Vec::new();
        for (at, task) in self.tasks.into_iter().enumerate() {
            if apart.contains(&at) {
                parts.push(Self { tasks: vec![task], merged: false, tries: 0 });
            } else {
                others.push(task);
            }
        }
        parts.push(Self { tasks: others, merged: self.merged, tries: 0 });
        parts
    }

    fn halves(mut self) -> Vec<Self> {
        if self.tasks.len() == 1 {
            return vec![Self { merged: false, tries: 0, ..self }];
        }
        let later = self.tasks.split_off(self.tasks.len() / 2);
        let part = |tasks| Self { tasks, merged: self.merged, tries: 0 };
        vec![part(later), part(self.tasks)]
    }
}

/// The tasks that wait longest and touch no row in common. A task that has to wait keeps those behind it that share
/// its rows waiting too, so that they take effect in the order in which they came.
fn take_group(waiting: &mut VecDeque<Task>) -> Vec<Task> {
    let mut group = Vec::with_capacity(waiting.len().min(GROUP));
    let mut taken = HashSet::new();
    let mut left = VecDeque::new();
    let mut keys = HashSet::new();
    while let Some(task) = waiting.pop_front() {
        keys.clear();
        task.keys(&mut keys);
        let is_free = group.len() < GROUP && taken.is_disjoint(&keys);
        taken.extend(&keys);
        if is_free {
            group.push(task);
        } else {
            left.push_back(task);
        }
    }
    *waiting = left;
    group
}
