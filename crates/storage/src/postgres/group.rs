//! One group of tasks, in one transaction.
//!
//! First everything but the end is sent in one go and all answers are checked; then comes `commit`, so two round trips
//! whatever the size of the group. The transaction has an id of its own, a row in `commits`: should the connection die
//! during `commit`, whoever can insert that row afterwards knows that it did not happen.

use std::collections::HashSet;
use std::time::Duration;

use kernel::{EventId, Timestamp};
use tokio_postgres::error::{DbError, Error as PgError, Severity};
use uuid::Uuid;

use super::connection::{Connection, Prepared, classify, is_contended, unavailable};
use super::pipeline::{Call, CallResult, Params, begin_and_send};
use super::plan::{Expected, Plan, PlanStep, STORE_EVENTS};
use super::server::Server;
use super::task::{Ran, Task};
use crate::wake_ups::Effects;
use crate::{Error, Value, params};

/// Deadline for the statements of a group, and again for `commit`; after it the connection is closed.
const DEADLINE: Duration = Duration::from_secs(20);

const BEGIN_COMMIT: &str = "insert into commits (commit_id, committed_at) values ($1, $2)";
const FORGET_COMMITS: &str = "delete from commits where commit_id = any($1)";
const CLAIM_COMMIT: &str = "insert into commits (commit_id, committed_at) values ($1, $2) on conflict do nothing";

/// A transaction's name, and the names of earlier ones whose outcomes are known.
pub(super) struct Name {
    pub commit_id: Uuid,
    pub now: Timestamp,
    pub known: Vec<Uuid>,
}

/// A group that is on the disk.
pub(super) struct Done {
    pub effects: Effects,
    /// Results of each task's own statements; empty for commits.
    pub ran: Vec<Vec<Ran>>,
}

impl Done {
    /// Of a group whose outcome was looked up. What its tasks' own statements returned is lost with the connection:
    /// such work is the kit's, and is made so that it can be done again.
    /// Pointers are counted anew then, so none is added.
    pub fn after_look_up(tasks: &[Task]) -> Self {
        let mut effects = Plan::of(tasks, true).effects;
        effects.pending = 0;
        Self { effects, ran: tasks.iter().map(|_| Vec::new()).collect() }
    }
}

/// Reason why a group is not on the disk.
pub(super) enum Failed {
    /// These tasks can't be in this group; the others may try again without them. The error is that of the first.
    Without { tasks: HashSet<usize>, error: Error },
    /// One of them fails all; which, each alone will show.
    Some(Error),
    /// Another transaction was in the way: the same again.
    Contended(Error),
    /// The server can't be reached. Nothing was written.
    Unavailable(Error),
    /// The connection died while the transaction ended.
    Unknown,
}

/// Runs the group; with `merged`, the same statement of several rows as one.
pub(super) async fn run(
    connection: &Connection,
    server: &Server,
    tasks: &[Task],
    name: &Name,
    merged: bool,
) -> Result<Done, Failed> {
    let plan = Plan::of(tasks, merged);
    let ran = match tokio::time::timeout(DEADLINE, send(connection, server, tasks, &plan, name, merged)).await {
        Ok(Ok(ran)) => ran,
        Ok(Err(failed)) => return Err(roll_back(connection, failed).await),
        // The connection is closed and its transaction rolled back, for `commit` was not sent.
        Err(_) => {
            return Err(Failed::Unavailable(unavailable(
                server,
                format!("a commit was not answered within {DEADLINE:?}"),
            )));
        }
    };
    match tokio::time::timeout(DEADLINE, connection.client.batch_execute("commit")).await {
        Ok(Ok(())) => Ok(Done { effects: plan.effects, ran }),
        // The server says why not, and goes on: it rolled back. A session that ends says nothing about its commit.
        Ok(Err(error)) if is_refusal(&error) => Err(failed(&error, "commit", server)),
        Ok(Err(_)) | Err(_) => Err(Failed::Unknown),
    }
}

fn is_refusal(error: &PgError) -> bool {
    let severity = error.as_db_error().and_then(DbError::parsed_severity);
    severity.is_some_and(|severity| severity == Severity::Error)
}

/// True if a transaction with an unknown outcome took effect. Waits for it if it is still ending.
pub(super) async fn look_up(connection: &Connection, commit_id: Uuid, now: Timestamp) -> Result<bool, PgError> {
    let claim = connection.prepare(CLAIM_COMMIT).await?.statement;
    let claimed = connection.client.execute(&claim, &[&Value::Uuid(commit_id), &Value::Time(now)]).await?;
    Ok(claimed == 0)
}

/// Ends a transaction of which nothing shall stay.
async fn roll_back(connection: &Connection, failed: Failed) -> Failed {
    match (tokio::time::timeout(DEADLINE, connection.client.batch_execute("rollback")).await, failed) {
        (Ok(Ok(())), failed) => failed,
        // The reason was the connection, whatever it looked like.
        (_, Failed::Some(error) | Failed::Contended(error)) => Failed::Unavailable(error),
        (_, failed) => failed,
    }
}

fn failed(error: &PgError, statement: &'static str, server: &Server) -> Failed {
    let meaning = classify(error, statement, server);
    match error.code() {
        Some(code) if is_contended(code) => Failed::Contended(meaning),
        None => Failed::Unavailable(meaning),
        Some(_) if matches!(meaning, Error::Unavailable { .. }) => Failed::Unavailable(meaning),
        Some(_) => Failed::Some(meaning),
    }
}

/// Sends all statements at once, then checks the answers in their order.
async fn send(
    connection: &Connection,
    server: &Server,
    tasks: &[Task],
    plan: &Plan<'_>,
    name: &Name,
    merged: bool,
) -> Result<Vec<Vec<Ran>>, Failed> {
    let own = [params![name.commit_id, name.now], params![name.known.clone()]];
    let routes: [Vec<Value>; 2] = [
        plan.routes.iter().map(|(event_type, _)| Value::from(*event_type)).collect(),
        plan.routes.iter().map(|(_, destination)| Value::from(*destination)).collect(),
    ];
    let mut forms = Vec::with_capacity(plan.steps.len());
    for step in &plan.steps {
        let form = if merged { connection.prepare_many(step.text).await } else { connection.prepare(step.text).await };
        forms.push(form.map_err(|error| failed(&error, step.name, server))?);
    }
    let calls = calls(connection, tasks, plan, &forms, &own, &routes).await;
    let calls = calls.map_err(|error| failed(&error, "PREPARE", server))?;
    let answers = begin_and_send(&connection.client, &calls).await.map_err(|error| failed(&error, "BEGIN", server))?;
    let mut answers = calls.iter().map(|call| call.name).zip(answers);
    for (name, answer) in answers.by_ref().take(own.len()) {
        answer.map_err(|error| failed(&error, name, server))?;
    }
    check(plan, &forms, &mut answers, server)?;
    if !plan.events.is_empty()
        && let Some((name, answer)) = answers.next()
    {
        answer.map_err(|error| failed(&error, name, server))?;
    }
    let mut ran = Vec::with_capacity(tasks.len());
    for task in tasks {
        let mut of_task = Vec::new();
        if let Task::Work { statements, .. } = task {
            for (name, answer) in answers.by_ref().take(statements.len()) {
                of_task.push(answer.map_err(|error| failed(&error, name, server))?);
            }
        }
        ran.push(of_task);
    }
    Ok(ran)
}

/// Everything between `begin` and `commit`: the transaction's name, the steps, the events, the kit's own work.
async fn calls<'a>(
    connection: &Connection,
    tasks: &'a [Task],
    plan: &'a Plan<'_>,
    forms: &[Prepared],
    own: &'a [Vec<Value>; 2],
    routes: &'a [Vec<Value>; 2],
) -> Result<Vec<Call<'a>>, PgError> {
    let mut calls = Vec::new();
    for (text, params) in [BEGIN_COMMIT, FORGET_COMMITS].into_iter().zip(own) {
        let statement = connection.prepare(text).await?.statement;
        calls.push(Call { name: "NAME_COMMIT", statement, params: Params::One(params) });
    }
    for (step, form) in plan.steps.iter().zip(forms) {
        let call = |params| Call { name: step.name, statement: form.statement.clone(), params };
        if form.takes_many {
            calls.push(call(Params::Many(columns(step.rows.iter().map(|row| &*row.params)))));
        } else {
            calls.extend(step.rows.iter().map(|row| call(Params::One(&row.params))));
        }
    }
    if !plan.events.is_empty() {
        let mut params = columns(plan.events.iter().map(Vec::as_slice));
        params.extend(routes.iter().map(|column| column.iter().collect()));
        params.push(plan.shards.iter().collect());
        let statement = connection.prepare(STORE_EVENTS).await?.statement;
        calls.push(Call { name: "STORE_EVENTS", statement, params: Params::Many(params) });
    }
    for task in tasks {
        let Task::Work { statements, .. } = task else { continue };
        for (sql, params) in statements {
            let statement = connection.prepare(sql.postgres()).await?.statement;
            calls.push(Call { name: sql.name(), statement, params: Params::One(params) });
        }
    }
    Ok(calls)
}

/// Rows turned into columns: an array for each parameter.
fn columns<'a>(rows: impl ExactSizeIterator<Item = &'a [Value]>) -> Vec<Vec<&'a Value>> {
    let count = rows.len();
    let mut columns = Vec::new();
    for row in rows {
        columns.resize_with(row.len(), || Vec::with_capacity(count));
        for (column, value) in columns.iter_mut().zip(row) {
            column.push(value);
        }
    }
    columns
}

/// Checks that every row still was as the decision had read it.
fn check(
    plan: &Plan<'_>,
    forms: &[Prepared],
    answers: &mut impl Iterator<Item = (&'static str, CallResult)>,
    server: &Server,
) -> Result<(), Failed> {
    let mut at_fault = Misses::default();
    for (step, form) in plan.steps.iter().zip(forms) {
        let calls = if form.takes_many { 1 } else { step.rows.len() };
        let mut ran = Vec::with_capacity(calls);
        for (name, answer) in answers.by_ref().take(calls) {
            ran.push(answer.map_err(|error| failed(&error, name, server))?);
        }
        if !form.takes_many {
            for (row, _) in step.rows.iter().zip(&ran).filter(|(_, ran)| ran.met != 1) {
                at_fault.add(row.task, row.expected, step.name);
            }
        } else if let Some(ran) = ran.first().filter(|ran| ran.met != step.rows.len()) {
            at_fault.find(step, ran)?;
        }
    }
    at_fault.verdict()
}

/// Rows that were not as expected.
#[derive(Default)]
struct Misses {
    tasks: HashSet<usize>,
    seen: Vec<EventId>,
    first: Option<Error>,
}

impl Misses {
    fn add(&mut self, task: usize, expected: Expected, statement: &'static str) {
        let error = match expected {
            Expected::Anything => return,
            Expected::NewKey => Error::AlreadyDone { events: Vec::new() },
            Expected::NewDelivery(event) => {
                self.seen.push(event);
                Error::AlreadyDone { events: Vec::new() }
            }
            Expected::Lease(name) => Error::LeaseLost { name },
            Expected::Unchanged => Error::Conflict { statement },
        };
        self.tasks.insert(task);
        self.first.get_or_insert(error);
    }

    /// The rows that a statement of many rows missed. A change returns those that it met; of new rows only the count is
    /// known.
    fn find(&mut self, step: &PlanStep<'_>, ran: &Ran) -> Result<(), Failed> {
        let Some(missed) = step.rows.iter().find(|row| row.expected != Expected::Anything) else { return Ok(()) };
        if ran.rows.is_empty() && ran.met > 0 || !matches!(missed.expected, Expected::Lease(_) | Expected::Unchanged) {
            return Err(Failed::Some(Error::Conflict { statement: step.name }));
        }
        let met: HashSet<usize> =
            ran.rows.iter().filter_map(|row| row.try_get::<_, i64>(0).ok()?.try_into().ok()).collect();
        for (_, row) in (1_usize..).zip(&step.rows).filter(|(nth, _)| !met.contains(nth)) {
            self.add(row.task, row.expected, step.name);
        }
        Ok(())
    }

    fn verdict(self) -> Result<(), Failed> {
        match self.first {
            None => Ok(()),
            Some(Error::AlreadyDone { .. }) => {
                Err(Failed::Without { tasks: self.tasks, error: Error::AlreadyDone { events: self.seen } })
            }
            Some(error) => Err(Failed::Without { tasks: self.tasks, error }),
        }
    }
}
