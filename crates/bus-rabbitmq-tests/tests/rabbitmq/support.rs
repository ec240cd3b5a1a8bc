//! Brokers of the tests, and a plain client for what no broker of ours would do.

use std::time::Duration;

pub use broker_tests::steps::*;
use bus_rabbitmq::{Options, RabbitMq};
use kernel::Shards;
use lapin::{Channel, Connection, ConnectionProperties};

pub fn options() -> Options {
    Options::new(topology(), Shards::new(2).expect("two are enough and not too many"), ids())
}

/// A deadline that a broker keeps which is there, and that makes nobody wait for one that is not.
pub fn soon_unknown() -> Options {
    Options { publish_deadline: Duration::from_secs(2), ..options() }
}

/// A broker that is connected and has its queues.
pub async fn broker(url: &str) -> RabbitMq {
    broker_with(url, options()).await
}

pub async fn broker_with(url: &str, options: Options) -> RabbitMq {
    let broker = RabbitMq::new(url, options).expect("the URL of a test's server is one");
    ready(&broker).await;
    broker.declare().await.expect("a fresh virtual host takes any queues");
    broker
}

/// A plain AMQP client.
pub async fn plain_client(url: &str) -> (Connection, Channel) {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.expect("the server is there");
    let channel = connection.create_channel().await.expect("a connection has channels");
    (connection, channel)
}
