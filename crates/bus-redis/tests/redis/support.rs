//! Brokers of the tests.

use std::time::Duration;

pub use broker_tests::steps::*;
use kernel::Shards;
use tradepost_bus_redis::{Options, Redis};

/// With deadlines that make nobody wait for a server that is not there.
pub fn options() -> Options {
    let shards = Shards::new(2).expect("two are enough and not too many");
    Options {
        publish_deadline: Duration::from_secs(2),
        reconnect_max: Duration::from_millis(100),
        ..Options::new(topology(), shards, ids())
    }
}

/// One shard, so that a test knows by which stream an event comes.
pub fn one_shard() -> Options {
    Options { shards: Shards::ONE, ..options() }
}

/// A broker that is connected and has its streams.
pub async fn broker(url: &str) -> Redis {
    broker_with(url, options()).await
}

pub async fn broker_with(url: &str, options: Options) -> Redis {
    let broker = Redis::new(url, options).expect("the URL of a test's server is one");
    ready(&broker).await;
    broker.declare().await.expect("a fresh prefix takes any streams");
    broker
}
