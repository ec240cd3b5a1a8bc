//! A consumer that catches up: its subscriptions, its backlog, the archives, and an inbox that remembers old events.

use std::time::{Duration, Instant};

use kernel::{Cause, Event, SignedDuration, Uuid, Version};
use storage::backlog::{self, Entry, Part};
use storage::subscriptions::{self, Subscription};
use storage::{Batch, archive, inbox};
use test_servers::PATIENCE;

use crate::store_location::StoreLocation;
use crate::support::{Store, ThingBroke, ThingMoved, ThingSeen, delivery, request};

on_each_store! {
    a_subscription_is_live_once_all_before_it_was_copied,
    a_backlog_is_copied_once_and_read_in_the_order_of_its_source,
    the_archive_of_some_types_ends_at_the_position_that_was_asked_for,
    an_old_event_that_was_handled_lately_is_remembered,
}

async fn a_subscription_is_live_once_all_before_it_was_copied(place: StoreLocation) {
    let store = Store::open(&place).await;
    let types = vec![ThingMoved::TYPE.to_owned(), ThingBroke::TYPE.to_owned()];
    let found = async || subscriptions::all(&store).await.unwrap();
    subscriptions::copied(&store, &types, 7).await.unwrap();
    subscriptions::copied(&store, &types[..1], 9).await.unwrap();
    subscriptions::copied(&store, &types, 8).await.unwrap();
    let copying = |position| Subscription { position, is_live: false };
    assert_eq!(found().await, [(types[0].clone(), copying(9)), (types[1].clone(), copying(8))].into());
    subscriptions::go_live(&store, types.clone()).await.unwrap();
    assert!(found().await.values().all(|subscription| subscription.is_live));
    subscriptions::end(&store, &types[1], 12).await.unwrap();
    assert_eq!(found().await[&types[1]], copying(12));
}

async fn a_backlog_is_copied_once_and_read_in_the_order_of_its_source(place: StoreLocation) {
    let store = Store::open(&place).await;
    let thing_id: Uuid = store.ids.next();
    for version in 1..=5 {
        let batch = Batch::new().emit(Version::from_stored(version), &ThingMoved { thing_id });
        store.commit(batch, request(&store.ids)).await.unwrap();
    }
    let types = || vec![ThingMoved::TYPE.to_owned()];
    let events = archive::of_types(&store, types(), 0, i64::MAX, 10).await.unwrap();
    // The second page repeats some of the first, as after a crash.
    backlog::append(&store, &types(), events[..3].to_vec(), 3).await.unwrap();
    backlog::append(&store, &types(), events[2..].to_vec(), 5).await.unwrap();
    assert_eq!(subscriptions::all(&store).await.unwrap()[ThingMoved::TYPE].position, 5);
    assert_eq!(backlog::count(&store, types()).await.unwrap(), 5);

    let lane = ThingMoved::LANE;
    let part = Part { lane, shard: store.shards().of(lane, thing_id) };
    assert_eq!(backlog::shards(&store, lane, types()).await.unwrap(), [part.shard]);
    assert_eq!(backlog::sources(&store, part, types()).await.unwrap(), ["warehouse"]);
    let page = async |after| backlog::page(&store, part, "warehouse", types(), after, 2).await.unwrap();
    let (first, second) = (page(0).await, page(2).await);
    let positions: Vec<i64> = first.iter().chain(&second).map(|entry| entry.event.position).collect();
    assert_eq!(positions, [1, 2, 3, 4]);
    assert_eq!((&first[0].event.body, first[0].event.envelope.id), (&events[0].body, events[0].envelope.id));

    let places =
        |entries: &[Entry]| entries.iter().map(|entry| (entry.event.position, entry.event.envelope.id)).collect();
    backlog::delivered(&store, part, vec![("warehouse".to_owned(), places(&first))]).await.unwrap();
    backlog::remove(&store, part, vec![("warehouse".to_owned(), places(&first[..1]))]).await.unwrap();
    let left = page(0).await;
    assert_eq!(left.iter().map(|it| (it.event.position, it.is_delivered)).collect::<Vec<_>>(), [(2, true), (3, false)]);
    let others = || vec![ThingBroke::TYPE.to_owned()];
    assert!(backlog::shards(&store, lane, others()).await.unwrap().is_empty(), "other types are left alone");
}

async fn the_archive_of_some_types_ends_at_the_position_that_was_asked_for(place: StoreLocation) {
    let store = Store::open(&place).await;
    for _ in 0..5 {
        let thing_id: Uuid = store.ids.next();
        let batch = Batch::new()
            .emit(Version::FIRST, &ThingMoved { thing_id })
            .emit(Version::FIRST, &ThingSeen { thing_id })
            .emit(Version::FIRST, &ThingBroke { thing_id });
        store.commit(batch, request(&store.ids)).await.unwrap();
    }
    let newest = archive::newest(&store).await.unwrap();
    let batch = Batch::new().emit(Version::FIRST, &ThingMoved { thing_id: store.ids.next() });
    store.commit(batch, request(&store.ids)).await.unwrap();

    let types = || vec![ThingMoved::TYPE.to_owned(), ThingBroke::TYPE.to_owned()];
    let (mut found, mut after) = (Vec::new(), 0);
    loop {
        let page = archive::of_types(&store, types(), after, newest, 3).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.position;
        found.extend(page);
    }
    let types: Vec<&str> = found.iter().map(|event| event.envelope.event_type.as_str()).collect();
    assert_eq!(types, [ThingMoved::TYPE, ThingBroke::TYPE].repeat(5));
}

/// As from an archive: it was emitted long before the inbox began.
async fn an_old_event_that_was_handled_lately_is_remembered(place: StoreLocation) {
    let store = Store::open(&place).await;
    let old = store.ids.next();
    store.hands.advance(SignedDuration::from_hours(24 * 30));
    store.commit(Batch::new(), Cause::Deliveries(vec![delivery(old)])).await.unwrap();
    let retention = SignedDuration::from_hours(24 * 14);
    assert_eq!(inbox::forget(&store, store.now() - retention, 10).await.unwrap(), 0);
    assert!(inbox::handled(&store, vec![old]).await.unwrap().contains_key(&old));
    store.hands.advance(retention + SignedDuration::from_secs(1));
    assert_eq!(inbox::forget(&store, store.now() - retention, 10).await.unwrap(), 1);
}

/// Positions are given when rows are written and seen when they are committed: whoever follows them must not pass over
/// one that is still to come, whichever transaction began first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_follows_the_archive_passes_over_nothing_that_others_are_committing() {
    let place = StoreLocation::database();
    let store = Store::open(&place).await;
    let StoreLocation::Database(database) = &place else { unreachable!("it was asked for") };
    let insert = format!(
        "insert into {}.events (event_id, type, key, lane, sequence, time, correlation_id, causation_id, body) values \
             (gen_random_uuid(), 'a.b.v1', gen_random_uuid(), 'background', 1, now(), gen_random_uuid(), gen_random_uuid(), '{{}}')",
        store.service()
    );
    // The first has the lower number and the higher position, and is committed while the second is still open.
    let first = format!("begin; select pg_current_xact_id(); select pg_sleep(0.4); {insert}; commit");
    let second = format!("begin; select pg_sleep(0.1); {insert}; select pg_sleep(1); commit");
    let mut seen = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| database.execute(&first));
        scope.spawn(|| database.execute(&second));
        let follow = async {
            let began = Instant::now();
            while seen.len() < 2 {
                assert!(began.elapsed() < PATIENCE, "one was passed over: {seen:?}");
                let after = seen.last().copied().unwrap_or_default();
                seen.extend(archive::after(&store, after, 10).await.unwrap().iter().map(|event| event.position));
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(follow));
    });
    assert_eq!(seen, [1, 2]);
}
