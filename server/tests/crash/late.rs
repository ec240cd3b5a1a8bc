//! A service that is added to a shop which has been selling for long: it takes the archives first, and goes on live.

use std::sync::Arc;
use std::time::{Duration, Instant};

use test_servers::{Faults, Options, Proxy, RabbitMq};

use crate::ends::FullBooks;
use crate::fleet::{Fleet, migrate, of_each, services};
use crate::journal::Journal;
use crate::load::Load;
use crate::process::Process;
use crate::rng::Rng;
use crate::selling::Selling;
use crate::shop::Shop;

/// Orders before the service is there, and once more as many while it catches up.
const ORDERS: usize = 300;

/// Enough of them at their ends for an archive that takes its time.
const PAID: u64 = 50;

/// The way to the broker, in each direction: slow enough for a kill to come in the middle of a copy.
const FAR: Duration = Duration::from_millis(40);

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_added_to_a_shop_takes_the_archives_first_and_nothing_is_missed_or_told_twice() {
    let (mut run, mails) = Selling::without_mail().await;

    let said = run.fleet.refused(mails).await;
    assert!(said.contains("run `tradepost migrate`"), "{said}");
    let mut load = run.order(ORDERS).await;
    run.kill_migrate_in_the_middle().await;
    let said = run.fleet.refused(mails).await;
    assert!(said.contains("run `tradepost migrate`"), "{said}");
    migrate(&run.fleet.store, &run.fleet.broker).await;
    assert!(run.archived() > 0, "nothing was copied");

    run.kill_in_the_middle_of_the_archive(mails).await;
    load.done().await;
    let books = run.at_rest().await;
    eprintln!("{} orders: {:?}", books.books.orders.len(), books.ends());

    // Once more it changes nothing, but that the archive's queues go, for all of it is read.
    let before = run.count("notifications.inbox");
    migrate(&run.fleet.store, &run.fleet.broker).await;
    assert_eq!((run.count("notifications.inbox"), run.archive_queues()), (before, 0));
    run.fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_before_a_service_first_ran_waits_for_it_and_ten_that_migrate_at_once_agree() {
    let (mut run, mails) = Selling::without_mail().await;
    let all = (0..10).map(|_| migrate(&run.fleet.store, &run.fleet.broker));
    futures_util::future::join_all(all).await;
    let copied = run.archived();
    // From here on its queues are there, and what is told waits in them.
    run.order(ORDERS).await.done().await;
    assert_eq!(run.archived(), copied, "what is live came by the archive");
    run.fleet.restart(mails).await;
    run.at_rest().await;
    run.fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn services_with_a_database_each_sell_and_take_the_archives_of_the_others() {
    let postgres = Options::default().start().expect("PostgreSQL starts");
    for service in services() {
        postgres.execute("postgres", &format!("create database shop_{service} owner tradepost"));
    }
    let (store, rabbitmq) = (postgres.url("shop_{service}"), RabbitMq::start());
    let broker = rabbitmq.create_vhost();
    let mut fleet = Fleet::start_on(postgres, rabbitmq, store, broker, &of_each(1)).await;
    let (mails, client) = (fleet.of("notifications")[0], fleet.client());
    let mut shop = Shop::open(&client).await;
    shop.restock(&client).await;
    fleet.drain(mails).await;
    let schemas = "select string_agg(nspname, ' ' order by nspname) from pg_namespace where nspname !~ '^(pg_|information|public)'";
    assert_eq!(fleet.postgres.execute("shop_orders", schemas), "orders");
    assert_eq!(fleet.postgres.execute("shop_payments", schemas), "payment-provider payments");

    let journal = Arc::new(Journal::new());
    let mut rng = Rng::of_this_run();
    journal.plan(ORDERS, &mut rng);
    Load::start(&client, &shop, &journal).done().await;
    // As if the service had never been thought of: what was told is in the archives of the others and nowhere else.
    fleet.postgres.execute("shop_notifications", "drop schema notifications cascade");
    fleet.delete_queues("tradepost.notifications.");
    let said = fleet.refused(mails).await;
    assert!(said.contains("run `tradepost migrate`"), "{said}");
    migrate(&fleet.store, &fleet.broker).await;
    fleet.restart(mails).await;
    FullBooks::at_rest(&client, &shop, &journal).await;
    let doctor = Process::doctor(&fleet.store, &fleet.broker).ended().await;
    assert!(doctor.status.success() && doctor.stderr.contains("/shop_inventory"), "{doctor:?}");
    assert_eq!(fleet.panics(), Vec::<String>::new());
    fleet.stop().await;
}

impl Selling {
    /// A shop that has sold for a while as if there had never been mail, and which process is to send some.
    async fn without_mail() -> (Self, usize) {
        let mut run = Self::on(Fleet::start(&of_each(1)).await).await;
        let mails = run.fleet.of("notifications")[0];
        run.fleet.drain(mails).await;
        run.forget_notifications();
        run.order(ORDERS).await.done().await;
        run.until("orders are paid", async |run| run.count("orders.events where type = 'orders.order_paid.v1'") > PAID)
            .await;
        (run, mails)
    }

    /// As if the service had never been thought of.
    fn forget_notifications(&self) {
        self.fleet.sql("drop schema notifications cascade");
        self.fleet.delete_queues("tradepost.notifications.");
    }

    async fn kill_migrate_in_the_middle(&mut self) {
        let (proxy, far) = Proxy::before(&self.fleet.broker).await;
        proxy.set(Faults { delay: FAR, ..Faults::default() });
        let mut process = Process::migrate(&self.fleet.store, &far);
        self.until("some is copied", async |run| run.archived() > 0).await;
        process.kill().await;
        let subscribed = self.count("notifications.facts where name = 'subscribed'");
        assert_eq!(subscribed, 0, "it was killed too late to be in the middle: {} copied", self.archived());
    }

    async fn kill_in_the_middle_of_the_archive(&mut self, mails: usize) {
        let (proxy, far) = Proxy::before(&self.fleet.broker).await;
        proxy.set(Faults { delay: FAR, ..Faults::default() });
        let near = std::mem::replace(&mut self.fleet.broker, far);
        self.fleet.restart(mails).await;
        self.until("some of it is handled", async |run| run.count("notifications.inbox") > 0).await;
        self.fleet.kill(mails).await;
        self.fleet.broker = near;
        eprintln!("killed when {} were handled", self.count("notifications.inbox"));
        self.fleet.restart(mails).await;
    }

    async fn until(&self, what: &str, is_so: impl AsyncFn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self).await {
            assert!(Instant::now() < deadline, "it never came to pass that {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn count(&self, rows: &str) -> u64 {
        self.fleet.sql(&format!("select count(*) from {rows}")).trim().parse().expect("a count is a number")
    }

    /// Messages that wait in the archive of notifications.
    fn archived(&self) -> u64 {
        let counts = self.fleet.each_queue("tradepost.notifications.archive.", "element(2, rabbit_amqqueue:stat(Q))");
        numbers(&counts).sum()
    }

    fn archive_queues(&self) -> usize {
        numbers(&self.fleet.each_queue("tradepost.notifications.archive.", "1")).count()
    }
}

/// The numbers in a list of Erlang's.
fn numbers(list: &str) -> impl Iterator<Item = u64> {
    list.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok())
}
