//! A kind of broker, as a shop lists it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use kernel::{Ids, Shards};

use crate::{AdapterError, Broker, Guarantees, Topology};

/// The facts about a shop that a broker is connected with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The consumers and the event types to which each reacts.
    pub topology: Topology,
    /// The partition of the keys of the background lane. It must be the same in all processes, for ever.
    pub shards: Shards,
    /// Ids and random waits.
    pub ids: Ids,
}

/// One thing that was inspected, for `doctor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The subject, such as `queues`.
    pub name: &'static str,
    /// The state in which it was found.
    pub found: String,
    /// The thing to do, unless all is well.
    pub remedy: Option<String>,
}

impl Finding {
    /// All is well.
    pub fn good(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, found: found.into(), remedy: None }
    }

    /// A shop does not run before this is corrected.
    pub fn bad(name: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, found: found.into(), remedy: Some(remedy.into()) }
    }
}

/// A kind of broker: the settings that name it, and how it is connected to, prepared and inspected.
///
/// Every URL may hold a password, so no error and no finding repeats it.
pub trait Adapter: fmt::Debug + Send + Sync + 'static {
    /// Its name in lists, such as `rabbitmq`.
    fn name(&self) -> &'static str;

    /// The promises that its brokers keep.
    fn guarantees(&self) -> Guarantees;

    /// The schemes of the URLs that name such a broker, as in `amqp`.
    fn schemes(&self) -> &'static [&'static str];

    /// A URL with placeholders, for help texts and errors.
    fn example(&self) -> &'static str;

    /// Connects, or begins to: the broker need not be reachable yet, and until it is, events wait in the outbox.
    /// Must be called within a runtime of Tokio.
    fn connect(&self, url: &str, setup: Setup) -> Result<Arc<dyn Broker>, AdapterError>;

    /// Waits until the broker accepts a connection, at most as long as `patience`.
    /// `report` gets each failure after which it is tried again.
    fn reach<'a>(
        &'a self,
        url: &'a str,
        patience: Duration,
        report: &'a mut (dyn FnMut(String) + Send),
    ) -> BoxFuture<'a, Result<(), AdapterError>>;

    /// Makes what every consumer needs on the broker, such as queues and bindings, and answers with the broker.
    fn declare<'a>(&'a self, url: &'a str, setup: Setup) -> BoxFuture<'a, Result<Arc<dyn Broker>, AdapterError>>;

    /// Inspects the broker and what `declare` made on it, and changes nothing.
    fn inspect<'a>(&'a self, url: &'a str, setup: Setup) -> BoxFuture<'a, Vec<Finding>>;
}

/// The part of a setting before its first colon, which is all of it where there is none.
pub fn scheme_of(setting: &str) -> &str {
    setting.split_once(':').map_or(setting, |(scheme, _)| scheme)
}
