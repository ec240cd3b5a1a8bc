//! The broker that carries events from service to service.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bus::{AdapterError, Broker, Setup, Topology};
use kernel::{Clock, Ids, Shards};
use service::storage::Db;
use service::{AnyService, BindError};

use super::doctor::Check;
use super::retry::waited_in_vain;
use crate::config::BrokerSetting;

/// The facts that a broker is connected with.
pub(super) fn setup(topology: Topology, shards: Shards, clock: &Clock) -> Setup {
    Setup { topology, shards, ids: Ids::new(clock.clone()) }
}

/// Refuses a broker that does not let this process in before somebody changes something. One that is down may return.
pub(super) async fn refuse_unusable(broker: &BrokerSetting) -> Result<(), AdapterError> {
    match broker.adapter.reach(broker.url.reveal(), Duration::ZERO, &mut |_| {}).await {
        Err(AdapterError::Unavailable(_)) => Ok(()),
        reached => reached,
    }
}

/// True if the broker accepts a connection now.
pub(super) async fn is_reachable(broker: &BrokerSetting) -> bool {
    broker.adapter.reach(broker.url.reveal(), Duration::ZERO, &mut |_| {}).await.is_ok()
}

/// Longest wait for a broker that can't be reached: as long as for a database.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for the broker and declares what every consumer always needs there; `report` gets one line if it must be waited
/// for.
pub(super) async fn declare(
    broker: &BrokerSetting,
    setup: Setup,
    report: &mut (impl FnMut(String) + Send),
) -> anyhow::Result<Arc<dyn Broker>> {
    let mut is_reported = false;
    let mut failed = |failure: String| {
        if !std::mem::replace(&mut is_reported, true) {
            report(format!("{failure} It is tried again for {PATIENCE:?}."));
        }
    };
    broker.adapter.reach(broker.url.reveal(), PATIENCE, &mut failed).await.map_err(waited_in_vain)?;
    Ok(broker.adapter.declare(broker.url.reveal(), setup).await?)
}

/// Binds consumers to the events that their stores say are wanted, and to no others, where they don't want all of a type.
pub(super) async fn narrow(broker: &dyn Broker, services: &[Box<dyn AnyService>], stores: &[Db]) -> anyhow::Result<()> {
    if broker.guarantees().destination_per_consumer {
        return Ok(());
    }
    for (service, store) in services.iter().zip(stores) {
        let Some(on_demand) = service.on_demand() else { continue };
        match service::narrow(on_demand, store, broker).await {
            // Its kind decides if it is tried again.
            Err(BindError::Store(error)) => return Err(error.into()),
            narrowed => narrowed.with_context(|| format!("the events that {} wants can't be bound", service.name()))?,
        }
    }
    Ok(())
}

/// Inspects the broker.
pub(super) async fn check(checks: &mut Vec<Check>, broker: &BrokerSetting, setup: Setup) {
    for finding in broker.adapter.inspect(broker.url.reveal(), setup).await {
        checks.push(match finding.remedy {
            None => Check::good(finding.name, finding.found),
            Some(remedy) => Check::bad(finding.name, finding.found, remedy),
        });
    }
}
