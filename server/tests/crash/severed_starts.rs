//! A start that loses its connections goes on, as a first start does that finds no server yet.

use test_servers::{Database, Vhost};

use crate::process::Process;

/// Sessions to end before a start is left alone: several at each of its steps.
const OF_START: u64 = 25;

/// The same of `migrate`, which makes all queues before each try to go on.
const OF_MIGRATE: u64 = 4;

/// Rounds within which that many have been ended, even on a slow machine.
const ROUNDS_MAX: usize = 500;

#[tokio::test(flavor = "multi_thread")]
async fn a_start_whose_sessions_are_ended_again_and_again_is_ready_in_the_end() {
    let (database, folder) = (Database::create(), tempfile::tempdir().unwrap());
    // On an empty database, in the middle of making tables; then on a full one.
    for _ in 0..2 {
        let mut process = Process::spawn_on(folder.path(), Some(&database.url()), &["--port", "0"]);
        end_sessions(&database, OF_START);
        let client = process.ready().await.unwrap_or_else(|ended| panic!("it ended: {ended:?}"));
        client.until(200, "/readyz").await;
        process.ask_to_stop();
        let ended = process.ended().await;
        assert!(ended.status.success(), "{ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_goes_on_after_its_sessions_were_ended() {
    let (database, vhost) = (Database::create(), Vhost::create());
    let mut process = Process::migrate(&database.url(), &vhost.url());
    end_sessions(&database, OF_MIGRATE);
    let ended = process.ended().await;
    assert!(ended.status.success(), "{ended:?}");
}

/// Ends whatever session is open, until this many were ended.
fn end_sessions(database: &Database, count: u64) {
    let end = "select count(pg_terminate_backend(pid)) from pg_stat_activity
        where datname = current_database() and application_name like 'tradepost %'";
    let mut ended = 0;
    for _ in 0..ROUNDS_MAX {
        ended += database.execute(end).trim().parse::<u64>().expect("a count is a number");
        if ended >= count {
            return;
        }
    }
    panic!("only {ended} sessions were ended: the start is over, or never came so far");
}
