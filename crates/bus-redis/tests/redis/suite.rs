//! The suite that every broker must pass.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bus::conformance::{self, Harness};
use bus::{Broker, Topology};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use kernel::Shards;
use test_servers::Redis as Server;
use tradepost_bus_redis::{Options, Redis};

use crate::support::{ids, ready};

/// The suite fills a stream, which may therefore not have many entries.
const QUEUE_MAX: u32 = 5_000;

/// A prefix of keys for each broker, on one server that is killed to restart one.
struct OneServer(Mutex<Stage>);

struct Stage {
    server: Server,
    number: u32,
}

impl OneServer {
    fn start() -> Self {
        Self(Mutex::new(Stage { server: Server::start(), number: 0 }))
    }

    fn lock(&self) -> MutexGuard<'_, Stage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self, topology: Topology) -> Redis {
        let url = {
            let stage = self.lock();
            format!("{}?prefix=suite-{}:&queue_max={QUEUE_MAX}", stage.server.url(), stage.number)
        };
        let shards = Shards::new(3).expect("three are not too many");
        let broker = Redis::new(&url, Options::new(topology, shards, ids())).expect("the server's URL is one");
        ready(&broker).await;
        broker
    }
}

impl Harness for OneServer {
    fn start(&self, topology: Topology) -> BoxFuture<'_, Arc<dyn Broker>> {
        async {
            self.lock().number += 1;
            self.redeclare(topology).await
        }
        .boxed()
    }

    fn restart(&self, topology: Topology) -> BoxFuture<'_, Arc<dyn Broker>> {
        async {
            {
                let mut stage = self.lock();
                stage.server.kill();
                stage.server.restart();
            }
            Arc::new(self.connect(topology).await) as Arc<dyn Broker>
        }
        .boxed()
    }

    fn redeclare(&self, topology: Topology) -> BoxFuture<'_, Arc<dyn Broker>> {
        async {
            let broker = self.connect(topology).await;
            broker.declare().await.expect("a fresh prefix takes any streams");
            Arc::new(broker) as Arc<dyn Broker>
        }
        .boxed()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_passes_the_suite() {
    let report = conformance::run(OneServer::start()).await;
    for case in ["a restart loses nothing", "a full queue refuses, its other lane does not, and it recovers"] {
        assert!(report.passed().contains(&case), "it was not asked whether {case}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn types_on_demand_arrive_while_they_are_wanted() {
    conformance::run_on_demand(OneServer::start()).await;
}
