//! From a commit in one service to an effect in others: once, in order, and nobody waits for somebody else.

use std::pin::pin;
use std::time::Duration;

use bus::Message;
use events::UserPasswordChanged;
use futures_util::future::join;
use kernel::{Envelope, Event, Lane, SignedDuration, Uuid};
use service::Settings;
use service::http::overload::YieldsTo;
use storage::held::{self, Held, HeldState};
use tempfile::tempdir;

use crate::support::{
    House, RETRY_MAX, Script, Step, batch_consumer, consumer, emitter, message, one_at_a_time, until,
};

#[tokio::test]
async fn every_delivery_takes_effect_once() {
    let folder = tempdir().unwrap();
    let script = Script::new();
    let house = House::start(folder.path(), vec![emitter("users", &script), consumer("orders", &script)]).await;
    let (ada, bob): (Uuid, Uuid) = (house.runtime.ids.next(), house.runtime.ids.next());
    house.emit("users", &[(ada, "ada", 1), (bob, "bob", 1), (ada, "countess", 2)]).await;
    house.settle().await;

    for event in house.emitted("users").await {
        house.publish("orders", message(&event)).await;
    }
    house.settle().await;

    assert_eq!(house.effects_on("orders", ada).await, ["ada", "countess"]);
    assert_eq!(house.effects_on("orders", bob).await, ["bob"]);
    assert_eq!(script.calls("ada"), 1);
    let done = house.delivery("orders", "users", 2).await;
    assert_eq!((done.status, done.attempts), ("done", 1));
    house.stop().await;
}

#[tokio::test]
async fn who_yields_to_others_waits_while_they_have_many_events_to_handle() {
    let folder = tempdir().unwrap();
    let script = Script::new();
    let yielding = consumer("analytics", &script).yields_to_others();
    let services = vec![emitter("users", &script), consumer("orders", &script), yielding];
    let house = House::start(folder.path(), services).await;
    let load = &house.runtime.overload.yielding;
    let many = load.many_events();
    // It has to last for some time before it counts.
    until("there is load", async || {
        futures_util::poll!(pin!(load.wait(YieldsTo::Others, SignedDuration::ZERO))).is_pending()
    })
    .await;
    let ada = house.runtime.ids.next();
    house.emit("users", &[(ada, "ada", 1)]).await;
    until("the others have handled it", async || house.effects_on("orders", ada).await == ["ada"]).await;
    assert!(house.effects_on("analytics", ada).await.is_empty());
    drop(many);
    house.settle().await;
    assert_eq!(house.effects_on("analytics", ada).await, ["ada"]);
    house.stop().await;
}

#[tokio::test]
async fn events_of_a_key_take_effect_in_their_order() {
    let folder = tempdir().unwrap();
    let script = Script::new();
    let house = House::start(folder.path(), vec![emitter("users", &script), consumer("orders", &script)]).await;
    let subjects: Vec<Uuid> = (0..5).map(|_| house.runtime.ids.next()).collect();
    let names: Vec<String> = (1..=60).map(|version| format!("v{version}")).collect();
    for (version, name) in (1..).zip(&names) {
        let emitted: Vec<(Uuid, &str, i64)> = subjects.iter().map(|it| (*it, name.as_str(), version)).collect();
        house.emit("users", &emitted).await;
    }
    house.settle().await;

    for subject in subjects {
        assert_eq!(house.effects_on("orders", subject).await, names);
    }
    house.stop().await;
}

#[tokio::test]
async fn the_id_of_a_handled_event_with_other_bytes_is_parked() {
    let folder = tempdir().unwrap();
    let script = Script::new();
    let house = House::start(folder.path(), vec![emitter("users", &script), consumer("orders", &script)]).await;
    house.emit("users", &[(house.runtime.ids.next(), "ada", 1)]).await;
    house.settle().await;
    let emitted = house.emitted("users").await.remove(0);
    let body = String::from_utf8(emitted.body.clone()).unwrap().replace("ada", "eve").into();

    house.publish("orders", Message { body, ..message(&emitted) }).await;

    let parked = house.dead_letters("orders").await;
    assert_eq!(parked.len(), 1);
    assert_eq!(parked[0].envelope.id, emitted.envelope.id);
    assert_eq!(parked[0].reason.as_deref(), Some("the id of a handled event, with other bytes"));
    assert_eq!((script.calls("ada"), script.calls("eve")), (1, 0));
    house.stop().await;
}

#[tokio::test]
async fn of_two_that_arrive_together_with_one_id_and_other_bytes_one_is_parked() {
    let folder = tempdir().unwrap();
    let script = Script::new().first("slow", &[Step::Wait]);
    let house = House::start(folder.path(), vec![emitter("users", &script), consumer("orders", &script)]).await;
    house.emit("users", &[(house.runtime.ids.next(), "slow", 1)]).await;
    until("what comes next waits for it", async || script.calls("slow") == 1).await;
    let slow = message(&house.emitted("users").await.remove(0));
    let named = |name: &str| String::from_utf8(slow.body.to_vec()).unwrap().replace("slow", name).into();
    let (id, key) = (house.runtime.ids.next(), house.runtime.ids.next());
    let first = Message { envelope: Envelope { id, key, ..slow.envelope.clone() }, body: named("ada") };
    let second = Message { body: named("eve"), ..first.clone() };

    let both = join(house.publish("orders", first.clone()), house.publish("orders", second));
    // They are in flight when they are polled first, and settled when the window before them is.
    join(both, async { script.release(1) }).await;

    let parked = house.dead_letters("orders").await;
    assert_eq!(parked.len(), 1);
    assert_eq!(parked[0].envelope.id, first.envelope.id);
    assert_eq!(parked[0].reason.as_deref(), Some("the id of a handled event, with other bytes"));
    assert_eq!((script.calls("ada"), script.calls("eve")), (1, 0));
    house.stop().await;
}

#[tokio::test]
async fn other_bytes_that_waited_behind_a_dead_letter_are_parked_too() {
    let folder = tempdir().unwrap();
    let script = Script::new().always("refused", Step::Refuse);
    let house = House::start(folder.path(), vec![emitter("users", &script), consumer("orders", &script)]).await;
    let ada = house.runtime.ids.next();
    house.emit("users", &[(ada, "ada", 1), (ada, "refused", 2)]).await;
    house.settle().await;
    let emitted = house.emitted("users").await.remove(0);
    let body = String::from_utf8(emitted.body.clone()).unwrap().replace("ada", "eve").into();
    house.publish("orders", Message { body, ..message(&emitted) }).await;

    let refused = house.dead_letters("orders").await.remove(0);
    assert!(house.operator("orders").discard(refused.dead_letter_id, "automation").await.unwrap());
    house.settle().await;

    let parked = house.dead_letters("orders").await;
    assert_eq!(parked.len(), 1);
    assert_eq!(parked[0].envelope.id, emitted.envelope.id);
    assert_eq!(parked[0].reason.as_deref(), Some("the id of a handled event, with other bytes"));
    assert_eq!(house.effects_on("orders", ada).await, ["ada"]);
    house.stop().await;
}

#[tokio::test]
async fn a_conflict_runs_the_decision_again_and_counts_no_attempt() {
    let folder = tempdir().unwrap();
    let script = Script::new().first("ada", &[Step::Conflict, Step::Conflict, Step::Conflict]);
    let house = House::start(folder.path(), vec![emitter("users", &script), consumer("orders", &script)]).await;
    let ada = house.runtime.ids.next();
    house.emit("users", &[(ada, "ada", 1)]).await;
    house.settle().await;

    assert_eq!(script.calls("ada"), 4);
    assert_eq!(house.effects_on("orders", ada).await, ["ada"]);
    let done = house.delivery("orders", "users", 0).await;
    assert_eq!((done.status, done.attempts), ("done", 1));
    house.stop().await;
}

#[tokio::test]
async fn the_bad_one_of_a_set_fails_alone() {
    let folder = tempdir().unwrap();
    let script = Script::new().always("poison", Step::Refuse);
    let house = House::start(folder.path(), vec![emitter("users", &script), batch_consumer("stock", &script)]).await;
    let subjects: Vec<Uuid> = (0..20).map(|_| house.runtime.ids.next()).collect();
    let emitted: Vec<(Uuid, &str, i64)> =
        subjects.iter().enumerate().map(|(n, it)| (*it, if n == 7 { "poison" } else { "good" }, 1)).collect();
    house.emit("users", &emitted).await;
    house.settle().await;

    assert_eq!(house.effects("stock").await.len(), 19);
    assert!(house.effects_on("stock", subjects[7]).await.is_empty());
    let parked = house.dead_letters("stock").await;
    assert_eq!(parked.len(), 1);
    assert_eq!((parked[0].envelope.key, parked[0].reason.as_deref()), (subjects[7], Some("never")));
    house.stop().await;
}

#[tokio::test]
async fn the_immediate_lane_overtakes_a_background_lane_that_is_stuck() {
    let folder = tempdir().unwrap();
    let script = Script::new().always("slow", Step::Wait);
    let services = vec![emitter("users", &script), emitter("payments", &script), consumer("orders", &script)];
    let house = House::start_with(folder.path(), services, one_at_a_time()).await;
    let subjects: Vec<Uuid> = (0..30).map(|_| house.runtime.ids.next()).collect();
    let backlog: Vec<(Uuid, &str, i64)> = subjects.iter().map(|it| (*it, "slow", 1)).collect();
    house.emit("users", &backlog).await;
    until("the background lane is stuck", async || script.calls("slow") == 1).await;

    house.emit("payments", &[(subjects[0], "declined", 1)]).await;
    until("the payment failed", async || house.effects("orders").await.len() == 1).await;

    assert_eq!(house.effects("orders").await, [(subjects[0], "declined".to_owned())]);
    script.release(backlog.len());
    house.settle().await;
    assert_eq!(house.effects("orders").await.len(), 31);
    house.stop().await;
}

#[tokio::test]
async fn a_slow_consumer_delays_no_other() {
    let folder = tempdir().unwrap();
    let (quick, slow) = (Script::new(), Script::new().always("new", Step::Wait));
    let services = vec![emitter("users", &quick), consumer("orders", &quick), consumer("analytics", &slow)];
    let house = House::start(folder.path(), services).await;
    // More than the relay hands out before it waits for a confirmation.
    let subjects: Vec<Uuid> = (0..1_200).map(|_| house.runtime.ids.next()).collect();
    let emitted: Vec<(Uuid, &str, i64)> = subjects.iter().map(|it| (*it, "new", 1)).collect();
    house.emit("users", &emitted).await;

    until("the quick one has them all", async || quick.calls("new") == 1_200).await;

    assert!(house.effects("analytics").await.is_empty());
    slow.release(1_200);
    house.settle().await;
    assert_eq!(house.effects("orders").await.len(), 1_200);
    assert_eq!(house.effects("analytics").await.len(), 1_200);
    house.stop().await;
}

#[tokio::test]
async fn a_drain_finishes_what_has_begun_and_leaves_the_rest_for_the_next_start() {
    let folder = tempdir().unwrap();
    let script = Script::new().first("begun", &[Step::Wait]);
    let services = || vec![emitter("users", &script), consumer("orders", &script)];
    let house = House::start(folder.path(), services()).await;
    let ada = house.runtime.ids.next();
    house.emit("users", &[(ada, "begun", 1)]).await;
    until("its handling has begun", async || script.calls("begun") == 1).await;
    house.emit("users", &[(ada, "not begun", 2)]).await;
    house.runtime.tasks.cancel();
    script.release(1);
    house.stop().await;

    let house = House::start(folder.path(), services()).await;
    house.settle().await;

    assert_eq!(house.effects_on("orders", ada).await, ["begun", "not begun"]);
    assert_eq!((script.calls("begun"), script.calls("not begun")), (1, 1));
    house.stop().await;
}

#[tokio::test]
async fn a_handler_that_does_not_end_is_cancelled_and_retried() {
    let folder = tempdir().unwrap();
    let script = Script::new().first("slow", &[Step::Wait]);
    let services = vec![emitter("users", &script), consumer("orders", &script)];
    let soon = Settings { handler_deadline: Duration::from_millis(50), ..Settings::default() };
    let house = House::start_with(folder.path(), services, soon).await;
    let (stuck, other): (Uuid, Uuid) = (house.runtime.ids.next(), house.runtime.ids.next());
    house.emit("users", &[(stuck, "slow", 1), (other, "quick", 1)]).await;
    until("the other took effect", async || house.effects_on("orders", other).await == ["quick"]).await;
    until("it is held", async || house.delivery("orders", "users", 0).await.status == "retrying").await;
    let held = house.delivery("orders", "users", 0).await;
    assert!(held.reason.as_deref().is_some_and(|reason| reason.contains("took more than 50ms")), "{:?}", held.reason);

    house.advance(RETRY_MAX).await;
    assert_eq!(house.effects_on("orders", stuck).await, ["slow"]);
    assert_eq!(script.calls("slow"), 2);
    house.stop().await;
}

#[tokio::test]
async fn what_the_last_owner_of_a_shard_held_holds_back_the_first_delivery_of_its_key() {
    let folder = tempdir().unwrap();
    let script = Script::new();
    let house = House::start(folder.path(), vec![emitter("users", &script), consumer("orders", &script)]).await;
    let (ada, bob): (Uuid, Uuid) = (house.runtime.ids.next(), house.runtime.ids.next());
    // The runner has its shards, and has looked at what is held; another instance holds something more before it ends.
    let now = house.runtime.clock.now();
    let held = Held {
        position: 0,
        dead_letter_id: house.runtime.ids.next(),
        envelope: Envelope {
            id: house.runtime.ids.next(),
            event_type: UserPasswordChanged::TYPE.to_owned(),
            source: "users".to_owned(),
            key: ada,
            sequence: 1,
            lane: Lane::Background,
            time: now,
            correlation_id: house.runtime.ids.next(),
            causation_id: house.runtime.ids.next(),
            traceparent: None,
        },
        body: b"{}".to_vec(),
        digest: [0; 16],
        state: HeldState::Due,
        due_at: Some(now + RETRY_MAX),
        attempts: 1,
        reason: Some("unreachable".to_owned()),
        first_failed_at: Some(now),
    };
    let another = house.open_again("orders").await;
    held::hold(&another, vec![held]).await.unwrap();
    another.close().await;

    house.emit("users", &[(ada, "second", 2), (bob, "first", 1)]).await;
    until("another key took effect", async || house.effects_on("orders", bob).await == ["first"]).await;
    assert_eq!(house.delivery("orders", "users", 0).await.status, "waiting");
    assert_eq!(script.calls("second"), 0);
    house.stop().await;
}
