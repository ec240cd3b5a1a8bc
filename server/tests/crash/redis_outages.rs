//! Redis that fails under a shop: orders are accepted all the while, nothing is done twice, and what its settings let it
//! lose comes back when it is published again.

use std::fs::{self, OpenOptions};
use std::time::Duration;

use test_servers::{Appending, Redis, RedisOptions};

use crate::extent::{orders, short_or_long};
use crate::one_process::{Heals, OneProcess};

/// Orders of each outage in a long run; half of them in a short one.
const ORDERS: usize = 150;

/// The time for which the server is held, in a short run and a long one: longer than the deadline of publishes.
const FROZEN: (Duration, Duration) = (Duration::from_secs(18), Duration::from_mins(1));

/// The time for which memory is full, or a right is missing: enough for events to be refused.
const REFUSED: Duration = Duration::from_secs(3);

/// Bytes that are cut from the end of the file: within the last command.
const CUT: u64 = 5;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_keeps_what_its_settings_promise_and_the_rest_comes_back() {
    for (appending, heals) in [
        (Appending::Always, Heals::ByItself),
        (Appending::EverySecond, Heals::ByRepublishing),
        (Appending::Off, Heals::ByRepublishing),
    ] {
        let mut server = RedisOptions { appending, ..RedisOptions::default() }.start();
        let mut run = OneProcess::start(None, Some(&server.url())).await;
        let promise = match appending {
            Appending::Always => "survive kill -9 and power loss",
            Appending::EverySecond => "power loss can lose the last second",
            Appending::Off => "in memory only",
        };
        run.says(promise).await;
        run.outage(&format!("killed, appending {appending:?}"), orders(ORDERS), heals, async |run| {
            server.kill();
            run.until_degraded("no Redis can be reached").await;
            server.restart();
        })
        .await;
        run.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_held_flushed_full_or_demoted_delays_events_and_doubles_none() {
    let mut server = Redis::start();
    let mut run = OneProcess::start(None, Some(&server.url())).await;
    let count = orders(ORDERS);
    run.outage("frozen", count, Heals::ByItself, async |run| {
        server.freeze();
        run.until_degraded("took more than").await;
        tokio::time::sleep(short_or_long(FROZEN.0, FROZEN.1)).await;
        server.thaw();
    })
    .await;
    run.outage("memory full", count, Heals::ByItself, async |_| {
        server.set_full(true);
        tokio::time::sleep(REFUSED).await;
        server.set_full(false);
    })
    .await;
    run.outage("connections killed", count, Heals::ByItself, async |run| {
        for _ in 0..10 {
            server.command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
            tokio::time::sleep(run.rng.duration(Duration::ZERO..Duration::from_millis(200))).await;
        }
    })
    .await;
    run.outage("a replica for a while", count, Heals::ByRepublishing, async |run| {
        let other = Redis::start();
        // What it takes over from the other replaces what it had: a failover that loses.
        server.command(&["CONFIG", "SET", "masterauth", other.password()]);
        server.command(&["CONFIG", "SET", "masteruser", Redis::USER]);
        server.command(&["REPLICAOF", "127.0.0.1", &other.port().to_string()]);
        run.until_degraded("replica").await;
        server.command(&["REPLICAOF", "NO", "ONE"]);
    })
    .await;
    run.outage("a right revoked", count, Heals::ByItself, async |run| {
        server.command(&["ACL", "SETUSER", Redis::USER, "-xadd", "-xreadgroup"]);
        run.until_degraded("ACL SETUSER").await;
        tokio::time::sleep(REFUSED).await;
        server.command(&["ACL", "SETUSER", Redis::USER, "+xadd", "+xreadgroup"]);
    })
    .await;
    run.outage("flushed", count, Heals::ByRepublishing, async |_| server.flush()).await;
    run.outage("the end of its file cut off", count, Heals::ByRepublishing, async |_| {
        server.kill();
        cut_the_end(&server);
        server.restart();
    })
    .await;
    run.finish().await;
}

/// Cuts the file that the server appends to, as a disk does that is full or loses power.
fn cut_the_end(server: &Redis) {
    let folder = server.folder().join("appendonlydir");
    let files = fs::read_dir(folder).expect("it appends").flatten().map(|file| file.path());
    let last = files.filter(|path| path.to_string_lossy().ends_with(".incr.aof")).max().expect("there is a file");
    let file = OpenOptions::new().write(true).open(last).expect("it is the test's");
    let length = file.metadata().expect("it is a file").len();
    file.set_len(length.saturating_sub(CUT)).expect("it can be cut");
}
