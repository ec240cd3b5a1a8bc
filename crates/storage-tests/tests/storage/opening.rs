//! Opening: tables are brought up to date once, and what a newer Tradepost wrote is left alone.

use std::collections::BTreeMap;
use std::path::Path;

use kernel::{Event, Shards, Version};
use storage::{Batch, Db, Error, Migration, Migrations, Options, archive, params, statements};
use tempfile::tempdir;
use test_servers::Database;

use crate::store_location::StoreLocation;
use crate::support::{
    MIGRATIONS, START, STATEMENTS as OWN, Store, ThingMoved, insert, moved, notes, options, request, touch,
};

on_each_store! {
    migrations_run_once_and_in_order,
    a_store_keeps_what_was_committed_when_it_is_opened_again,
    a_store_knows_if_the_process_before_ended_cleanly,
    every_statement_of_the_tests_passes_the_kits_check,
}

/// The warehouse's tables as the next release would have them.
const NEXT_RELEASE: Migrations = Migrations {
    set: "warehouse",
    steps: &[
        MIGRATIONS.steps[0],
        Migration {
            sqlite: "alter table things add column shelf text; update things set shelf = 'A' || note;",
            postgres: "alter table things add column shelf text; update things set shelf = 'A' || note;",
        },
    ],
};

statements! {
    insert CLAIM_VERSION into migrations (name text, version int, applied_at time);
    query STEPS "select name, version from migrations order by name, version";
    query SHELVES "select shelf from things order by thing_id";
}

async fn migrations_run_once_and_in_order(place: StoreLocation) {
    let store = Store::open(&place).await;
    store.commit(insert(store.ids.next(), "1"), request(&store.ids)).await.unwrap();
    store.close().await;
    for _ in 0..2 {
        let db = open(&place, NEXT_RELEASE).await.unwrap();
        let steps = db.query(&STEPS, params![], |row| Ok((row.get::<String>("name")?, row.get("version")?)));
        let of = |set: &'static str, steps| (1..=steps).map(move |step: i64| (set.to_owned(), step));
        let expected: Vec<_> = of("kit", 9).chain(of("warehouse", 2)).collect();
        assert_eq!(steps.await.unwrap(), expected);
        assert_eq!(db.query(&SHELVES, params![], |row| row.get::<String>("shelf")).await.unwrap(), ["A1"]);
        db.close().await;
    }
}

async fn a_store_keeps_what_was_committed_when_it_is_opened_again(place: StoreLocation) {
    let store = Store::open(&place).await;
    let thing = store.ids.next();
    store.commit(insert(thing, "new"), request(&store.ids)).await.unwrap();
    store.close().await;

    let reopened = Store::open(&place).await;
    reopened.commit(touch(thing, Version::FIRST, "kept"), request(&reopened.ids)).await.unwrap();

    assert_eq!(notes(&reopened).await, ["kept"]);
}

#[tokio::test]
async fn a_store_with_newer_tables_of_its_service_is_refused_and_left_as_it_is() {
    let folder = tempdir().unwrap();
    let place = StoreLocation::Path(folder.path().to_owned());
    open(&place, NEXT_RELEASE).await.unwrap().close().await;
    let before = files(folder.path());

    let refused = open(&place, MIGRATIONS).await.unwrap_err();

    let store = folder.path().join("warehouse.db").display().to_string();
    assert_eq!(refused, Error::Newer { store, set: "warehouse", found: 2, known: 1 });
    assert!(files(folder.path()) == before, "the refused store was changed");
}

#[tokio::test]
async fn a_store_with_newer_tables_of_the_kit_is_refused_and_left_as_it_is() {
    let folder = tempdir().unwrap();
    let place = StoreLocation::Path(folder.path().to_owned());
    let store = Store::open(&place).await;
    let newer = Batch::new().insert(&CLAIM_VERSION, params!["kit", 99_i64, *START]);
    store.commit(newer, request(&store.ids)).await.unwrap();
    // As after a kill: the log was not yet copied into the file.
    let killed = tempdir().unwrap();
    let before = files(folder.path());
    for (name, bytes) in &before {
        std::fs::write(killed.path().join(name), bytes).unwrap();
    }
    assert_eq!(before.keys().collect::<Vec<_>>(), ["warehouse.db", "warehouse.db-wal"]);

    let refused = open(&StoreLocation::Path(killed.path().to_owned()), MIGRATIONS).await.unwrap_err();

    assert!(matches!(refused, Error::Newer { set: "kit", found: 99, .. }), "{refused}");
    assert!(files(killed.path()) == before, "the refused store was changed");
}

#[tokio::test]
async fn a_store_of_another_program_is_read_and_left_as_it_is() {
    let database = Database::create();
    let place = StoreLocation::Database(database);
    let (options, _hands) = options(&place);
    let refusal = async |options: &Options| Db::open_to_read(options.clone()).await.unwrap_err().to_string();
    let refused = refusal(&options).await;
    assert!(refused.contains("schema warehouse, can't be used: it is not there, or"), "{refused}");

    let store = Store::open(&place).await;
    store.commit(moved(store.ids.next()), request(&store.ids)).await.unwrap();
    // With the migrations of a version that the store does not have.
    let reader = Db::open_to_read(Options { migrations: NEXT_RELEASE, ..options.clone() }).await.unwrap();
    let newest = archive::newest(&reader).await.unwrap();
    let types = vec![ThingMoved::TYPE.to_owned()];
    assert_eq!(archive::of_types(&reader, types, 0, newest, 9).await.unwrap().len(), 1);
    reader.close().await;
    let StoreLocation::Database(database) = &place else { unreachable!("it is made above") };
    assert_eq!(database.execute("select max(version) from warehouse.migrations where name = 'warehouse'"), "1");

    let other = Options { shards: Shards::new(3).unwrap(), ..options.clone() };
    assert!(refusal(&other).await.contains("set `shards` to 8"));
    database.execute("delete from warehouse.migrations where name = 'kit' and version > 1");
    assert!(refusal(&options).await.contains("version 1 of the kit tables and this program knows"));
    database.execute("drop schema warehouse cascade");
    store.close().await;
}

#[tokio::test]
async fn a_file_is_read_by_no_other_program() {
    let folder = StoreLocation::folder();
    let refused = Db::open_to_read(options(&folder).0).await.unwrap_err();
    assert!(matches!(refused, Error::Unusable { .. }), "{refused}");
}

async fn a_store_knows_if_the_process_before_ended_cleanly(place: StoreLocation) {
    let after = async |stopped: bool| {
        let store = Store::open(&place).await;
        let was_running = store.mark_running().await.unwrap();
        if stopped {
            store.mark_stopped().await.unwrap();
        }
        store.close().await;
        was_running
    };
    assert!(!after(false).await, "a new store was never in use");
    assert!(after(true).await, "the first process never said that it stopped");
    assert!(!after(false).await, "the second one did");
}

async fn every_statement_of_the_tests_passes_the_kits_check(place: StoreLocation) {
    let db = open(&place, NEXT_RELEASE).await.unwrap();
    for statement in OWN.iter().chain(STATEMENTS) {
        db.check(*statement).await.unwrap();
    }
    db.check_kit().await.unwrap();
}

async fn open(place: &StoreLocation, migrations: Migrations) -> Result<Db, Error> {
    let (mut options, _hands) = options(place);
    options.migrations = migrations;
    Db::open(options).await
}

/// The files of a folder that hold data. A look into a store leaves an empty log and an index of it behind.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = paths.map(|path| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, std::fs::read(path).unwrap())
    });
    files.filter(|(name, bytes)| !name.ends_with("-shm") && !bytes.is_empty()).collect()
}
