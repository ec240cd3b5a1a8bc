//! How one batch and its cause become rows.

use kernel::{Cause, DeliveryCause, EventId, Lane, Origin, Timestamp};
use rusqlite::Connection;

use super::run::Context;
use super::signals::Effects;
use crate::batch::{NewEvent, TimerChange, Write};
use crate::statement::Sql;
use crate::{Batch, Error, Options, params};

static RECORD_REQUEST: Sql = Sql::new(
    "RECORD_REQUEST",
    "insert into requests (request_id, committed_at) values ($1, $2) on conflict (request_id) do nothing",
);
static RECORD_DELIVERY: Sql = Sql::new(
    "RECORD_DELIVERY",
    "insert into inbox (event_id, digest, attempts, handled_at) values ($1, $2, $3, $4)
     on conflict (event_id) do nothing",
);
static END_TIMER: Sql = Sql::new("END_TIMER", "delete from timers where name = $1 and key = $2 and fence = $3");
static SET_TIMER: Sql = Sql::new(
    "SET_TIMER",
    "insert into timers (name, key, due_at, fence, attempts, is_leased, correlation_id, causation_id, traceparent)
     values ($1, $2, $3, $4, 0, $5, $6, $7, $8)
     on conflict (name, key) do update set due_at = excluded.due_at, attempts = 0,
         fence = case when timers.fence < excluded.fence then excluded.fence else timers.fence + 1 end,
         is_leased = excluded.is_leased, correlation_id = excluded.correlation_id, causation_id = excluded.causation_id,
         traceparent = excluded.traceparent",
);
static CLEAR_TIMER: Sql = Sql::new("CLEAR_TIMER", "delete from timers where name = $1 and key = $2");
static STORE_EVENT: Sql = Sql::new(
    "STORE_EVENT",
    "insert into events
         (event_id, type, key, lane, sequence, time, correlation_id, causation_id, traceparent, body)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
);
static POINT_TO_EVENT: Sql =
    Sql::new("POINT_TO_EVENT", "insert into outbox (destination, lane, position) values ($1, $2, $3)");

/// A batch, its cause, and all that they need from outside, such as ids.
pub(crate) struct Commit {
    batch: Batch,
    cause: Cause,
    now: Timestamp,
    /// Where each event of the batch has to be sent.
    destinations: Vec<Vec<String>>,
}

impl Commit {
    /// Gives ids to events, outside of the writer's thread.
    pub fn prepare(mut batch: Batch, cause: Cause, options: &Options) -> Self {
        for event in &mut batch.events {
            assert_eq!(event.source, options.service, "{} is emitted by its own service only", event.event_type);
            event.event_id = Some(options.ids.next());
        }
        let destinations = batch
            .events
            .iter()
            .map(|event| options.destinations.get(event.event_type).cloned().unwrap_or_default())
            .collect();
        Self { batch, cause, now: options.clock.now(), destinations }
    }

    pub fn into_event_ids(self) -> Vec<EventId> {
        self.batch.events.into_iter().filter_map(|event| event.event_id).collect()
    }

    /// Cause first: whatever was done before must write nothing.
    pub fn apply(&self, connection: &Connection, store: &str) -> Result<Effects, Error> {
        let context = Context { connection, store };
        self.record_cause(&context)?;
        for write in &self.batch.writes {
            apply_write(&context, write)?;
        }
        let origin = self.cause.origin();
        let mut effects = Effects::default();
        for (event, destinations) in self.batch.events.iter().zip(&self.destinations) {
            self.store_event(&context, event, destinations, &origin, &mut effects)?;
        }
        for timer in &self.batch.timers {
            self.apply_timer(&context, timer, &origin)?;
            effects.timers = true;
        }
        Ok(effects)
    }

    fn record_cause(&self, context: &Context<'_>) -> Result<(), Error> {
        match &self.cause {
            Cause::Request(request) => {
                if context.execute(&RECORD_REQUEST, params![request.request_id, self.now])? == 0 {
                    return Err(Error::AlreadyDone { events: Vec::new() });
                }
            }
            Cause::Deliveries(deliveries) => self.record_deliveries(context, deliveries)?,
            Cause::Timer(timer) => {
                if context.execute(&END_TIMER, params![timer.name, timer.key, timer.fence])? == 0 {
                    return Err(Error::LeaseLost { name: timer.name });
                }
            }
        }
        Ok(())
    }

    fn record_deliveries(&self, context: &Context<'_>, deliveries: &[DeliveryCause]) -> Result<(), Error> {
        let mut seen = Vec::new();
        for delivery in deliveries {
            let row = params![delivery.event_id, delivery.digest.as_slice(), delivery.attempts, self.now];
            if context.execute(&RECORD_DELIVERY, row)? == 0 {
                seen.push(delivery.event_id);
            }
            if let Some(position) = delivery.held {
                crate::held::release(context, position, self.now)?;
            }
        }
        if seen.is_empty() { Ok(()) } else { Err(Error::AlreadyDone { events: seen }) }
    }

    fn store_event(
        &self,
        context: &Context<'_>,
        event: &NewEvent,
        destinations: &[String],
        origin: &Origin,
        effects: &mut Effects,
    ) -> Result<(), Error> {
        let origin = event.origin.as_ref().unwrap_or(origin);
        let traceparent = origin.traceparent.map(|it| it.to_string());
        let event_id = event.event_id.expect("`prepare` gave every event an id");
        let row = params![
            event_id,
            event.event_type,
            event.key,
            event.lane,
            event.sequence,
            self.now,
            origin.correlation_id,
            origin.causation_id,
            traceparent,
            event.body.as_slice(),
        ];
        context.execute(&STORE_EVENT, row)?;
        let position = context.connection.last_insert_rowid();
        for destination in destinations {
            context.execute(&POINT_TO_EVENT, params![destination, event.lane, position])?;
            effects.pending += 1;
            remember(effects, destination, event.lane);
        }
        effects.events = true;
        Ok(())
    }

    fn apply_timer(&self, context: &Context<'_>, timer: &TimerChange, origin: &Origin) -> Result<(), Error> {
        match timer {
            TimerChange::Set { name, key, due_at, origin: of } => {
                let origin = of.as_ref().unwrap_or(origin);
                // The fence begins at the time of setting, so that a handler which leased an earlier timer
                // of the same name and key can't pass for the holder of this one. Of a timer that is there it
                // grows in any case: clocks are set back.
                let fence = self.now.as_microsecond();
                let traceparent = origin.traceparent.map(|it| it.to_string());
                let row = params![
                    *name,
                    *key,
                    *due_at,
                    fence,
                    false,
                    origin.correlation_id,
                    origin.causation_id,
                    traceparent,
                ];
                context.execute(&SET_TIMER, row)?;
            }
            TimerChange::Clear { name, key } => {
                context.execute(&CLEAR_TIMER, params![*name, *key])?;
            }
        }
        Ok(())
    }
}

fn remember(effects: &mut Effects, destination: &str, lane: Lane) {
    if !effects.destinations.iter().any(|(name, of)| name == destination && *of == lane) {
        effects.destinations.insert((destination.to_owned(), lane));
    }
}

fn apply_write(context: &Context<'_>, write: &Write) -> Result<(), Error> {
    match write {
        Write::Insert(insert, params) => context.run(insert.name(), insert.sqlite(), params.clone()).map(|_| ()),
        Write::Change(change, params) => {
            let statement = change.0.name();
            match context.run(statement, change.0.sqlite(), params.clone())? {
                1 => Ok(()),
                _ => Err(Error::Conflict { statement }),
            }
        }
        Write::Upsert(upsert, params) => context.execute(&upsert.0, params.clone()).map(|_| ()),
    }
}
