//! Private Redis servers.

use std::io::{Read, Write};
use std::net::TcpStream;

use tradepost_test_servers::{Appending, KeyPrefix, Redis, RedisOptions};

use crate::holder;

#[test]
fn what_it_keeps_outlives_a_stop_and_a_kill_if_it_has_a_file() {
    for (appending, kept) in [(Appending::Always, "kept"), (Appending::EverySecond, "kept"), (Appending::Off, "")] {
        let mut server = RedisOptions { appending, ..RedisOptions::default() }.start();
        server.command(&["SET", "key", "kept"]);
        server.restart();
        assert_eq!(server.command(&["GET", "key"]), kept, "{appending:?}");
        server.command(&["SET", "key", "kept"]);
        server.kill();
        assert!(TcpStream::connect(("127.0.0.1", server.port())).is_err(), "something listens after the kill");
        server.restart();
        if appending != Appending::EverySecond {
            assert_eq!(server.command(&["GET", "key"]), kept, "{appending:?}");
        }
    }
}

#[test]
fn it_can_be_flushed_filled_and_frozen() {
    let server = Redis::start();
    server.command(&["SET", "key", "value"]);
    server.set_full(true);
    assert!(server.command(&["EVAL", "return redis.pcall('SET', 'key', 'other').err", "0"]).starts_with("OOM"));
    server.set_full(false);
    server.flush();
    assert_eq!(server.command(&["DBSIZE"]), "0");

    server.freeze();
    let mut client =
        TcpStream::connect(("127.0.0.1", server.port())).expect("the system takes connections for a frozen server");
    client.write_all(b"PING\r\n").expect("a few bytes fit into the socket");
    client.set_nonblocking(true).expect("a socket has both modes");
    assert!(client.read(&mut [0; 8]).is_err(), "it answers");
    server.thaw();
    client.set_nonblocking(false).expect("a socket has both modes");
    assert_eq!(client.read(&mut [0; 1]).expect("it answers again"), 1);
}

#[test]
fn nobody_connects_without_a_password() {
    let server = Redis::start();
    let mut client = TcpStream::connect(("127.0.0.1", server.port())).expect("it listens");
    client.write_all(b"DBSIZE\r\n").expect("it is connected");
    let mut said = [0; 7];
    client.read_exact(&mut said).expect("it answers");
    assert_eq!(&said, b"-NOAUTH");
}

#[test]
fn prefixes_of_tests_are_apart_and_their_keys_go_with_them() {
    let (one, other) = (KeyPrefix::create(), KeyPrefix::create());
    assert_ne!(one.url(), other.url());
    for keys in [&one, &other] {
        keys.command(&["SET", &keys.key("name"), "value"]);
    }
    let gone = one.key("name");
    drop(one);
    assert_eq!(other.command(&["EXISTS", &gone]), "0");
    assert_eq!(other.command(&["EXISTS", &other.key("name")]), "1");
}

#[test]
fn a_server_ends_with_a_process_that_is_killed() {
    let test = "redis::a_server_ends_with_a_process_that_is_killed";
    holder::kill_one(test, Redis::start, |server| (server.port(), server.folder().to_owned()));
}
