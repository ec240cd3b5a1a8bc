//! Durable timers: one holder at a time, and only the holder's commit ends them.

use kernel::{Cause, SignedDuration, TimerCause, Uuid};
use tradepost_storage::{Batch, Error, timers};

use crate::place::Place;
use crate::support::{Counts, Store, insert, notes, request};

on_each_store! {
    a_due_timer_is_leased_once_and_ended_by_its_commit,
    no_more_are_leased_than_were_asked_for,
    a_lease_that_ends_is_taken_over_and_its_holder_commits_nothing,
    a_deferred_timer_comes_back_at_its_new_time,
    a_timer_that_is_set_again_while_it_runs_is_out_of_its_handlers_reach,
    a_timer_that_is_removed_while_it_runs_ends_without_effect,
    a_timer_of_a_process_that_ended_is_due_at_once_when_the_store_opens,
}

const REMIND: &str = "warehouse.remind";
const LEASE: SignedDuration = SignedDuration::from_secs(30);

async fn a_due_timer_is_leased_once_and_ended_by_its_commit(place: Place) {
    let store = Store::open(&place).await;
    let key = scheduled(&store, SignedDuration::from_secs(10)).await;
    assert_eq!(lease(&store).await.len(), 0, "it is not due yet");
    store.hands.advance(SignedDuration::from_secs(10));

    let mut leased = lease(&store).await;
    assert_eq!(lease(&store).await.len(), 0, "somebody holds it");
    let timer = leased.pop().unwrap();
    assert_eq!((timer.name, timer.key, timer.attempts), (REMIND, key, 1));
    store.commit(insert(store.ids.next(), "reminded"), Cause::Timer(timer.clone())).await.unwrap();
    store.hands.advance(LEASE);

    assert_eq!(lease(&store).await.len(), 0, "it was ended");
    let again = store.commit(insert(store.ids.next(), "twice"), Cause::Timer(timer)).await.unwrap_err();
    assert_eq!(again, Error::LeaseLost { name: REMIND });
    assert_eq!(notes(&store).await, ["reminded"]);
}

async fn no_more_are_leased_than_were_asked_for(place: Place) {
    let store = Store::open(&place).await;
    scheduled(&store, SignedDuration::ZERO).await;
    if let Place::Database(database) = &place {
        // A server plans by what it knows of a table, and keeps the plan: here that for a table of one row.
        database.execute("vacuum analyze warehouse.timers");
    }
    assert_eq!(lease(&store).await.len(), 1);
    let batch = (0..5_000).fold(Batch::new(), |batch, _| batch.schedule(REMIND, store.ids.next::<Uuid>(), store.now()));
    store.commit(batch, request(&store.ids)).await.unwrap();
    for _ in 0..3 {
        assert_eq!(lease(&store).await.len(), 10);
    }
}

async fn a_lease_that_ends_is_taken_over_and_its_holder_commits_nothing(place: Place) {
    let store = Store::open(&place).await;
    scheduled(&store, SignedDuration::ZERO).await;
    let slow = lease(&store).await.pop().unwrap();
    store.hands.advance(LEASE);
    let next = lease(&store).await.pop().unwrap();
    assert_eq!(next.attempts, 2);

    let late = store.commit(insert(store.ids.next(), "late"), Cause::Timer(slow.clone())).await.unwrap_err();
    timers::defer(&store, &slow, store.now()).await.unwrap();
    assert_eq!(late, Error::LeaseLost { name: REMIND });
    assert_eq!(lease(&store).await.len(), 0, "who lost the lease can't defer the timer either");
    store.commit(insert(store.ids.next(), "in time"), Cause::Timer(next)).await.unwrap();

    assert_eq!(notes(&store).await, ["in time"]);
}

async fn a_deferred_timer_comes_back_at_its_new_time(place: Place) {
    let store = Store::open(&place).await;
    scheduled(&store, SignedDuration::ZERO).await;
    let timer = lease(&store).await.pop().unwrap();
    let retry_at = store.now() + SignedDuration::from_secs(5);
    timers::defer(&store, &timer, retry_at).await.unwrap();

    assert_eq!(timers::next_due(&store, REMIND).await.unwrap(), Some(retry_at));
    store.hands.advance(SignedDuration::from_secs(5));
    assert_eq!(lease(&store).await.pop().unwrap().attempts, 2);
}

/// The clock stands still, as it does for a moment on a machine whose clock is set back.
async fn a_timer_that_is_set_again_while_it_runs_is_out_of_its_handlers_reach(place: Place) {
    let store = Store::open(&place).await;
    let key = scheduled(&store, SignedDuration::ZERO).await;
    let running = lease(&store).await.pop().unwrap();
    store.commit(Batch::new().schedule(REMIND, key, store.now()), request(&store.ids)).await.unwrap();
    let renewed = lease(&store).await.pop().unwrap();
    assert_eq!(renewed.attempts, 1);

    let late = store.commit(insert(store.ids.next(), "late"), Cause::Timer(running)).await.unwrap_err();
    store.commit(insert(store.ids.next(), "renewed"), Cause::Timer(renewed)).await.unwrap();

    assert_eq!(late, Error::LeaseLost { name: REMIND });
    assert_eq!(notes(&store).await, ["renewed"]);
}

async fn a_timer_that_is_removed_while_it_runs_ends_without_effect(place: Place) {
    let store = Store::open(&place).await;
    let key = scheduled(&store, SignedDuration::ZERO).await;
    let running = lease(&store).await.pop().unwrap();
    store.commit(Batch::new().unschedule(REMIND, key), request(&store.ids)).await.unwrap();

    let late = store.commit(insert(store.ids.next(), "late"), Cause::Timer(running)).await.unwrap_err();

    assert_eq!(late, Error::LeaseLost { name: REMIND });
    assert_eq!(store.counts().await, Counts::default());
    assert_eq!(timers::unfinished(&store, store.now() + LEASE).await.unwrap(), 0);
}

async fn a_timer_of_a_process_that_ended_is_due_at_once_when_the_store_opens(place: Place) {
    let store = Store::open(&place).await;
    scheduled(&store, SignedDuration::ZERO).await;
    let held = lease(&store).await.pop().unwrap();
    store.close().await;

    let reopened = Store::open(&place).await;
    let timer = lease(&reopened).await.pop().unwrap();

    assert_eq!((timer.key, timer.attempts), (held.key, 2));
    let late = reopened.commit(Batch::new(), Cause::Timer(held)).await.unwrap_err();
    assert_eq!(late, Error::LeaseLost { name: REMIND });
}

async fn scheduled(store: &Store, after: SignedDuration) -> Uuid {
    let key: Uuid = store.ids.next();
    let batch = Batch::new().schedule(REMIND, key, store.now() + after);
    store.commit(batch, request(&store.ids)).await.unwrap();
    key
}

async fn lease(store: &Store) -> Vec<TimerCause> {
    let now = store.now();
    timers::lease(store, REMIND, now, now + LEASE, 10).await.unwrap()
}
