//! Gauges that are read from a service's store when somebody looks at the metrics.

use kernel::{Lane, Timestamp};

use super::Operator;
use crate::telemetry::Metrics;

impl Operator {
    /// Reads the service's gauges; one that can't be read keeps its last value.
    pub(crate) async fn measure(&self, metrics: &Metrics, now: Timestamp) {
        let service = self.service();
        metrics.prepare(service);
        for lane in Lane::ALL {
            let Ok((pending, oldest)) = storage::outbox::backlog(&self.ctx.db, lane).await else { continue };
            let age = oldest.map_or(0.0, |time| now.duration_since(time).as_secs_f64().max(0.0));
            metrics.set_outbox(service, lane, pending, age);
        }
        if let Ok(counts) = storage::held::counts(&self.ctx.db).await {
            metrics.set_parked(service, counts.parked);
        }
        if let Ok(due) = storage::timers::due(&self.ctx.db, now).await {
            metrics.set_timers_due(service, due);
        }
    }
}
