//! A stop drains: what was answered is kept, what was begun goes on at the next start, and nothing looks like a crash.

use std::sync::Arc;

use crate::books::ALIVE;
use crate::ends::{FullBooks, provider_totals};
use crate::journal::Journal;
use crate::load::Load;
use crate::process::Process;
use crate::rng::Rng;
use crate::shop::Shop;
use crate::watch::Counters;

/// Stops with the load of a moment behind them.
const STOPS: usize = 3;

/// Enough that each stop finds work at every stage.
const ORDERS: usize = 200;

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_under_load_drains_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut rng = Rng::of_this_run();
    let (mut process, mut client) = Process::start(folder.path()).await;
    let mut shop = Shop::open(&client).await;
    shop.restock(&client).await;
    let journal = Arc::new(Journal::new());
    for _ in 0..STOPS {
        journal.plan(ORDERS, &mut rng);
        let mut load = Load::start(&client, &shop, &journal);
        load.answered(rng.between(1..ORDERS)).await;
        process.ask_to_stop();
        let ended = process.ended().await;
        assert!(ended.status.success(), "it did not stop well: {ended:?}");
        load.done().await;
        (process, client) = Process::start(folder.path()).await;
    }
    Load::start(&client, &shop, &journal).done().await;

    let books = FullBooks::settled(&client, &shop, &journal).await;
    let counters = Counters::read(&client).await.expect(ALIVE);
    assert_eq!(counters.redelivered, 0, "a stop was taken for a crash");
    process.ask_to_stop();
    assert!(process.ended().await.status.success());
    assert_eq!(process.errors(), Vec::<String>::new());
    assert_eq!(provider_totals(folder.path()).await, books.expected_totals(), "the provider's books differ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_to_which_nobody_listens_any_more_sells_on_and_drains() {
    let folder = tempfile::tempdir().unwrap();
    let mut rng = Rng::of_this_run();
    let (mut process, client) = Process::start_without_output(folder.path()).await;
    let mut shop = Shop::open(&client).await;
    shop.restock(&client).await;
    let journal = Arc::new(Journal::new());
    journal.plan(ORDERS, &mut rng);
    Load::start(&client, &shop, &journal).done().await;
    FullBooks::settled(&client, &shop, &journal).await;
    process.ask_to_stop();
    assert!(process.ended().await.status.success(), "it did not drain");
}
