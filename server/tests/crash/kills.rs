//! `kill -9` at random instants under load, on one data folder or database, and the books after every recovery.

use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use test_servers::{BrokerKind, BrokerSpace, Database};

use crate::books::ALIVE;
use crate::client::Client;
use crate::ends::{FullBooks, provider_totals, until_charging};
use crate::extent::{rounds, short_or_long};
use crate::journal::Journal;
use crate::load::Load;
use crate::process::Process;
use crate::rng::Rng;
use crate::shop::Shop;
use crate::watch::{Counters, Watch};

/// Kills of all kinds take four rounds, and so do recoveries of all kinds. After those a run ends as soon as it has seen
/// what kills cause; one that has not after the last has missed the work.
const ROUNDS: RangeInclusive<u64> = 4..=20;

/// Orders of each round in a short run and a long one: enough that a kill finds work at every stage, from the request to
/// the mail.
const ORDERS: (usize, usize) = (150, 500);

/// The time for which the background works on after the last placement of a round, at least on a machine that is not
/// idle.
const BACKGROUND: Duration = Duration::from_millis(600);

/// Longer than charges are behind the placements, on a machine that is busy too.
const CHARGING: Duration = Duration::from_secs(30);

/// The work of the instant after the last placement.
const AT_ONCE: Duration = Duration::from_millis(5);

/// A kill within this time of a start meets the recovery before it serves.
const STARTING: Duration = Duration::from_millis(150);

#[tokio::test(flavor = "multi_thread")]
async fn every_crash_leaves_balanced_books() {
    crash_and_check(None, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_crash_leaves_balanced_books_on_postgresql() {
    crash_and_check(Some(Database::create()), None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_crash_leaves_balanced_books_on_postgresql_and_rabbitmq() {
    crash_and_check(Some(Database::create()), Some(BrokerSpace::create(BrokerKind::RabbitMq))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_crash_leaves_balanced_books_on_redis() {
    crash_and_check(None, Some(BrokerSpace::create(BrokerKind::Redis))).await;
}

async fn crash_and_check(database: Option<Database>, broker: Option<BrokerSpace>) {
    let rounds = rounds(ROUNDS);
    let mut run = Run::begin(Rng::of_this_run(), database, broker).await;
    for round in 1..=*rounds.end() {
        eprint!("round {round} of {rounds:?}: ");
        let has_seen_all = run.round(round).await;
        if round >= *rounds.start() && has_seen_all {
            break;
        }
    }
    run.finish().await;
}

struct Run {
    folder: TempDir,
    engines: Engines,
    rng: Rng,
    shop: Shop,
    journal: Arc<Journal>,
    process: Process,
    client: Client,
    /// Of all processes that were killed.
    counters: Counters,
}

/// The shop's store and broker; embedded ones where there are none.
struct Engines {
    database: Option<Database>,
    broker: Option<BrokerSpace>,
}

impl Engines {
    fn spawn(&self, data: &Path) -> Process {
        let mut arguments = vec!["--port".to_owned(), "0".to_owned()];
        arguments.extend(self.broker.iter().flat_map(|broker| ["--broker".to_owned(), broker.url()]));
        Process::spawn_on(data, self.database.as_ref().map(Database::url).as_deref(), &arguments)
    }

    async fn start(&self, data: &Path) -> (Process, Client) {
        let mut process = self.spawn(data);
        let client = process.ready().await.unwrap_or_else(|ended| panic!("it did not start: {ended:?}"));
        (process, client)
    }
}

/// The moment at which a process is killed: after so many answers of a round, and then…
#[derive(Debug)]
struct Kill {
    answers: usize,
    then: Then,
}

#[derive(Debug)]
enum Then {
    AtOnce,
    /// A charge is seen in flight.
    WhileCharging,
    After(Duration),
}

impl Run {
    async fn begin(rng: Rng, database: Option<Database>, broker: Option<BrokerSpace>) -> Self {
        let folder = tempfile::tempdir().expect("the machine has room for a temporary folder");
        let engines = Engines { database, broker };
        let (process, client) = engines.start(folder.path()).await;
        let shop = Shop::open(&client).await;
        let journal = Arc::new(Journal::new());
        Self { folder, engines, rng, shop, journal, process, client, counters: Counters::default() }
    }

    /// Loads the process, kills it, starts it again and checks the books. True if by now everything was seen that kills
    /// cause.
    async fn round(&mut self, round: u64) -> bool {
        self.shop.restock(&self.client).await;
        self.journal.plan(short_or_long(ORDERS.0, ORDERS.1), &mut self.rng);
        let kill = self.choose(round);
        let watch = Watch::start(&self.client);
        let mut load = Load::start(&self.client, &self.shop, &self.journal);
        load.answered(kill.answers).await;
        match kill.then {
            Then::AtOnce => {}
            Then::WhileCharging => {
                self.journal.slow_down();
                // If there is none any more, this moment is as random as any other.
                if tokio::time::timeout(CHARGING, until_charging(&self.client, &self.journal)).await.is_err() {
                    eprint!("(no charge was seen) ");
                }
            }
            Then::After(delay) => tokio::time::sleep(delay).await,
        }
        self.kill().await;
        load.done().await;
        let seen = watch.ended().await;
        assert!(seen.findings.is_empty(), "under load: {:#?}", seen.findings);
        self.counters += seen.counters;

        let began = Instant::now();
        let kills = self.recover(round).await;
        let books = FullBooks::settled(&self.client, &self.shop, &self.journal).await;
        let (took, unknown, left) = (began.elapsed(), self.journal.unknown(), self.journal.not_sent());
        eprintln!(
            "{kill:?}, {kills} more kills, balanced in {took:.1?}; {unknown} unanswered so far, {left} left to place"
        );
        let mut counters = self.counters;
        counters += Counters::read(&self.client).await.expect(ALIVE);
        missed(counters, books.looked_up(&self.journal)).is_none()
    }

    /// Kills take turns at the placing, at its very end, at the charging and at all the work that follows.
    fn choose(&mut self, round: u64) -> Kill {
        let all = self.journal.not_sent();
        let some = self.rng.between(1..all);
        let (answers, then) = match round % 4 {
            0 => (some, Then::AtOnce),
            1 => (all, Then::After(self.rng.duration(Duration::ZERO..AT_ONCE))),
            // Enough is left to be charged slowly.
            2 => (self.rng.between(1..all.div_ceil(2) + 1), Then::WhileCharging),
            _ => (all, Then::After(self.rng.duration(Duration::ZERO..BACKGROUND))),
        };
        Kill { answers, then }
    }

    /// Starts the process again; in two of three rounds it is first killed before it serves, or just after, and now and
    /// then once more. Answers with the number of those kills.
    async fn recover(&mut self, round: u64) -> usize {
        let mut kills = 0;
        let mut serves = [None, Some(true), Some(false)][usize::try_from(round % 3).expect("it is below three")];
        while let Some(serves_first) = serves {
            self.process = self.engines.spawn(self.folder.path());
            if serves_first {
                self.process.ready().await.unwrap_or_else(|ended| panic!("it did not recover: {ended:?}"));
                tokio::time::sleep(self.rng.duration(Duration::ZERO..AT_ONCE)).await;
            } else {
                tokio::time::sleep(self.rng.duration(Duration::ZERO..STARTING)).await;
            }
            self.kill().await;
            kills += 1;
            serves = self.rng.percent(30).then(|| self.rng.percent(50));
        }
        (self.process, self.client) = self.engines.start(self.folder.path()).await;
        kills
    }

    async fn kill(&mut self) {
        self.process.kill().await;
        self.expect_no_errors();
    }

    fn expect_no_errors(&self) {
        let errors = self.process.errors();
        assert!(errors.is_empty(), "it logged errors: {errors:#?}");
    }

    /// Places what the kills left over, lets everything settle, and checks the whole books.
    async fn finish(mut self) {
        Load::start(&self.client, &self.shop, &self.journal).done().await;
        let books = FullBooks::settled(&self.client, &self.shop, &self.journal).await;
        self.counters += Counters::read(&self.client).await.expect(ALIVE);
        self.process.ask_to_stop();
        let ended = self.process.ended().await;
        assert!(ended.status.success(), "it did not stop well: {ended:?}");
        self.expect_no_errors();

        let totals = provider_totals(self.folder.path()).await;
        assert_eq!(totals, books.expected_totals(), "the provider's books differ");
        let Counters { redelivered, duplicates, looked_up } = self.counters;
        let (by_token, by_crash) = books.looked_up(&self.journal);
        eprintln!("{} orders: {:?}, {} refunds", books.books.orders.len(), books.ends(), totals.refunds);
        eprintln!("{redelivered} redeliveries, {duplicates} duplicates dropped, {looked_up} charges seen looked up");
        eprintln!("charges on record that lost their answer: {by_token} by their token, {by_crash} by a crash");
        let (events, repeated) = self.shop.webhooks.receiver.counts();
        eprintln!("{events} webhooks, {repeated} deliveries again; {} purchase orders", books.books.purchases.len());
        assert!(repeated > 0, "no webhook was sent again: the receiver never failed");
        assert!(!books.books.purchases.is_empty(), "nothing was ordered from suppliers");
        assert_eq!(missed(self.counters, (by_token, by_crash)), None);
    }
}

/// The effects of kills that this run has not seen, if any.
fn missed(seen: Counters, (_, looked_up_after_a_crash): (usize, usize)) -> Option<&'static str> {
    if seen.redelivered == 0 {
        Some("nothing was redelivered: the kills missed the work")
    } else if seen.duplicates == 0 {
        Some("no duplicate was dropped: the kills missed the instants between effect and settlement")
    } else if seen.looked_up == 0 || looked_up_after_a_crash == 0 {
        Some("no charge was looked up after a crash: the kills missed the charging")
    } else {
        None
    }
}
