//! A batch, its cause, and the rows that they become: what both engines agree on.

use kernel::{Cause, DeliveryCause, Envelope, EventId, Lane, Origin, Shards, TimerCause, Timestamp};
use uuid::Uuid;

use crate::batch::{NewEvent, TimerChange};
use crate::kit::kit;
use crate::statement::Sql;
use crate::{Batch, Options, Value, envelope, params};

kit! {
    pub(crate) static RECORD_KEY: Sql = Sql::new(
        "RECORD_IDEMPOTENCY_KEY",
        "insert into idempotency (scope, key, digest, answer, committed_at, expires_at) values ($1, $2, $3, $4, $5, $6)
         on conflict (scope, key) do update set digest = excluded.digest, answer = excluded.answer,
             committed_at = excluded.committed_at, expires_at = excluded.expires_at
         where idempotency.expires_at <= excluded.committed_at",
    );
    pub(crate) static RECORD_DELIVERY: Sql = Sql::new(
        "RECORD_DELIVERY",
        "insert into inbox (event_id, digest, attempts, handled_at) values ($1, $2, $3, $4)
         on conflict (event_id) do nothing",
    );
    pub(crate) static END_TIMER: Sql =
        Sql::new("END_TIMER", "delete from timers where name = $1 and key = $2 and fence = $3");
    /// Meets the row while the lease holds, and leaves it as it is.
    pub(crate) static HOLD_TIMER: Sql =
        Sql::new("HOLD_TIMER", "update timers set is_leased = $4 where name = $1 and key = $2 and fence = $3");
    pub(crate) static SET_TIMER: Sql = Sql::new(
        "SET_TIMER",
        "insert into timers (name, key, due_at, fence, attempts, is_leased, correlation_id, causation_id, traceparent)
         values ($1, $2, $3, $4, 0, $5, $6, $7, $8)
         on conflict (name, key) do update set due_at = excluded.due_at, attempts = 0,
             fence = case when timers.fence < excluded.fence then excluded.fence else timers.fence + 1 end,
             is_leased = excluded.is_leased, correlation_id = excluded.correlation_id, causation_id = excluded.causation_id,
             traceparent = excluded.traceparent",
    );
    pub(crate) static CLEAR_TIMER: Sql = Sql::new("CLEAR_TIMER", "delete from timers where name = $1 and key = $2");
}

/// A batch, its cause, and all that they need from outside, such as ids.
pub(crate) struct Commit {
    pub batch: Batch,
    pub cause: Cause,
    pub now: Timestamp,
    /// The destinations of each event of the batch.
    pub destinations: Vec<Vec<String>>,
    shards: Shards,
}

impl Commit {
    /// Gives ids to events, and keeps only the last word about each timer.
    pub fn prepare(mut batch: Batch, cause: Cause, options: &Options) -> Self {
        for event in &mut batch.events {
            assert_eq!(event.source, options.service, "{} is emitted by its own service only", event.event_type);
            event.event_id = Some(options.ids.next());
        }
        batch.timers = last_words(batch.timers);
        let destinations = batch
            .events
            .iter()
            .map(|event| options.destinations.get(event.event_type).cloned().unwrap_or_default())
            .collect();
        Self { batch, cause, now: options.clock.now(), destinations, shards: options.shards }
    }

    pub fn into_event_ids(self) -> Vec<EventId> {
        self.batch.events.into_iter().filter_map(|event| event.event_id).collect()
    }

    /// The row of the request's idempotency key.
    pub fn key_row(&self) -> Option<Vec<Value>> {
        let Cause::Request(request) = &self.cause else { return None };
        let keyed = request.keyed.as_ref()?;
        let (digest, answer) = (keyed.digest.as_slice(), keyed.answer.as_slice());
        let expires_at = self.now + crate::idempotency::KEPT;
        Some(params![&keyed.scope, &keyed.key, digest, answer, self.now, expires_at])
    }

    /// The inbox row of a delivery.
    pub fn delivery_row(&self, delivery: &DeliveryCause) -> Vec<Value> {
        params![delivery.event_id, delivery.digest.as_slice(), delivery.attempts, self.now]
    }

    /// Statements that end each timer of the cause, or only check its lease; every row must exist.
    pub fn timer_causes(&self) -> impl Iterator<Item = (&'static Sql, &TimerCause, Vec<Value>)> {
        let (timers, holds) = match &self.cause {
            Cause::Timers(timers) => (timers.as_slice(), false),
            Cause::Leases(timers) => (timers.as_slice(), true),
            Cause::Request(_) | Cause::Deliveries(_) => (&[][..], false),
        };
        timers.iter().map(move |timer| {
            let mut row = params![timer.name, timer.key, timer.fence];
            if holds {
                row.push(true.into());
            }
            (if holds { &HOLD_TIMER } else { &END_TIMER }, timer, row)
        })
    }

    /// The deliveries that caused the commit.
    pub fn deliveries(&self) -> &[DeliveryCause] {
        if let Cause::Deliveries(deliveries) = &self.cause { deliveries } else { &[] }
    }

    /// The row of an event, without its position, which the database gives.
    pub fn event_row(&self, event: &NewEvent, origin: &Origin) -> Vec<Value> {
        let origin = event.origin.as_ref().unwrap_or(origin);
        let mut row = envelope::values(Envelope {
            id: event_id(event),
            event_type: event.event_type.to_owned(),
            source: event.source.to_owned(),
            key: event.key,
            sequence: event.sequence,
            lane: event.lane,
            time: self.now,
            correlation_id: origin.correlation_id,
            causation_id: origin.causation_id,
            traceparent: origin.traceparent,
        });
        row.push(event.body.as_slice().into());
        row
    }

    /// The shard of an event's key.
    pub fn shard(&self, event: &NewEvent) -> u16 {
        self.shards.of(event.lane, event.key)
    }

    /// The row of a timer that is set.
    ///
    /// The fence begins at the time of setting, so that a handler which leased an earlier timer of the same name and
    /// key can't pass for the holder of this one. Of a timer that is there it grows in any case: clocks are set back.
    pub fn timer_row(&self, name: &str, key: Uuid, due_at: Timestamp, origin: &Origin) -> Vec<Value> {
        params![
            name,
            key,
            due_at,
            self.now.as_microsecond(),
            false,
            origin.correlation_id,
            origin.causation_id,
            origin.traceparent.map(|it| it.to_string()),
        ]
    }
}

pub(crate) fn event_id(event: &NewEvent) -> EventId {
    event.event_id.expect("`prepare` gave every event an id")
}

/// Of several changes of one timer the last stands.
fn last_words(timers: Vec<TimerChange>) -> Vec<TimerChange> {
    if timers.len() < 2 {
        return timers;
    }
    let mut seen = std::collections::HashSet::with_capacity(timers.len());
    let mut kept: Vec<TimerChange> = timers.into_iter().rev().filter(|change| seen.insert(change.target())).collect();
    kept.reverse();
    kept
}

/// Remembers whom to wake for an event.
pub(crate) fn remember(effects: &mut crate::wake_ups::Effects, destination: &str, lane: Lane) {
    effects.pending += 1;
    if !effects.destinations.iter().any(|(name, of)| name == destination && *of == lane) {
        effects.destinations.insert((destination.to_owned(), lane));
    }
}
