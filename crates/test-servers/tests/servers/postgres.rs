//! Private PostgreSQL servers.

use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Instant;

use tradepost_test_servers::{Database, Options, PATIENCE, Postgres, Programs};

use crate::holder;

#[test]
fn rows_outlive_a_stop_and_a_kill() {
    let mut server = Postgres::start();
    let url = server.create_database();
    let name = url.rsplit_once('/').unwrap().1;
    server.execute(name, "create table t (n int); insert into t values (1)");
    server.restart();
    server.execute(name, "insert into t values (2)");
    server.kill();
    assert!(TcpStream::connect(("127.0.0.1", server.port())).is_err(), "something listens after the kill");
    server.restart();
    assert_eq!(server.execute(name, "select n from t order by n"), "1\n2");
    assert!(server.log().contains("was not properly shut down"), "the kill was no kill: {}", server.log());
}

#[test]
fn every_client_is_thrown_out_and_counted() {
    let server = Postgres::start();
    let mut client = psql(&server.url("postgres"));
    let mut client = client.args(["--command", "select pg_sleep(60)"]).spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    let mut thrown_out = 0;
    // One that is only starting may miss it.
    let ended = loop {
        thrown_out += server.terminate_connections();
        if let Some(ended) = client.try_wait().unwrap() {
            break ended;
        }
        assert!(Instant::now() < deadline, "the client never came, or stayed");
    };
    assert!(thrown_out > 0 && !ended.success());
}

#[test]
fn nobody_connects_without_the_password() {
    let server = Postgres::start();
    let url = server.url("postgres");
    let password = url.split([':', '@']).nth(2).unwrap();
    assert_eq!(status(psql(&url).args(["--command", "select 1"])), Some(0));
    assert_eq!(status(psql(&url.replace(password, "wrong")).args(["--command", "select 1"])), Some(2));
    assert_eq!(status(psql(&url).args(["--command", "create role other superuser"])), Some(1), "it is a superuser");
}

#[test]
fn its_certificate_is_for_loopback() {
    let server = Options { tls: true, ..Options::default() }.start().unwrap();
    let url = format!("{}?sslmode=verify-full&sslrootcert={}", server.url("postgres"), server.authority().display());
    assert_eq!(status(psql(&url).args(["--command", "select 1"])), Some(0));
}

#[test]
fn databases_of_tests_are_apart_and_go_with_them() {
    let (one, other) = (Database::create(), Database::create());
    one.execute("create table t (n int)");
    assert_eq!(other.execute("select count(*) from pg_tables where tablename = 't'"), "0");
    let name = one.url().rsplit_once('/').unwrap().1.to_owned();
    drop(one);
    assert_eq!(other.execute(&format!("select count(*) from pg_database where datname = '{name}'")), "0");
}

#[test]
fn a_server_ends_with_a_process_that_is_killed() {
    let test = "postgres::a_server_ends_with_a_process_that_is_killed";
    holder::kill_one(test, Postgres::start, |server| (server.port(), server.folder().to_owned()));
}

fn psql(url: &str) -> Command {
    let mut psql = Programs::find().expect("PostgreSQL is installed").command("psql");
    psql.args(["--no-psqlrc", "--no-password", "--dbname", url]).stdout(Stdio::null()).stderr(Stdio::null());
    psql
}

fn status(command: &mut Command) -> Option<i32> {
    command.status().expect("psql is installed with the server").code()
}
