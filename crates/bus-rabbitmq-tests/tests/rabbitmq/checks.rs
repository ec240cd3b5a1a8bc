//! The findings of `check`: one line each, when something is wrong.

use bus::Topology;
use bus_rabbitmq::{Options, RabbitMq, ServerInfo, Unusable};
use kernel::{Lane, Shards};
use lapin::options::{ExchangeDeleteOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use test_servers::{RabbitMq as Server, Vhost};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::support::{PLACED, STOCK, broker, ids, options, plain_client, ready, soon, until};

async fn check(url: &str) -> Result<ServerInfo, Unusable> {
    let broker = RabbitMq::new(url, options()).expect("tests check what is a URL");
    let checked = soon(broker.check()).await;
    if let Err(error) = &checked {
        let said = error.to_string();
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    checked
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_broker_states_its_version_and_keeps_what_it_has() {
    let vhost = Vhost::create();
    let broker = broker(&vhost.url()).await;
    let server = soon(broker.check()).await.unwrap();
    assert_eq!(server.product, "RabbitMQ");
    assert!(server.version.contains('.'), "{server:?}");
    let queues = vhost.eval(&format!("length(rabbit_amqqueue:list(<<\"{}\">>))", vhost.name()));
    assert_eq!(queues, "8", "a check leaves something behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn queues_that_are_missing_or_otherwise_are_named() {
    let vhost = Vhost::create();
    let missing = check(&vhost.url()).await.unwrap_err();
    assert!(matches!(missing, Unusable::Missing { .. }), "{missing:?}");
    drop(broker(&vhost.url()).await);
    let (_connection, channel) = plain_client(&vhost.url()).await;
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let queue = "tradepost.inventory.dead";
    channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();
    channel.queue_declare(queue.into(), durable, FieldTable::default()).await.unwrap();
    let otherwise = check(&vhost.url()).await.unwrap_err();
    assert!(matches!(&otherwise, Unusable::Mismatch { detail } if detail.contains(queue)), "{otherwise:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn exchanges_that_are_missing_are_named_and_not_made() {
    let vhost = Vhost::create();
    let _broker = broker(&vhost.url()).await;
    let (_connection, channel) = plain_client(&vhost.url()).await;
    for exchange in ["tradepost.inventory.dead", "tradepost.events"] {
        channel.exchange_delete(exchange.into(), ExchangeDeleteOptions::default()).await.unwrap();
        for _ in 0..2 {
            let error = check(&vhost.url()).await.unwrap_err();
            assert!(matches!(&error, Unusable::Missing { name } if name == exchange), "{error:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_user_password_or_virtual_host_is_said_to_be_wrong() {
    let vhost = Vhost::create();
    let url = vhost.url();
    let password = url.split([':', '@']).nth(2).unwrap().to_owned();
    for wrong in [url.replace(&password, "hunter2"), url.replace("tradepost:", "nobody:")] {
        let error = check(&wrong).await.unwrap_err();
        assert!(matches!(error, Unusable::Password { .. }), "{error:?}");
        assert!(!error.to_string().contains("hunter2"));
    }
    let error = check(&format!("{url}-not")).await.unwrap_err();
    assert!(matches!(&error, Unusable::NoVhost { vhost } if vhost.ends_with("-not")), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_that_are_missing_are_named() {
    let vhost = Vhost::create();
    broker(&vhost.url()).await;
    let name = vhost.name();
    let user = format!("user-{name}");
    let url = vhost.url();
    let password = url.split([':', '@']).nth(2).unwrap();
    vhost.eval(&format!("rabbit_auth_backend_internal:add_user(<<\"{user}\">>, <<\"{password}\">>, <<\"test\">>)"));
    let url = url.replacen("tradepost:", &format!("{user}:"), 1);
    let error = check(&url).await.unwrap_err();
    assert!(matches!(error, Unusable::NoEntry { .. }), "{error:?}");

    let all = "^tradepost[.]";
    for (configure, write, read, lacks) in
        [("^$", all, all, "configure"), (all, "^$", all, "write"), (all, all, "^$", "read")]
    {
        vhost.eval(&format!(
            "rabbit_auth_backend_internal:set_permissions(<<\"{user}\">>, <<\"{name}\">>, \
             <<\"{configure}\">>, <<\"{write}\">>, <<\"{read}\">>, <<\"test\">>)"
        ));
        let error = check(&url).await.unwrap_err();
        assert!(matches!(error, Unusable::Permission { .. }), "without the right to {lacks}: {error:?}");
    }
    vhost.eval(&format!(
        "rabbit_auth_backend_internal:set_permissions(<<\"{user}\">>, <<\"{name}\">>, \
         <<\"{all}\">>, <<\"{all}|^amq[.]default$\">>, <<\"{all}\">>, <<\"test\">>)"
    ));
    check(&url).await.unwrap();
    vhost.eval(&format!("rabbit_auth_backend_internal:delete_user(<<\"{user}\">>, <<\"test\">>)"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_listener_a_foreign_listener_and_a_silent_one_are_distinguished() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let url = format!("amqp://tradepost:secret@127.0.0.1:{port}/%2f");
    let mute = check(&url).await.unwrap_err();
    assert!(matches!(mute, Unusable::Silent { .. }), "{mute:?}");
    let answering = async {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            // It may be gone already.
            let _ = client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    };
    let other = tokio::select! {
        other = check(&url) => other.unwrap_err(),
        () = answering => unreachable!(),
    };
    assert!(matches!(other, Unusable::NotAmqp { .. } | Unusable::Unreachable { .. }), "{other:?}");
    drop(listener);
    let nobody = check(&url).await.unwrap_err();
    assert!(matches!(nobody, Unusable::Unreachable { .. }), "{nobody:?}");
    let unknown_host = check("amqp://tradepost:secret@no-such-host.invalid/%2f").await.unwrap_err();
    assert!(matches!(unknown_host, Unusable::Unreachable { .. }), "{unknown_host:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_says_what_check_would_say() {
    let server = Server::start();
    let topology = || Topology::new().consumer(STOCK, [(PLACED, Lane::Background)]);
    let wrong = RabbitMq::new(&format!("{}-not", server.url()), Options::new(topology(), Shards::ONE, ids())).unwrap();
    until(&wrong, |health| matches!(health, bus::Health::Degraded { reason } if reason.contains("no virtual host")))
        .await;
    let right = RabbitMq::new(&server.url(), Options::new(topology(), Shards::ONE, ids())).unwrap();
    ready(&right).await;
}
