//! The statements of a group, in an order that every batch of it would have taken alone.

use std::borrow::Cow;

use kernel::{Cause, EventId, Lane};

use super::task::Task;
use crate::Value;
use crate::batch::{TimerChange, Write};
use crate::commit::{CLEAR_TIMER, Commit, RECORD_DELIVERY, RECORD_KEY, SET_TIMER, remember};
use crate::envelope::{envelope, envelope_values};
use crate::params;
use crate::wake_ups::Effects;

/// Stores events in their order, and the pointers to them: where an event has to go depends on its type.
pub(super) const STORE_EVENTS: &str = concat!(
    "with stored as (
    insert into events (",
    envelope!(),
    ", body)
    select u.p1, u.p2, u.p3, u.p4, u.p5, u.p6, u.p7, u.p8, u.p9, u.p10
    from unnest(",
    envelope_values!(postgres arrays),
    ", $10::json[])
        with ordinality as u(p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, nth) order by u.nth
    returning position, type, lane),
counted as (select position, type, lane, row_number() over (order by position) as nth from stored)
insert into outbox (destination, lane, position, shard)
select route.destination, counted.lane, counted.position, ($13::int8[])[counted.nth]
from counted join unnest($11::text[], $12::text[]) as route(type, destination) on route.type = counted.type"
);

/// One statement of a group.
pub(super) struct PlanStep<'a> {
    pub name: &'static str,
    pub text: &'static str,
    pub rows: Vec<Row<'a>>,
}

/// One row of a statement, and what is expected of it.
pub(super) struct Row<'a> {
    pub task: usize,
    pub params: Cow<'a, [Value]>,
    pub expected: Expected,
}

/// Meaning of a statement that meets no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// Nothing.
    Anything,
    /// The idempotency key was used before.
    NewKey,
    /// The delivery was handled before.
    NewDelivery(EventId),
    /// The timer's lease was lost.
    Lease(&'static str),
    /// The row changed since it was read.
    Unchanged,
}

/// All of a group.
pub(super) struct Plan<'a> {
    pub steps: Vec<PlanStep<'a>>,
    pub events: Vec<Vec<Value>>,
    /// The shard of each event's key.
    pub shards: Vec<Value>,
    /// Type and destination of each sort of event.
    pub routes: Vec<(&'static str, &'a str)>,
    pub effects: Effects,
}

impl<'a> Plan<'a> {
    /// With `merged`, the same statement of several batches becomes one step. Without it each row is a step of its own,
    /// which shows what exactly is at fault.
    pub fn of(tasks: &'a [Task], merged: bool) -> Self {
        let mut plan = Plan {
            steps: Vec::new(),
            events: Vec::new(),
            shards: Vec::new(),
            routes: Vec::new(),
            effects: Effects::default(),
        };
        for (task, of) in tasks.iter().enumerate() {
            if let Task::Commit { commit, .. } = of {
                plan.add(task, commit, merged);
            }
        }
        plan
    }

    fn add(&mut self, task: usize, commit: &'a Commit, merged: bool) {
        let mut steps = PlanSteps { steps: &mut self.steps, task, merged, at: 0 };
        steps.cause(commit);
        for write in &commit.batch.writes {
            steps.write(write);
        }
        let origin = commit.cause.origin();
        for timer in &commit.batch.timers {
            steps.timer(commit, timer, &origin);
            self.effects.timer(timer);
        }
        for (event, destinations) in commit.batch.events.iter().zip(&commit.destinations) {
            self.events.push(commit.event_row(event, &origin));
            self.shards.push(commit.shard(event).into());
            self.effects.events = true;
            for destination in destinations {
                self.route(event.event_type, event.lane, destination);
            }
        }
    }

    fn route(&mut self, event_type: &'static str, lane: Lane, destination: &'a str) {
        remember(&mut self.effects, destination, lane);
        if !self.routes.contains(&(event_type, destination)) {
            self.routes.push((event_type, destination));
        }
    }
}

/// Adds the rows of one task behind one another: a row joins a step of the same statement only if that step
/// comes no earlier than the task's row before it.
struct PlanSteps<'s, 'a> {
    steps: &'s mut Vec<PlanStep<'a>>,
    task: usize,
    merged: bool,
    at: usize,
}

impl<'a> PlanSteps<'_, 'a> {
    fn push(&mut self, name: &'static str, text: &'static str, params: Cow<'a, [Value]>, expected: Expected) {
        let row = Row { task: self.task, params, expected };
        let later = self.steps.iter_mut().enumerate().skip(self.at);
        let found = later.filter(|_| self.merged).find(|(_, step)| std::ptr::eq(step.text, text));
        if let Some((at, step)) = found {
            self.at = at;
            step.rows.push(row);
        } else {
            self.at = self.steps.len();
            self.steps.push(PlanStep { name, text, rows: vec![row] });
        }
    }

    fn kit(&mut self, sql: &'static crate::statement::Sql, params: Vec<Value>, expected: Expected) {
        self.push(sql.name(), sql.postgres(), Cow::Owned(params), expected);
    }

    fn cause(&mut self, commit: &'a Commit) {
        match &commit.cause {
            Cause::Request(_) => {
                if let Some(row) = commit.key_row() {
                    self.kit(&RECORD_KEY, row, Expected::NewKey);
                }
            }
            Cause::Deliveries(deliveries) => {
                for delivery in deliveries {
                    let row = commit.delivery_row(delivery);
                    self.kit(&RECORD_DELIVERY, row, Expected::NewDelivery(delivery.event_id));
                }
                for position in deliveries.iter().filter_map(|delivery| delivery.held) {
                    for (sql, row) in crate::held::release(position, commit.now) {
                        self.kit(sql, row, Expected::Anything);
                    }
                }
            }
            Cause::Timers(_) | Cause::Leases(_) => {
                for (sql, timer, row) in commit.timer_causes() {
                    self.kit(sql, row, Expected::Lease(timer.name));
                }
            }
        }
    }

    fn write(&mut self, write: &'a Write) {
        let (name, text, params, expected) = match write {
            Write::Insert(insert, params) => (insert.name(), insert.postgres(), params, Expected::Anything),
            Write::Change(change, params) => (change.0.name(), change.0.postgres(), params, Expected::Unchanged),
            Write::Upsert(upsert, params) => (upsert.0.name(), upsert.0.postgres(), params, Expected::Anything),
            Write::Add(add, params) => (add.name(), add.postgres(), params, Expected::Anything),
        };
        self.push(name, text, Cow::Borrowed(params), expected);
    }

    fn timer(&mut self, commit: &'a Commit, timer: &'a TimerChange, origin: &kernel::Origin) {
        match timer {
            TimerChange::Set { name, key, due_at, origin: of } => {
                let row = commit.timer_row(name, *key, *due_at, of.as_ref().unwrap_or(origin));
                self.kit(&SET_TIMER, row, Expected::Anything);
            }
            TimerChange::Clear { name, key } => self.kit(&CLEAR_TIMER, params![*name, *key], Expected::Anything),
        }
    }
}
