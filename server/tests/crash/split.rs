//! Services as processes of their own, killed and frozen under load, and the books after every round.

use std::collections::VecDeque;
use std::time::Duration;

use server::shop::Shop;

use crate::extent::{orders, rounds, short_or_long};
use crate::fleet::{Fleet, TAKEN_OVER, of_each};
use crate::process::SHARDS_DEFAULT;
use crate::rng::Rng;
use crate::selling::Selling;

/// Enough that a kill finds work at every stage.
const ORDERS: usize = 150;

/// Shards in a short run and a long one: at least one of the background lane for each process, whichever has the immediate
/// lane's.
const SHARDS: (usize, usize) = (3, SHARDS_DEFAULT);

/// Processes that one round hits: several services fail at once.
const HITS_OF_A_ROUND: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_are_killed_and_frozen_leave_balanced_books() {
    // Another takes over in both; in a long run two share it.
    let fleet = Fleet::start_with(&of_each(short_or_long(2, 3)), short_or_long(SHARDS.0, SHARDS.1)).await;
    let mut run = Selling::on(fleet).await;
    let mut hits = schedule(&mut run.rng);
    for round in 1.. {
        if hits.is_empty() {
            break;
        }
        eprint!("round {round}, {} hits left: ", hits.len());
        hit_and_settle(&mut run, &mut hits).await;
    }
    finish(run).await;
}

/// Something that is done to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hit {
    /// `kill -9`, and another start at once.
    KilledAndStarted,
    /// `kill -9`, and another start when others have taken over.
    KilledAndLeft,
    /// Frozen for longer than its leases, while others take over; then it goes on as if nothing had happened.
    Frozen,
    /// Stopped cleanly and started again, as by a rolling upgrade.
    Drained,
}

const HOW: [Hit; 4] = [Hit::KilledAndStarted, Hit::KilledAndLeft, Hit::Frozen, Hit::Drained];

/// Hits in an order of chance: each service once, every kind of hit equally often; then, as far as there are rounds,
/// everything to every service, again and again.
fn schedule(rng: &mut Rng) -> VecDeque<(&'static str, Hit)> {
    let mut services: Vec<&'static str> = Shop::tradepost().names().collect();
    rng.shuffle(&mut services);
    let mut how = HOW;
    rng.shuffle(&mut how);
    let mut hits: VecDeque<_> = services.iter().copied().zip(how.into_iter().cycle()).collect();
    let short = u64::try_from(hits.len().div_ceil(HITS_OF_A_ROUND)).expect("a shop has few services");
    let rounds = usize::try_from(*rounds(short..=short).end()).expect("a run has few rounds");
    while hits.len() < rounds * HITS_OF_A_ROUND {
        let mut all: Vec<_> = services.iter().flat_map(|service| HOW.map(|hit| (*service, hit))).collect();
        rng.shuffle(&mut all);
        hits.extend(all);
    }
    hits.truncate(rounds * HITS_OF_A_ROUND);
    hits
}

/// One round: customers order, processes are hit, and in the end all is well.
async fn hit_and_settle(run: &mut Selling, hits: &mut VecDeque<(&'static str, Hit)>) {
    let mut load = run.order(orders(ORDERS)).await;
    let (mut left, mut answers) = (Vec::new(), 0);
    for _ in 0..HITS_OF_A_ROUND.min(hits.len()) {
        answers += run.rng.between(1..orders(ORDERS) / HITS_OF_A_ROUND);
        load.answered(answers).await;
        let (service, hit) = hits.pop_front().expect("no more are taken than there are");
        let running = run.fleet.of(service);
        if running.is_empty() {
            // All of them are down in this round already: it is hit in another.
            hits.push_back((service, hit));
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
    let books = run.settled().await;
    eprintln!("balanced: {} orders, {} outcomes unknown so far", books.books.orders.len(), run.journal.unknown());
}

async fn finish(mut run: Selling) {
    let books = run.settled().await;
    run.fleet.stop().await;
    eprintln!("{} orders: {:?}", books.books.orders.len(), books.ends());
}
