//! Room for one test on a broker that other tests use too, whichever broker it is.

use crate::{KeyPrefix, Vhost};

/// A broker for which there are servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokerKind {
    /// RabbitMQ.
    RabbitMq,
    /// Redis.
    Redis,
}

/// Names of its own for one test; what is stored under them goes with this value.
#[derive(Debug)]
pub enum BrokerSpace {
    /// A virtual host.
    Vhost(Vhost),
    /// A prefix of keys.
    KeyPrefix(KeyPrefix),
}

impl BrokerSpace {
    /// Makes it.
    #[track_caller]
    pub fn create(kind: BrokerKind) -> Self {
        match kind {
            BrokerKind::RabbitMq => Self::Vhost(Vhost::create()),
            BrokerKind::Redis => Self::KeyPrefix(KeyPrefix::create()),
        }
    }

    /// Its URL, for a user with all rights in it.
    pub fn url(&self) -> String {
        match self {
            Self::Vhost(vhost) => vhost.url(),
            Self::KeyPrefix(keys) => keys.url(),
        }
    }
}
