//! The broker that carries events from service to service.

use std::time::Duration;

use bus::{AdapterError, Setup, Topology};
use kernel::{Clock, Ids, Shards};

use super::doctor::Check;
use crate::config::Carrier;

/// The facts that a broker is connected with.
pub(super) fn setup(topology: Topology, shards: Shards, clock: &Clock) -> Setup {
    Setup { topology, shards, ids: Ids::new(clock.clone()) }
}

/// Refuses a broker that does not let this process in before somebody changes something. One that is down may return.
pub(super) async fn refuse_unusable(carrier: &Carrier) -> Result<(), AdapterError> {
    match carrier.adapter.reach(carrier.url.reveal(), Duration::ZERO, &mut |_| {}).await {
        Err(AdapterError::Unavailable(_)) => Ok(()),
        reached => reached,
    }
}

/// Inspects the broker.
pub(super) async fn check(checks: &mut Vec<Check>, carrier: &Carrier, setup: Setup) {
    for finding in carrier.adapter.inspect(carrier.url.reveal(), setup).await {
        checks.push(match finding.remedy {
            None => Check::good(finding.name, finding.found),
            Some(remedy) => Check::bad(finding.name, finding.found, remedy),
        });
    }
}
