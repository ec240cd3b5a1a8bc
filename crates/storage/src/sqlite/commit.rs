//! Execution of one batch and its cause inside a transaction.

use kernel::{Cause, Origin};
use rusqlite::Connection;

use super::run::Context;
use crate::batch::{NewEvent, TimerChange, Write};
use crate::commit::{CLEAR_TIMER, Commit, RECORD_DELIVERY, RECORD_KEY, SET_TIMER, remember};
use crate::envelope::{envelope, envelope_values};
use crate::kit::kit;
use crate::statement::Sql;
use crate::wake_ups::Effects;
use crate::{Error, params};

kit! {
    static STORE_EVENT: Sql = Sql::new(
        "STORE_EVENT",
        concat!("insert into events (", envelope!(), ", body) values (", envelope_values!(), ", $10)"),
    );
    static POINT_TO_EVENT: Sql =
        Sql::new("POINT_TO_EVENT", "insert into outbox (destination, lane, position, shard) values ($1, $2, $3, $4)");
}

/// Cause first: whatever was done before must write nothing.
pub(super) fn apply(commit: &Commit, connection: &Connection, store: &str) -> Result<Effects, Error> {
    let context = Context { connection, store };
    record_cause(commit, &context)?;
    for write in &commit.batch.writes {
        apply_write(&context, write)?;
    }
    let origin = commit.cause.origin();
    let mut effects = Effects::default();
    for (event, destinations) in commit.batch.events.iter().zip(&commit.destinations) {
        store_event(commit, &context, event, destinations, &origin, &mut effects)?;
    }
    for timer in &commit.batch.timers {
        apply_timer(commit, &context, timer, &origin)?;
        effects.timer(timer);
    }
    Ok(effects)
}

fn record_cause(commit: &Commit, context: &Context<'_>) -> Result<(), Error> {
    match &commit.cause {
        Cause::Request(_) => {
            let Some(row) = commit.key_row() else { return Ok(()) };
            match context.execute(&RECORD_KEY, &row)? {
                0 => Err(Error::AlreadyDone { events: Vec::new() }),
                _ => Ok(()),
            }
        }
        Cause::Deliveries(_) => record_deliveries(commit, context),
        Cause::Timers(_) | Cause::Leases(_) => {
            for (sql, timer, row) in commit.timer_causes() {
                if context.execute(sql, &row)? == 0 {
                    return Err(Error::LeaseLost { name: timer.name });
                }
            }
            Ok(())
        }
    }
}

fn record_deliveries(commit: &Commit, context: &Context<'_>) -> Result<(), Error> {
    let mut seen = Vec::new();
    for delivery in commit.deliveries() {
        if context.execute(&RECORD_DELIVERY, &commit.delivery_row(delivery))? == 0 {
            seen.push(delivery.event_id);
        }
        if let Some(position) = delivery.held {
            for (sql, row) in crate::held::release(position, commit.now) {
                context.execute(sql, &row)?;
            }
        }
    }
    if seen.is_empty() { Ok(()) } else { Err(Error::AlreadyDone { events: seen }) }
}

fn store_event(
    commit: &Commit,
    context: &Context<'_>,
    event: &NewEvent,
    destinations: &[String],
    origin: &Origin,
    effects: &mut Effects,
) -> Result<(), Error> {
    context.execute(&STORE_EVENT, &commit.event_row(event, origin))?;
    let position = context.connection.last_insert_rowid();
    for destination in destinations {
        let pointer = params![destination, event.lane, position, commit.shard(event)];
        context.execute(&POINT_TO_EVENT, &pointer)?;
        remember(effects, destination, event.lane);
    }
    effects.events = true;
    Ok(())
}

fn apply_timer(commit: &Commit, context: &Context<'_>, timer: &TimerChange, origin: &Origin) -> Result<(), Error> {
    match timer {
        TimerChange::Set { name, key, due_at, origin: of } => {
            context.execute(&SET_TIMER, &commit.timer_row(name, *key, *due_at, of.as_ref().unwrap_or(origin)))?;
        }
        TimerChange::Clear { name, key } => {
            let target = params![*name, *key];
            context.execute(&CLEAR_TIMER, &target)?;
        }
    }
    Ok(())
}

fn apply_write(context: &Context<'_>, write: &Write) -> Result<(), Error> {
    match write {
        Write::Insert(insert, params) => context.run(insert.name(), insert.sqlite(), params).map(|_| ()),
        Write::Change(change, params) => {
            let statement = change.0.name();
            match context.run(statement, change.0.sqlite(), params)? {
                1 => Ok(()),
                _ => Err(Error::Conflict { statement }),
            }
        }
        Write::Upsert(upsert, params) => context.execute(&upsert.0, params).map(|_| ()),
        Write::Add(add, params) => context.run(add.name(), add.sqlite(), params).map(|_| ()),
    }
}
