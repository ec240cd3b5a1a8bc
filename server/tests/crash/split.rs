//! Services as processes of their own, killed and frozen at random under load, and the books after every round.

use std::sync::Arc;
use std::time::Duration;

use service::storage::Location;

use crate::client::Client;
use crate::ends::{FullBooks, provider_totals_at};
use crate::fleet::{Fleet, TAKEN_OVER, THREE_OF_SOME};
use crate::journal::Journal;
use crate::load::Load;
use crate::rng::{Rng, setting};
use crate::shop::Shop;

/// The least that says something about chance; TRADEPOST_CRASH_ROUNDS raises it.
const ROUNDS: u64 = 20;

/// Enough that a kill finds work at every stage.
const ORDERS: usize = 150;

/// Processes that one round hits at the most.
const HITS_MAX: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_are_killed_and_frozen_leave_balanced_books() {
    let rounds = setting("TRADEPOST_CRASH_ROUNDS").unwrap_or(ROUNDS).max(ROUNDS);
    let mut run = Run::begin().await;
    for round in 1..=rounds {
        eprint!("round {round}/{rounds}: ");
        run.round().await;
    }
    run.finish().await;
}

struct Run {
    fleet: Fleet,
    client: Client,
    shop: Shop,
    journal: Arc<Journal>,
    rng: Rng,
}

/// What is done to a process.
#[derive(Clone, Copy, Debug)]
enum Hit {
    /// `kill -9`, and another start at once.
    KilledAndStarted,
    /// `kill -9`, and another start when others have taken over.
    KilledAndLeft,
    /// Frozen for longer than its leases, while others take over; then it goes on as if nothing had been.
    Frozen,
    /// Stopped in good order and started again, as by a rolling upgrade.
    Drained,
}

impl Run {
    async fn begin() -> Self {
        let fleet = Fleet::start(&THREE_OF_SOME).await;
        let client = fleet.client();
        let shop = Shop::open(&client).await;
        Self { fleet, client, shop, journal: Arc::new(Journal::new()), rng: Rng::of_this_run() }
    }

    async fn round(&mut self) {
        self.shop.restock(&self.client).await;
        self.journal.plan(ORDERS, &mut self.rng);
        let mut load = Load::start_through_deaths(&self.client, &self.shop, &self.journal);
        let mut left = Vec::new();
        for _ in 0..=self.rng.between(0..HITS_MAX) {
            load.answered(self.rng.between(1..ORDERS)).await;
            let at = self.rng.between(0..self.fleet.instances.len());
            if left.contains(&(at, true)) || left.contains(&(at, false)) {
                continue;
            }
            let hit = match self.rng.between(0..100) {
                0..40 => Hit::KilledAndStarted,
                40..60 => Hit::KilledAndLeft,
                60..80 => Hit::Frozen,
                _ => Hit::Drained,
            };
            eprint!("{} {hit:?}, ", self.fleet.instances[at].service);
            match hit {
                Hit::KilledAndStarted => {
                    self.fleet.kill(at).await;
                    self.fleet.restart(at).await;
                }
                Hit::KilledAndLeft => {
                    self.fleet.kill(at).await;
                    left.push((at, false));
                }
                Hit::Frozen => {
                    self.fleet.freeze(at);
                    left.push((at, true));
                }
                Hit::Drained => {
                    self.fleet.drain(at).await;
                    self.fleet.restart(at).await;
                }
            }
        }
        if !left.is_empty() {
            tokio::time::sleep(TAKEN_OVER + self.rng.duration(Duration::ZERO..TAKEN_OVER)).await;
        }
        for (at, is_frozen) in left {
            if is_frozen {
                self.fleet.thaw(at);
            } else {
                self.fleet.restart(at).await;
            }
        }
        load.done().await;
        let books = FullBooks::at_rest(&self.client, &self.shop, &self.journal).await;
        eprintln!("balanced: {} orders, {} outcomes unknown so far", books.books.orders.len(), self.journal.unknown());
        let panics = self.fleet.panics();
        assert!(panics.is_empty(), "{panics:#?}");
    }

    async fn finish(mut self) {
        let books = FullBooks::at_rest(&self.client, &self.shop, &self.journal).await;
        assert_eq!(self.fleet.order_violations(), Vec::<String>::new(), "events of one key took effect out of order");
        self.fleet.stop().await;
        let location = Location::Postgres(self.fleet.store.parse().expect("it was used so far"));
        let totals = provider_totals_at(location).await;
        assert_eq!(totals, books.expected_totals(), "the provider's books differ");
        eprintln!("{} orders: {:?}", books.books.orders.len(), books.ends());
    }
}
