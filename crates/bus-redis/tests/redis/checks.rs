//! The findings of `check`: one line each, when something is wrong.

use std::time::Duration;

use bus::{Adapter as _, AdapterError, Broker, Setup};
use kernel::Lane;
use test_servers::{Appending, KeyPrefix, Redis as Server, RedisOptions};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tradepost_bus_redis::{Adapter, Redis, ServerInfo, Unusable};

use crate::support::{STOCK, broker, deliver, ids, options, placed, receive_all, soon, subscribe, topology};

async fn check(url: &str) -> Result<ServerInfo, Unusable> {
    let broker = Redis::new(url, options()).expect("tests check what is a URL");
    let checked = soon(broker.check()).await;
    if let Err(error) = &checked {
        let said = error.to_string();
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    checked
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_server_states_its_version_and_what_it_promises() {
    let keys = KeyPrefix::create();
    drop(broker(&keys.url()).await);
    let server = check(&keys.url()).await.unwrap();
    assert!(server.version.contains('.'), "{server:?}");
    assert!(server.durability.to_string().contains("survive kill -9 and power loss"), "{server:?}");
    let setup = Setup { topology: topology(), shards: options().shards, ids: ids() };
    let findings = soon(Adapter.inspect(&keys.url(), setup)).await;
    let names: Vec<_> = findings.iter().map(|finding| (finding.name, finding.remedy.is_none())).collect();
    assert_eq!(names, [("broker", true), ("streams", true), ("persistence", true)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_promise_follows_from_the_servers_settings() {
    let second = RedisOptions { appending: Appending::EverySecond, ..RedisOptions::default() }.start();
    let broker = broker(&second.url()).await;
    let said = broker.durability().unwrap();
    assert!(said.contains("the last second") && said.contains("events republish"), "{said}");
    second.command(&["ACL", "SETUSER", "tradepost", "-config"]);
    let server = soon(broker.check()).await.unwrap();
    assert!(server.durability.to_string().contains("can't be looked at: CONFIG is forbidden"), "{server:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_and_groups_that_are_missing_or_otherwise_are_named() {
    let keys = KeyPrefix::create();
    let missing = check(&keys.url()).await.unwrap_err();
    assert!(matches!(missing, Unusable::Missing { .. }), "{missing:?}");
    drop(broker(&keys.url()).await);
    let stream = keys.key("tradepost.inventory.background.0");
    keys.command(&["XGROUP", "DESTROY", &stream, "tradepost"]);
    let missing = check(&keys.url()).await.unwrap_err();
    assert!(matches!(&missing, Unusable::Missing { name } if name.contains(&stream)), "{missing:?}");
    keys.command(&["DEL", &stream]);
    keys.command(&["SET", &stream, "something else"]);
    let otherwise = check(&keys.url()).await.unwrap_err();
    assert!(matches!(&otherwise, Unusable::WrongType { detail } if detail.contains(&stream)), "{otherwise:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_user_password_or_database_is_said_to_be_wrong() {
    let keys = KeyPrefix::create();
    let url = keys.url();
    let password = url.split([':', '@']).nth(2).unwrap().to_owned();
    let without = url.replace(&format!("tradepost:{password}@"), "");
    for wrong in [url.replace(&password, "hunter2"), url.replace("tradepost:", "nobody:"), without] {
        let error = check(&wrong).await.unwrap_err();
        assert!(matches!(error, Unusable::Password { .. }), "{error:?}");
        assert!(!error.to_string().contains("hunter2"));
        // Waiting does not help, so nobody waits.
        let reached = soon(Adapter.reach(&wrong, Duration::MAX, &mut |said| panic!("{said}"))).await;
        assert!(matches!(reached, Err(AdapterError::Unusable(_))), "{reached:?}");
    }
    let error = check(&url.replace('?', "/99?")).await.unwrap_err();
    assert_eq!(error, Unusable::NoDatabase { database: 99 });
    let other = url.replace('?', "/3?");
    drop(broker(&other).await);
    check(&other).await.unwrap();
    assert!(matches!(check(&url).await, Err(Unusable::Missing { .. })), "it is the same database");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rights_that_are_named_are_enough() {
    let server = Server::start();
    server.command(&["ACL", "SETUSER", "shop", "on", "&*", ">hunter2", "-@all"]);
    let url = format!("redis://shop:hunter2@127.0.0.1:{}?prefix=a:", server.port());
    let error = check(&url).await.unwrap_err();
    let Unusable::Permission { rights, .. } = &error else { panic!("{error:?}") };
    let words: Vec<&str> = ["ACL", "SETUSER", "shop"].into_iter().chain(rights.split(' ')).collect();
    server.command(&words);
    let broker = broker(&url).await;
    soon(broker.check()).await.unwrap();
    let sent = placed();
    deliver(&broker, &sent).await;
    let mut subscription = subscribe(&broker, STOCK, Lane::Background).await;
    receive_all(&mut subscription, &[sent]).await;
    let elsewhere = Redis::new(&url.replace("prefix=a:", "prefix=b:"), options()).unwrap();
    let error = soon(elsewhere.declare()).await.unwrap_err();
    assert!(matches!(&error, bus::Error::Rejected(said) if said.contains("~b:tradepost.*")), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_evicts_or_is_a_node_of_a_cluster_is_refused_at_once() {
    let evicting = RedisOptions { eviction: Some("allkeys-lru"), ..RedisOptions::default() }.start();
    let node = RedisOptions { is_cluster: true, ..RedisOptions::default() }.start();
    for (server, remedy) in [(&evicting, "maxmemory-policy noeviction"), (&node, "cluster-enabled no")] {
        let error = check(&server.url()).await.unwrap_err();
        assert!(!error.may_pass() && error.to_string().contains(remedy), "{error}");
        let reached = soon(Adapter.reach(&server.url(), Duration::MAX, &mut |said| panic!("{said}"))).await;
        assert!(matches!(reached, Err(AdapterError::Unusable(_))), "{reached:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_default_user_lacks_rights_is_said_to_forget() {
    let mut server = Server::start();
    let broker = broker(&server.url()).await;
    assert!(broker.guarantees().survives_restart);
    server.command(&["ACL", "SETUSER", "default", "off", "-@all"]);
    let said = check(&server.url()).await.unwrap().durability;
    assert!(!said.survives_restart() && said.to_string().contains("ACL SETUSER default"), "{said}");
    server.command(&["CONFIG", "REWRITE"]);
    deliver(&broker, &placed()).await;
    server.kill();
    server.restart();
    soon(async {
        // Of two streams, so a transaction in the file.
        while broker.waiting(STOCK).await.ok() != Some(0) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(!broker.guarantees().survives_restart);
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_are_missing_are_counted() {
    let keys = KeyPrefix::create();
    let error = check(&format!("{}&wait_replicas=2", keys.url())).await.unwrap_err();
    assert_eq!(error, Unusable::TooFewReplicas { wanted: 2, connected: 0 });
}

#[tokio::test(flavor = "multi_thread")]
async fn no_listener_a_foreign_listener_and_a_silent_one_are_distinguished() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://tradepost:secret@127.0.0.1:{}", listener.local_addr().unwrap().port());
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
    assert!(matches!(other, Unusable::NotRedis { .. } | Unusable::Unreachable { .. }), "{other:?}");
    drop(listener);
    let nobody = check(&url).await.unwrap_err();
    assert!(matches!(nobody, Unusable::Unreachable { .. }), "{nobody:?}");
    let unknown_host = check("redis://tradepost:secret@no-such-host.invalid").await.unwrap_err();
    assert!(matches!(unknown_host, Unusable::Unreachable { .. }), "{unknown_host:?}");
}
