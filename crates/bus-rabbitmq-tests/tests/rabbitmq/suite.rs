//! The suite that every broker must pass.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bus::conformance::{self, Harness};
use bus::{Broker, Topology};
use bus_rabbitmq::{Options, RabbitMq};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use kernel::Shards;
use test_servers::RabbitMq as Server;

use crate::support::{ids, ready};

/// A virtual host for each broker, on one server that is killed to restart one.
struct OneServer(Mutex<Stage>);

struct Stage {
    server: Server,
    url: String,
}

impl OneServer {
    fn lock(&self) -> MutexGuard<'_, Stage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn move_on(&self) {
        let mut stage = self.lock();
        stage.url = stage.server.create_vhost();
    }

    fn crash(&self) {
        let mut stage = self.lock();
        stage.server.kill();
        stage.server.restart();
    }

    async fn connect(&self, topology: Topology) -> RabbitMq {
        let shards = Shards::new(3).expect("three are not too many");
        let url = self.lock().url.clone();
        let broker = RabbitMq::new(&url, Options::new(topology, shards, ids())).expect("the server's URL is one");
        ready(&broker).await;
        broker
    }
}

impl Harness for OneServer {
    fn start(&self, topology: Topology) -> BoxFuture<'_, Arc<dyn Broker>> {
        async {
            self.move_on();
            let broker = self.connect(topology).await;
            broker.declare().await.expect("a fresh virtual host takes any queues");
            Arc::new(broker) as Arc<dyn Broker>
        }
        .boxed()
    }

    fn restart(&self, topology: Topology) -> BoxFuture<'_, Arc<dyn Broker>> {
        async {
            self.crash();
            Arc::new(self.connect(topology).await) as Arc<dyn Broker>
        }
        .boxed()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rabbitmq_passes_the_suite() {
    let server = Server::start();
    let url = server.url();
    conformance::run(OneServer(Mutex::new(Stage { server, url }))).await;
}
