//! Connections by `amqps://`.

use bus::PublishResult;
use bus_rabbitmq::{ConfigError, RabbitMq, Unusable};
use kernel::Lane;
use test_servers::RabbitMq as Server;

use crate::support::{STOCK, broker, options, placed, publish, receive_all, soon, subscribe};

#[tokio::test(flavor = "multi_thread")]
async fn events_travel_encrypted_where_the_broker_is_who_it_says() {
    let server = Server::start_with_tls();
    let (url, authority) = (server.tls_url(), server.authority());
    let trusting = |url: &str| format!("{url}?cacertfile={}", authority.display());

    let broker = broker(&trusting(&url)).await;
    soon(broker.check()).await.unwrap();
    let sent: Vec<_> = (0..10).map(|_| placed()).collect();
    for message in &sent {
        assert_eq!(publish(&broker, message).await, PublishResult::Stored);
    }
    let mut subscription = subscribe(&broker, STOCK, Lane::Background).await;
    receive_all(&mut subscription, &sent).await;

    let error = check(&url).await;
    assert!(matches!(&error, Unusable::Untrusted { .. }), "{error:?}");
    assert!(error.to_string().contains("?cacertfile=FILE"), "{error}");
    let to_the_plain_port = trusting(&server.url().replace("amqp://", "amqps://"));
    let error = check(&to_the_plain_port).await;
    assert!(matches!(&error, Unusable::Unreachable { .. }), "{error:?}");
}

#[test]
fn certificates_that_can_not_be_had_are_named() {
    for (path, said) in [("/nowhere/ca.pem", "can't be read"), ("Cargo.toml", "no certificate")] {
        let error = RabbitMq::new(&format!("amqps://localhost?cacertfile={path}"), options()).err();
        assert!(matches!(&error, Some(ConfigError::Certificates { detail, .. }) if detail.contains(said)), "{error:?}");
    }
}

async fn check(url: &str) -> Unusable {
    let broker = RabbitMq::new(url, options()).expect("the URL is one");
    soon(broker.check()).await.expect_err("this is no broker to trust")
}
