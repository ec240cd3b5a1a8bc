//! One handler for many types of events.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bus::Message;
use events::{
    EmailVerificationRequested, PaymentFailed, SigningKeyPublished, UserBanned, UserPasswordChanged, UserRolesChanged,
    UserUnbanned,
};
use kernel::{Envelope, Event, Lane, Timestamp, Uuid};
use service::{AnyService, Committed, Ctx, Delivery, Failure, Selection};
use storage::Batch;
use storage::accounts::Standing;
use tempfile::tempdir;

use crate::support::{House, Script, Step, batch_listener, consumer, emitter, listener, message};

#[test]
fn a_selection_subscribes_to_exactly_its_types_and_each_stands_once() {
    let script = Script::new();
    let selection = Selection::of::<EmailVerificationRequested>().and(Selection::of::<PaymentFailed>());
    let mut subscriptions = listener("analytics", &selection, &script).subscriptions();
    subscriptions.sort_unstable();
    let mut expected = [
        (SigningKeyPublished::TYPE, Lane::Immediate),
        (UserBanned::TYPE, Lane::Immediate),
        (UserUnbanned::TYPE, Lane::Immediate),
        (UserRolesChanged::TYPE, Lane::Immediate),
        (EmailVerificationRequested::TYPE, Lane::Background),
        (UserPasswordChanged::TYPE, Lane::Background),
        (PaymentFailed::TYPE, Lane::Immediate),
    ];
    expected.sort_unstable();
    assert_eq!(subscriptions, expected);
    // A type that has a reaction of its own stands once, also beside a selection of everything.
    let everything = listener("analytics", &Selection::every(), &script).subscriptions();
    assert_eq!(everything.len(), events::all().count());
}

#[tokio::test]
async fn one_handler_is_given_many_types_undecoded_and_leaves_a_type_with_a_reaction_of_its_own() {
    let folder = tempdir().unwrap();
    let script = Script::new();
    let listener = listener("analytics", &Selection::from_service("users"), &script);
    let house = House::start(folder.path(), vec![emitter("users", &script), listener]).await;
    let ada = house.runtime.ids.next();
    house.emit("users", &[(ada, "ada", 1), (ada, "countess", 2)]).await;
    house.settle().await;

    assert_eq!(house.effects_on("analytics", ada).await, [EmailVerificationRequested::TYPE, "countess"]);
    let done = house.delivery("analytics", "users", 0).await;
    assert_eq!((done.status, done.attempts), ("done", 1));
    house.stop().await;
}

#[tokio::test]
async fn what_is_not_wanted_is_acknowledged_and_leaves_no_trace() {
    let folder = tempdir().unwrap();
    let script = Script::new();
    let is_wanted = Arc::new(AtomicBool::new(false));
    let on_demand = Selection::from_service("users");
    let wanted = {
        let (is_wanted, on_demand) = (is_wanted.clone(), on_demand.clone());
        move |_| {
            let wanted = if is_wanted.load(Ordering::SeqCst) { on_demand.clone() } else { Selection::default() };
            async { Ok(wanted) }
        }
    };
    let listener = listener("analytics", &on_demand, &script).on_demand(&on_demand, wanted);
    let house = House::start(folder.path(), vec![emitter("users", &script), listener]).await;
    let ada = house.runtime.ids.next();
    house.emit("users", &[(ada, "ada", 1)]).await;
    house.settle().await;
    is_wanted.store(true, Ordering::SeqCst);
    house.emit("users", &[(ada, "countess", 2)]).await;
    house.settle().await;

    assert_eq!(house.effects_on("analytics", ada).await, ["countess"]);
    let emitted = house.emitted("users").await;
    let emitted: Vec<_> = emitted.iter().map(|it| (it.envelope.id, it.envelope.event_type.as_str())).collect();
    let statuses = house.operator("analytics").deliveries(&emitted).await.unwrap();
    let of_both = emitted.iter().map(|(id, _)| statuses.get(id).map(|it| it.status));
    assert_eq!(of_both.collect::<Vec<_>>(), [None, Some("done")], "nothing waits for what was not wanted");
    house.stop().await;
}

#[tokio::test]
async fn what_is_said_of_an_account_is_kept_by_every_service_and_before_its_own_reaction_runs() {
    let folder = tempdir().unwrap();
    let script = Script::new().always(UserBanned::TYPE, Step::Refuse);
    let listener = listener("analytics", &Selection::from_service("admin"), &script);
    let services = vec![emitter("users", &script), listener, consumer("orders", &script)];
    let house = House::start(folder.path(), services).await;
    let (ada, bob): (Uuid, Uuid) = (house.runtime.ids.next(), house.runtime.ids.next());
    let standing =
        async |service: &str, user: Uuid| house.operator(service).account(user.into()).await.unwrap().standing;
    let next_second = house.runtime.clock.now().as_second() + 1;
    let tokens_from = Some(Timestamp::from_second(next_second).unwrap());
    let (banned, admin) = (
        Standing { is_banned: true, is_admin: false, tokens_from },
        Standing { is_banned: false, is_admin: true, tokens_from },
    );

    let ban = UserBanned { user_id: ada.into(), reason: String::new(), banned_by: String::new(), version: 2 };
    let unban = UserUnbanned { user_id: bob.into(), unbanned_by: String::new(), version: 3 };
    let late = UserBanned { user_id: bob.into(), version: 2, ..ban.clone() };
    let promoted = UserRolesChanged {
        user_id: bob.into(),
        roles: vec!["admin".to_owned()],
        changed_by: String::new(),
        version: 2,
    };
    for service in ["analytics", "orders"] {
        house.publish(service, said(&house, &ban)).await;
        house.publish(service, said(&house, &unban)).await;
        house.publish(service, said(&house, &late)).await;
        house.publish(service, said(&house, &promoted)).await;
        house.settle().await;
        assert_eq!((standing(service, ada).await, standing(service, bob).await), (banned, admin), "{service}");
    }
    assert_eq!(standing("users", ada).await, Standing::default(), "it was given nothing");

    // The selection has a handler of its own: what it can't handle is parked, and what was said is kept all the same.
    assert_eq!(house.effects_on("analytics", bob).await, [UserUnbanned::TYPE]);
    assert_eq!(house.dead_letters("analytics").await.len(), 2);
    assert_eq!(house.dead_letters("orders").await.len(), 0);
    house.stop().await;
}

/// Emits a history of these subjects, each from `v1` on, for a listener that comes later.
async fn with_history(folder: &std::path::Path, versions: i64) -> [Uuid; 4] {
    let house = House::start(folder, vec![emitter("users", &Script::new())]).await;
    let subjects: [Uuid; 4] = std::array::from_fn(|_| house.runtime.ids.next());
    for version in 1..=versions {
        let name = format!("v{version}");
        let facts: Vec<(Uuid, &str, i64)> = subjects.iter().map(|it| (*it, name.as_str(), version)).collect();
        house.emit("users", &facts).await;
    }
    house.settle().await;
    house.stop().await;
    subjects
}

#[tokio::test]
async fn one_handler_is_given_many_types_and_keys_at_once_and_each_key_in_its_order() {
    let folder = tempdir().unwrap();
    let subjects = with_history(folder.path(), 50).await;
    let script = Script::new();
    let services = vec![emitter("users", &script), batch_listener("analytics", &Selection::every(), &script)];
    let house = House::start(folder.path(), services).await;
    house.settle().await;

    let names: Vec<String> = (1..=50).map(|version| format!("v{version}")).collect();
    for subject in subjects {
        assert_eq!(house.effects_on("analytics", subject).await, names);
    }
    // A window of a shard at a time, where 200 deliveries were handled.
    let calls = script.calls("set") + script.calls("one");
    assert!(calls <= subjects.len(), "{calls} calls");

    for event in house.emitted("users").await {
        house.publish("analytics", message(&event)).await;
    }
    house.settle().await;
    assert_eq!(house.effects("analytics").await.len(), 200, "each takes effect once");
    let live = house.runtime.ids.next();
    house.emit("users", &[(live, "ada", 1), (live, "countess", 2)]).await;
    house.settle().await;
    assert_eq!(house.effects_on("analytics", live).await, ["ada", "countess"]);
    house.stop().await;
}

#[tokio::test]
async fn of_a_set_that_fails_only_the_key_that_fails_waits() {
    let folder = tempdir().unwrap();
    let subjects = with_history(folder.path(), 5).await;
    let script = Script::new();
    let house = House::start(folder.path(), vec![emitter("users", &script)]).await;
    let bob = house.runtime.ids.next();
    house.emit("users", &[(bob, "before", 1), (bob, "bad", 2), (bob, "behind", 3), (bob, "last", 4)]).await;
    house.settle().await;
    house.stop().await;

    let script = Script::new().always("bad", Step::Refuse).first("v3", &[Step::Panic, Step::Conflict]);
    let services = vec![emitter("users", &script), batch_listener("analytics", &Selection::every(), &script)];
    let house = House::start(folder.path(), services).await;
    house.advance(crate::support::RETRY_MAX).await;
    assert_eq!(house.effects_on("analytics", bob).await, ["before"]);
    let parked = house.dead_letters("analytics").await;
    assert_eq!((parked.len(), parked[0].reason.as_deref()), (1, Some("never")));
    for subject in subjects {
        assert_eq!(house.effects_on("analytics", subject).await, ["v1", "v2", "v3", "v4", "v5"]);
    }
    house.stop().await;
}

#[tokio::test]
async fn what_is_said_of_an_account_is_kept_before_a_set_is_handled() {
    let folder = tempdir().unwrap();
    let script = Script::new().always(UserBanned::TYPE, Step::Refuse);
    let listener = batch_listener("analytics", &Selection::every(), &script);
    assert_eq!(listener.subscriptions().len(), events::all().count());
    let house = House::start(folder.path(), vec![emitter("users", &script), listener]).await;
    let (ada, bob): (Uuid, Uuid) = (house.runtime.ids.next(), house.runtime.ids.next());
    let ban =
        |user: Uuid| UserBanned { user_id: user.into(), reason: String::new(), banned_by: String::new(), version: 2 };
    for user in [ada, bob] {
        house.publish("analytics", said(&house, &ban(user))).await;
    }
    house.settle().await;
    for user in [ada, bob] {
        let account = house.operator("analytics").account(user.into()).await.unwrap();
        assert!(account.standing.is_banned);
    }
    assert_eq!(house.dead_letters("analytics").await.len(), 2, "the handler refused them all the same");
    house.stop().await;
}

/// An event of another service as a broker delivers it.
fn said<E: Event>(house: &House, event: &E) -> Message {
    let ids = &house.runtime.ids;
    let envelope = Envelope {
        id: ids.next(),
        event_type: E::TYPE.to_owned(),
        source: E::SOURCE.to_owned(),
        key: event.key(),
        sequence: 1,
        lane: E::LANE,
        time: house.runtime.clock.now(),
        correlation_id: ids.next(),
        causation_id: ids.next(),
        traceparent: None,
    };
    Message { envelope, body: serde_json::to_vec(event).unwrap().into() }
}

#[test]
#[should_panic(expected = "two reactions to users.user_password_changed.v1")]
fn two_reactions_to_one_type_are_refused() {
    let service = listener("analytics", &Selection::default(), &Script::new());
    let _ = service.on::<UserPasswordChanged>(again);
}

async fn again(ctx: Ctx<Script>, delivery: Delivery<UserPasswordChanged>) -> Result<Committed, Failure> {
    Ok(ctx.commit(Batch::new(), delivery.cause()).await?)
}
