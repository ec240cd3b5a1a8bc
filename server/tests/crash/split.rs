//! Services as processes of their own, killed and frozen at random under load, and the books after every round.

use std::ops::Range;
use std::time::Duration;

use server::services::PORTS;

use crate::fleet::{Fleet, TAKEN_OVER, THREE_OF_EACH};
use crate::rng::{Rng, setting};
use crate::selling::Selling;

/// The least that says something about chance; TRADEPOST_CRASH_ROUNDS raises it.
const ROUNDS: u64 = 20;

/// Enough that a kill finds work at every stage.
const ORDERS: usize = 150;

/// Processes that one round hits.
const HITS: Range<usize> = 2..4;

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_are_killed_and_frozen_leave_balanced_books() {
    let rounds = setting("TRADEPOST_CRASH_ROUNDS").unwrap_or(ROUNDS).max(ROUNDS);
    let mut run = Selling::on(Fleet::start(&THREE_OF_EACH).await).await;
    let mut hits = Hits::default();
    for round in 1..=rounds {
        eprint!("round {round}/{rounds}: ");
        hit_and_settle(&mut run, &mut hits).await;
    }
    assert!(hits.dealt >= HOW.len() * PORTS.len(), "not everything happened to every service");
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
#[derive(Default)]
struct Hits {
    next: Vec<(&'static str, Hit)>,
    dealt: usize,
}

impl Hits {
    fn deal(&mut self, rng: &mut Rng) -> (&'static str, Hit) {
        if self.next.is_empty() {
            self.next = PORTS.iter().flat_map(|(service, _)| HOW.map(|hit| (*service, hit))).collect();
        }
        self.dealt += 1;
        self.next.swap_remove(rng.between(0..self.next.len()))
    }
}

/// One round: customers order, processes are hit, and in the end all is well.
async fn hit_and_settle(run: &mut Selling, hits: &mut Hits) {
    let mut load = run.order(ORDERS).await;
    let mut left = Vec::new();
    for _ in 0..run.rng.between(HITS) {
        load.answered(run.rng.between(1..ORDERS)).await;
        let (service, hit) = hits.deal(&mut run.rng);
        let running = run.fleet.of(service);
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
