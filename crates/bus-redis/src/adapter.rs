//! Redis in a list of adapters.

use std::sync::Arc;
use std::time::Duration;

use bus::{AdapterError, Broker, Finding, Guarantees, Setup};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::{ConfigError, Options, ReachError, Redis, ServerInfo, Unusable};

/// The adapter of [`Redis`].
#[derive(Clone, Copy, Debug)]
pub struct Adapter;

impl bus::Adapter for Adapter {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn guarantees(&self) -> Guarantees {
        Redis::GUARANTEES
    }

    fn schemes(&self) -> &'static [&'static str] {
        &["redis", "rediss"]
    }

    fn example(&self) -> &'static str {
        "redis://user:password@host:6379/0?prefix=shop:"
    }

    fn connect(&self, url: &str, setup: Setup) -> Result<Arc<dyn Broker>, AdapterError> {
        Ok(Arc::new(connect(url, setup)?))
    }

    fn reach<'a>(
        &'a self,
        url: &'a str,
        patience: Duration,
        report: &'a mut (dyn FnMut(String) + Send),
    ) -> BoxFuture<'a, Result<(), AdapterError>> {
        async move { Ok(Redis::reach(url, patience, |unusable| report(unusable.to_string())).await?) }.boxed()
    }

    fn declare<'a>(&'a self, url: &'a str, setup: Setup) -> BoxFuture<'a, Result<Arc<dyn Broker>, AdapterError>> {
        async move {
            let broker = connect(url, setup)?;
            broker.declare().await.map_err(|error| match error {
                bus::Error::Rejected(said) => AdapterError::Unusable(said),
                bus::Error::Unavailable(said) => AdapterError::Unavailable(said),
            })?;
            Ok(Arc::new(broker) as Arc<dyn Broker>)
        }
        .boxed()
    }

    fn inspect<'a>(&'a self, url: &'a str, setup: Setup) -> BoxFuture<'a, Vec<Finding>> {
        async move {
            let consumers = setup.topology.consumers().count();
            match connect(url, setup) {
                Ok(broker) => findings(consumers, broker.check().await),
                Err(error) => vec![Finding::bad("broker", "it can't be connected to", error.to_string())],
            }
        }
        .boxed()
    }
}

fn connect(url: &str, Setup { topology, shards, ids }: Setup) -> Result<Redis, ConfigError> {
    Redis::new(url, Options::new(topology, shards, ids))
}

fn findings(consumers: usize, checked: Result<ServerInfo, Unusable>) -> Vec<Finding> {
    match checked {
        Ok(server) => vec![
            Finding::good("broker", format!("{} {}", server.product, server.version)),
            Finding::good("streams", format!("those of {consumers} consumers are present, with their groups")),
            Finding::good("persistence", server.durability.to_string()),
        ],
        Err(missing @ Unusable::Missing { .. }) => {
            vec![Finding::bad("streams", missing.to_string(), "run `tradepost migrate`")]
        }
        Err(error @ Unusable::WrongType { .. }) => {
            vec![Finding::bad("streams", "a key is something else", error.to_string())]
        }
        Err(error @ Unusable::TooFewReplicas { .. }) => {
            vec![Finding::bad("persistence", "it is not what the URL asks for", error.to_string())]
        }
        Err(error) => vec![Finding::bad("broker", "it can't be used", error.to_string())],
    }
}

impl From<ConfigError> for AdapterError {
    fn from(error: ConfigError) -> Self {
        Self::Unusable(error.to_string())
    }
}

impl From<ReachError> for AdapterError {
    fn from(error: ReachError) -> Self {
        match error {
            ReachError::Unusable(unusable) if unusable.may_pass() => Self::Unavailable(unusable.to_string()),
            error => Self::Unusable(error.to_string()),
        }
    }
}
