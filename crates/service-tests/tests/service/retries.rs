//! A failed delivery is retried on a schedule, then parked; only its key waits.

use bytes::Bytes;
use kernel::{SignedDuration, Uuid};
use storage::decisions::Decision;
use storage::held::HeldState;
use tempfile::tempdir;

use crate::support::{ATTEMPTS, House, RETRY_MAX, Script, Step, consumer, emitter, message, until};

#[tokio::test]
async fn a_failing_delivery_is_retried_on_its_schedule_and_parked_after_its_last_attempt() {
    let folder = tempdir().unwrap();
    let script = Script::new().always("ada", Step::Fail);
    let house = House::start(folder.path(), vec![emitter("users", &script), consumer("orders", &script)]).await;
    let failed_at = house.runtime.clock.now();
    house.emit("users", &[(house.runtime.ids.next(), "ada", 1)]).await;
    house.settle().await;

    for attempts in 1..ATTEMPTS {
        let delivery = house.delivery("orders", "users", 0).await;
        assert_eq!((delivery.status, delivery.attempts), ("retrying", attempts));
        assert_eq!(delivery.reason.as_deref(), Some("not now"));
        // The shortest wait is a quarter of a second.
        house.advance(SignedDuration::from_millis(249)).await;
        assert_eq!(script.calls("ada"), usize::try_from(attempts).unwrap(), "it was tried before its time");
        house.advance(RETRY_MAX).await;
    }

    let parked = house.dead_letters("orders").await.remove(0);
    assert_eq!((parked.attempts, parked.reason.as_deref()), (ATTEMPTS, Some("not now")));
    assert_eq!((parked.state, parked.first_failed_at), (HeldState::Parked, Some(failed_at)));
    house.advance(RETRY_MAX * 10).await;
    assert_eq!(script.calls("ada"), usize::try_from(ATTEMPTS).unwrap());
    assert!(house.effects("orders").await.is_empty());
    house.stop().await;
}

#[tokio::test]
async fn a_failure_that_passes_leaves_no_trace_but_its_attempts() {
    let folder = tempdir().unwrap();
    let script = Script::new().first("ada", &[Step::Fail, Step::Panic]);
    let house = House::start(folder.path(), vec![emitter("users", &script), consumer("orders", &script)]).await;
    let ada = house.runtime.ids.next();
    house.emit("users", &[(ada, "ada", 1), (ada, "countess", 2)]).await;
    house.settle().await;
    house.advance(RETRY_MAX).await;
    assert_eq!(house.delivery("orders", "users", 1).await.status, "waiting");
    house.advance(RETRY_MAX).await;

    assert_eq!(house.effects_on("orders", ada).await, ["ada", "countess"]);
    let done = house.delivery("orders", "users", 0).await;
    assert_eq!((done.status, done.attempts), ("done", 3));
    assert!(house.dead_letters("orders").await.is_empty());
    house.stop().await;
}

#[tokio::test]
async fn a_row_that_others_keep_changing_delays_a_delivery_and_never_parks_it() {
    let folder = tempdir().unwrap();
    let script = Script::new().always("ada", Step::Conflict);
    let house = House::start(folder.path(), vec![emitter("users", &script), consumer("orders", &script)]).await;
    let ada = house.runtime.ids.next();
    house.emit("users", &[(ada, "ada", 1)]).await;
    house.settle().await;
    for _ in 0..=ATTEMPTS {
        house.advance(RETRY_MAX).await;
        let delivery = house.delivery("orders", "users", 0).await;
        assert_eq!((delivery.status, delivery.attempts), ("retrying", 0));
    }

    script.heal("ada");
    house.advance(RETRY_MAX).await;

    assert_eq!(house.effects_on("orders", ada).await, ["ada"]);
    assert_eq!(house.delivery("orders", "users", 0).await.attempts, 1);
    house.stop().await;
}

#[tokio::test]
async fn what_arrives_has_its_turn_between_many_retries() {
    // More than the runner reads at once.
    const LATE: usize = 100;
    const READ: usize = 64;
    let folder = tempdir().unwrap();
    let script = Script::new().first("late", &[Step::Fail; LATE]).always("late", Step::Wait);
    let house = House::start(folder.path(), vec![emitter("users", &script), consumer("orders", &script)]).await;
    let emitted: Vec<_> = (0..LATE).map(|_| (house.runtime.ids.next(), "late", 1)).collect();
    house.emit("users", &emitted).await;
    house.settle().await;

    let ada = house.runtime.ids.next();
    let meanwhile = async {
        until("the first retry is in progress", async || script.calls("late") > LATE).await;
        house.emit("users", &[(ada, "ada", 1)]).await;
        let event = house.emitted("users").await.pop().unwrap();
        let arrives = house.publish("orders", message(&event));
        let retries = async {
            // The rest of the retries is stuck until ada had her turn.
            script.release(READ);
            until("ada had her turn", async || script.calls("ada") > 0).await;
            script.release(LATE - READ);
        };
        tokio::join!(arrives, retries);
    };
    tokio::join!(house.advance(RETRY_MAX), meanwhile);

    assert_eq!(house.effects("orders").await.len(), LATE + 1);
    house.stop().await;
}

#[tokio::test]
async fn a_handler_that_panics_is_contained_and_parked() {
    let folder = tempdir().unwrap();
    let script = Script::new().always("ada", Step::Panic);
    let house = House::start(folder.path(), vec![emitter("users", &script), consumer("orders", &script)]).await;
    let bob = house.runtime.ids.next();
    house.emit("users", &[(house.runtime.ids.next(), "ada", 1), (bob, "bob", 1)]).await;
    house.settle().await;
    for _ in 1..ATTEMPTS {
        house.advance(RETRY_MAX).await;
    }

    let parked = house.dead_letters("orders").await.remove(0);
    assert_eq!(parked.reason.as_deref(), Some("the handler panicked: the script says so"));
    assert_eq!(parked.attempts, ATTEMPTS);
    assert_eq!(house.effects_on("orders", bob).await, ["bob"]);
    house.stop().await;
}

#[tokio::test]
async fn a_body_that_cannot_be_decoded_is_parked_at_once() {
    let folder = tempdir().unwrap();
    let script = Script::new();
    let house = House::start(folder.path(), vec![emitter("users", &script), consumer("orders", &script)]).await;
    house.emit("users", &[(house.runtime.ids.next(), "ada", 1)]).await;
    house.settle().await;
    let mut garbled = message(&house.emitted("users").await[0]);
    (garbled.envelope.id, garbled.envelope.key) = (house.runtime.ids.next(), house.runtime.ids.next());
    garbled.body = Bytes::from_static(b"{\"user_id\": \xff");

    house.publish("orders", garbled.clone()).await;

    let parked = house.dead_letters("orders").await.remove(0);
    assert_eq!((parked.envelope.id, parked.attempts, &parked.body[..]), (garbled.envelope.id, 1, &garbled.body[..]));
    let reason = parked.reason.unwrap();
    assert!(reason.starts_with("the body is no users.email_verification_requested.v1: "), "{reason}");
    house.stop().await;
}

#[tokio::test]
async fn later_events_of_a_parked_key_wait_while_other_keys_flow_and_a_replay_lets_them_go_in_order() {
    let folder = tempdir().unwrap();
    let script = Script::new().always("ada", Step::Refuse);
    let house = House::start(folder.path(), vec![emitter("users", &script), consumer("orders", &script)]).await;
    let (ada, bob): (Uuid, Uuid) = (house.runtime.ids.next(), house.runtime.ids.next());
    house.emit("users", &[(ada, "ada", 1), (ada, "countess", 2), (bob, "bob", 1)]).await;
    house.emit("users", &[(ada, "lovelace", 3), (bob, "robert", 2)]).await;
    house.settle().await;

    assert_eq!(house.effects_on("orders", bob).await, ["bob", "robert"]);
    assert_eq!(house.effects_on("orders", ada).await, [""; 0]);
    assert_eq!(house.delivery("orders", "users", 0).await.status, "parked");
    assert_eq!(house.delivery("orders", "users", 3).await.status, "waiting");

    script.heal("ada");
    let parked = house.dead_letters("orders").await.remove(0).dead_letter_id;
    assert!(house.operator("orders").replay(parked, "automation").await.unwrap());
    house.settle().await;

    assert_eq!(house.effects_on("orders", ada).await, ["ada", "countess", "lovelace"]);
    assert!(!house.operator("orders").replay(parked, "automation").await.unwrap());
    house.stop().await;
}

#[tokio::test]
async fn a_discard_lets_what_waits_go_in_order_and_the_key_flows_again() {
    let folder = tempdir().unwrap();
    let script = Script::new().always("ada", Step::Refuse);
    let house = House::start(folder.path(), vec![emitter("users", &script), consumer("orders", &script)]).await;
    let ada = house.runtime.ids.next();
    house.emit("users", &[(ada, "ada", 1), (ada, "countess", 2), (ada, "lovelace", 3)]).await;
    house.settle().await;
    discard_first(&house).await;
    assert_eq!(house.effects_on("orders", ada).await, ["countess", "lovelace"]);

    // With nothing behind it: who comes later must not wait for one that is gone.
    house.emit("users", &[(ada, "ada", 4)]).await;
    house.settle().await;
    discard_first(&house).await;
    house.emit("users", &[(ada, "byron", 5)]).await;
    house.settle().await;

    assert_eq!(house.effects_on("orders", ada).await, ["countess", "lovelace", "byron"]);
    let discarded = house.delivery("orders", "users", 0).await;
    assert_eq!(discarded.status, "done", "a discarded delivery is settled");
    let decided = discarded.decided.unwrap();
    assert_eq!((decided.decision, decided.decided_by.as_str()), (Decision::Discard, "automation"));
    assert_eq!(decided.decided_at, house.runtime.clock.now());
    assert_eq!(house.delivery("orders", "users", 1).await.decided, None, "nobody decided about what followed");
    house.stop().await;
}

#[tokio::test]
async fn what_is_held_is_held_after_a_restart() {
    let folder = tempdir().unwrap();
    let script = Script::new().first("ada", &[Step::Fail]).always("bob", Step::Refuse);
    let services = || vec![emitter("users", &script), consumer("orders", &script)];
    let house = House::start(folder.path(), services()).await;
    let (ada, bob): (Uuid, Uuid) = (house.runtime.ids.next(), house.runtime.ids.next());
    house.emit("users", &[(ada, "ada", 1), (bob, "bob", 1)]).await;
    house.settle().await;
    house.stop().await;

    let house = House::start(folder.path(), services()).await;
    house.emit("users", &[(ada, "countess", 2), (bob, "robert", 2)]).await;
    house.advance(RETRY_MAX).await;

    assert_eq!(house.effects_on("orders", ada).await, ["ada", "countess"]);
    assert_eq!(house.delivery("orders", "users", 3).await.status, "waiting");
    discard_first(&house).await;
    assert_eq!(house.effects_on("orders", bob).await, ["robert"]);
    house.stop().await;
}

async fn discard_first(house: &House) {
    let parked = house.dead_letters("orders").await.remove(0).dead_letter_id;
    assert!(house.operator("orders").discard(parked, "automation").await.unwrap());
    house.settle().await;
}
