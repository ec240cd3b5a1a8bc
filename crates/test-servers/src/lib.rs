//! Servers of their own for tests, and the ways in which they fail.
//!
//! [`Postgres`] is a private PostgreSQL server on a free port of loopback that can be stopped, killed and started
//! again; [`Database`] is an empty database for one test; [`RabbitMq`] and [`Vhost`] are the same for RabbitMQ, [`Redis`]
//! and [`KeyPrefix`] for Redis, and [`BrokerSpace`] is room on either;
//! [`Proxy`] stands between a client and a server and delays, cuts, resets, stalls and refuses; [`SmallDisk`] is a disk
//! that is soon full; [`packages`] are tools of other languages.
//!
//! Not here: anything of Tradepost. Storage's tests, the shop's tests and xtask use this crate alike.
//!
//! Start with [`Database`], which most tests want; a test that kills its server starts with [`Postgres::start`].
//!
//! **Invariants**
//! - A server never outlives the process that started it, however that ends, and nor does its folder.
//! - Nothing listens on more than loopback, and nobody connects without a password.

mod chance;
mod database;
mod error;
mod key_prefix;
mod memory;
pub mod packages;
mod ports;
mod postgres;
mod proxy;
mod rabbitmq;
mod redis;
mod small_disk;
mod space;
mod supervised;
mod tls;
mod vhost;

use std::time::Duration;

pub use database::{Database, POSTGRES_VARIABLE};
pub use error::Error;
pub use key_prefix::{KeyPrefix, REDIS_VARIABLE};
pub use memory::memory_or_temp;
pub use ports::free_port;
pub use postgres::{Options, Postgres, Programs};
pub use proxy::{Fault, Faults, Proxy, Traffic, What};
pub use rabbitmq::{RabbitMq, RabbitMqPrograms};
pub use redis::{Appending, Redis, RedisOptions, RedisPrograms};
pub use small_disk::{Ballast, SmallDisk};
pub use space::{BrokerKind, BrokerSpace};
pub use vhost::{RABBITMQ_VARIABLE, Vhost};

/// True in `cargo xtask soak`, which runs the long forms of tests.
pub fn is_soak() -> bool {
    std::env::var_os("TRADEPOST_SOAK").is_some_and(|value| value != "0")
}

/// The longest that a test waits for what must come about: far longer than it takes on a slow and busy machine, for a
/// test asserts that it comes about, and not how fast.
pub const PATIENCE: Duration = Duration::from_mins(5);
