//! Timers: tried until they are done, by one holder at a time.

use std::time::Duration;

use kernel::{SignedDuration, Uuid};
use serde_json::Value;
use service::Settings;
use tempfile::tempdir;

use crate::support::{
    House, REMIND, REMIND_AFTER, Script, Step, batch_timekeeper, staged_timekeeper, timekeeper, until,
};

#[tokio::test]
async fn a_timer_that_fails_is_retried_later_and_never_dropped() {
    let folder = tempdir().unwrap();
    let script = Script::new().first("remind", &[Step::Fail, Step::Panic, Step::Refuse, Step::Conflict]);
    let house = House::start(folder.path(), vec![timekeeper("shipping", &script)]).await;
    let order = remind(&house).await;
    house.settle().await;
    assert_eq!(script.calls("remind"), 0, "it is not due yet");

    house.advance(REMIND_AFTER).await;
    for calls in 1..=3 {
        // The shortest wait is a quarter of a second.
        house.advance(SignedDuration::from_millis(249)).await;
        assert_eq!(script.calls("remind"), calls);
        house.advance(SignedDuration::from_mins(1)).await;
    }

    assert_eq!(script.calls("remind"), 5, "a conflict is decided again at once");
    assert_eq!(house.effects_on("shipping", order).await, ["remind"]);
    house.advance(SignedDuration::from_hours(1)).await;
    assert_eq!(script.calls("remind"), 5);
    house.stop().await;
}

#[tokio::test]
async fn a_handler_that_loses_its_lease_commits_nothing() {
    let folder = tempdir().unwrap();
    let script = Script::new().first("remind", &[Step::Wait]);
    let house = House::start(folder.path(), vec![timekeeper("shipping", &script)]).await;
    let order = remind(&house).await;
    house.hands.advance(REMIND_AFTER);
    until("the first handler is at work", async || script.calls("remind") == 1).await;

    house.hands.advance(SignedDuration::try_from(REMIND.lease).unwrap());
    until("the second one is done", async || script.outcomes().len() == 1).await;
    script.release(1);
    until("the first one is done", async || script.outcomes().len() == 2).await;

    assert_eq!(script.outcomes(), [Ok(()), Err(storage::Error::LeaseLost { name: REMIND.name })]);
    assert_eq!(house.effects_on("shipping", order).await, ["remind"]);
    house.stop().await;
}

#[tokio::test]
async fn timers_beyond_those_handled_at_once_follow_as_soon_as_there_is_room() {
    let folder = tempdir().unwrap();
    let script = Script::new();
    let house = House::start(folder.path(), vec![timekeeper("shipping", &script)]).await;
    for _ in 0..50 {
        remind(&house).await;
    }
    house.advance(REMIND_AFTER).await;
    assert_eq!(house.effects("shipping").await.len(), 50);
    house.stop().await;
}

#[tokio::test]
async fn one_timer_that_fails_holds_up_none_of_those_that_are_handled_with_it() {
    let folder = tempdir().unwrap();
    // The second of the set; then, each alone, the first of them.
    let script = Script::new().first("remind", &[Step::Commit, Step::Panic, Step::Fail]);
    let house = House::start(folder.path(), vec![batch_timekeeper("shipping", &script)]).await;
    for _ in 0..REMIND.concurrency {
        remind(&house).await;
    }
    house.advance(REMIND_AFTER).await;
    assert_eq!(house.effects("shipping").await.len(), REMIND.concurrency - 1);

    house.advance(SignedDuration::from_secs(1)).await;
    assert_eq!(house.effects("shipping").await.len(), REMIND.concurrency);
    house.stop().await;
}

#[tokio::test]
async fn what_many_timers_began_together_each_ends_alone() {
    let folder = tempdir().unwrap();
    let script = Script::new().first("remind", &[Step::Commit, Step::Fail]);
    let house = House::start(folder.path(), vec![staged_timekeeper("shipping", &script)]).await;
    for _ in 0..3 {
        remind(&house).await;
    }
    house.advance(REMIND_AFTER).await;
    assert_eq!((script.calls("begin"), script.calls("remind")), (3, 3));
    assert_eq!(house.effects("shipping").await.len(), 5, "three have begun, two are done");

    house.advance(SignedDuration::from_secs(1)).await;
    assert_eq!((script.calls("begin"), script.calls("remind")), (4, 4));
    house.stop().await;
}

#[tokio::test]
async fn new_work_is_refused_while_old_work_waits_for_too_long() {
    let folder = tempdir().unwrap();
    let script = Script::new().always("remind", Step::Wait);
    let settings = Settings { late_after: Duration::from_mins(4), ..Settings::default() };
    let house = House::start_with(folder.path(), vec![timekeeper("shipping", &script)], settings).await;
    for _ in 0..110 {
        remind(&house).await;
    }
    house.hands.advance(REMIND_AFTER);
    until("the first are at work", async || script.calls("remind") == REMIND.concurrency).await;
    house.runtime.overload.backlog.admit().unwrap();

    let late_after = SignedDuration::try_from(house.runtime.settings.late_after).unwrap();
    house.hands.advance(late_after + SignedDuration::from_secs(1));
    until("the rest is late", async || house.runtime.overload.backlog.admit().is_err()).await;
    let refused = house.runtime.overload.backlog.admit().unwrap_err();
    assert_eq!((refused.status().as_u16(), refused.code(), refused.retry_after_s()), (503, "overloaded", Some(5)));

    script.heal("remind");
    script.release(110);
    until("the rest is done", async || house.runtime.overload.backlog.admit().is_ok()).await;
    house.stop().await;
}

#[tokio::test]
async fn a_timer_set_before_a_restart_comes_due_after_it() {
    let folder = tempdir().unwrap();
    let script = Script::new();
    let house = House::start(folder.path(), vec![timekeeper("shipping", &script)]).await;
    let order = remind(&house).await;
    house.stop().await;

    let house = House::start(folder.path(), vec![timekeeper("shipping", &script)]).await;
    house.advance(REMIND_AFTER).await;

    assert_eq!(house.effects_on("shipping", order).await, ["remind"]);
    house.stop().await;
}

async fn remind(house: &House) -> Uuid {
    let subject: Uuid = house.runtime.ids.next();
    let answer = house.post("shipping", &format!("/v1/remind/{subject}"), &Value::Null).await;
    assert_eq!(answer.status.as_u16(), 202, "{}", answer.text);
    subject
}
