//! Batches that share a transaction do what each of them would have done alone, on both databases: PostgreSQL runs the
//! same statement of several batches as one statement of many rows.

use std::mem::{Discriminant, discriminant};

use futures_util::future::join_all;
use kernel::{Uuid, Version};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use storage::{Batch, Change, Committed, Db, Error, Insert, Migration, Migrations, Query, Type, Upsert, params};

use crate::store_location::StoreLocation;
use crate::support::{Store, options, request};

/// Few rows, so that batches meet on them.
const ROWS: usize = 5;

/// Random histories. Each runs four times, and prepares every statement anew.
const CASES: u32 = 24;

const MIGRATIONS: Migrations = Migrations {
    set: "warehouse",
    steps: &[Migration {
        sqlite: "create table papers (
                     paper_id blob not null primary key, note text not null, \"co$1\" integer, version integer not null
                 ) strict;",
        postgres: "create table papers (
                       paper_id uuid not null primary key, note text not null, \"co$1\" bigint,
                       version bigint not null);",
    }],
};

static INSERT: Insert = Insert::new(
    "INSERT",
    "papers",
    &[("paper_id", Type::uuid), ("note", Type::text), ("\"co$1\"", Type::int), ("version", Type::int)],
);
static PAPERS: Query =
    Query::new("PAPERS", "select paper_id, note, \"co$1\" as copies, version from papers order by paper_id");

const CHANGES: [&str; 4] = [
    "update papers set note = $2, \"co$1\" = $3, version = version + 1 where paper_id = $1 and version = $4",
    "update papers set note = 'was $1, where it''s ' || $2, \"co$1\" = coalesce(cast($3 as bigint), -1), version = version + 1 \
     where paper_id = $1 and version = $4",
    "UPDATE papers SET note = coalesce((select max(v.note) from (select 'a' as note) as v where v.note < $2), '') || $2, \
     \"co$1\" = case when cast($3 as bigint) > 5 then $3 else \"co$1\" end, version = version + 1 WHERE paper_id = $1 and version = $4",
    "delete from papers where paper_id = $1 and note <> $2 and (cast($3 as bigint) is null or \"co$1\" is not null) and version = $4",
];

const UPSERTS: [&str; 3] = [
    "insert into papers (paper_id, note, \"co$1\", version) values ($1, $2, $3, 1) on conflict (paper_id) do nothing",
    "insert into papers (paper_id, note, \"co$1\", version) values ($1, (($2)), (cast($3 as bigint) + 1), $4) \
     on conflict (paper_id) do update set note = excluded.note || ' $2', version = excluded.version \
     where papers.version < excluded.version",
    "insert into papers (paper_id, note, \"co$1\", version) values ($1, $2, $3, $4) \
     on conflict (paper_id) do update set note = $2, version = $4 where papers.version < $4",
];

/// The separators between two words.
const GAPS: [&str; 4] = [" ", "\n\t", " /* $9 where ( ' */ ", " -- $9 returning '(\n"];

/// One write of a batch.
#[derive(Clone, Debug)]
struct Write {
    statement: usize,
    row: usize,
    note: String,
    copies: Option<i64>,
    version: i64,
}

fn writes() -> impl Strategy<Value = Write> {
    let statements = 0..=CHANGES.len() + UPSERTS.len();
    let note = prop_oneof![Just("a"), Just("b"), Just("$1"), Just("it's"), Just("")];
    (statements, 0..ROWS, note, prop::option::of(0..9_i64), 1..4_i64).prop_map(
        |(statement, row, note, copies, version)| Write { statement, row, note: note.to_owned(), copies, version },
    )
}

/// The statements of one case: as above, with other gaps between their words.
struct Statements {
    changes: Vec<&'static Change>,
    upserts: Vec<&'static Upsert>,
}

impl Statements {
    fn new(gaps: &[usize]) -> Self {
        let mut gaps = gaps.iter().cycle().map(|gap| GAPS[*gap]);
        let mut spaced = |text: &str| -> &'static str { Box::leak(with_gaps(text, &mut gaps).into_boxed_str()) };
        let changes = CHANGES.map(|text| &*Box::leak(Box::new(Change::new("CHANGE", spaced(text)))));
        let upserts = UPSERTS.map(|text| &*Box::leak(Box::new(Upsert::new("UPSERT", spaced(text)))));
        Self { changes: changes.to_vec(), upserts: upserts.to_vec() }
    }

    fn batch(&self, writes: &[Write], rows: &[Uuid]) -> Batch {
        writes.iter().fold(Batch::new(), |batch, write| {
            let Write { statement, row, note, copies, version } = write;
            let version = Version::from_stored(*version);
            let mut values = params![rows[*row], note.clone(), *copies];
            if let Some(change) = self.changes.get(*statement) {
                batch.change(change, version, values)
            } else if let Some(upsert) = self.upserts.get(*statement - self.changes.len()) {
                if *statement > self.changes.len() {
                    values.push(version.into());
                }
                batch.upsert(upsert, values)
            } else {
                values.push(version.into());
                batch.insert(&INSERT, values)
            }
        })
    }
}

/// The text with other gaps instead of its spaces. A literal keeps its own.
fn with_gaps(text: &str, gaps: &mut impl Iterator<Item = &'static str>) -> String {
    let mut made = String::new();
    let mut is_literal = false;
    for c in text.chars() {
        is_literal ^= c == '\'';
        match c {
            ' ' if !is_literal => made.extend(gaps.next()),
            c => made.push(c),
        }
    }
    made
}

/// Outcome of each batch, and the rows of the case at the end. Of several statements of a batch that fail, the
/// databases name different ones, so errors are compared by their kind.
#[derive(Debug, PartialEq)]
struct Outcome {
    committed: Vec<Result<(), Discriminant<Error>>>,
    rows: Vec<(Uuid, String, Option<i64>, i64)>,
}

async fn outcome(db: &Db, committed: Vec<Result<Committed, Error>>, rows: &[Uuid]) -> Outcome {
    let found = db.query(&PAPERS, params![], |row| {
        Ok((row.get("paper_id")?, row.get("note")?, row.get("copies")?, row.get("version")?))
    });
    let mut found: Vec<(Uuid, String, Option<i64>, i64)> = found.await.unwrap();
    found.retain(|row| rows.contains(&row.0));
    Outcome {
        committed: committed.into_iter().map(|it| it.map(drop).map_err(|error| discriminant(&error))).collect(),
        rows: found,
    }
}

async fn one_by_one(store: &Store, batches: Vec<Batch>, rows: &[Uuid]) -> Outcome {
    let mut committed = Vec::new();
    for batch in batches {
        committed.push(store.commit(batch, request(&store.ids)).await);
    }
    outcome(store, committed, rows).await
}

/// All of them wait at once, so that they share transactions; also answers if any did.
async fn together(store: &Store, batches: Vec<Batch>, rows: &[Uuid]) -> (Outcome, bool) {
    let committed = join_all(batches.into_iter().map(|batch| store.commit(batch, request(&store.ids)))).await;
    let shared = committed.iter().flatten().any(|it| it.group_size > 1);
    (outcome(store, committed, rows).await, shared)
}

#[test]
fn batches_that_share_a_transaction_do_what_each_would_have_done_alone() {
    // On one thread all batches are handed over before the first is written.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let places = [StoreLocation::folder(), StoreLocation::database()];
    let stores = places.each_ref().map(|place| runtime.block_on(open(place)));
    let history = prop::collection::vec(prop::collection::vec(writes(), 1..4), 2..12);
    let gaps = prop::collection::vec(0..GAPS.len(), 1..20);
    let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    let shares = std::cell::Cell::new(0);
    let ran = runner.run(&(history, gaps, any::<u64>()), |(history, gaps, seed)| {
        let statements = Statements::new(&gaps);
        let mut seen: Vec<Outcome> = Vec::new();
        for (store, engine) in stores.iter().zip(["SQLite", "PostgreSQL"]) {
            // The same rows for both databases, others for each of the two ways.
            let rows = |way: u128| -> Vec<Uuid> {
                (0..ROWS as u128).map(|row| Uuid::from_u128(u128::from(seed) << 64 | way << 32 | row)).collect()
            };
            let batches = |rows: &[Uuid]| history.iter().map(|writes| statements.batch(writes, rows)).collect();
            let [alone, grouped] = [rows(0), rows(1)];
            let one_by_one = runtime.block_on(one_by_one(store, batches(&alone), &alone));
            let (mut together, shared) = runtime.block_on(together(store, batches(&grouped), &grouped));
            shares.set(shares.get() + usize::from(shared && engine == "PostgreSQL"));
            for row in &mut together.rows {
                row.0 = Uuid::from_u128(row.0.as_u128() & !(1 << 32));
            }
            prop_assert_eq!(&one_by_one, &together, "on {}", engine);
            seen.push(one_by_one);
        }
        prop_assert_eq!(&seen[0], &seen[1], "the databases differ");
        Ok(())
    });
    ran.unwrap();
    assert!(shares.get() > 0, "nobody shared a transaction");
}

async fn open(place: &StoreLocation) -> Store {
    let (mut options, hands) = options(place);
    options.migrations = MIGRATIONS;
    let ids = options.ids.clone();
    Store { db: Db::open(options).await.unwrap(), ids, hands }
}
