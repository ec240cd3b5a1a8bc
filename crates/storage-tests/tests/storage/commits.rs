//! A commit: all of it or nothing, once for each cause, whoever shares its transaction.

use std::collections::HashSet;

use kernel::{Cause, EventId, Keyed, RequestCause, Uuid, Version};
use storage::{Batch, Error, idempotency, inbox};
use tokio::task::JoinSet;

use crate::store_location::StoreLocation;
use crate::support::{Counts, Store, delivery, insert, moved, notes, request, touch, until};

on_each_store! {
    a_batch_that_fails_takes_nobody_of_its_group_with_it,
    a_guard_that_misses_writes_nothing,
    a_delivery_that_was_handled_before_writes_nothing_and_is_named,
    an_idempotency_key_is_used_once_a_day_by_each_sender,
    a_batch_that_changes_nothing_still_records_its_cause,
    a_caller_that_disconnects_leaves_all_or_nothing,
    a_full_outbox_refuses_requests_and_no_reactions,
    a_store_that_is_closed_finishes_what_it_took_and_refuses_the_rest,
}

async fn a_batch_that_fails_takes_nobody_of_its_group_with_it(place: StoreLocation) {
    let store = Store::open(&place).await;
    let missing = store.ids.next();
    let mut commits = JoinSet::new();
    for n in 0..500 {
        let (db, cause) = (store.db.clone(), request(&store.ids));
        let (first, second) = (store.ids.next(), store.ids.next());
        let note = if n % 5 == 0 { "bad" } else { "good" };
        let batch = insert(first, note).and(insert(second, note)).and(moved(first)).and(moved(second));
        // The guard on a row that isn't there is the last statement of a bad batch.
        let batch = if n % 5 == 0 { batch.and(touch(missing, Version::FIRST, "never")) } else { batch };
        commits.spawn(async move { db.commit(batch, cause).await });
    }
    let outcomes = commits.join_all().await;

    let conflict = Error::Conflict { statement: "TOUCH_THING" };
    assert_eq!(outcomes.iter().filter(|it| it.as_ref().is_err_and(|error| *error == conflict)).count(), 100);
    let committed: Vec<_> = outcomes.into_iter().filter_map(Result::ok).collect();
    assert_eq!(committed.len(), 400);
    assert!(committed.iter().any(|it| it.group_size > 1), "nobody shared a transaction");
    assert!(notes(&store).await.iter().all(|note| note == "good"));
    let expected = Counts { things: 800, events: 800, pointers: 1_600, ..Counts::default() };
    assert_eq!(store.counts().await, expected);
    let emitted: HashSet<EventId> = committed.into_iter().flat_map(|it| it.events).collect();
    assert_eq!(emitted.len(), 800);
}

async fn a_guard_that_misses_writes_nothing(place: StoreLocation) {
    let store = Store::open(&place).await;
    let thing = store.ids.next();
    store.commit(insert(thing, "new"), request(&store.ids)).await.unwrap();
    store.commit(touch(thing, Version::FIRST, "touched"), request(&store.ids)).await.unwrap();
    let before = store.counts().await;

    let late = insert(store.ids.next(), "beside").and(moved(thing)).and(touch(thing, Version::FIRST, "lost update"));
    let refused = store.commit(late, request(&store.ids)).await.unwrap_err();
    let twice = store.commit(insert(thing, "again"), request(&store.ids)).await.unwrap_err();

    assert_eq!(refused, Error::Conflict { statement: "TOUCH_THING" });
    assert_eq!(twice, Error::Conflict { statement: "INSERT_THING" });
    assert_eq!(store.counts().await, before);
    assert_eq!(notes(&store).await, ["touched"]);
}

async fn a_delivery_that_was_handled_before_writes_nothing_and_is_named(place: StoreLocation) {
    let store = Store::open(&place).await;
    let (seen, new): (EventId, EventId) = (store.ids.next(), store.ids.next());
    let thing: Uuid = store.ids.next();
    store.commit(insert(thing, "once").and(moved(thing)), Cause::Deliveries(vec![delivery(seen)])).await.unwrap();
    let before = store.counts().await;

    let set = Cause::Deliveries(vec![delivery(new), delivery(seen)]);
    let refused = store.commit(insert(store.ids.next(), "twice").and(moved(thing)), set).await.unwrap_err();

    assert_eq!(refused, Error::AlreadyDone { events: vec![seen] });
    assert_eq!(store.counts().await, before);
    let handled = inbox::handled(&store, vec![seen, new]).await.unwrap();
    assert_eq!(handled.keys().collect::<Vec<_>>(), [&seen]);
    assert_eq!((handled[&seen].digest, handled[&seen].handled_at), ([7; 16], store.now()));
}

async fn an_idempotency_key_is_used_once_a_day_by_each_sender(place: StoreLocation) {
    let store = Store::open(&place).await;
    let cause = |scope: &str, answer: &str| {
        let keyed = Keyed { scope: scope.into(), key: "k".into(), digest: [1; 32], answer: answer.into() };
        let request_id = store.ids.next();
        Cause::Request(RequestCause { request_id, traceparent: None, keyed: Some(keyed) })
    };
    store.commit(insert(store.ids.next(), "first"), cause("ada", "one")).await.unwrap();

    let again = store.commit(insert(store.ids.next(), "second"), cause("ada", "two")).await.unwrap_err();
    store.commit(insert(store.ids.next(), "another's"), cause("bob", "three")).await.unwrap();

    assert_eq!(again, Error::AlreadyDone { events: vec![] });
    assert_eq!(notes(&store).await, ["first", "another's"]);
    let kept = idempotency::find(&store, "ada", "k", store.now()).await.unwrap().unwrap();
    assert_eq!((kept.digest, kept.answer), ([1; 32], b"one".to_vec()));

    store.hands.advance(idempotency::KEPT);
    assert_eq!(idempotency::find(&store, "ada", "k", store.now()).await.unwrap(), None);
    store.commit(insert(store.ids.next(), "next day"), cause("ada", "four")).await.unwrap();
    assert_eq!(idempotency::forget(&store, store.now(), 10).await.unwrap(), 1, "only bob's no longer stands");
}

async fn a_batch_that_changes_nothing_still_records_its_cause(place: StoreLocation) {
    let store = Store::open(&place).await;
    let event_id = store.ids.next();
    store.commit(Batch::new(), Cause::Deliveries(vec![delivery(event_id)])).await.unwrap();
    let again = store.commit(Batch::new(), Cause::Deliveries(vec![delivery(event_id)])).await.unwrap_err();
    assert_eq!(again, Error::AlreadyDone { events: vec![event_id] });
}

async fn a_caller_that_disconnects_leaves_all_or_nothing(place: StoreLocation) {
    let store = Store::open(&place).await;
    let mut commits = JoinSet::new();
    for n in 0..400 {
        let (db, cause, thing) = (store.db.clone(), request(&store.ids), store.ids.next());
        let batch = insert(thing, "half").and(insert(store.ids.next(), "half")).and(moved(thing)).and(moved(thing));
        let commit = commits.spawn(async move { db.commit(batch, cause).await.map(|_| ()) });
        for _ in 0..n % 7 {
            tokio::task::yield_now().await;
        }
        commit.abort();
    }
    let mut answered = 0;
    while let Some(ended) = commits.join_next().await {
        match ended {
            Ok(outcome) => {
                outcome.unwrap();
                answered += 1;
            }
            Err(aborted) => assert!(aborted.is_cancelled()),
        }
    }
    // Writes are taken in order, so this one ends after all that were handed over.
    store.commit(Batch::new(), request(&store.ids)).await.unwrap();

    let found = store.counts().await;
    let whole = found.things / 2;
    assert_eq!((found.things, found.events, found.pointers), (whole * 2, whole * 2, whole * 4));
    assert!((answered..400).contains(&whole), "{answered} of 400 were answered and {whole} happened");
}

async fn a_full_outbox_refuses_requests_and_no_reactions(place: StoreLocation) {
    let (mut options, _hands) = crate::support::options(&place);
    options.outbox_cap = 2;
    let ids = options.ids.clone();
    let db = storage::Db::open(options).await.unwrap();
    db.commit(moved(ids.next()), request(&ids)).await.unwrap();

    let refused = db.commit(moved(ids.next()), request(&ids)).await.unwrap_err();
    db.commit(insert(ids.next(), "emits nothing"), request(&ids)).await.unwrap();
    db.commit(moved(ids.next()), Cause::Deliveries(vec![delivery(ids.next())])).await.unwrap();

    assert_eq!(refused, Error::OutboxFull { cap: 2 });
}

async fn a_store_that_is_closed_finishes_what_it_took_and_refuses_the_rest(place: StoreLocation) {
    let store = Store::open(&place).await;
    let (db, cause, thing) = (store.db.clone(), request(&store.ids), store.ids.next());
    let mut taken = JoinSet::new();
    taken.spawn(async move { db.commit(insert(thing, "taken"), cause).await.map(|_| ()) });
    until("the commit was taken", async || notes(&store).await == ["taken"]).await;
    store.close().await;

    taken.join_next().await.unwrap().unwrap().unwrap();
    let late = store.commit(Batch::new(), request(&store.ids)).await.unwrap_err();
    assert!(matches!(late, Error::Unavailable { .. }), "{late}");
}
