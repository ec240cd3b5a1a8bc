//! The connection to PostgreSQL is cut at every byte around a commit: the answer to the caller is true.

use kernel::{Cause, Uuid};
use storage::{Db, Error, Location, Query, Row, params};
use test_servers::{Database, Fault, Faults, Proxy, What};

use crate::store_location::StoreLocation;
use crate::support::{Store, insert, moved, options, request};

/// More bytes than a commit has in either direction, so that a loop that never ends fails.
const BYTES_MAX: u64 = 20_000;

/// The distance of the bytes at which the short form cuts; the long one cuts at each.
const CUT_EVERY: u64 = 3;

/// A reset differs from a cut in what each side sees, not in what arrived: some of the places are enough.
const RESET_EVERY: u64 = 13;

static EMITTED: Query = Query::new(
    "EMITTED",
    "select count(distinct t.thing_id) as things, count(e.event_id) as emitted
     from things t left join events e on e.key = t.thing_id where t.note = $1",
);

#[derive(Clone, Copy, Debug)]
enum Towards {
    Server,
    Client,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_is_cut_before_the_server_is_answered_as_it_ended() {
    cut_at_bytes(Towards::Server, What::Cut, cut_every()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_cut_is_answered_as_it_ended() {
    cut_at_bytes(Towards::Client, What::Cut, cut_every()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_connection_breaks_is_answered_as_it_ended() {
    cut_at_bytes(Towards::Server, What::Reset, RESET_EVERY).await;
    cut_at_bytes(Towards::Client, What::Reset, RESET_EVERY).await;
}

fn cut_every() -> u64 {
    if test_servers::is_soak() { 1 } else { CUT_EVERY }
}

async fn cut_at_bytes(towards: Towards, what: What, step: u64) {
    let database = Database::create();
    let (proxy, url) = Proxy::before(&database.url()).await;
    let store = open(&url).await;
    let beside = open(&database.url()).await;
    let (mut answered_ok, mut answered_failed, mut uncut) = (0, 0, false);
    let mut after = 0;
    while !uncut {
        assert!(after < BYTES_MAX, "a commit is never whole");
        // The same statements as the one that will be cut: what is prepared once is not part of a commit.
        commit(&store, "before").await.expect("the server is there");
        let note = format!("{towards:?} {after}");
        let made_before = proxy.traffic().len();
        let fault = Some(Fault { after, what });
        proxy.hit(match towards {
            Towards::Server => Faults { to_server: fault, ..Faults::default() },
            Towards::Client => Faults { to_client: fault, ..Faults::default() },
        });
        let thing = store.ids.next();
        let answer = commit_as(&store, thing, &note, request(&store.ids)).await;
        // A connection that was cut was made again; one that was not had fewer bytes to carry.
        uncut = proxy.traffic().len() == made_before;
        let there = count(&beside, &note).await;
        match &answer {
            Ok(()) => answered_ok += 1,
            Err(Error::Unavailable { .. }) => answered_failed += 1,
            Err(other) => panic!("cut after {after} bytes: {other}"),
        }
        let expected = if answer.is_ok() { (1, 1) } else { (0, 0) };
        assert_eq!(there, expected, "cut after {after} bytes, answered {answer:?}");
        // A caller whose commit failed tries again, and so does one without an answer.
        match commit_as(&store, thing, &note, request(&store.ids)).await {
            Ok(()) => assert!(answer.is_err(), "cut after {after} bytes: it was done twice"),
            Err(Error::Conflict { .. } | Error::AlreadyDone { .. }) => assert!(answer.is_ok()),
            Err(other) => panic!("tried again after a cut at {after}: {other}"),
        }
        assert_eq!(count(&beside, &note).await, (1, 1), "cut after {after} bytes");
        after += step;
    }
    eprintln!("{what:?} towards {towards:?} at {after} bytes: {answered_ok} done, {answered_failed} not done");
    assert!(after > 100, "a commit is longer than {after} bytes: too little was cut");
    assert!(answered_ok > 1, "every cut was answered as a failure: nothing was tried again or looked up");
    store.close().await;
    beside.close().await;
}

async fn open(url: &str) -> Store {
    let (mut options, hands) = options(&StoreLocation::folder());
    options.location = Location::Postgres(url.parse().expect("the proxy's URL is the server's with another port"));
    let ids = options.ids.clone();
    Store { db: Db::open(options).await.expect("the server is there"), ids, hands }
}

async fn commit(store: &Store, note: &str) -> Result<(), Error> {
    commit_as(store, store.ids.next(), note, request(&store.ids)).await
}

async fn commit_as(store: &Store, thing: Uuid, note: &str, cause: Cause) -> Result<(), Error> {
    store.commit(insert(thing, note).and(moved(thing)), cause).await.map(drop)
}

/// Things of this note, and events about them, as the server has them.
async fn count(beside: &Store, note: &str) -> (i64, i64) {
    let map = |row: &Row<'_>| Ok((row.get("things")?, row.get("emitted")?));
    beside.query_one(&EMITTED, params![note], map).await.expect("the server is there").expect("a count is a row")
}
