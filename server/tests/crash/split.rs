//! Services as processes of their own, killed and frozen at random under load, and the books after every round.

use std::ops::Range;
use std::time::Duration;

use server::shop::Shop;

use crate::fleet::{Fleet, TAKEN_OVER, of_each};
use crate::rng::{Rng, setting};
use crate::selling::Selling;

/// The least that says something about chance; TRADEPOST_CRASH_ROUNDS raises it.
const ROUNDS: u64 = 20;

/// Enough that a kill finds work at every stage.
const ORDERS: usize = 150;

/// Processes that one round hits at least, however few services there are.
const HITS_MIN: usize = 2;

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_are_killed_and_frozen_leave_balanced_books() {
    let rounds = setting("TRADEPOST_CRASH_ROUNDS").unwrap_or(ROUNDS).max(ROUNDS);
    let mut run = Selling::on(Fleet::start(&of_each(3)).await).await;
    let mut hits = Hits::over(rounds);
    for round in 1..=rounds {
        eprint!("round {round}/{rounds}: ");
        hit_and_settle(&mut run, &mut hits).await;
    }
    assert!(hits.dealt >= Hits::all().len(), "not everything happened to every service");
    finish(run).await;
}

/// What is done to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

const HOW: [Hit; 4] = [Hit::KilledAndStarted, Hit::KilledAndLeft, Hit::Frozen, Hit::Drained];

/// Everything that can happen to any service, in an order of chance; then all of it in another one.
struct Hits {
    next: Vec<(&'static str, Hit)>,
    dealt: usize,
    /// Processes that a round hits: enough that everything happens to every service in the rounds of this run.
    of_a_round: Range<usize>,
}

impl Hits {
    fn over(rounds: u64) -> Self {
        let rounds = usize::try_from(rounds).expect("a run has few rounds");
        let least = Self::all().len().div_ceil(rounds).max(HITS_MIN);
        Self { next: Vec::new(), dealt: 0, of_a_round: least..least + 2 }
    }

    /// Everything that can happen to any service.
    fn all() -> Vec<(&'static str, Hit)> {
        Shop::tradepost().names().flat_map(|service| HOW.map(|hit| (service, hit))).collect()
    }

    fn put_back(&mut self, hit: (&'static str, Hit)) {
        self.next.push(hit);
        self.dealt -= 1;
    }

    fn deal(&mut self, rng: &mut Rng) -> (&'static str, Hit) {
        if self.next.is_empty() {
            self.next = Self::all();
        }
        self.dealt += 1;
        self.next.swap_remove(rng.between(0..self.next.len()))
    }
}

/// One round: customers order, processes are hit, and in the end all is well.
async fn hit_and_settle(run: &mut Selling, hits: &mut Hits) {
    let mut load = run.order(ORDERS).await;
    let mut left = Vec::new();
    for _ in 0..run.rng.between(hits.of_a_round.clone()) {
        load.answered(run.rng.between(1..ORDERS)).await;
        let (service, hit) = hits.deal(&mut run.rng);
        let running = run.fleet.of(service);
        if running.is_empty() {
            // All of them are down in this round already: it is hit in another.
            hits.put_back((service, hit));
            continue;
        }
        let at = running[run.rng.between(0..running.len())];
        eprint!("{service} {hit:?}, ");
        match hit {
            Hit::KilledAndStarted => {
                run.fleet.kill(at).await;
                run.fleet.restart(at).await;
            }
            Hit::KilledAndLeft => {
                run.fleet.kill(at).await;
                left.push((at, hit));
            }
            Hit::Frozen => {
                run.fleet.freeze(at);
                left.push((at, hit));
            }
            Hit::Drained => {
                run.fleet.drain(at).await;
                run.fleet.restart(at).await;
            }
        }
    }
    if !left.is_empty() {
        tokio::time::sleep(TAKEN_OVER + run.rng.duration(Duration::ZERO..TAKEN_OVER)).await;
    }
    for (at, hit) in left {
        if hit == Hit::Frozen {
            run.fleet.thaw(at);
        } else {
            run.fleet.restart(at).await;
        }
    }
    load.done().await;
    let books = run.at_rest().await;
    eprintln!("balanced: {} orders, {} outcomes unknown so far", books.books.orders.len(), run.journal.unknown());
}

async fn finish(mut run: Selling) {
    let books = run.at_rest().await;
    run.fleet.stop().await;
    eprintln!("{} orders: {:?}", books.books.orders.len(), books.ends());
}
