//! Consumers that are new to a shop, or to an event type: they take the archives first, and go on live.

use std::path::Path;
use std::time::Duration;

use events::{EmailVerificationRequested, SigningKeyPublished, UserPasswordChanged};
use kernel::{Event, Uuid};
use service::{AnyService, CannotStart, Selection, Service, catch_up};
use storage::{Error, archive, backlog, subscriptions};
use tempfile::tempdir;
use tokio::runtime::Runtime;

use crate::support::{ATTEMPTS, House, Script, Step, batch_consumer, consumer, emitter, one_at_a_time, until};

/// More than a page of the copy and several windows of a runner.
const SUBJECTS: u128 = 300;

fn subjects() -> Vec<Uuid> {
    (1..=SUBJECTS).map(Uuid::from_u128).collect()
}

/// The emitter alone.
fn before(script: &Script) -> Vec<Service<Script>> {
    vec![emitter("users", script)]
}

/// The emitter and a consumer of its two types.
fn with_consumer(script: &Script) -> Vec<Service<Script>> {
    vec![emitter("users", script), consumer("orders", script)]
}

/// The emitter and the consumer as it was when it reacted to one of the types.
fn with_consumer_of_one(script: &Script) -> Vec<Service<Script>> {
    vec![emitter("users", script), batch_consumer("orders", script)]
}

/// Emits three events about each subject.
async fn emit(house: &House, subjects: &[Uuid]) {
    for subjects in subjects.chunks(50) {
        for (name, version) in [("one", 1), ("two", 2), ("three", 3)] {
            let all: Vec<(Uuid, &str, i64)> = subjects.iter().map(|subject| (*subject, name, version)).collect();
            house.emit("users", &all).await;
        }
    }
}

/// A shop with a history, before the consumer is there.
async fn history(folder: &Path, script: &Script) {
    let house = House::start(folder, before(script)).await;
    emit(&house, &subjects()).await;
    house.settle().await;
    house.stop().await;
}

async fn assert_all_once_and_in_order(house: &House) {
    let effects = house.effects("orders").await;
    assert_eq!(effects.len(), 3 * usize::try_from(SUBJECTS).unwrap());
    for subject in subjects() {
        let names: Vec<&str> = effects.iter().filter(|(of, _)| *of == subject).map(|(_, name)| &**name).collect();
        assert_eq!(names, ["one", "two", "three"], "{subject}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_new_takes_the_history_in_the_order_of_each_key_and_goes_on_live() {
    let (folder, script) = (tempdir().unwrap(), Script::new());
    history(folder.path(), &script).await;
    let house = House::start(folder.path(), with_consumer(&script)).await;
    house.settle().await;
    assert_all_once_and_in_order(&house).await;
    let last = Uuid::from_u128(SUBJECTS + 1);
    house.emit("users", &[(last, "live", 1)]).await;
    house.settle().await;
    assert_eq!(house.effects_on("orders", last).await, ["live"]);
    house.stop().await;

    // Started again, it takes nothing again.
    let house = House::start(folder.path(), with_consumer(&script)).await;
    house.settle().await;
    assert_eq!(script.calls("one"), usize::try_from(SUBJECTS).unwrap());
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reaction_that_is_new_in_an_old_service_takes_the_history_of_its_type_alone() {
    let (folder, script) = (tempdir().unwrap(), Script::new());
    let house = House::start(folder.path(), with_consumer_of_one(&script)).await;
    emit(&house, &subjects()).await;
    house.settle().await;
    assert_eq!((script.calls("one") > 0, script.calls("two")), (true, 0));
    house.stop().await;

    let house = House::start(folder.path(), with_consumer(&script)).await;
    house.settle().await;
    assert_all_once_and_in_order(&house).await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_types_that_a_service_wants_only_at_times_it_takes_no_history() {
    let (folder, script) = (tempdir().unwrap(), Script::new());
    history(folder.path(), &script).await;
    let on_demand = Selection::of::<EmailVerificationRequested>();
    let wanted = async |_| Ok(Selection::of::<EmailVerificationRequested>());
    let consumer = consumer("orders", &script).on_demand(&on_demand, wanted);
    let house = House::start(folder.path(), vec![emitter("users", &script), consumer]).await;
    house.settle().await;
    assert_eq!((script.calls("one"), script.calls("two") > 0), (0, true), "of the other type it takes all");
    let last = Uuid::from_u128(SUBJECTS + 1);
    house.emit("users", &[(last, "live", 1)]).await;
    house.settle().await;
    assert_eq!(house.effects_on("orders", last).await, ["live"], "it is wanted from now on");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_emitted_while_a_service_did_not_react_is_taken_when_it_reacts_again() {
    let (folder, script) = (tempdir().unwrap(), Script::new());
    let all = subjects();
    let (first, meanwhile) = all.split_at(10);
    for (services, subjects) in
        [(with_consumer(&script), first), (with_consumer_of_one(&script), meanwhile), (with_consumer(&script), &[])]
    {
        let house = House::start(folder.path(), services).await;
        emit(&house, subjects).await;
        house.settle().await;
        if subjects.is_empty() {
            assert_all_once_and_in_order(&house).await;
        }
        house.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_has_no_record_and_was_used_has_been_delivered_what_its_service_reacted_to() {
    let (folder, script) = (tempdir().unwrap(), Script::new());
    history(folder.path(), &script).await;
    let house = House::start(folder.path(), before(&script)).await;
    let service = consumer("orders", &script);
    let store = service.open(&house.runtime).await.unwrap();
    store.mark_running().await.unwrap();
    let before: catch_up::RecordedBefore =
        &[("orders", &[SigningKeyPublished::TYPE, EmailVerificationRequested::TYPE])];
    let consumers = [
        catch_up::consumer(&service, store.clone(), before),
        catch_up::consumer(&emitter("users", &script), house.open_again("users").await, before),
    ];
    assert!(catch_up::begin(&consumers).await.unwrap(), "a type is new to it");
    let mut lines = Vec::new();
    let copied =
        catch_up::catch_up_all(&consumers, &[], catch_up::Beside::Others, |line| lines.push(line)).await.unwrap();
    assert_eq!(copied, 2 * u64::try_from(SUBJECTS).unwrap(), "only what is new to it is copied");
    assert!(lines.first().is_some_and(|line| line.starts_with("orders: copies the archives")), "{lines:?}");
    assert!(!catch_up::begin(&consumers).await.unwrap());
    store.close().await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_was_cut_short_goes_on_where_it_was() {
    let (folder, script) = (tempdir().unwrap(), Script::new());
    history(folder.path(), &script).await;
    let house = House::start(folder.path(), before(&script)).await;
    let (service, source) = (consumer("orders", &script), house.open_again("users").await);
    let store = service.open(&house.runtime).await.unwrap();
    let types = vec![EmailVerificationRequested::TYPE.to_owned(), UserPasswordChanged::TYPE.to_owned()];
    let page = archive::of_types(&source, types.clone(), 0, i64::MAX, 100).await.unwrap();
    let position = page.last().unwrap().position;
    backlog::append(&store, &types, page, position).await.unwrap();
    assert_eq!(subscriptions::all(&store).await.unwrap()[&types[0]].position, position);

    let refused = Box::new(consumer("orders", &script)).start(store.clone(), &house.runtime).await.err();
    assert!(
        matches!(&refused, Some(CannotStart::Store(Error::Unusable { detail, .. })) if detail.contains("run `tradepost migrate`"))
    );
    store.close().await;
    house.stop().await;

    let house = House::start(folder.path(), with_consumer(&script)).await;
    house.settle().await;
    assert_all_once_and_in_order(&house).await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_a_pointer_and_is_in_the_backlog_takes_effect_once() {
    let (folder, script) = (tempdir().unwrap(), Script::new());
    history(folder.path(), &script).await;
    let house = House::start(folder.path(), with_consumer(&script)).await;
    house.settle().await;
    // All of it is published again, as if the pointers had never been removed.
    house.operator("users").republish(Uuid::nil().into(), 10_000).await.unwrap();
    house.settle().await;
    assert_all_once_and_in_order(&house).await;
    house.stop().await;
}

/// Lives a process's life, which ends where it stands.
fn live(folder: &Path, services: impl FnOnce() -> Vec<Service<Script>>, life: impl AsyncFnOnce(&House)) {
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let house = House::start_with(folder, services(), one_at_a_time()).await;
        life(&house).await;
    });
    runtime.shutdown_timeout(Duration::from_secs(10));
}

#[test]
fn a_process_that_ends_while_it_catches_up_goes_on_where_it_was() {
    let (folder, script) = (tempdir().unwrap(), Script::new());
    Runtime::new().unwrap().block_on(history(folder.path(), &script));
    for handled in [20, 200, 400] {
        live(
            folder.path(),
            || with_consumer(&script),
            async |_| {
                let calls = async || script.calls("one") + script.calls("two") + script.calls("three") > handled;
                until("some of the history is handled", calls).await;
            },
        );
    }
    live(
        folder.path(),
        || with_consumer(&script),
        async |house| {
            house.settle().await;
            assert_all_once_and_in_order(house).await;
        },
    );
}

#[test]
fn history_that_ends_the_process_each_time_is_parked_and_the_rest_goes_on() {
    let (folder, script) = (tempdir().unwrap(), Script::new().always("poison", Step::EndProcess));
    let all = subjects();
    live(
        folder.path(),
        || before(&script),
        async |house| {
            let history: Vec<_> =
                all.iter().enumerate().map(|(at, id)| (*id, if at == 7 { "poison" } else { "new" }, 1)).collect();
            house.emit("users", &history).await;
            house.settle().await;
        },
    );
    for _ in 0..=ATTEMPTS {
        live(folder.path(), || with_consumer(&script), async |_| script.process_ends().await);
    }
    live(
        folder.path(),
        || with_consumer(&script),
        async |house| {
            house.settle().await;
            let parked = house.dead_letters("orders").await;
            assert_eq!(parked.iter().map(|held| held.envelope.key).collect::<Vec<_>>(), [all[7]]);
            let mut effects: Vec<Uuid> =
                house.effects("orders").await.into_iter().map(|(subject, _)| subject).collect();
            effects.sort_unstable();
            assert_eq!(effects, all.iter().copied().filter(|id| *id != all[7]).collect::<Vec<_>>());
        },
    );
}
