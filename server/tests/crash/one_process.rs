//! A shop in one process that sells while something happens to a server that it needs.

use std::sync::Arc;
use std::time::Instant;

use tempfile::TempDir;
use test_servers::PATIENCE;

use crate::client::Client;
use crate::ends::FullBooks;
use crate::journal::Journal;
use crate::load::Load;
use crate::process::Process;
use crate::rng::Rng;
use crate::shop::Shop;

/// The time of a test, for `--since`.
const SINCE: &str = "30m";

/// The way in which events come back that an outage delayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heals {
    /// All by themselves: none was lost.
    ByItself,
    /// Some were lost by the broker, and are republished.
    ByRepublishing,
}

/// All services in one process, which must live through everything.
pub struct OneProcess {
    pub client: Client,
    process: Process,
    shop: Shop,
    journal: Arc<Journal>,
    pub rng: Rng,
    _folder: TempDir,
}

impl OneProcess {
    /// Starts it on a database and a broker, or on embedded ones where there are none.
    pub async fn start(store: Option<&str>, broker: Option<&str>) -> Self {
        let folder = tempfile::tempdir().expect("the machine has room for a temporary folder");
        let mut arguments = vec!["--port", "0"];
        arguments.extend(broker.into_iter().flat_map(|url| ["--broker", url]));
        let mut process = Process::spawn_on(folder.path(), store, &arguments);
        let client = process.ready().await.unwrap_or_else(|ended| panic!("it did not start: {ended:?}"));
        let shop = Shop::open(&client).await;
        let (journal, rng) = (Arc::new(Journal::new()), Rng::of_this_run());
        Self { client, process, shop, journal, rng, _folder: folder }
    }

    /// Lets something happen once some of these orders are answered, and checks the books when all is settled again.
    pub async fn outage(&mut self, what: &str, orders: usize, heals: Heals, happens: impl AsyncFnOnce(&mut Self)) {
        let began = Instant::now();
        self.shop.restock(&self.client).await;
        self.journal.plan(orders, &mut self.rng);
        let mut load = Load::start_through_outages(&self.client, &self.shop, &self.journal);
        load.answered(self.rng.between(1..orders)).await;
        happens(self).await;
        self.until_good("/readyz").await;
        load.done().await;
        if heals == Heals::ByRepublishing {
            self.republish().await;
            FullBooks::settled_in_any_order(&self.client, &self.shop, &self.journal).await;
        } else {
            self.until_good("/internal/settled?timeout=20s").await;
            FullBooks::settled(&self.client, &self.shop, &self.journal).await;
        }
        let (took, unknown) = (began.elapsed(), self.journal.unknown());
        eprintln!("{what}: balanced after {took:.1?}; {unknown} outcomes unknown so far");
        let panics = self.process.panics();
        assert!(panics.is_empty(), "{panics:#?}");
    }

    /// Sends again what was missed, as an operator does: once more if something was missed after that too.
    async fn republish(&self) {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            Process::command(&self.client.url, &["events", "republish", "--since", SINCE]).await;
            if self.client.status("/internal/settled?timeout=30s").await == 200 {
                return;
            }
        }
        self.until_good("/internal/settled?timeout=20s").await;
    }

    /// Waits until a path answers with 200.
    pub async fn until_good(&self, path: &str) {
        // Connections are made again one by one, each after a wait of its own.
        if tokio::time::timeout(PATIENCE, self.client.until(200, path)).await.is_err() {
            let (status, answer) = self.client.get(path).await;
            panic!("{path} was not good for {PATIENCE:?}, now {status}: {answer}\n{}", self.process.said());
        }
    }

    /// Waits until it takes orders and says that it is degraded, and why.
    pub async fn until_degraded(&self, why: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (status, text) = self.client.get("/readyz").await;
            if text.contains("\"degraded\"") && text.contains(why) {
                assert_eq!(status, 200, "it takes orders: {text}");
                return;
            }
            assert!(Instant::now() < deadline, "it never said that it is degraded for {why}: {text}");
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }

    /// Waits until it says this.
    pub async fn says(&mut self, text: &str) {
        self.process.says(text).await;
    }

    pub async fn finish(mut self) {
        self.process.ask_to_stop();
        let ended = self.process.ended().await;
        assert!(ended.status.success(), "it did not stop well: {ended:?}");
    }
}
