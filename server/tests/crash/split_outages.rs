//! A broker and a database that fail under a divided shop: orders are accepted whenever the database is there, nothing
//! is lost or done twice, and no process needs a restart.

use std::time::{Duration, Instant};

use serde_json::Value;
use test_servers::PATIENCE;

use crate::extent::{orders, short_or_long};
use crate::fleet::{Fleet, migrate, of_each, two_of_some};
use crate::journal::{Draft, Placed};
use crate::process::shards;
use crate::selling::Selling;

/// Orders of each outage of a long run; half of them in a short one.
const ORDERS: usize = 150;

/// The time for which a broker is unreachable, in a short run and a long one: longer than the longest pause between two
/// tries to reach it, and minutes with many tries.
const DOWN: (Duration, Duration) = (Duration::from_secs(12), Duration::from_mins(2));

/// The time for which a broker's alarm lasts: long enough for publishes to reach their deadline.
const ALARM: Duration = Duration::from_secs(18);

/// Events that are emitted while bindings are missing: enough that some are published meanwhile too, behind what waits
/// in the outbox of a busy machine.
const SOME: (u64, u64) = (20, 50);

/// Three times as long as a service takes to declare its queues again.
const BOUND_AGAIN_WITHIN: Duration = Duration::from_secs(90);

/// The time between two looks at the broker.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Longer than connections and subscriptions take to be made again.
const SUBSCRIBED_AGAIN: Duration = Duration::from_secs(3);

/// The time of a test, for `--since`.
const SINCE: &str = "30m";

/// The way in which events come back that an outage delayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heals {
    /// All by themselves: none was lost.
    ByItself,
    /// Some were lost by the broker, and are republished.
    ByRepublishing,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_and_a_database_that_stop_and_die_leave_balanced_books() {
    let mut run = Selling::on(Fleet::start_on_own_servers(&two_of_some()).await).await;
    run.outage("stopped", Heals::ByItself, async |run| {
        run.fleet.rabbitmq().stop();
        run.until_degraded("no broker can be reached").await;
        // What is accepted now waits in the outbox.
        tokio::time::sleep(short_or_long(DOWN.0, DOWN.1)).await;
        let (status, order) = run.place_one().await;
        assert_eq!(status, 201, "{order}");
        run.fleet.rabbitmq().restart();
    })
    .await;
    run.outage("killed", Heals::ByItself, async |run| {
        run.fleet.rabbitmq().kill();
        run.until_degraded("no broker can be reached").await;
        run.fleet.rabbitmq().restart();
    })
    .await;
    run.outage("database killed", Heals::ByItself, async |run| {
        run.fleet.postgres().kill();
        // What can't be handled is left where it is: received and given back again and again, the broker would in the
        // end take it for what nobody can handle.
        let deadline = Instant::now() + PATIENCE;
        while run.consumers() > 0 {
            assert!(Instant::now() < deadline, "somebody receives what can't be handled");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        for _ in 0..20 {
            tokio::time::sleep(LOOK_AGAIN).await;
            assert_eq!(run.consumers(), 0, "somebody subscribes to what can't be handled");
        }
        run.fleet.postgres().restart();
    })
    .await;
    run.outage("connections ended", Heals::ByItself, async |run| {
        for _ in 0..10 {
            run.fleet.postgres().terminate_connections();
            tokio::time::sleep(run.rng.duration(Duration::ZERO..Duration::from_millis(200))).await;
        }
    })
    .await;
    run.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn alarms_and_a_timeout_of_the_broker_delay_events_and_lose_none() {
    let mut run = Selling::on(Fleet::start_on_own_servers(&of_each(1)).await).await;
    run.outage("memory alarm", Heals::ByItself, async |run| {
        run.fleet.rabbitmq().set_memory_alarm(true);
        run.until_degraded("memory").await;
        let (status, order) = run.place_one().await;
        assert_eq!(status, 201, "{order}");
        tokio::time::sleep(ALARM).await;
        run.fleet.rabbitmq().set_memory_alarm(false);
    })
    .await;
    run.outage("disk alarm", Heals::ByItself, async |run| {
        run.fleet.rabbitmq().set_disk_alarm(true);
        run.until_degraded("disk").await;
        // Publishes wait for it as for the other alarm: in a short run that one has shown what their deadline does.
        tokio::time::sleep(short_or_long(Duration::ZERO, ALARM)).await;
        run.fleet.rabbitmq().set_disk_alarm(false);
    })
    .await;
    for setting in ["consumer_timeout, 3000", "channel_tick_interval, 500"] {
        run.fleet.eval(&format!("application:set_env(rabbit, {setting})"));
    }
    // Connections made before keep the old value.
    let subscribed = run.consumers();
    run.fleet.eval("[rabbit_networking:close_connection(P, \"test\") || P <- rabbit_networking:connections()]");
    tokio::time::sleep(SUBSCRIBED_AGAIN).await;
    // On a busy machine some take longer, and what is frozen before has nothing that it could be late with.
    let deadline = Instant::now() + PATIENCE;
    while run.consumers() < subscribed {
        assert!(Instant::now() < deadline, "not all have subscribed again");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    run.outage("consumer timeout", Heals::ByItself, async |run| {
        let at = run.fleet.of("inventory")[0];
        run.fleet.freeze(at);
        tokio::time::sleep(Duration::from_secs(8)).await;
        run.fleet.thaw(at);
    })
    .await;
    let log = run.fleet.rabbitmq().log();
    assert!(log.contains("delivery acknowledgement on channel"), "the timeout never came:\n{log}");
    run.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_deleted_and_a_binding_that_is_removed_are_restored_and_what_was_missed_comes_back() {
    let mut run = Selling::on(Fleet::start_on_own_servers(&of_each(1)).await).await;
    run.outage("queues deleted", Heals::ByRepublishing, async |run| {
        // Frozen, so that something waits in the queues.
        let at = run.fleet.of("inventory")[0];
        run.fleet.freeze(at);
        run.until_missed(1).await;
        for shard in 0..shards() {
            run.delete_queue(&format!("tradepost.inventory.background.{shard}"));
        }
        run.fleet.thaw(at);
    })
    .await;
    run.outage("data of the broker lost", Heals::ByRepublishing, async |run| {
        // Frozen, so that something waits in the queues.
        let at = run.fleet.of("inventory")[0];
        run.fleet.freeze(at);
        run.until_missed(1).await;
        let vhost = run.fleet.vhost_name().to_owned();
        run.fleet.rabbitmq().lose_everything(&vhost);
        migrate(&run.fleet.store, &run.fleet.broker).await;
        run.fleet.thaw(at);
        let missed = run.fleet.missed("inventory", "orders", "orders.order_placed.v1");
        assert_ne!(missed, 0, "nothing was lost");
    })
    .await;
    run.outage("bindings removed", Heals::ByRepublishing, async |run| {
        let (queue, event_type) = ("tradepost.notifications.background", "orders.order_paid.v1");
        // Publishes of this type are routed to the inventory all the same, so nothing reports that mail misses them.
        let before = run.emitted(event_type);
        while run.emitted(event_type) < before + short_or_long(SOME.0, SOME.1) {
            // Again and again, for they may be declared anew at any moment.
            run.unbind(queue, event_type);
        }
        run.until_bound(queue, event_type).await;
        let missed = run.lost("notifications", event_type).await;
        assert_ne!(missed, 0, "nothing was missed, so nothing shows that it comes back");
    })
    .await;
    run.finish().await;
}

impl Selling {
    /// Lets something happen under load, and checks the books once all is settled again.
    async fn outage(&mut self, what: &str, heals: Heals, happens: impl AsyncFnOnce(&mut Self)) {
        let began = Instant::now();
        let mut load = self.order(orders(ORDERS)).await;
        let before = self.rng.between(1..orders(ORDERS) / 2);
        load.answered(before).await;
        let queues = self.queues();
        happens(self).await;
        self.until_good("/readyz").await;
        load.done().await;
        let books = if heals == Heals::ByRepublishing {
            self.settle_with_republishing(queues).await;
            self.settled_in_any_order().await
        } else {
            self.until_good("/internal/settled?timeout=20s").await;
            self.settled().await
        };
        let (orders, unknown, took) = (books.books.orders.len(), self.journal.unknown(), began.elapsed());
        eprintln!("{what}: balanced after {took:.1?}; {orders} orders, {unknown} outcomes unknown so far");
    }

    /// Sends again what was missed, as an operator does, once all queues are there again: once more if something was
    /// missed after that too.
    async fn settle_with_republishing(&self, queues: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.queues() < queues {
            assert!(Instant::now() < deadline, "not all queues were declared anew");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        while Instant::now() < deadline {
            self.fleet.command(&["events", "republish", "--since", SINCE]).await;
            if self.client.status("/internal/settled?timeout=30s").await == 200 {
                return;
            }
        }
        self.until_good("/internal/settled?timeout=20s").await;
    }

    /// Number of queues at the broker.
    fn queues(&self) -> usize {
        let counted = self.fleet.eval(&format!("length(rabbit_amqqueue:list({}))", self.fleet.vhost()));
        counted.trim().parse().expect("a length is a number")
    }

    /// An order beside the load.
    async fn place_one(&mut self) -> (u16, Value) {
        let email = format!("beside-{}@example.com", self.rng.between(0..1 << 40));
        let draft = Draft::random(email, &mut self.rng);
        let body = draft.body(&self.shop);
        let (status, answer) = self.client.post("/v1/orders", &body).await.expect("the process is alive");
        let order_id = answer["order_id"].as_str().unwrap_or_default().to_owned();
        self.journal.record(draft, Placed::As(order_id));
        (status, answer)
    }

    /// Waits until orders says that it is degraded, and why.
    async fn until_degraded(&self, why: &str) {
        let at = self.fleet.of("orders")[0];
        let client = self.fleet.instances[at].client();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (status, text) = client.get("/readyz").await;
            let said: Value = serde_json::from_str(&text).expect("an answer is JSON");
            let checks = said["checks"].as_array().into_iter().flatten();
            let reasons: Vec<&str> = checks.filter_map(|check| check["reason"].as_str()).collect();
            if said["status"] == "degraded" && reasons.iter().any(|reason| reason.contains(why)) {
                assert_eq!(status, 200, "it takes orders: {text}");
                return;
            }
            assert!(Instant::now() < deadline, "it never said that it is degraded for {why}: {text}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn until_good(&self, path: &str) {
        if tokio::time::timeout(PATIENCE, self.client.until(200, path)).await.is_err() {
            let (status, answer) = self.client.get(path).await;
            let said: Vec<String> =
                self.fleet.instances.iter().map(|it| format!("{}: {}", it.service, it.process.said())).collect();
            panic!("{path} was not good for {PATIENCE:?}, now {status}: {answer}\n{}", said.join("\n"));
        }
    }

    /// Number of subscriptions at the broker.
    fn consumers(&self) -> usize {
        let counted = self.fleet.eval(&format!("length(rabbit_amqqueue:consumers_all({}))", self.fleet.vhost()));
        counted.trim().parse().expect("a length is a number")
    }

    /// Waits until so many orders and more wait for the inventory.
    async fn until_missed(&self, least: u64) {
        let deadline = Instant::now() + PATIENCE;
        while self.fleet.missed("inventory", "orders", "orders.order_placed.v1") < least {
            assert!(Instant::now() < deadline, "no order waits");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    fn delete_queue(&self, queue: &str) {
        let deleted = self.fleet.eval(&format!(
            "case rabbit_amqqueue:lookup(rabbit_misc:r({}, queue, <<\"{queue}\">>)) of \
                 {{ok, Q}} -> element(1, rabbit_amqqueue:delete(Q, false, false, <<\"test\">>)); _ -> none end",
            self.fleet.vhost()
        ));
        assert_eq!(deleted, "ok", "{queue} is not deleted");
    }

    /// Waits until the first of some queues is bound again, as queues and bindings are declared anew from time to time.
    async fn until_bound(&self, queue: &str, event_type: &str) {
        let vhost = self.fleet.vhost();
        let bound = format!(
            "lists:any(fun(B) -> element(3, B) =:= <<\"{event_type}.0\">> end, \
                 rabbit_binding:list_for_destination(rabbit_misc:r({vhost}, queue, <<\"{queue}.0\">>)))"
        );
        let deadline = Instant::now() + BOUND_AGAIN_WITHIN;
        while self.fleet.eval(&bound) != "true" {
            assert!(Instant::now() < deadline, "{queue}.0 is not bound again");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Events of a type that orders has emitted.
    fn emitted(&self, event_type: &str) -> u64 {
        let count = self.fleet.sql(&format!("select count(*) from orders.events where type = '{event_type}'"));
        count.parse().expect("a count is a number")
    }

    /// Events of a type that a consumer has not received when all are sent and their number no longer changes.
    async fn lost(&self, consumer: &str, event_type: &str) -> u64 {
        let deadline = Instant::now() + PATIENCE;
        let mut before = None;
        loop {
            let unsent = self.fleet.sql("select count(*) from orders.outbox");
            let missed = self.fleet.missed(consumer, "orders", event_type);
            if unsent == "0" && before == Some(missed) {
                return missed;
            }
            assert!(Instant::now() < deadline, "{unsent} events of orders are not sent");
            before = Some(missed);
            tokio::time::sleep(SUBSCRIBED_AGAIN).await;
        }
    }

    /// Removes the bindings of a type from all shards of a queue.
    fn unbind(&self, queue: &str, event_type: &str) {
        let vhost = self.fleet.vhost();
        self.fleet.eval(&format!(
            "[rabbit_binding:remove({{binding, rabbit_misc:r({vhost}, exchange, <<\"tradepost.events\">>), \
                 <<\"{event_type}.\", S>>, rabbit_misc:r({vhost}, queue, <<\"{queue}.\", S>>), []}}, <<\"test\">>) \
                 || S <- \"01234567\"]"
        ));
    }

    async fn finish(mut self) {
        self.fleet.stop().await;
    }
}
