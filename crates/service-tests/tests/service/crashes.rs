//! Processes that end in the middle of their work.

use std::path::Path;
use std::time::Duration;

use kernel::Uuid;
use service::Settings;
use tempfile::tempdir;
use tokio::runtime::Runtime;

use crate::support::{ATTEMPTS, House, Script, Step, consumer, emitter, one_at_a_time, until};

/// Lives a process's life. When it ends, its tasks are dropped where they stand and nothing is said to the stores.
///
/// One worker: what comes after a delivery is handled after it, or not at all.
fn live(folder: &Path, script: &Script, life: impl AsyncFnOnce(&House)) {
    live_with(folder, script, one_at_a_time(), life);
}

fn live_with(folder: &Path, script: &Script, settings: Settings, life: impl AsyncFnOnce(&House)) {
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let services = vec![emitter("users", script), consumer("orders", script)];
        let house = House::start_with(folder, services, settings).await;
        life(&house).await;
    });
    runtime.shutdown_timeout(Duration::from_secs(10));
}

#[test]
fn a_delivery_that_ends_the_process_each_time_is_parked_after_a_crash_too_many() {
    let folder = tempdir().unwrap();
    let script = Script::new().always("poison", Step::EndProcess);
    let subjects: Vec<Uuid> = (1..=5_u128).map(Uuid::from_u128).collect();
    let names = ["first", "second", "poison", "fourth", "fifth"];
    live(folder.path(), &script, async |house| {
        let emitted: Vec<(Uuid, &str, i64)> = subjects.iter().zip(names).map(|(it, name)| (*it, name, 1)).collect();
        house.emit("users", &emitted).await;
        house.emit("users", &[(subjects[2], "after", 2)]).await;
        script.process_ends().await;
    });
    for _ in 0..ATTEMPTS {
        live(folder.path(), &script, async |_| script.process_ends().await);
    }

    live(folder.path(), &script, async |house| {
        house.settle().await;
        let parked = house.dead_letters("orders").await;
        assert_eq!(parked.len(), 1);
        assert_eq!((parked[0].envelope.key, parked[0].attempts), (subjects[2], ATTEMPTS));
        assert_eq!(parked[0].reason.as_deref(), Some("the process ended each time it was handled"));
        assert_eq!(house.delivery("orders", "users", 5).await.status, "waiting");
        for neighbour in [0, 1, 3, 4] {
            let done = house.delivery("orders", "users", neighbour).await;
            assert_eq!((done.status, done.attempts), ("done", 1), "{}", names[neighbour]);
            assert_eq!(house.effects_on("orders", subjects[neighbour]).await, [names[neighbour]]);
        }
        assert_eq!(i64::try_from(script.calls("poison")).unwrap(), ATTEMPTS + 1);
    });
}

#[test]
fn a_delivery_that_ends_the_process_is_found_among_those_that_are_tried_beside_it() {
    let folder = tempdir().unwrap();
    let script = Script::new().always("poison", Step::EndProcess);
    let subjects: Vec<Uuid> = (1..=40_u128).map(Uuid::from_u128).collect();
    let name = |at: usize| if at == 20 { "poison" } else { "other" };
    live_with(folder.path(), &script, Settings::default(), async |house| {
        let emitted: Vec<_> = subjects.iter().enumerate().map(|(at, subject)| (*subject, name(at), 1)).collect();
        house.emit("users", &emitted).await;
        script.process_ends().await;
    });
    for _ in 0..ATTEMPTS {
        live_with(folder.path(), &script, Settings::default(), async |_| script.process_ends().await);
    }

    live_with(folder.path(), &script, Settings::default(), async |house| {
        house.settle().await;
        let parked = house.dead_letters("orders").await;
        assert_eq!(parked.len(), 1);
        assert_eq!((parked[0].envelope.key, parked[0].attempts), (subjects[20], ATTEMPTS));
        for at in (0..subjects.len()).filter(|at| *at != 20) {
            let done = house.delivery("orders", "users", at).await;
            assert_eq!(done.status, "done");
            assert!(done.attempts <= 2, "it was blamed {} times for another", done.attempts);
        }
    });
}

#[test]
fn what_was_under_way_takes_effect_once_after_a_crash() {
    let folder = tempdir().unwrap();
    let script = Script::new();
    let subjects: Vec<Uuid> = (1..=300_u128).map(Uuid::from_u128).collect();
    live(folder.path(), &script, async |house| {
        let emitted: Vec<(Uuid, &str, i64)> = subjects.iter().map(|it| (*it, "new", 1)).collect();
        house.emit("users", &emitted).await;
        until("some are handled", async || script.calls("new") > 20).await;
    });
    assert!(script.calls("new") < 300, "all was handled before the crash");

    live(folder.path(), &script, async |house| {
        house.settle().await;
        let mut effects: Vec<Uuid> = house.effects("orders").await.into_iter().map(|(subject, _)| subject).collect();
        effects.sort();
        assert_eq!(effects, subjects);
    });
}
