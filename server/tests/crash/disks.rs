//! A disk that is full under load: new orders are refused, nothing that was accepted is lost, and all goes on by itself
//! when there is room.

use std::sync::Arc;

use serde_json::json;
use test_servers::{PATIENCE, SmallDisk};

use crate::client::Client;
use crate::ends::FullBooks;
use crate::extent::short_or_long;
use crate::journal::Journal;
use crate::load::Load;
use crate::process::Process;
use crate::rng::Rng;
use crate::shop::Shop;

/// Room for the orders of all rounds and the logs of their stores.
const MEGABYTES: u32 = 96;

/// In a short run and a long one.
const ROUNDS: (usize, usize) = (1, 3);

/// Orders of each round.
const ORDERS: usize = 200;

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_for_a_while_leaves_balanced_books() {
    let folder = tempfile::tempdir().expect("the machine has room for a temporary folder");
    let disk = SmallDisk::mount(folder.path(), MEGABYTES);
    let (mut process, client) = Process::start(disk.path()).await;
    let mut shop = Shop::open(&client).await;
    let (journal, mut rng) = (Arc::new(Journal::new()), Rng::of_this_run());
    for _ in 0..short_or_long(ROUNDS.0, ROUNDS.1) {
        shop.restock(&client).await;
        journal.plan(ORDERS, &mut rng);
        let mut load = Load::start_through_outages(&client, &shop, &journal);
        load.answered(rng.between(1..ORDERS)).await;

        let ballast = disk.fill();
        let refused = tokio::time::timeout(PATIENCE, until_refused(&client));
        assert_eq!(refused.await.expect("a full disk is soon felt"), "store_unavailable");
        assert_eq!(client.status("/healthz").await, 200, "it is alive, and must not be restarted");
        drop(ballast);

        load.done().await;
        let settled = tokio::time::timeout(PATIENCE, client.until(200, "/internal/settled?timeout=20s"));
        assert!(settled.await.is_ok(), "it does not settle: {}", process.said());
        assert_eq!(client.status("/readyz").await, 200);
        FullBooks::settled(&client, &shop, &journal).await;
        assert!(process.panics().is_empty(), "{:#?}", process.panics());
    }
    process.ask_to_stop();
    let ended = process.ended().await;
    assert!(ended.status.success(), "it did not stop well: {ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_on_a_folder_that_can_not_be_written_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().expect("the machine has room for a temporary folder");
    let disk = SmallDisk::mount(folder.path(), MEGABYTES);
    let (mut process, client) = Process::start(disk.path()).await;
    let shop = Shop::open(&client).await;
    let (journal, mut rng) = (Arc::new(Journal::new()), Rng::of_this_run());
    journal.plan(ORDERS, &mut rng);
    Load::start(&client, &shop, &journal).done().await;
    process.ask_to_stop();
    assert!(process.ended().await.status.success());

    disk.set_read_only(true);
    let mut process = Process::spawn(disk.path());
    let Err(ended) = process.ready().await else { panic!("it runs, and can't write") };
    assert!(!ended.status.success() && ended.stderr.contains("Read-only file system"), "{ended:?}");

    disk.set_read_only(false);
    let (mut process, client) = Process::start(disk.path()).await;
    FullBooks::settled(&client, &shop, &journal).await;
    process.ask_to_stop();
    assert!(process.ended().await.status.success());
}

/// Writes until that is refused; answers with the code.
async fn until_refused(client: &Client) -> String {
    for number in 0.. {
        let sku = format!("ballast-{number}-{}", "x".repeat(40));
        let body = json!({"sku": sku, "name": "X", "stock": 1, "price": {"amount": 1, "currency": "EUR"}});
        let (status, answer) = client.post("/v1/products", &body).await.expect("the process is alive");
        if status == 503 {
            return answer["code"].as_str().unwrap_or_default().to_owned();
        }
    }
    unreachable!("a full disk takes no more")
}
