//! Durable timers: one holder at a time, and only the holder's commit ends them.

use std::time::Duration;

use kernel::{Cause, SignedDuration, TimerCause, Uuid};
use storage::{Batch, Error, timers};

use crate::store_location::StoreLocation;
use crate::support::{Counts, Store, insert, notes, request};

on_each_store! {
    a_due_timer_is_leased_once_and_ended_by_its_commit,
    no_more_are_leased_than_were_asked_for,
    a_lease_that_ends_is_taken_over_and_its_holder_commits_nothing,
    a_deferred_timer_comes_back_at_its_new_time,
    a_timer_that_is_set_again_while_it_runs_is_out_of_its_handlers_reach,
    a_timer_that_is_removed_while_it_runs_ends_without_effect,
    a_timer_of_a_process_that_ended_is_due_at_once_when_the_store_opens,
    many_timers_are_ended_by_one_commit_or_none_is,
    a_first_commit_holds_its_leases_and_ends_no_timer,
    a_waiting_task_is_woken_only_by_timers_that_are_due_earlier,
}

const REMIND: &str = "warehouse.remind";
const LEASE: SignedDuration = SignedDuration::from_secs(30);

async fn a_due_timer_is_leased_once_and_ended_by_its_commit(place: StoreLocation) {
    let store = Store::open(&place).await;
    let key = scheduled(&store, SignedDuration::from_secs(10)).await;
    assert_eq!(lease(&store).await.len(), 0, "it is not due yet");
    store.hands.advance(SignedDuration::from_secs(10));

    let mut leased = lease(&store).await;
    assert_eq!(lease(&store).await.len(), 0, "somebody holds it");
    let timer = leased.pop().unwrap();
    assert_eq!((timer.name, timer.key, timer.attempts), (REMIND, key, 1));
    store.commit(insert(store.ids.next(), "reminded"), Cause::Timers(vec![timer.clone()])).await.unwrap();
    store.hands.advance(LEASE);

    assert_eq!(lease(&store).await.len(), 0, "it was ended");
    let again = store.commit(insert(store.ids.next(), "twice"), Cause::Timers(vec![timer])).await.unwrap_err();
    assert_eq!(again, Error::LeaseLost { name: REMIND });
    assert_eq!(notes(&store).await, ["reminded"]);
}

async fn no_more_are_leased_than_were_asked_for(place: StoreLocation) {
    let store = Store::open(&place).await;
    scheduled(&store, SignedDuration::ZERO).await;
    if let StoreLocation::Database(database) = &place {
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

async fn a_lease_that_ends_is_taken_over_and_its_holder_commits_nothing(place: StoreLocation) {
    let store = Store::open(&place).await;
    scheduled(&store, SignedDuration::ZERO).await;
    let slow = lease(&store).await.pop().unwrap();
    store.hands.advance(LEASE);
    let next = lease(&store).await.pop().unwrap();
    assert_eq!(next.attempts, 2);

    let late = store.commit(insert(store.ids.next(), "late"), Cause::Timers(vec![slow.clone()])).await.unwrap_err();
    timers::defer(&store, &slow, store.now()).await.unwrap();
    assert_eq!(late, Error::LeaseLost { name: REMIND });
    assert_eq!(lease(&store).await.len(), 0, "who lost the lease can't defer the timer either");
    store.commit(insert(store.ids.next(), "in time"), Cause::Timers(vec![next])).await.unwrap();

    assert_eq!(notes(&store).await, ["in time"]);
}

async fn a_deferred_timer_comes_back_at_its_new_time(place: StoreLocation) {
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
async fn a_timer_that_is_set_again_while_it_runs_is_out_of_its_handlers_reach(place: StoreLocation) {
    let store = Store::open(&place).await;
    let key = scheduled(&store, SignedDuration::ZERO).await;
    let running = lease(&store).await.pop().unwrap();
    store.commit(Batch::new().schedule(REMIND, key, store.now()), request(&store.ids)).await.unwrap();
    let renewed = lease(&store).await.pop().unwrap();
    assert_eq!(renewed.attempts, 1);

    let late = store.commit(insert(store.ids.next(), "late"), Cause::Timers(vec![running])).await.unwrap_err();
    store.commit(insert(store.ids.next(), "renewed"), Cause::Timers(vec![renewed])).await.unwrap();

    assert_eq!(late, Error::LeaseLost { name: REMIND });
    assert_eq!(notes(&store).await, ["renewed"]);
}

async fn a_timer_that_is_removed_while_it_runs_ends_without_effect(place: StoreLocation) {
    let store = Store::open(&place).await;
    let key = scheduled(&store, SignedDuration::ZERO).await;
    let running = lease(&store).await.pop().unwrap();
    store.commit(Batch::new().unschedule(REMIND, key), request(&store.ids)).await.unwrap();

    let late = store.commit(insert(store.ids.next(), "late"), Cause::Timers(vec![running])).await.unwrap_err();

    assert_eq!(late, Error::LeaseLost { name: REMIND });
    assert_eq!(store.counts().await, Counts::default());
    assert_eq!(timers::unfinished(&store, store.now() + LEASE).await.unwrap(), 0);
}

async fn a_timer_of_a_process_that_ended_is_due_at_once_when_the_store_opens(place: StoreLocation) {
    let store = Store::open(&place).await;
    scheduled(&store, SignedDuration::ZERO).await;
    let held = lease(&store).await.pop().unwrap();
    store.close().await;

    let reopened = Store::open(&place).await;
    let timer = lease(&reopened).await.pop().unwrap();

    assert_eq!((timer.key, timer.attempts), (held.key, 2));
    let late = reopened.commit(Batch::new(), Cause::Timers(vec![held])).await.unwrap_err();
    assert_eq!(late, Error::LeaseLost { name: REMIND });
}

async fn many_timers_are_ended_by_one_commit_or_none_is(place: StoreLocation) {
    let store = Store::open(&place).await;
    for _ in 0..3 {
        scheduled(&store, SignedDuration::ZERO).await;
    }
    let leased = lease(&store).await;
    store.commit(Batch::new().unschedule(REMIND, leased[1].key), request(&store.ids)).await.unwrap();

    let all = Cause::Timers(leased.clone());
    let refused = store.commit(insert(store.ids.next(), "all"), all).await.unwrap_err();
    assert_eq!(refused, Error::LeaseLost { name: REMIND });
    let others = Cause::Timers(vec![leased[0].clone(), leased[2].clone()]);
    store.commit(insert(store.ids.next(), "others"), others).await.unwrap();

    assert_eq!(notes(&store).await, ["others"]);
    assert_eq!(timers::unfinished(&store, store.now() + LEASE).await.unwrap(), 0);
}

async fn a_first_commit_holds_its_leases_and_ends_no_timer(place: StoreLocation) {
    let store = Store::open(&place).await;
    scheduled(&store, SignedDuration::ZERO).await;
    scheduled(&store, SignedDuration::ZERO).await;
    let leased = lease(&store).await;
    store.commit(insert(store.ids.next(), "begun"), Cause::Leases(leased.clone())).await.unwrap();
    store.commit(insert(store.ids.next(), "done"), Cause::Timers(vec![leased[0].clone()])).await.unwrap();

    let late = store.commit(insert(store.ids.next(), "late"), Cause::Leases(leased.clone())).await.unwrap_err();
    assert_eq!(late, Error::LeaseLost { name: REMIND });
    store.hands.advance(LEASE);
    let again = lease(&store).await;
    assert_eq!((again.len(), again[0].key, again[0].attempts), (1, leased[1].key, 2));
    let late = store.commit(Batch::new(), Cause::Leases(vec![leased[1].clone()])).await.unwrap_err();
    assert_eq!(late, Error::LeaseLost { name: REMIND });
    assert_eq!(notes(&store).await, ["begun", "done"]);
}

async fn a_waiting_task_is_woken_only_by_timers_that_are_due_earlier(place: StoreLocation) {
    let store = Store::open(&place).await;
    let signal = store.timer_signal(REMIND);
    let is_woken = async || tokio::time::timeout(Duration::ZERO, signal.earlier()).await.is_ok();
    assert!(!is_woken().await);
    scheduled(&store, SignedDuration::from_secs(10)).await;
    assert!(is_woken().await);

    scheduled(&store, SignedDuration::from_secs(10)).await;
    scheduled(&store, SignedDuration::from_secs(20)).await;
    assert!(!is_woken().await, "none comes due before the first");
    scheduled(&store, SignedDuration::from_secs(5)).await;
    assert!(is_woken().await);
    assert_eq!(signal.next_due(), store.now() + SignedDuration::from_secs(5));

    signal.forget();
    scheduled(&store, SignedDuration::from_secs(30)).await;
    signal.known(store.now() + SignedDuration::from_secs(5));
    assert!(is_woken().await, "while the store was asked, anything that was set was news");
    assert_eq!(signal.next_due(), store.now() + SignedDuration::from_secs(5));
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
