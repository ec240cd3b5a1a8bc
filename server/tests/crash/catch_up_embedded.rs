//! A store that begins anew in a shop of one process: its service is killed while it catches up, and misses nothing.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use test_servers::Database;

use crate::client::Client;
use crate::ends::FullBooks;
use crate::journal::Journal;
use crate::load::Load;
use crate::process::Process;
use crate::rng::Rng;
use crate::shop::Shop;

/// Orders before the store is gone, and as many while its service catches up.
const ORDERS: usize = 200;

/// Starts that are killed in the middle: while the archives are copied, and while the backlog is handled.
const KILLS: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_begins_anew_misses_nothing_however_often_its_process_is_killed() {
    catch_up_through_kills(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_begins_anew_misses_nothing_however_often_its_process_is_killed() {
    catch_up_through_kills(Some(Database::create())).await;
}

async fn catch_up_through_kills(database: Option<Database>) {
    let folder = tempfile::tempdir().expect("the machine has room for a temporary folder");
    let (data, store) = (folder.path(), database.as_ref().map(Database::url));
    let (mut process, client) = Process::start_on(data, store.as_deref()).await;
    let mut shop = Shop::open(&client).await;
    let (journal, mut rng) = (Arc::new(Journal::new()), Rng::of_this_run());
    order(&client, &mut shop, &journal, &mut rng).await.done().await;
    client.settle().await;
    process.ask_to_stop();
    process.ended().await;
    forget_notifications(data, database.as_ref());

    let arguments = ["--port", "0", "--accept-loss"];
    for _ in 0..KILLS {
        let mut process = Process::spawn_on(data, store.as_deref(), &arguments);
        // Or it is ready, if the copying was done before the kill.
        process.says_or_serves("notifications: copies the archives").await;
        process.kill().await;
    }
    let mut caught = 0;
    for _ in 0..KILLS {
        let mut process = Process::spawn_on(data, store.as_deref(), &arguments);
        let client = process.ready().await.unwrap_or_else(|ended| panic!("it ended: {ended:?}"));
        caught += usize::from(mails(&client).await < ORDERS / 2);
        process.kill().await;
    }
    eprintln!("{caught} of {KILLS} kills met a backlog");
    let (mut process, client) = Process::start_on(data, store.as_deref()).await;
    order(&client, &mut shop, &journal, &mut rng).await.done().await;
    let books = FullBooks::settled(&client, &shop, &journal).await;
    assert!(!books.books.orders.is_empty());
    process.ask_to_stop();
    process.ended().await;
}

async fn order(client: &Client, shop: &mut Shop, journal: &Arc<Journal>, rng: &mut Rng) -> Load {
    shop.restock(client).await;
    journal.plan(ORDERS, rng);
    Load::start(client, shop, journal)
}

/// As if the service had just been added.
fn forget_notifications(data: &Path, database: Option<&Database>) {
    match database {
        Some(database) => drop(database.execute("drop schema notifications cascade")),
        None => fs::remove_file(data.join("notifications.db")).expect("a stopped shop has left its file"),
    }
}

async fn mails(client: &Client) -> usize {
    client.first::<serde_json::Value>("/v1/mail").await.map_or(0, |mails| mails.len())
}
