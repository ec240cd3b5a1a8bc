use std::collections::{HashMap, HashSet};

use events::EndpointId;
use kernel::{Clock, Ids, SignedDuration, Timestamp, Uuid, Version};
use proptest::prelude::*;

use crate::domain::delivery::{KEPT_FOR, TRIED_FOR};
use crate::domain::endpoint::{DISABLED_AFTER, PREVIOUS_SECRET_FOR};
use crate::domain::subscription::matches;
use crate::domain::*;

fn start() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn after_s(seconds: i64) -> Timestamp {
    start() + SignedDuration::from_secs(seconds)
}

fn after_days(days: i64) -> Timestamp {
    start() + SignedDuration::from_hours(24 * days)
}

fn ids() -> Ids {
    Ids::new(Clock::mock(start()).0)
}

fn endpoint(event_types: &[&str]) -> Endpoint {
    let new = NewEndpoint {
        url: "https://erp.example.com/".to_owned(),
        description: None,
        event_types: event_types.iter().map(|it| (*it).to_owned()).collect(),
    };
    Endpoint::new(ids().next(), new, Secret::from_text("whsec_b25l".to_owned()), start())
}

fn delivery() -> Delivery {
    let ids = ids();
    Delivery {
        delivery_id: ids.next(),
        endpoint_id: ids.next(),
        slot_id: ids.next(),
        key: ids.next(),
        place: 1,
        event_id: ids.next(),
        event_type: "orders.order_placed.v1".to_owned(),
        body: "{}".to_owned(),
        status: DeliveryStatus::Queued,
        attempts: 0,
        due_at: Some(start()),
        queued_at: start(),
        ended_at: None,
        version: Version::FIRST,
    }
}

#[test]
fn a_subscription_takes_a_type_all_types_or_those_of_a_prefix() {
    for (subscription, event_type, expected) in [
        ("orders.order_placed.v1", "orders.order_placed.v1", true),
        ("orders.order_placed.v1", "orders.order_placed.v2", false),
        ("*", "users.user_deleted.v1", true),
        ("orders.*", "orders.order_placed.v1", true),
        ("orders.order_placed.*", "orders.order_placed.v2", true),
        ("orders.*", "orders", false),
        ("orders.*", "ordersx.order_placed.v1", false),
        ("order.*", "orders.order_placed.v1", false),
        (".*", "orders.order_placed.v1", false),
    ] {
        assert_eq!(matches(subscription, event_type), expected, "{subscription} {event_type}");
    }
}

#[test]
fn a_subscription_that_takes_nothing_is_refused_with_what_was_meant() {
    for good in ["*", "orders.*", "orders.order_placed.v1", "payments.payment_refunded.*"] {
        assert!(check(good).is_ok(), "{good}");
    }
    for (bad, suggestion) in [
        ("order.*", ": did you mean orders.*?"),
        ("orders.order_plcaed.v1", ": did you mean orders.order_placed.v1?"),
        ("OrderPlaced", ": did you mean orders.order_placed.v1?"),
        ("orders.order_placed", ": did you mean orders.order_placed.v1?"),
        ("weather.*", ""),
        ("", ""),
        // The services' own affairs.
        ("users.signing_key_published.v1", ""),
        ("webhooks.*", ""),
    ] {
        let unknown = check(bad).unwrap_err();
        assert!(unknown.suggestion == suggestion || suggestion.is_empty(), "{bad}{}", unknown.suggestion);
    }
    assert!(events::all().filter(|event| is_sent(event)).all(|event| check(event.event_type).is_ok()));
}

#[test]
fn an_endpoint_gets_the_events_from_its_creation_on_while_it_is_enabled() {
    let endpoint = endpoint(&["orders.*", "users.user_deleted.v1"]);
    assert!(endpoint.wants("orders.order_placed.v1", start()));
    assert!(endpoint.wants("users.user_deleted.v1", after_s(1)));
    assert!(!endpoint.wants("users.user_registered.v1", after_s(1)));
    assert!(!endpoint.wants("orders.order_placed.v1", after_s(-1)));

    let off = Change { is_enabled: Some(false), ..Change::default() };
    let (disabled, event) = endpoint.changed(&off, after_s(10)).unwrap();
    assert_eq!(event, None, "an admin who disables it knows");
    assert!(!disabled.wants("orders.order_placed.v1", after_s(11)));
    assert_eq!(disabled.changed(&off, after_s(12)), None);

    let on = Change { is_enabled: Some(true), ..Change::default() };
    let (enabled, event) = disabled.changed(&on, after_s(20)).unwrap();
    assert!(event.is_some());
    assert!(!enabled.wants("orders.order_placed.v1", after_s(19)));
    assert!(enabled.wants("orders.order_placed.v1", after_s(20)));
}

#[test]
fn what_was_queued_before_an_endpoint_was_enabled_again_is_not_sent() {
    let switched = |endpoint: &Endpoint, is_enabled, at| {
        endpoint.changed(&Change { is_enabled: Some(is_enabled), ..Change::default() }, at).unwrap().0
    };
    let test = Delivery { event_type: TEST_EVENT.to_owned(), ..delivery() };
    let endpoint = endpoint(&["*"]);
    assert!(endpoint.takes(&delivery()) && endpoint.takes(&test));
    let disabled = switched(&endpoint, false, after_s(10));
    assert!(!disabled.takes(&delivery()) && disabled.takes(&test));
    let enabled = switched(&disabled, true, after_s(20));
    assert!(!enabled.takes(&delivery()) && enabled.takes(&test));
    assert!(enabled.takes(&Delivery { queued_at: after_s(20), ..delivery() }));
}

#[test]
fn failures_at_another_address_do_not_count() {
    let failed = AttemptResult { at: start(), error: Some("answered 503".to_owned()) };
    let (failing, _) = endpoint(&["*"]).after_attempts(&[failed]).unwrap();
    let to = |url: &str| Change { url: Some(url.to_owned()), ..Change::default() };
    let (moved, _) = failing.changed(&to("https://new.example.com/"), after_s(10)).unwrap();
    assert_eq!((failing.failing_since, moved.failing_since), (Some(start()), None));
    assert_eq!(failing.changed(&to("https://erp.example.com/"), after_s(10)), None);
}

#[test]
fn a_replaced_secret_signs_for_a_day() {
    let before = endpoint(&["*"]);
    let new = Secret::from_text("whsec_dHdv".to_owned());
    let after = before.rotated(new.clone(), start());
    let last = start() + PREVIOUS_SECRET_FOR - SignedDuration::from_secs(1);
    assert_eq!(after.signing(last), [&new, &before.secret]);
    assert_eq!(after.signing(start() + PREVIOUS_SECRET_FOR), [&new]);
}

#[test]
fn an_endpoint_that_fails_for_five_days_is_disabled_with_its_event() {
    let failed = |at| AttemptResult { at, error: Some("answered 503".to_owned()) };
    let taken = |at| AttemptResult { at, error: None };
    let (failing, event) = endpoint(&["*"]).after_attempts(&[failed(after_s(1)), failed(after_s(6))]).unwrap();
    assert_eq!((failing.failing_since, event), (Some(after_s(1)), None));
    assert_eq!(failing.after_attempts(&[failed(after_days(5))]), None, "a second too early");

    let (again, event) = failing.after_attempts(&[taken(after_days(2)), failed(after_days(3))]).unwrap();
    assert_eq!((again.failing_since, event), (Some(after_days(3)), None), "a success begins anew");
    assert!(again.after_attempts(&[failed(after_days(7))]).is_none());

    let at = after_s(1) + DISABLED_AFTER;
    let (disabled, event) = failing.after_attempts(&[failed(at), failed(at)]).unwrap();
    let event = event.unwrap();
    assert_eq!((event.since, event.reason.as_str()), (after_s(1), "answered 503"));
    assert_eq!(disabled.disabled, Some(Disabled { at, reason: Some("answered 503".to_owned()) }));
    assert_eq!(disabled.after_attempts(&[failed(at)]), None, "it is said once");
    let (taken_back, _) = failing.after_attempts(&[taken(after_days(6))]).unwrap();
    assert_eq!(taken_back.failing_since, None);
}

#[test]
fn a_delivery_is_tried_for_a_day_with_growing_waits() {
    let waits = |jitter: f64| {
        let (mut delivery, mut now, mut waits) = (delivery(), start(), Vec::new());
        while delivery.status == DeliveryStatus::Queued {
            delivery = delivery.not_delivered(now, jitter);
            if let Some(due_at) = delivery.due_at {
                waits.push(due_at.duration_since(now).as_secs());
                now = due_at;
            }
        }
        assert_eq!((now, delivery.due_at, delivery.ended_at), (start() + TRIED_FOR, None, Some(now)));
        assert_eq!(delivery.status, DeliveryStatus::Failed);
        assert_eq!(usize::try_from(delivery.attempts).unwrap(), waits.len() + 1);
        waits
    };
    let mut regular = waits(0.0);
    let last = regular.pop().unwrap();
    assert_eq!(regular[..7], [5, 30, 120, 600, 1_800, 3_600, 7_200]);
    assert!(regular[7..].iter().all(|wait| *wait == 7_200) && last <= 7_200, "{regular:?} {last}");
    assert_eq!(waits(1.0)[..7], [6, 36, 144, 720, 2_160, 4_320, 8_640]);
    assert!(KEPT_FOR > TRIED_FOR);
}

#[test]
fn a_delivery_that_waited_behind_another_for_a_day_is_tried_once() {
    let late = after_days(1);
    assert_eq!(delivery().not_delivered(late, 0.0).status, DeliveryStatus::Failed);
    assert_eq!(delivery().delivered(late).status, DeliveryStatus::Delivered);
    let test = Delivery { event_type: TEST_EVENT.to_owned(), ..delivery() };
    assert_eq!(test.not_delivered(start(), 0.0).status, DeliveryStatus::Failed, "a test is tried once");
}

fn slots(endpoint_id: EndpointId) -> Vec<Slot> {
    let ids = ids();
    let slot = |number| Slot {
        slot_id: ids.next(),
        endpoint_id,
        number,
        next_place: 1,
        is_awake: number % 2 == 0,
        version: Version::FIRST,
    };
    (0..).take(SLOTS).map(slot).collect()
}

proptest! {
    /// Whatever is queued, of each key the first is due and the others follow it in their order, and each slot that slept
    /// is woken once.
    #[test]
    fn of_each_key_one_is_due_and_the_rest_is_in_order(keys in prop::collection::vec(0_u128..20, 1..60), taken in 0_u128..20) {
        let endpoint_id: EndpointId = ids().next();
        let slots = slots(endpoint_id);
        let key = |n: u128| Uuid::from_u128(n << 64 | n);
        let slot_of_key = |n| slots[usize::try_from(queue::slot_of(key(n))).unwrap()].slot_id;
        let mut queue = Queue::new(slots.clone(), HashSet::from([(slot_of_key(taken), key(taken))]));
        let mut last: HashMap<u128, i64> = HashMap::new();
        for n in keys {
            let place = queue.add(endpoint_id, key(n), start()).unwrap();
            prop_assert_eq!(place.slot_id, slot_of_key(n));
            let before = last.insert(n, place.place);
            prop_assert!(before.is_none_or(|before| before < place.place));
            prop_assert_eq!(place.due_at.is_some(), before.is_none() && n != taken);
        }
        prop_assert_eq!(queue.add(Uuid::from_u128(1).into(), key(1), start()), None);
        for (slot, is_woken) in queue.changed() {
            let before = slots.iter().find(|it| it.slot_id == slot.slot_id).unwrap();
            prop_assert!(slot.is_awake && slot.next_place > before.next_place);
            prop_assert_eq!(is_woken, !before.is_awake);
        }
    }
}

#[test]
fn a_slot_sleeps_until_its_next_delivery_is_due() {
    assert!(after(Some(start()), start()).is_awake);
    let later = after(Some(after_s(5)), start());
    assert_eq!((later.is_awake, later.due_at), (false, Some(after_s(5))));
    let idle = after(None, start());
    assert_eq!((idle.is_awake, idle.due_at), (false, None));
}
