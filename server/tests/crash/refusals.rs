//! Starts that are refused say why, and change nothing.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use test_servers::{Database, Postgres, Proxy, Redis, RedisOptions, Vhost};

use crate::books::ALIVE;
use crate::process::{Ended, Process};

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_the_same_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (_first, client) = Process::start(folder.path()).await;
    let ended = refused(Process::spawn(folder.path())).await;
    assert!(ended.stderr.contains("another Tradepost is using the data folder"), "{ended:?}");
    assert!(client.text("/readyz").await.expect(ALIVE).contains("\"ready\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_a_newer_version_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (mut process, _) = Process::start(folder.path()).await;
    process.ask_to_stop();
    assert!(process.ended().await.status.success());
    let manifest = folder.path().join("manifest.json");
    let mut says: Value = serde_json::from_str(&fs::read_to_string(&manifest).unwrap()).unwrap();
    says["tables"]["orders"] = json!(999);
    fs::write(&manifest, says.to_string()).unwrap();

    let before = contents(folder.path());
    let ended = refused(Process::spawn(folder.path())).await;
    assert!(ended.stderr.contains("was written by a newer Tradepost"), "{ended:?}");
    let after = contents(folder.path());
    assert!(before.keys().eq(after.keys()), "{:?} became {:?}", before.keys(), after.keys());
    let changed: Vec<_> = before.iter().filter(|(path, bytes)| after[*path] != **bytes).map(|(path, _)| path).collect();
    assert!(changed.is_empty(), "{changed:?} changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let ended = refused(Process::spawn_with(folder.path(), &["--port", &port])).await;
    assert!(ended.stderr.contains(&format!("127.0.0.1:{port} can't be listened on")), "{ended:?}");
    assert!(contents(folder.path()).is_empty(), "a start that failed left something behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_does_not_let_the_shop_in_is_named_with_what_to_do() {
    let server = Postgres::start();
    let good = server.create_database();
    let (start, rest) = good.split_once("://").unwrap();
    let (user, at) = rest.split_once('@').unwrap();
    let (name, _) = user.split_once(':').unwrap();
    let database = good.rsplit('/').next().unwrap();
    server.execute("postgres", "create role guest login password 'guest'");
    for (url, says) in [
        (format!("{start}://{name}:wrong-password@{at}"), "check user"),
        (good.replace(database, "nowhere"), "createdb nowhere"),
        (format!("{start}://guest:guest@{at}"), "grant create on database"),
        (format!("{start}://{user}@{at}?sslmode=perhaps"), "sslmode"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let ended = refused(Process::spawn_on(folder.path(), Some(&url), &["--port", "0"])).await;
        assert!(ended.stderr.contains(says), "{says}: {ended:?}");
        assert!(!ended.stderr.contains("wrong-password"), "a password is shown: {ended:?}");
        assert!(
            ended.stderr.lines().count() <= 2,
            "a clear line, and where it is about a setting, one that names it: {ended:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_unreachable_at_the_start_is_waited_for() {
    let mut server = Postgres::start();
    let url = server.create_database();
    server.stop();
    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::spawn_on(folder.path(), Some(&url), &["--port", "0"]);
    process.says("is tried again").await;
    server.restart();
    let client = process.ready().await.unwrap_or_else(|ended| panic!("it ended: {ended:?}"));
    assert!(client.text("/readyz").await.expect(ALIVE).contains("\"ready\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_does_not_let_the_shop_in_is_named_with_what_to_do() {
    let (database, vhost) = (Database::create(), Vhost::create());
    vhost.eval(r#"rabbit_auth_backend_internal:add_user(<<"guest2">>, <<"secret">>, <<"test">>)"#);
    let (_, at) = vhost.url().split_once('@').map(|(user, at)| (user.to_owned(), at.to_owned())).unwrap();
    let name = vhost.name();
    let cases = [
        (vhost.url().replace(&at, &at.replace(name, "nowhere")), "rabbitmqctl add_vhost"),
        (format!("amqp://nobody:wrong-password@{at}"), "rabbitmqctl add_user"),
        (format!("amqp://guest2:secret@{at}"), "rabbitmqctl set_permissions"),
        ("http://localhost".to_owned(), "expected a broker"),
    ];
    for (url, says) in &cases {
        refuse_at_once(&database.url(), url, says).await;
    }
    // By TLS, in a program that was built with it or without it.
    let url = "amqps://localhost/shop?cacertfile=/nowhere/ca.pem";
    let says = if cfg!(feature = "amqp-tls") { "/nowhere/ca.pem: it can't be read" } else { "the feature `amqp-tls`" };
    let ended = refused(Process::serve(&["orders"], 0, &database.url(), url, &[])).await;
    assert_eq!(ended.status.code(), Some(3), "{ended:?}");
    assert!(ended.stderr.contains(says), "{ended:?}");
    // Who may enter and do nothing.
    vhost.eval(&format!(
        "rabbit_auth_backend_internal:set_permissions(<<\"guest2\">>, <<\"{name}\">>, <<>>, <<>>, <<>>, <<\"test\">>)"
    ));
    let url = format!("amqp://guest2:secret@{at}");
    let ended = Process::migrate(&database.url(), &url).ended().await;
    assert!(!ended.status.success() && ended.stderr.contains("rabbitmqctl set_permissions"), "{ended:?}");
    vhost.eval(r#"rabbit_auth_backend_internal:delete_user(<<"guest2">>, <<"test">>)"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_can_not_be_used_is_named_with_what_to_do() {
    let database = Database::create();
    let server = Redis::start();
    let evicting = RedisOptions { eviction: Some("allkeys-lru"), ..RedisOptions::default() }.start();
    let node = RedisOptions { is_cluster: true, ..RedisOptions::default() }.start();
    server.command(&["ACL", "SETUSER", "guest", "on", ">secret", "-@all"]);
    let at = format!("127.0.0.1:{}", server.port());
    let cases = [
        (format!("redis://{}:wrong-password@{at}", Redis::USER), "ACL SETUSER"),
        (format!("redis://guest:secret@{at}"), "ACL SETUSER guest ~tradepost.*"),
        (format!("{}/99", server.url()), "has no database 99"),
        (evicting.url(), "maxmemory-policy noeviction"),
        (node.url(), "clusters are not supported"),
        (format!("{}/shop", server.url()), "its database is no number"),
    ];
    for (url, says) in &cases {
        refuse_at_once(&database.url(), url, says).await;
    }
    // Who may look and change nothing.
    server.command(&["ACL", "SETUSER", "guest", "+info"]);
    let ended = Process::migrate(&database.url(), &format!("redis://guest:secret@{at}")).ended().await;
    assert_eq!(ended.status.code(), Some(3), "{ended:?}");
    assert!(ended.stderr.contains("ACL SETUSER guest ~tradepost.*"), "{ended:?}");
    let foreign = "tradepost.orders.background.0";
    server.command(&["SET", foreign, "somebody's"]);
    let ended = Process::migrate(&database.url(), &server.url()).ended().await;
    assert_eq!(ended.status.code(), Some(3), "{ended:?}");
    assert!(ended.stderr.contains(foreign), "{ended:?}");
    server.command(&["DEL", foreign]);
    assert!(Process::migrate(&database.url(), &server.url()).ended().await.status.success());
    let ended = Process::doctor(&database.url(), &server.url()).ended().await;
    for line in ["ok    broker       Redis ", "ok    streams ", "ok    persistence  events that are stored survive"] {
        assert!(ended.stderr.lines().any(|said| said.starts_with(line)), "{line}: {ended:?}");
    }
}

/// Whatever needs the broker ends at once with what to do, on a line or two.
async fn refuse_at_once(store: &str, broker: &str, says: &str) {
    let ended = Process::migrate(store, broker).ended().await;
    assert_eq!(ended.status.code(), Some(3), "{says}: {ended:?}");
    assert!(ended.stderr.contains(says), "{says}: {ended:?}");
    assert!(!ended.stderr.contains("wrong-password"), "a password is shown: {ended:?}");
    assert!(ended.stderr.lines().count() <= 2, "a clear line: {ended:?}");
    let ended = Process::doctor(store, broker).ended().await;
    assert!(!ended.status.success() && ended.stderr.contains(says), "{says}: {ended:?}");
    let ended = refused(Process::serve(&["orders"], 0, store, broker, &[])).await;
    assert!(ended.stderr.contains(says) && ended.stderr.lines().count() <= 2, "{says}: {ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_reports_each_defect_on_a_line_with_its_remedy() {
    let (server, vhost) = (Postgres::start(), Vhost::create());
    let url = server.create_database();
    // Nothing is there yet.
    let ended = Process::doctor(&url, &vhost.url()).ended().await;
    assert_eq!(ended.status.code(), Some(8), "{ended:?}");
    for line in ["FAIL  schema", "FAIL  queues"] {
        let found = ended.stderr.lines().find(|said| said.starts_with(line));
        assert!(found.is_some_and(|said| said.ends_with("run `tradepost migrate`")), "{line}: {ended:?}");
    }
    assert!(Process::migrate(&url, &vhost.url()).ended().await.status.success());
    let ended = Process::doctor(&url, &vhost.url()).ended().await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let checks = ["store", "durability", "rights", "schema", "connections", "clock", "disk", "broker", "queues"];
    for (line, check) in ended.stderr.lines().zip(checks) {
        assert!(line.starts_with(&format!("ok    {check} ")), "{ended:?}");
    }
    assert_eq!(ended.stderr.lines().count(), checks.len(), "{ended:?}");

    // What a tuned server lacks, and a user without rights.
    server.execute("postgres", "alter system set fsync = off");
    server.execute("postgres", "select pg_reload_conf()");
    server.execute("postgres", "create role guest login password 'guest'");
    let (_, at) =
        server.create_database().split_once('@').map(|(start, at)| (start.to_owned(), at.to_owned())).unwrap();
    let ended = Process::doctor(&format!("postgres://guest:guest@{at}"), &vhost.url()).ended().await;
    assert_eq!(ended.status.code(), Some(8), "{ended:?}");
    for says in ["FAIL  durability   off: fsync;", "FAIL  rights       the user can't make schemas"] {
        assert!(ended.stderr.contains(says), "{says}: {ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_says_by_its_exit_code_whether_a_process_is_ready() {
    let folder = tempfile::tempdir().unwrap();
    let (mut process, client) = Process::start(folder.path()).await;
    let port = client.url.rsplit(':').next().unwrap().to_owned();
    assert_eq!(Process::health(&port).ended().await.status.code(), Some(0));
    process.ask_to_stop();
    assert!(process.ended().await.status.success());
    let ended = Process::health(&port).ended().await;
    assert_eq!(ended.status.code(), Some(7), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_broker_is_waited_for_by_migrate_for_a_while_and_by_serve_for_ever() {
    let database = Database::create();
    let vhost = Vhost::create();
    let (proxy, url) = Proxy::before(&vhost.url()).await;
    proxy.refuse().await;
    let ended = Process::migrate(&database.url(), &url).ended().await;
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(ended.stderr.lines().last().is_some_and(|line| line.contains("no broker can be reached at")), "{ended:?}");
    assert!(ended.stderr.lines().count() <= 3, "{ended:?}");

    let mut patient = Process::migrate(&database.url(), &url);
    patient.says("It is tried again").await;
    proxy.heal().await;
    let ended = patient.ended().await;
    assert!(ended.status.success(), "{ended:?}");

    proxy.refuse().await;
    let mut process = Process::serve(&["orders"], 0, &database.url(), &url, &[]);
    let client = process.ready().await.unwrap_or_else(|ended| panic!("it ended: {ended:?}"));
    let (status, text) = client.get("/readyz").await;
    assert!(status == 200 && text.contains("degraded") && text.contains("broker"), "{status} {text}");
    proxy.heal().await;
    while !client.text("/readyz").await.expect(ALIVE).contains("\"ready\"") {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

async fn refused(mut process: Process) -> Ended {
    let Err(ended) = process.ready().await else { panic!("it was not refused") };
    assert!(!ended.status.success() && ended.status.code().is_some(), "{ended:?}");
    ended
}

/// Every file, and what is in it.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder can be listed") {
            let path = entry.expect("a folder can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.clone(), fs::read(&path).expect("a file can be read"));
            }
        }
    }
    found
}
