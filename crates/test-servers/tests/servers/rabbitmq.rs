//! Private RabbitMQ servers.

use std::io::{Read, Write};
use std::net::TcpStream;

use tradepost_test_servers::{RabbitMq, Vhost};

use crate::holder;

#[test]
fn what_it_keeps_outlives_a_stop_and_a_kill() {
    let mut server = RabbitMq::start();
    let url = server.create_vhost();
    let name = url.rsplit_once('/').unwrap().1.to_owned();
    let is_there = |server: &RabbitMq| server.eval(&format!(r#"rabbit_vhost:exists(<<"{name}">>)"#));
    assert_eq!(is_there(&server), "true");
    server.restart();
    assert_eq!(is_there(&server), "true");
    assert!(server.ctl(&["list_vhosts"]).contains(&name), "rabbitmqctl speaks to another server");
    server.kill();
    assert!(TcpStream::connect(("127.0.0.1", server.port())).is_err(), "something listens after the kill");
    server.restart();
    assert_eq!(is_there(&server), "true");
}

/// One server for all that can be asked of it while it runs, for each takes seconds to start.
#[test]
fn a_server_listens_on_loopback_alone_can_be_frozen_and_has_alarms() {
    let server = RabbitMq::start();
    listens_on_loopback_alone(&server);
    answers_nobody_while_it_is_frozen(&server);
    alarms_come_and_go(&server);
}

fn alarms_come_and_go(server: &RabbitMq) {
    let alarms = || server.eval("lists:sort([R || {{resource_limit, R, _}, _} <- rabbit_alarm:get_alarms()])");
    assert_eq!(alarms(), "[]");
    server.set_memory_alarm(true);
    server.set_disk_alarm(true);
    assert_eq!(alarms(), "[disk, memory]");
    server.set_memory_alarm(false);
    assert_eq!(alarms(), "[disk]");
    server.set_disk_alarm(false);
    assert_eq!(alarms(), "[]");
}

fn answers_nobody_while_it_is_frozen(server: &RabbitMq) {
    server.freeze();
    let mut client =
        TcpStream::connect(("127.0.0.1", server.port())).expect("the system takes connections for a frozen server");
    client.write_all(b"AMQP\0\0\x09\x01").expect("a few bytes fit into the socket");
    client.set_nonblocking(true).expect("a socket has both modes");
    assert!(client.read(&mut [0; 8]).is_err(), "it answers");
    server.thaw();
    client.set_nonblocking(false).expect("a socket has both modes");
    assert_eq!(client.read(&mut [0; 1]).expect("it answers again"), 1);
}

#[test]
fn virtual_hosts_of_tests_are_apart_and_go_with_them() {
    let (one, other) = (Vhost::create(), Vhost::create());
    assert_ne!(one.url(), other.url());
    let name = one.name().to_owned();
    drop(one);
    assert_eq!(other.eval(&format!(r#"rabbit_vhost:exists(<<"{name}">>)"#)), "false");
}

fn listens_on_loopback_alone(server: &RabbitMq) {
    let listeners = server.eval("[inet:ntoa(element(5, L)) || L <- rabbit_networking:active_listeners()]");
    assert!(listeners.contains("127.0.0.1") && !listeners.contains("0.0.0.0"), "it listens on {listeners}");
    let distribution = server.eval("application:get_env(kernel, inet_dist_use_interface)");
    assert_eq!(distribution, "{ok, {127, 0, 0, 1}}");
}

#[test]
fn a_server_ends_with_a_process_that_is_killed() {
    let test = "rabbitmq::a_server_ends_with_a_process_that_is_killed";
    holder::kill_one(test, RabbitMq::start, |server| (server.port(), server.folder().to_owned()));
}
