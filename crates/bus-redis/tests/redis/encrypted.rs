//! Connections by `rediss://`.

use bus::PublishResult;
use kernel::Lane;
use test_servers::RedisOptions;
use tradepost_bus_redis::{ConfigError, Redis, Unusable};

use crate::support::{STOCK, broker, options, placed, publish, receive_all, soon, subscribe};

#[tokio::test(flavor = "multi_thread")]
async fn events_travel_encrypted_where_the_server_is_who_it_says() {
    let server = RedisOptions { has_tls: true, ..RedisOptions::default() }.start();
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
    assert!(error.to_string().contains("cacertfile=FILE"), "{error}");
    let to_the_plain_port = trusting(&server.url().replace("redis://", "rediss://"));
    let error = check(&to_the_plain_port).await;
    assert!(matches!(&error, Unusable::Unreachable { .. } | Unusable::Silent { .. }), "{error:?}");
}

#[test]
fn certificates_that_can_not_be_had_are_named() {
    for (path, said) in [("/nowhere/ca.pem", "can't be read"), ("Cargo.toml", "no certificate")] {
        let error = Redis::new(&format!("rediss://localhost?cacertfile={path}"), options()).err();
        assert!(matches!(&error, Some(ConfigError::Certificates { detail, .. }) if detail.contains(said)), "{error:?}");
    }
}

async fn check(url: &str) -> Unusable {
    let broker = Redis::new(url, options()).expect("the URL is one");
    soon(broker.check()).await.expect_err("this is no server to trust")
}
