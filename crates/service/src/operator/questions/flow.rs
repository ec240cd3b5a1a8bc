//! Activity of a service at this moment, for a console that shows it live.

use std::collections::HashMap;

use bus::Health;
use kernel::Lane;
use serde::{Deserialize, Serialize};
use storage::Error;

use crate::operator::Operator;
use crate::operator::question::Question;
use crate::telemetry::{Process, Tally};

/// The deliveries of a service since its process began. Read from memory alone, so it may be asked several times a second.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountFlow {}

/// The answer to [`CountFlow`]: of the instance that answers, for each counts its own.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    /// The process: its counts begin anew with another one.
    pub process: Process,
    /// The deliveries by event type.
    pub types: HashMap<String, Tally>,
    /// The reason why events can't be sent or received, if that is so.
    pub degraded: Option<String>,
}

impl Question for CountFlow {
    const NAME: &'static str = "flow";
    type Answer = Flow;

    async fn answer(self, operator: &Operator) -> Result<Flow, Error> {
        let metrics = &operator.ctx.metrics;
        let degraded = match operator.broker.health() {
            Health::Ready => None,
            Health::Degraded { reason } => Some(reason),
        };
        Ok(Flow { process: metrics.process(), types: metrics.flow_of(operator.service()), degraded })
    }
}

/// The sums of what waits in a service's store.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadGauges {}

/// The answer to [`ReadGauges`]: the same of all instances, which share the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gauges {
    /// Unsent events, counted to 100,000 in each lane.
    pub outbox_pending: i64,
    /// The age of the oldest unsent event.
    pub oldest_unsent_seconds: f64,
    /// Dead letters.
    pub dead_letters: i64,
    /// Deliveries that will be tried again.
    pub retrying: i64,
    /// Timers whose time has come.
    pub timers_due: i64,
}

impl Question for ReadGauges {
    const NAME: &'static str = "gauges";
    type Answer = Gauges;

    async fn answer(self, operator: &Operator) -> Result<Gauges, Error> {
        let (db, now) = (&operator.ctx.db, operator.ctx.clock.now());
        let mut gauges = Gauges::default();
        for lane in Lane::ALL {
            let (pending, oldest) = storage::outbox::backlog(db, lane).await?;
            let age = oldest.map_or(0.0, |time| now.duration_since(time).as_secs_f64());
            gauges.outbox_pending += pending;
            gauges.oldest_unsent_seconds = gauges.oldest_unsent_seconds.max(age);
        }
        let held = storage::held::counts(db).await?;
        Ok(Gauges {
            dead_letters: held.parked,
            retrying: held.due,
            timers_due: storage::timers::due(db, now).await?,
            ..gauges
        })
    }
}
