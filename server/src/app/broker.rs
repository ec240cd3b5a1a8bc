//! What carries events from service to service.

use std::sync::Arc;

use bus::{Broker, Embedded, Topology};
use kernel::Shards;

use crate::config;

/// The broker that the settings name. It need not be there yet.
pub(super) fn connect(broker: &config::Broker, topology: Topology, _shards: Shards) -> anyhow::Result<Arc<dyn Broker>> {
    match broker {
        config::Broker::Embedded => Ok(Arc::new(Embedded::new(topology))),
        config::Broker::RabbitMq(_) => anyhow::bail!("not yet"),
    }
}
