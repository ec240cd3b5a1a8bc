//! Services as processes of their own, killed and frozen at random under load, and the books after every round.

use std::time::Duration;

use service::storage::Location;

use crate::ends::provider_totals_at;
use crate::fleet::{Fleet, TAKEN_OVER, THREE_OF_SOME};
use crate::rng::setting;
use crate::selling::Selling;

/// The least that says something about chance; TRADEPOST_CRASH_ROUNDS raises it.
const ROUNDS: u64 = 20;

/// Enough that a kill finds work at every stage.
const ORDERS: usize = 150;

/// Processes that one round hits at the most.
const HITS_MAX: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_are_killed_and_frozen_leave_balanced_books() {
    let rounds = setting("TRADEPOST_CRASH_ROUNDS").unwrap_or(ROUNDS).max(ROUNDS);
    let mut run = Selling::on(Fleet::start(&THREE_OF_SOME).await).await;
    for round in 1..=rounds {
        eprint!("round {round}/{rounds}: ");
        hit_and_settle(&mut run).await;
    }
    finish(run).await;
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

/// One round: customers order, processes are hit, and in the end all is well.
async fn hit_and_settle(run: &mut Selling) {
    let mut load = run.order(ORDERS).await;
    let mut left = Vec::new();
    for _ in 0..=run.rng.between(0..HITS_MAX) {
        load.answered(run.rng.between(1..ORDERS)).await;
        let at = run.rng.between(0..run.fleet.instances.len());
        if left.contains(&(at, true)) || left.contains(&(at, false)) {
            continue;
        }
        let hit = match run.rng.between(0..100) {
            0..40 => Hit::KilledAndStarted,
            40..60 => Hit::KilledAndLeft,
            60..80 => Hit::Frozen,
            _ => Hit::Drained,
        };
        eprint!("{} {hit:?}, ", run.fleet.instances[at].service);
        match hit {
            Hit::KilledAndStarted => {
                run.fleet.kill(at).await;
                run.fleet.restart(at).await;
            }
            Hit::KilledAndLeft => {
                run.fleet.kill(at).await;
                left.push((at, false));
            }
            Hit::Frozen => {
                run.fleet.freeze(at);
                left.push((at, true));
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
    for (at, is_frozen) in left {
        if is_frozen {
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
    let location = Location::Postgres(run.fleet.store.parse().expect("it was used so far"));
    let totals = provider_totals_at(location).await;
    assert_eq!(totals, books.expected_totals(), "the provider's books differ");
    eprintln!("{} orders: {:?}", books.books.orders.len(), books.ends());
}
