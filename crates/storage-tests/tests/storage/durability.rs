//! An answered commit stays, however the process ends; a full disk's refusal passes once there is room.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use kernel::Uuid;
use storage::{Batch, Error, Query, params};
use tempfile::tempdir;
use test_servers::SmallDisk;
use tokio::task::JoinSet;

use crate::store_location::StoreLocation;
use crate::support::{Store, insert, moved, notes, request};

static NUMBERED: Query = Query::new("NUMBERED", "select note, count(*) as things from things group by note");

/// Number of times that the committing process is killed.
const ROUNDS: u64 = 10;

/// Set for the process that is to be killed: the same test, started again by itself.
const CHILD: &str = "COMMIT_UNTIL_KILLED";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_is_there_after_a_crash() {
    if std::env::var_os(CHILD).is_some() {
        return commit_until_killed().await;
    }
    let place = StoreLocation::folder();
    let StoreLocation::Folder(folder) = &place else { unreachable!("it is a folder") };
    let mut answered: Vec<String> = Vec::new();
    for round in 0..ROUNDS {
        // Between the first commits and a few hundred of them, so that a kill meets every part of one.
        answered.extend(killed_after(folder.path(), round, Duration::from_micros(1_500 * round * round)));
    }
    let store = Store::open(&place).await;
    let found = store.query(&NUMBERED, params![], |row| Ok((row.get::<String>("note")?, row.get::<i64>("things")?)));
    let found = found.await.unwrap();

    assert!(answered.len() > 100, "only {} commits were answered before the kills", answered.len());
    let lost: Vec<_> = answered.iter().filter(|note| !found.iter().any(|(there, _)| there == *note)).collect();
    assert!(lost.is_empty(), "{} of {} were answered and are gone: {lost:?}", lost.len(), answered.len());
    assert!(found.iter().all(|(_, things)| *things == 2), "half a batch is there");
    let counts = store.counts().await;
    assert_eq!((counts.things, counts.pointers), (counts.events * 2, counts.events * 2));
}

/// Starts a process that commits, kills it some time after its first answer, and returns its answers.
fn killed_after(folder: &Path, round: u64, delay: Duration) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "durability::what_was_answered_is_there_after_a_crash", "--nocapture"])
        .env(CHILD, "yes")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{round}\n{}", folder.display()).unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    while !text.contains("answered ") {
        assert!(output.read_line(&mut text).unwrap() > 0, "the child ended by itself: {text}");
    }
    std::thread::sleep(delay);
    child.kill().unwrap();
    child.wait().unwrap();
    output.read_to_string(&mut text).unwrap();
    // The last line may be cut short.
    let (whole, _) = text.rsplit_once('\n').unwrap();
    whole.lines().filter_map(|line| line.split_once("answered ")).map(|(_, note)| note.to_owned()).collect()
}

/// Commits numbered notes and says each that was answered; the folder and the round come on standard input.
async fn commit_until_killed() {
    let mut lines = std::io::stdin().lines();
    let round = lines.next().unwrap().unwrap();
    let store = Store::open(&StoreLocation::Path(lines.next().unwrap().unwrap().into())).await;
    let mut committing = JoinSet::new();
    for lane in 0..8 {
        let (db, ids, round) = (store.db.clone(), store.ids.clone(), round.clone());
        committing.spawn(async move {
            for n in 0.. {
                let note = format!("{round}-{lane}-{n}");
                let thing: Uuid = ids.next();
                let batch = insert(thing, &note).and(insert(ids.next(), &note)).and(moved(thing));
                db.commit(batch, request(&ids)).await.unwrap();
                std::io::stdout().write_all(format!("answered {note}\n").as_bytes()).unwrap();
            }
        });
    }
    committing.join_all().await;
}

#[tokio::test]
async fn a_full_disk_refuses_commits_until_there_is_room_again() {
    let folder = tempdir().unwrap();
    let disk = SmallDisk::mount(folder.path(), 2);
    let ballast = disk.path().join("ballast");
    std::fs::write(&ballast, vec![0; 512 * 1024]).unwrap();
    let place = StoreLocation::Path(disk.path().to_owned());
    let store = Store::open(&place).await;

    let (written, refused) = fill(&store).await;
    assert!(matches!(refused, Error::Unavailable { .. }), "{refused}");
    let found = notes(&store).await;
    assert_eq!(found.len(), written, "reads go on, and show what was answered");
    let still = store.commit(filler(&store), request(&store.ids)).await.unwrap_err();
    assert!(matches!(still, Error::Unavailable { .. }), "{still}");

    std::fs::remove_file(&ballast).unwrap();
    store.commit(filler(&store), request(&store.ids)).await.unwrap();
    let counts = store.counts().await;
    store.close().await;

    let reopened = Store::open(&place).await;
    assert_eq!(reopened.counts().await, counts);
    assert_eq!(usize::try_from(counts.things).unwrap(), written + 1);
    reopened.close().await;
}

async fn fill(store: &Store) -> (usize, Error) {
    for written in 0..1_000 {
        if let Err(refused) = store.commit(filler(store), request(&store.ids)).await {
            return (written, refused);
        }
    }
    panic!("two megabytes took a thousand things of 32 KiB");
}

fn filler(store: &Store) -> Batch {
    insert(store.ids.next(), &"x".repeat(32 * 1024))
}
