//! A database that comes and goes under load: new orders are refused while it is down, nothing that was accepted is
//! lost, and all goes on by itself when it is back.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use test_servers::{PATIENCE, Postgres};

use crate::client::Client;
use crate::ends::FullBooks;
use crate::extent::{orders, short_or_long};
use crate::fleet;
use crate::journal::Journal;
use crate::load::Load;
use crate::process::Process;
use crate::rng::Rng;
use crate::shop::Shop;

/// Orders of each round.
const ORDERS: usize = 200;

/// Rounds of each kind of outage, in a short run and a long one.
const ROUNDS: (usize, usize) = (1, 3);

/// The time for which the server stays down, so that requests find it so.
const OUTAGE: Duration = Duration::from_secs(1);

/// Connections that a database still admits when its limit is reached: fewer than the services have.
const TOO_FEW: u32 = 7;

#[derive(Clone, Copy, Debug)]
enum Outage {
    /// All its processes are killed, and it recovers from its log.
    Killed,
    /// It is stopped cleanly and started later.
    Stopped,
    /// Every connection is ended, again and again.
    Terminated,
    /// Every connection is ended, and only a few are admitted for a while.
    Limited,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_comes_and_goes_leaves_balanced_books() {
    let mut run = Run::begin().await;
    for _ in 0..short_or_long(ROUNDS.0, ROUNDS.1) {
        for outage in [Outage::Killed, Outage::Terminated, Outage::Stopped, Outage::Limited] {
            run.round(outage).await;
        }
    }
    run.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_without_its_database_says_so_and_recovers_by_itself() {
    let mut run = Run::begin().await;
    run.server.stop();
    let body = json!({"sku": "x", "name": "X", "stock": 1, "price": {"amount": 1, "currency": "EUR"}});
    let (status, problem) = run.client.post("/v1/products", &body).await.expect("the process is alive");
    assert_eq!((status, problem["code"].as_str()), (503, Some("store_unavailable")), "{problem}");
    assert_eq!(run.client.status("/readyz").await, 503);
    assert_eq!(run.client.status("/healthz").await, 200, "it is alive, and must not be restarted");
    run.server.restart();
    run.until_ready().await;
    let (status, made) = run.client.post("/v1/products", &body).await.expect("the process is alive");
    assert_eq!(status, 201, "{made}");
    run.finish().await;
}

struct Run {
    server: Postgres,
    database: String,
    _folder: TempDir,
    process: Process,
    client: Client,
    shop: Shop,
    journal: Arc<Journal>,
    rng: Rng,
}

impl Run {
    async fn begin() -> Self {
        let server = Postgres::start();
        let url = server.create_database();
        let database = url.rsplit('/').next().expect("a URL ends with its database").to_owned();
        let folder = tempfile::tempdir().expect("the machine has room for a temporary folder");
        let (process, client) = Process::start_on(folder.path(), Some(&url)).await;
        let shop = Shop::open(&client).await;
        let (journal, rng) = (Arc::new(Journal::new()), Rng::of_this_run());
        Self { server, database, _folder: folder, process, client, shop, journal, rng }
    }

    async fn round(&mut self, outage: Outage) {
        self.shop.restock(&self.client).await;
        self.journal.plan(orders(ORDERS), &mut self.rng);
        let mut load = Load::start_through_outages(&self.client, &self.shop, &self.journal);
        load.answered(self.rng.between(1..orders(ORDERS))).await;
        match outage {
            Outage::Killed => {
                self.server.kill();
                tokio::time::sleep(OUTAGE).await;
                self.server.restart();
            }
            Outage::Stopped => {
                self.server.stop();
                tokio::time::sleep(OUTAGE).await;
                self.server.restart();
            }
            Outage::Terminated => {
                for _ in 0..10 {
                    self.server.terminate_connections();
                    tokio::time::sleep(self.rng.duration(Duration::ZERO..OUTAGE / 10)).await;
                }
            }
            Outage::Limited => {
                self.limit(&TOO_FEW.to_string());
                self.server.terminate_connections();
                tokio::time::sleep(OUTAGE).await;
                self.limit("-1");
            }
        }
        self.until_ready().await;
        load.done().await;
        self.until_good("/internal/settled?timeout=20s").await;
        FullBooks::settled(&self.client, &self.shop, &self.journal).await;
        let unknown = self.journal.unknown();
        eprintln!("{outage:?}: balanced; {unknown} outcomes unknown so far");
        let panics = self.process.panics();
        assert!(panics.is_empty(), "{panics:#?}");
    }

    fn limit(&self, connections: &str) {
        self.server.execute("postgres", &format!("alter database {} connection limit {connections}", self.database));
    }

    async fn until_ready(&self) {
        self.until_good("/readyz").await;
    }

    /// Connections are made again one by one, each after a wait of its own.
    async fn until_good(&self, path: &str) {
        if tokio::time::timeout(PATIENCE, self.client.until(200, path)).await.is_err() {
            let (status, answer) = self.client.get(path).await;
            let left = fleet::services().map(|it| {
                format!(
                    "select '{it}', (select count(*) from {it}.outbox), (select count(*) from {it}.held), \
                     (select count(*) from {it}.timers where due_at <= now() or is_leased)"
                )
            });
            let unfinished = self.server.execute(&self.database, &left.collect::<Vec<_>>().join(" union all "));
            let said = self.process.said();
            panic!("{path} was not good for {PATIENCE:?}, now {status}: {answer}\n{unfinished}\n{said}");
        }
    }

    async fn finish(mut self) {
        self.process.ask_to_stop();
        let ended = self.process.ended().await;
        assert!(ended.status.success(), "it did not stop well: {ended:?}");
    }
}
