//! What a consumer that comes late needs: what it was served, the archive of some types, and a memory of what is old.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use kernel::{Cause, Event, SignedDuration, Uuid, Version};
use tradepost_storage::{Batch, archive, inbox};

use crate::place::Place;
use crate::support::{Store, ThingBroke, ThingMoved, ThingSeen, delivery, request};

/// Far longer than two transactions take.
const PATIENCE: Duration = Duration::from_secs(30);

on_each_store! {
    a_store_remembers_of_which_types_it_was_served_all,
    the_archive_of_some_types_ends_where_it_is_woken_to,
    an_old_event_that_was_handled_lately_is_remembered,
}

async fn a_store_remembers_of_which_types_it_was_served_all(place: Place) {
    let store = Store::open(&place).await;
    assert_eq!((store.subscribed().await.unwrap(), store.has_run().await.unwrap()), (None, false));
    let types = |names: &[&str]| names.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    for served in [types(&[]), types(&["a.b.v1"]), types(&["a.b.v1", "\"c\".d.v1"])] {
        store.set_subscribed(&served).await.unwrap();
        assert_eq!(store.subscribed().await.unwrap(), Some(served));
    }
    store.mark_running().await.unwrap();
    store.mark_stopped().await.unwrap();
    assert!(store.has_run().await.unwrap());
}

async fn the_archive_of_some_types_ends_where_it_is_woken_to(place: Place) {
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
async fn an_old_event_that_was_handled_lately_is_remembered(place: Place) {
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
    let place = Place::database();
    let store = Store::open(&place).await;
    let Place::Database(database) = &place else { unreachable!("it was asked for") };
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
