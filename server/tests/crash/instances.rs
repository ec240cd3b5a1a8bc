//! Many instances of a service: they share the work, and take over what one leaves.

use std::time::{Duration, Instant};

use test_servers::{BrokerKind, PATIENCE};

use crate::extent::short_or_long;
use crate::fleet::{Fleet, of_each};
use crate::selling::Selling;

/// Orders of each stage in a short run and a long one.
const ORDERS: (usize, usize) = (80, 300);

/// Shards of the background lane: at least one for each of three instances, whoever has the immediate lane's.
const SHARDS: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn instances_share_the_work_and_take_over_what_one_leaves() {
    share_and_take_over(BrokerKind::RabbitMq).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_share_the_work_and_take_over_what_one_leaves_on_redis() {
    share_and_take_over(BrokerKind::Redis).await;
}

async fn share_and_take_over(broker: BrokerKind) {
    let mut run = Selling::on(Fleet::start_on_broker(broker, &of_each(1), SHARDS).await).await;
    until_owners(&run.fleet, "inventory", &[SHARDS + 1]).await;
    let orders = short_or_long(ORDERS.0, ORDERS.1);
    for happens in [Happens::Join, Happens::Die, Happens::Freeze, Happens::Leave] {
        let mut load = run.order(orders).await;
        load.answered(orders / 4).await;
        let fleet = &mut run.fleet;
        match happens {
            Happens::Join => {
                for service in ["orders", "inventory", "webhooks", "orders", "inventory", "webhooks", "orders"] {
                    fleet.add(service).await;
                }
                // Six shards of two lanes.
                until_owners(fleet, "inventory", &[2, 2, 2]).await;
                until_owners(fleet, "orders", &[1, 1, 2, 2]).await;
                until_owners(fleet, "webhooks", &[2, 2, 2]).await;
            }
            Happens::Die => {
                let at = fleet.of("inventory")[0];
                fleet.kill(at).await;
                until_owners(fleet, "inventory", &[3, 3]).await;
                fleet.restart(at).await;
            }
            Happens::Freeze => {
                let at = fleet.of("inventory")[0];
                fleet.freeze(at);
                until_owners(fleet, "inventory", &[3, 3]).await;
                load.done().await;
                // What the broker had sent to the frozen one is the others' too, once it takes that one for gone.
                until_missed(fleet, 0).await;
                fleet.thaw(at);
                until_owners(fleet, "inventory", &[2, 2, 2]).await;
            }
            Happens::Leave => {
                let at = fleet.of("orders")[1];
                fleet.drain(at).await;
                until_owners(fleet, "orders", &[2, 2, 2]).await;
            }
        }
        load.done().await;
        let books = run.settled().await;
        eprintln!("{happens:?}: balanced, {} orders", books.books.orders.len());
    }
    // They have been there since before the last orders, each with a third of the keys.
    for at in run.fleet.of("inventory") {
        let handled = run.fleet.metric_of(at, "tradepost_events_handled_total", "outcome=\"done\"").await;
        assert!(handled > 0, "an instance of inventory had no part in the work");
    }
    // All of them have sent, and yet of each key in its order.
    for at in run.fleet.of("webhooks") {
        let sent = run.fleet.metric_of(at, "tradepost_webhook_attempts_total", "outcome=\"delivered\"").await;
        assert!(sent > 0, "an instance of webhooks had no part in the sending");
    }
    run.fleet.stop().await;
    // An instance that left cleanly has left nothing behind.
    assert_eq!(run.fleet.sql("select count(*) from inventory.instances"), "0");
}

#[derive(Clone, Copy, Debug)]
enum Happens {
    /// Two more of inventory and of webhooks, and three more of orders.
    Join,
    /// One is killed.
    Die,
    /// One is frozen, and goes on when others have done its work.
    Freeze,
    /// One is stopped cleanly.
    Leave,
}

/// Far longer than the seconds in which others take over what one leaves, on a machine that is busy.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(90);

/// Waits until so many orders that were placed are not known to the inventory.
async fn until_missed(fleet: &Fleet, expected: u64) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let missed = fleet.missed("inventory", "orders", "orders.order_placed.v1");
        if missed == expected {
            return;
        }
        assert!(Instant::now() < deadline, "{missed} orders wait for the one that is frozen");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Waits until the shards of a service are shared out in these numbers.
async fn until_owners(fleet: &Fleet, service: &str, expected: &[usize]) {
    let deadline = Instant::now() + TAKEN_OVER_WITHIN;
    loop {
        let counts = fleet.sql(&format!(
            "select string_agg(n::text, ' ' order by n) from \
                 (select count(*) as n from {service}.shards where owner is not null group by owner) as owned"
        ));
        let wanted: Vec<String> = expected.iter().map(ToString::to_string).collect();
        if counts == wanted.join(" ") {
            return;
        }
        if Instant::now() >= deadline {
            let beats =
                fleet.sql(&format!("select string_agg(instance_id || ' ' || beat, ', ') from {service}.instances"));
            let said: Vec<String> = fleet.of(service).iter().map(|at| fleet.instances[*at].process.said()).collect();
            panic!(
                "{service}: shards are shared out as {counts}, not as {expected:?}; instances {beats}\n{}",
                said.join("\n")
            );
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
