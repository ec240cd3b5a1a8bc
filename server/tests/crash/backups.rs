//! A backup that is taken under load is a shop of its own, whose books balance.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use test_servers::{Database, Programs};

use crate::books::Books;
use crate::client::Client;
use crate::journal::Journal;
use crate::load::Load;
use crate::process::Process;
use crate::rng::Rng;
use crate::shop::Shop;

/// Orders that are placed while the backup is taken.
const ORDERS: usize = 400;

/// Orders that are answered before it begins.
const BEFORE: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_files_under_load_is_a_shop_whose_books_balance() {
    let folder = tempfile::tempdir().expect("the machine has room for a temporary folder");
    let (data, copy) = (folder.path().join("data"), folder.path().join("copy"));
    let shop = under_load(&data, None, || {
        let mut backup = Command::new(env!("CARGO_BIN_EXE_tradepost"));
        backup.env_clear().arg("backup").arg(&copy).arg("--data").arg(&data).current_dir(folder.path());
        run(&mut backup);
    })
    .await;
    restored(&copy, None, &shop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_of_the_database_under_load_is_a_shop_whose_books_balance() {
    let folder = tempfile::tempdir().expect("the machine has room for a temporary folder");
    let (data, dump) = (folder.path().join("data"), folder.path().join("dump"));
    let (database, other) = (Database::create(), Database::create());
    let programs = Programs::find().expect("PostgreSQL is installed");
    let shop = under_load(&data, Some(&database.url()), || {
        // The programs may run as another user, whose files these are not.
        let file = File::create(&dump).expect("the folder can be written");
        run(programs.command("pg_dump").arg("--format=custom").arg(database.url()).stdout(file));
    })
    .await;
    let file = File::open(&dump).expect("it was written");
    run(programs.command("pg_restore").arg("--no-owner").arg("--dbname").arg(other.url()).stdin(file));
    restored(&data, Some(&other.url()), &shop).await;
}

/// Places orders, makes the copy in their midst, and stops the shop when all are placed.
async fn under_load(data: &Path, store: Option<&str>, copy: impl FnOnce()) -> Shop {
    let (mut process, client) = Process::start_on(data, store).await;
    let mut shop = Shop::open(&client).await;
    shop.restock(&client).await;
    let (journal, mut rng) = (Arc::new(Journal::new()), Rng::of_this_run());
    journal.plan(ORDERS, &mut rng);
    let mut load = Load::start(&client, &shop, &journal);
    load.answered(BEFORE).await;
    tokio::task::block_in_place(copy);
    load.done().await;
    process.ask_to_stop();
    process.ended().await;
    shop
}

/// Starts on the copy and lets the work that was in flight at its instant settle.
async fn restored(data: &Path, store: Option<&str>, shop: &Shop) {
    let (process, client): (Process, Client) = Process::start_on(data, store).await;
    client.settle().await;
    let books = Books::read(&client).await;
    assert!(books.orders.len() >= BEFORE, "{} orders were answered before the copy", books.orders.len());
    let waiting: Vec<_> = books.orders.iter().filter(|order| order.status == "placed").collect();
    assert!(waiting.is_empty(), "{} orders wait for an event that nobody sends again", waiting.len());
    let findings = books.of_copies(shop);
    assert!(findings.is_empty(), "{findings:#?}");
    let errors = process.errors();
    assert!(errors.is_empty(), "{errors:#?}");
}

fn run(command: &mut Command) {
    let output = command.output().expect("the program starts");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
