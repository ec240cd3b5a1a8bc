//! Sums: additions of any number of batches, at once or one by one, add up, on both databases.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use kernel::{Uuid, Version};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use storage::{Batch, Db, Error, Migration, Migrations, params, statements};

use crate::store_location::StoreLocation;
use crate::support::{Store, options, request};

on_each_store! {
    additions_of_many_batches_at_once_add_up,
    of_a_slot_only_the_newest_period_counts,
    an_addition_of_a_batch_that_fails_adds_nothing,
}

const MIGRATIONS: Migrations = Migrations {
    set: "warehouse",
    steps: &[Migration {
        sqlite: "create table sums (
                     name text not null, thing_id blob not null, day integer not null, seen integer not null,
                     done integer not null, primary key (name, thing_id, day)
                 ) strict, without rowid;
                 create table slots (
                     slot integer not null primary key, minute integer not null, seen integer not null
                 ) strict;
                 create table things (
                     thing_id blob not null primary key, note text not null, version integer not null
                 ) strict;",
        postgres: "create table sums (
                       name text not null, thing_id uuid not null, day bigint not null, seen bigint not null,
                       done bigint not null, primary key (name, thing_id, day)
                   );
                   create table slots (
                       slot bigint not null primary key, minute bigint not null, seen bigint not null
                   );
                   create table things (
                       thing_id uuid not null primary key, note text not null, version bigint not null
                   );",
    }],
};

statements! {
    add ADD_SUM into sums (name, thing_id, day) sums (seen, done);
    add ADD_TO_SLOT into slots (slot) of minute sums (seen);
    change TOUCH_THING "update things set note = 'touched', version = version + 1 where thing_id = $1 and version = $2";
    query SUMS "select name, thing_id, day, seen, done from sums";
    query SLOTS "select slot, minute, seen from slots order by slot";
}

type Key = (String, Uuid, i64);

async fn open(place: &StoreLocation) -> Store {
    let (mut options, hands) = options(place);
    options.migrations = MIGRATIONS;
    let ids = options.ids.clone();
    let db = Db::open(options).await.unwrap();
    for statement in STATEMENTS {
        db.check(*statement).await.unwrap();
    }
    Store { db, ids, hands }
}

async fn sums(db: &Db) -> BTreeMap<Key, (i64, i64)> {
    let rows = db.query(&SUMS, params![], |row| {
        let key = (row.get("name")?, row.get("thing_id")?, row.get("day")?);
        Ok((key, (row.get("seen")?, row.get("done")?)))
    });
    rows.await.unwrap().into_iter().collect()
}

async fn slots(db: &Db) -> Vec<(i64, i64, i64)> {
    let rows = db.query(&SLOTS, params![], |row| Ok((row.get("slot")?, row.get("minute")?, row.get("seen")?)));
    rows.await.unwrap()
}

fn add((name, thing, day): &Key, seen: i64, done: i64) -> Batch {
    Batch::new().add(&ADD_SUM, params![name, *thing, *day, seen, done])
}

async fn additions_of_many_batches_at_once_add_up(place: StoreLocation) {
    let store = open(&place).await;
    let things: [Uuid; 2] = [store.ids.next(), store.ids.next()];
    let key = |n: usize| (["a", "b"][n % 2].to_owned(), things[n / 2 % 2], i64::try_from(n / 4 % 2).unwrap());
    let batches = (0..400).map(|n| add(&key(n), 1, -2).and(add(&key(n + 1), 10, 0)));
    let committed = join_all(batches.map(|batch| store.commit(batch, request(&store.ids)))).await;
    assert!(committed.iter().all(Result::is_ok));
    let expected = (0..8).map(|n| (key(n), (50 + 500, -100))).collect();
    assert_eq!(sums(&store).await, expected);

    // Two of one key in one batch are two additions.
    store.commit(add(&key(0), 1, 1).and(add(&key(0), 2, 3)), request(&store.ids)).await.unwrap();
    assert_eq!(sums(&store).await[&key(0)], (553, -96));
}

async fn of_a_slot_only_the_newest_period_counts(place: StoreLocation) {
    let store = open(&place).await;
    let add = |slot: i64, minute: i64, seen: i64| Batch::new().add(&ADD_TO_SLOT, params![slot, minute, seen]);
    let first = join_all((0..20).map(|n| store.commit(add(n % 2, 100 + n % 2, 1), request(&store.ids)))).await;
    assert!(first.iter().all(Result::is_ok));
    assert_eq!(slots(&store).await, [(0, 100, 10), (1, 101, 10)]);
    store.commit(add(0, 200, 3), request(&store.ids)).await.unwrap();
    // A late one of a period that is gone.
    store.commit(add(0, 100, 7).and(add(1, 101, 1)), request(&store.ids)).await.unwrap();
    store.commit(add(0, 200, 4), request(&store.ids)).await.unwrap();
    assert_eq!(slots(&store).await, [(0, 200, 7), (1, 101, 11)]);
}

async fn an_addition_of_a_batch_that_fails_adds_nothing(place: StoreLocation) {
    let store = open(&place).await;
    let (thing, missing): (Uuid, Uuid) = (store.ids.next(), store.ids.next());
    let key = ("a".to_owned(), thing, 1);
    let commits = (0..100).map(|n| {
        let batch = add(&key, 1, 0);
        let bad = n % 4 == 0;
        let batch = if bad { batch.change(&TOUCH_THING, Version::FIRST, params![missing]) } else { batch };
        store.commit(batch, request(&store.ids))
    });
    let outcomes = join_all(commits).await;
    let conflict = Error::Conflict { statement: "TOUCH_THING" };
    assert_eq!(outcomes.iter().filter(|it| it.as_ref().is_err_and(|error| *error == conflict)).count(), 25);
    assert_eq!(sums(&store).await, BTreeMap::from([(key, (75, 0))]));
}

/// Any batches, all at once, leave the sums of all their additions.
#[test]
fn sums_are_those_of_all_additions_in_whatever_order() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let places = [StoreLocation::folder(), StoreLocation::database()];
    let stores = places.each_ref().map(|place| runtime.block_on(open(place)));
    let addition = (0..2_usize, 0..3_i64, -5..50_i64);
    let batches = prop::collection::vec(prop::collection::vec(addition, 1..5), 1..20);
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    let ran = runner.run(&(batches, any::<u128>()), |(batches, thing)| {
        let thing = Uuid::from_u128(thing);
        let mut expected: BTreeMap<Key, (i64, i64)> = BTreeMap::new();
        let key = |name: usize, day: i64| (["a", "b"][name].to_owned(), thing, day);
        for (name, day, n) in batches.iter().flatten() {
            let sums = expected.entry(key(*name, *day)).or_default();
            *sums = (sums.0 + n, sums.1 + 1);
        }
        for store in &stores {
            let made = batches.iter().map(|batch| {
                batch.iter().fold(Batch::new(), |made, (name, day, n)| made.and(add(&key(*name, *day), *n, 1)))
            });
            let commits = made.map(|batch| store.commit(batch, request(&store.ids)));
            let committed = runtime.block_on(join_all(commits));
            prop_assert!(committed.iter().all(Result::is_ok));
            let mut found = runtime.block_on(sums(store));
            found.retain(|(_, of, _), _| *of == thing);
            prop_assert_eq!(&found, &expected);
        }
        Ok(())
    });
    ran.unwrap();
}
