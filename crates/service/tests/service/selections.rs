//! One handler for many types of events.

use events::{EmailVerificationRequested, PaymentFailed, SigningKeyPublished, UserPasswordChanged};
use kernel::{Event, Lane};
use storage::Batch;
use tempfile::tempdir;
use tradepost_service::{AnyService, Committed, Ctx, Delivery, Failure, Selection};

use crate::support::{House, Script, emitter, listener};

#[test]
fn a_selection_subscribes_to_exactly_its_types_and_each_stands_once() {
    let script = Script::new();
    let selection = Selection::of::<EmailVerificationRequested>().and(Selection::of::<PaymentFailed>());
    let mut subscriptions = listener("analytics", &selection, &script).subscriptions();
    subscriptions.sort_unstable();
    let mut expected = [
        (SigningKeyPublished::TYPE, Lane::Immediate),
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

#[test]
#[should_panic(expected = "two reactions to users.user_password_changed.v1")]
fn two_reactions_to_one_type_are_refused() {
    let service = listener("analytics", &Selection::default(), &Script::new());
    let _ = service.on::<UserPasswordChanged>(again);
}

async fn again(ctx: Ctx<Script>, delivery: Delivery<UserPasswordChanged>) -> Result<Committed, Failure> {
    Ok(ctx.commit(Batch::new(), delivery.cause()).await?)
}
