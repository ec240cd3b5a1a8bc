//! What carries events from service to service.

use std::sync::Arc;

use bus::{Broker, Embedded, Topology};
use kernel::Shards;

use super::doctor::Check;
use crate::config;

/// The broker that the settings name. It need not be there yet.
pub(super) fn connect(broker: &config::Broker, topology: Topology, _shards: Shards) -> anyhow::Result<Arc<dyn Broker>> {
    match broker {
        config::Broker::Embedded => Ok(Arc::new(Embedded::new(topology))),
        config::Broker::RabbitMq(_) => anyhow::bail!("not yet"),
    }
}

/// Makes the exchange, all queues and all bindings.
pub(super) async fn declare(broker: &config::Broker, _topology: Topology, _shards: Shards) -> anyhow::Result<()> {
    match broker {
        config::Broker::Embedded => Ok(()),
        config::Broker::RabbitMq(_) => anyhow::bail!("not yet"),
    }
}

/// Looks at the broker.
pub(super) async fn check(checks: &mut Vec<Check>, broker: &config::Broker, _topology: Topology, _shards: Shards) {
    if let config::Broker::Embedded = broker {
        checks.push(Check::good("broker", "embedded in the process"));
    }
}
