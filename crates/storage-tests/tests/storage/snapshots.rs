//! Copies of stores that exchange events: taken at one instant, under load.

use std::fs;
use std::path::{Path, PathBuf};

use storage::{Db, Error, Location, Snapshots};
use tempfile::tempdir;
use tokio::task::JoinSet;

use crate::store_location::StoreLocation;
use crate::support::{Store, insert, notes, options, request};

/// Enough for both writers to be busy at any moment.
const CHAINS: usize = 8;

/// Instants that are taken while they are.
const INSTANTS: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_one_store_received_from_the_other_are_in_both_copies() {
    let folder = tempdir().unwrap();
    let stores = open(folder.path()).await;
    let mut chains = JoinSet::new();
    for chain in 0..CHAINS {
        let stores = stores.each_ref().map(|store| (store.db.clone(), store.ids.clone()));
        chains.spawn(async move {
            loop {
                // First the one store, then the other, as a delivery goes.
                for (db, ids) in &stores {
                    let written = db.commit(insert(ids.next(), &chain.to_string()), request(ids)).await;
                    written.expect("a pause is no refusal");
                }
            }
        });
    }
    let mut total = 0;
    for _ in 0..INSTANTS {
        let copies = tempdir().unwrap();
        let (from, to) = (folder.path().to_owned(), copies.path().to_owned());
        let paused = tokio::task::spawn_blocking(move || copy(&from, &to)).await.unwrap();
        let [source, copy] = open(copies.path()).await;
        let (emitted, received) = (notes(&source.db).await, notes(&copy.db).await);
        eprintln!("{} emitted, {} received; commits were held up for {paused:?}", emitted.len(), received.len());
        total = emitted.len();
        for chain in (0..CHAINS).map(|chain| chain.to_string()) {
            let [emitted, received] =
                [&emitted, &received].map(|notes| notes.iter().filter(|note| **note == chain).count());
            assert!(
                received == emitted || received + 1 == emitted,
                "chain {chain}: {emitted} emitted and {received} received"
            );
        }
    }
    assert!(total > 100, "next to nothing was written meanwhile: {total}");
    assert!(chains.try_join_next().is_none(), "a writer failed");
}

#[test]
fn a_store_that_is_not_there_is_not_made() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("teller.db");
    let Err(Error::Unavailable { store, .. }) = Snapshots::take(std::slice::from_ref(&file)) else {
        panic!("it was taken for a store");
    };
    assert_eq!(store, file.display().to_string());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

async fn open(folder: &Path) -> [Store; 2] {
    [open_as(folder, "teller").await, open_as(folder, "listener").await]
}

async fn open_as(folder: &Path, service: &'static str) -> Store {
    let (mut options, hands) = options(&StoreLocation::folder());
    options.service = service;
    options.location = Location::Folder(folder.to_owned());
    let ids = options.ids.clone();
    Store { db: Db::open(options).await.expect("the folder is there"), ids, hands }
}

fn copy(from: &Path, to: &Path) -> std::time::Duration {
    let files: Vec<PathBuf> = ["teller.db", "listener.db"].map(|name| from.join(name)).into();
    let snapshots = Snapshots::take(&files).expect("both stores are there");
    let paused = snapshots.paused();
    snapshots.copy_to(to).expect("there is room");
    paused
}
