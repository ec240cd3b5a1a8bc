//! A service that is added to a shop which has been selling for long: it takes the archives first, and goes on live.

use std::sync::Arc;
use std::time::{Duration, Instant};

use test_servers::{BrokerKind, Options, PATIENCE};

use crate::ends::FullBooks;
use crate::extent::short_or_long;
use crate::fleet::{Fleet, Queues, Stores, migrate, of_each, services};
use crate::journal::Journal;
use crate::load::Load;
use crate::process::{Process, shards};
use crate::rng::Rng;
use crate::selling::Selling;
use crate::shop::Shop;

/// Orders before the service is there, and once more as many while it catches up, in a short run and a long one.
const ORDERS: (usize, usize) = (60, 200);

/// Enough of them at their ends for an archive that takes its time.
const PAID: (u64, u64) = (25, 50);

fn orders() -> usize {
    short_or_long(ORDERS.0, ORDERS.1)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_added_to_a_shop_takes_the_archives_first_and_nothing_is_missed_or_mailed_twice() {
    takes_the_archives_first(BrokerKind::RabbitMq).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_added_to_a_shop_on_redis_takes_the_archives_first_too() {
    takes_the_archives_first(BrokerKind::Redis).await;
}

async fn takes_the_archives_first(broker: BrokerKind) {
    let (mut run, mails) = Selling::without_mail(broker).await;

    let said = run.fleet.refused(mails).await;
    assert!(said.contains("run `tradepost migrate`"), "{said}");
    let mut load = run.order(orders()).await;
    run.kill_migrate_in_the_middle().await;
    migrate(&run.fleet.store, &run.fleet.broker).await;
    assert!(run.backlog() > 0, "nothing was copied");

    run.kill_in_the_middle_of_the_backlog(mails).await;
    load.done().await;
    let books = run.settled().await;
    eprintln!("{} orders: {:?}", books.books.orders.len(), books.ends());

    // Once more it changes nothing.
    let before = run.count("notifications.inbox");
    migrate(&run.fleet.store, &run.fleet.broker).await;
    assert_eq!((run.count("notifications.inbox"), run.backlog()), (before, 0));
    run.fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_from_before_a_service_first_ran_wait_for_it_and_ten_that_migrate_at_once_agree() {
    let (mut run, mails) = Selling::without_mail(BrokerKind::RabbitMq).await;
    let all = (0..10).map(|_| migrate(&run.fleet.store, &run.fleet.broker));
    futures_util::future::join_all(all).await;
    let copied = run.backlog();
    // From here on its queues are there, and events wait in them.
    run.order(orders()).await.done().await;
    assert_eq!(run.backlog(), copied, "what is live was copied");
    run.fleet.restart(mails).await;
    run.settled().await;
    run.fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn services_with_a_database_each_sell_and_take_the_archives_of_the_others() {
    let postgres = Options::default().start().expect("PostgreSQL starts");
    for service in services() {
        postgres.execute("postgres", &format!("create database shop_{service} owner tradepost"));
    }
    let store = postgres.url("shop_{service}");
    let mut fleet =
        Fleet::start_on(Stores::Own(postgres), store, Queues::shared(BrokerKind::RabbitMq), &of_each(1)).await;
    let (mails, client) = (fleet.of("notifications")[0], fleet.client());
    let mut shop = Shop::open(&client).await;
    shop.restock(&client).await;
    fleet.drain(mails).await;
    let schemas = "select string_agg(nspname, ' ' order by nspname) from pg_namespace where nspname !~ '^(pg_|information|public)'";
    assert_eq!(fleet.postgres().execute("shop_orders", schemas), "orders");
    assert_eq!(fleet.postgres().execute("shop_payments", schemas), "payment-provider payments");

    let journal = Arc::new(Journal::new());
    let mut rng = Rng::of_this_run();
    journal.plan(orders(), &mut rng);
    Load::start(&client, &shop, &journal).done().await;
    // As if the service had never existed: earlier events are in the archives of the others and nowhere else.
    fleet.postgres().execute("shop_notifications", "drop schema notifications cascade");
    fleet.delete_queues("tradepost.notifications.");
    let said = fleet.refused(mails).await;
    assert!(said.contains("run `tradepost migrate`"), "{said}");
    migrate(&fleet.store, &fleet.broker).await;
    fleet.restart(mails).await;
    FullBooks::settled(&client, &shop, &journal).await;
    let doctor = Process::doctor(&fleet.store, &fleet.broker).ended().await;
    assert!(doctor.status.success() && doctor.stderr.contains("/shop_inventory"), "{doctor:?}");
    assert_eq!(fleet.panics(), Vec::<String>::new());
    fleet.stop().await;
}

impl Selling {
    /// A shop that has sold for a while as if there had never been mail, and which process is to send some.
    async fn without_mail(broker: BrokerKind) -> (Self, usize) {
        let mut run = Self::on(Fleet::start_on_broker(broker, &of_each(1), shards()).await).await;
        let mails = run.fleet.of("notifications")[0];
        run.fleet.drain(mails).await;
        run.forget_notifications();
        run.order(orders()).await.done().await;
        run.until("orders are paid", async |run| {
            run.count("orders.events where type = 'orders.order_paid.v1'") > short_or_long(PAID.0, PAID.1)
        })
        .await;
        (run, mails)
    }

    /// As if the service had never been thought of.
    fn forget_notifications(&self) {
        self.fleet.sql("drop schema notifications cascade");
        self.fleet.delete_queues("tradepost.notifications.");
    }

    /// As soon as a page is copied.
    async fn kill_migrate_in_the_middle(&mut self) {
        let mut process = Process::migrate(&self.fleet.store, &self.fleet.broker);
        self.until("it copies or is done", async |run| run.is_copying()).await;
        process.kill().await;
        eprintln!("killed when {} were copied", self.backlog());
    }

    /// False until there is a backlog at all.
    fn is_copying(&self) -> bool {
        let exists = "select count(*) from pg_tables where schemaname = 'notifications' and tablename = 'backlog'";
        self.fleet.sql(exists).trim() == "1" && self.backlog() > 0
    }

    async fn kill_in_the_middle_of_the_backlog(&mut self, mails: usize) {
        let before = self.backlog();
        self.fleet.restart(mails).await;
        self.until("some of it is handled", async |run| run.backlog() < before).await;
        self.fleet.kill(mails).await;
        eprintln!("killed when {} of {before} were left", self.backlog());
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

    /// Events that wait in the backlog of notifications.
    fn backlog(&self) -> u64 {
        self.count("notifications.backlog")
    }
}
