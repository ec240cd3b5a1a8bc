//! What carries events from service to service.

use std::sync::Arc;
use std::time::Duration;

use bus::{Broker, Embedded, Topology};
use bus_rabbitmq::{ConfigError, Options, RabbitMq, ReachError, Unusable};
use kernel::{Ids, Shards};

use super::doctor::Check;
use crate::config;

/// The broker that the settings name. It need not be there yet: until it is, events wait in the outbox.
pub(super) fn connect(
    broker: &config::Broker,
    topology: Topology,
    shards: Shards,
    ids: &Ids,
) -> anyhow::Result<Arc<dyn Broker>> {
    match broker {
        config::Broker::Embedded => Ok(Arc::new(Embedded::new(topology))),
        config::Broker::RabbitMq(url) => Ok(Arc::new(rabbitmq(url, topology, shards, ids)?)),
    }
}

/// Refuses a broker that won't let this process in before somebody mends something. One that is away may come back.
pub(super) async fn refuse_unusable(url: &config::Secret) -> Result<(), ReachError> {
    match RabbitMq::reach(url.reveal(), Duration::ZERO, |_| {}).await {
        Err(ReachError::Unusable(unusable)) if unusable.may_pass() => Ok(()),
        reached => reached,
    }
}

/// Looks at the broker.
pub(super) async fn check(
    checks: &mut Vec<Check>,
    broker: &config::Broker,
    topology: Topology,
    shards: Shards,
    ids: &Ids,
) {
    let config::Broker::RabbitMq(url) = broker else {
        checks.push(Check::good("broker", "embedded in the process"));
        return;
    };
    let consumers = topology.consumers().count();
    let seen = match rabbitmq(url, topology, shards, ids) {
        Ok(broker) => broker.check().await,
        Err(error) => {
            checks.push(Check::bad("broker", "it can't be connected to", error.to_string()));
            return;
        }
    };
    match seen {
        Ok(server) => {
            checks.push(Check::good("broker", format!("{} {}", server.product, server.version)));
            checks.push(Check::good("queues", format!(
                "those of {consumers} consumers are there, quorum and durable; bindings can't be read, and are restored"
            )));
        }
        Err(missing @ Unusable::Missing { .. }) => {
            checks.push(Check::bad("queues", missing.to_string(), "run `tradepost migrate`"));
        }
        Err(error @ Unusable::Mismatch { .. }) => {
            checks.push(Check::bad("queues", "one is not as it has to be", error.to_string()));
        }
        Err(error) => checks.push(Check::bad("broker", "it can't be used", error.to_string())),
    }
}

/// RabbitMQ, which begins to connect.
pub(super) fn rabbitmq(
    url: &config::Secret,
    topology: Topology,
    shards: Shards,
    ids: &Ids,
) -> Result<RabbitMq, ConfigError> {
    RabbitMq::new(url.reveal(), Options::new(topology, shards, ids.clone()))
}
