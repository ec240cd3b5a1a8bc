//! Tasks of the writer: commits, and the kit's own writes.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use kernel::{Cause, EventId};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::batch::Write;
use crate::commit::Commit;
use crate::statement::Sql;
use crate::{Add, Error, Value};

/// One write of a group.
#[expect(clippy::large_enum_variant, reason = "nearly every task is a commit, and each lives for one group")]
pub(super) enum Task {
    /// A batch with its cause.
    Commit { commit: Commit, reply: oneshot::Sender<Result<(Vec<EventId>, usize), Error>> },
    /// Statements of the kit, all or none.
    Work { statements: Vec<(&'static Sql, Vec<Value>)>, reply: oneshot::Sender<Result<Vec<Ran>, Error>> },
}

/// Result of a statement.
#[derive(Default)]
pub(super) struct Ran {
    pub rows: Vec<tokio_postgres::Row>,
    pub met: usize,
}

impl Task {
    /// The ids of the rows that it changes: two tasks that share one never share a group, for a statement of many rows
    /// sees each row once, and the later of the two must see what the earlier did.
    pub fn keys(&self, keys: &mut HashSet<Uuid>) {
        let Self::Commit { commit, .. } = self else { return };
        match &commit.cause {
            Cause::Request(_) => {}
            Cause::Deliveries(deliveries) => keys.extend(deliveries.iter().map(|it| Uuid::from(it.event_id))),
            Cause::Timers(timers) | Cause::Leases(timers) => keys.extend(timers.iter().map(|timer| timer.key)),
        }
        keys.extend(commit.batch.timers.iter().map(|timer| timer.target().1));
        for write in &commit.batch.writes {
            let (params, of_key) = match write {
                // Only the first column of a new row is its key; the others may name rows that it leaves alone.
                Write::Insert(_, params) => (params, 1),
                Write::Change(_, params) | Write::Upsert(_, params) => (params, params.len()),
                // Its key need not be an id.
                Write::Add(add, params) => {
                    keys.insert(row_of(add, params));
                    continue;
                }
            };
            let ids = params.iter().take(of_key);
            keys.extend(ids.filter_map(|value| if let Value::Uuid(id) = value { Some(*id) } else { None }));
        }
    }

    /// Answers with an error; nothing was written.
    pub fn refuse(self, error: Error) {
        // Nobody listens any more when the client hung up.
        match self {
            Self::Commit { reply, .. } => drop(reply.send(Err(error))),
            Self::Work { reply, .. } => drop(reply.send(Err(error))),
        }
    }

    /// Answers that it is on the disk, with what its statements did, if it is the kit's own work.
    pub fn done(self, group_size: usize, ran: Vec<Ran>) {
        match self {
            Self::Commit { commit, reply } => drop(reply.send(Ok((commit.into_event_ids(), group_size)))),
            Self::Work { reply, .. } => drop(reply.send(Ok(ran))),
        }
    }
}

/// Stands for a row of sums: the same for two tasks that add to it. Another row that has the same by chance only waits.
fn row_of(add: &Add, params: &[Value]) -> Uuid {
    let mut hasher = DefaultHasher::new();
    add.table().hash(&mut hasher);
    for value in params.iter().take(add.keys()) {
        match value {
            Value::Uuid(id) => id.hash(&mut hasher),
            Value::Int(number) => number.hash(&mut hasher),
            Value::Text(text) => text.hash(&mut hasher),
            Value::Time(time) => time.hash(&mut hasher),
            Value::Bool(is_so) => is_so.hash(&mut hasher),
            Value::Bytes(bytes) => bytes.hash(&mut hasher),
            Value::Null | Value::Json(_) | Value::Uuids(_) | Value::Ints(_) | Value::Texts(_) => {}
        }
    }
    Uuid::from_u64_pair(0, hasher.finish())
}
