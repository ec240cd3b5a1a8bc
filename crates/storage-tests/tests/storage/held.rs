//! Held deliveries: only the first of a key is ever due, whatever happens to it.

use std::collections::{HashMap, HashSet};

use kernel::{Cause, DeadLetterId, DeliveryCause, Envelope, EventId, Lane, SignedDuration, Uuid};
use proptest::prelude::*;
use storage::decisions::{self, Decided, Decision};
use storage::held::{self, Attempt, Held, HeldState};
use storage::{Batch, Error, inbox, is_held, params, statements};

use crate::store_location::StoreLocation;
use crate::support::{Store, delivery, insert, request};

statements! {
    query OUTDATED_THINGS concat!("select thing_id from things where ", is_held!("$1", "things.thing_id"));
}

on_each_store! {
    deliveries_of_a_key_wait_behind_its_first_and_other_keys_do_not,
    retries_come_in_the_order_of_their_times,
    the_commit_of_a_held_delivery_lets_the_next_of_its_key_go,
    a_delivery_is_counted_before_each_attempt_and_parked_when_there_is_no_further_one,
    what_no_store_has_a_text_for_is_held_and_parked_all_the_same,
    a_parked_delivery_is_replayed_with_all_its_attempts_before_it,
    a_discarded_delivery_counts_as_handled_and_lets_the_next_go,
    a_decision_about_a_parked_delivery_is_kept_with_who_took_it_until_the_inbox_forgets,
    a_delivery_that_another_instance_has_handled_is_not_held,
    held_deliveries_are_selected_by_the_shards_of_their_keys,
    a_row_is_outdated_while_a_delivery_of_its_source_is_held_in_either_lane,
}

const LANE: Lane = Lane::Background;

/// Sender of the decisions about dead letters.
const AUTOMATION: &str = "automation";

/// All shards of a lane.
const ALL: [u16; 8] = [0, 1, 2, 3, 4, 5, 6, 7];

async fn deliveries_of_a_key_wait_behind_its_first_and_other_keys_do_not(place: StoreLocation) {
    let store = Store::open(&place).await;
    let (ada, bob) = (store.ids.next(), store.ids.next());
    let arrivals = [ada, ada, bob, ada].map(|key| arrival(&store, key));
    held::hold(&store, arrivals.to_vec()).await.unwrap();

    assert_eq!(due(&store).await, [arrivals[0].envelope.id, arrivals[2].envelope.id]);
    assert_eq!(
        states(&store, &arrivals).await,
        [HeldState::Due, HeldState::Waiting, HeldState::Due, HeldState::Waiting]
    );
    assert_eq!(held::keys(&store, LANE, &ALL).await.unwrap().len(), 2);
    assert_eq!(held::keys(&store, Lane::Immediate, &ALL).await.unwrap(), []);

    let again = Held { dead_letter_id: store.ids.next(), ..arrivals[0].clone() };
    held::hold(&store, vec![again]).await.unwrap();
    assert_eq!(held::counts(&store).await.unwrap(), held::Counts { parked: 0, due: 2, held: 4 });
}

async fn retries_come_in_the_order_of_their_times(place: StoreLocation) {
    let store = Store::open(&place).await;
    let in_seconds = |seconds| {
        let due_at = store.now() + SignedDuration::from_secs(seconds);
        Held { due_at: Some(due_at), ..arrival(&store, store.ids.next()) }
    };
    let (late, soon) = (in_seconds(20), in_seconds(10));
    held::hold(&store, vec![late.clone(), soon.clone()]).await.unwrap();

    assert_eq!(due(&store).await, []);
    assert_eq!(held::next_due(&store, LANE, &ALL).await.unwrap(), soon.due_at);
    store.hands.advance(SignedDuration::from_secs(10));
    assert_eq!(due(&store).await, [soon.envelope.id]);
    store.hands.advance(SignedDuration::from_secs(10));
    assert_eq!(due(&store).await, [soon.envelope.id, late.envelope.id]);
    assert_eq!(held::due_by(&store, store.now()).await.unwrap(), 2);
}

async fn the_commit_of_a_held_delivery_lets_the_next_of_its_key_go(place: StoreLocation) {
    let store = Store::open(&place).await;
    let arrivals = three_of_a_key(&store).await;
    let [first, second, third] = arrivals.each_ref().map(|held| held.envelope.id);

    let cause = held_cause(&store, first).await;
    store.commit(insert(store.ids.next(), "handled"), Cause::Deliveries(vec![cause])).await.unwrap();
    assert_eq!(due(&store).await, [second]);

    // Refused as a whole, a set that holds a duplicate releases nothing.
    let set = vec![held_cause(&store, second).await, delivery(first)];
    let refused = store.commit(Batch::new(), Cause::Deliveries(set)).await.unwrap_err();
    assert_eq!(refused, Error::AlreadyDone { events: vec![first] });
    assert_eq!(due(&store).await, [second]);

    let position = position(&store, second).await;
    held::drop_duplicate(&store, position, store.now()).await.unwrap();
    assert_eq!(due(&store).await, [third]);
}

async fn a_delivery_is_counted_before_each_attempt_and_parked_when_there_is_no_further_one(place: StoreLocation) {
    let store = Store::open(&place).await;
    let [first, second, _] = three_of_a_key(&store).await;
    let position = position(&store, first.envelope.id).await;
    let none = Attempt { position, counted: 0 };
    let one = none.next(&store).await.unwrap().unwrap();
    let retry_at = store.now() + SignedDuration::from_secs(5);
    one.failed(&store, Some(retry_at), 1, "down".to_owned(), store.now()).await.unwrap();
    assert_eq!(due(&store).await, [], "the key waits with its first");

    let failed_at = store.now();
    store.hands.advance(SignedDuration::from_secs(5));
    let two = one.next(&store).await.unwrap().unwrap();
    // Whoever was late: it had the first attempt, and others have gone on since.
    assert_eq!(none.next(&store).await.unwrap(), None);
    one.failed(&store, None, 1, "late".to_owned(), store.now()).await.unwrap();
    assert_eq!(due(&store).await, [first.envelope.id]);
    two.failed(&store, None, 2, "still down".to_owned(), store.now()).await.unwrap();
    two.failed(&store, Some(retry_at), 2, "late".to_owned(), store.now()).await.unwrap();

    assert_eq!(due(&store).await, []);
    let parked = held::parked_one(&store, first.dead_letter_id).await.unwrap().unwrap();
    assert_eq!((parked.state, parked.attempts, parked.due_at), (HeldState::Parked, 2, None));
    assert_eq!((parked.reason.as_deref(), parked.first_failed_at), (Some("still down"), Some(failed_at)));
    assert_eq!((parked.body, parked.digest), (first.body, first.digest));
    assert_eq!(held::counts(&store).await.unwrap(), held::Counts { parked: 1, due: 0, held: 3 });
    assert_eq!(held::parked_one(&store, second.dead_letter_id).await.unwrap().map(|held| held.envelope.id), None);
}

/// PostgreSQL's text can't contain a NUL; a foreign message may, and so may the reason why it failed.
async fn what_no_store_has_a_text_for_is_held_and_parked_all_the_same(place: StoreLocation) {
    let store = Store::open(&place).await;
    let [first, ..] = three_of_a_key(&store).await;
    let attempt = Attempt { position: position(&store, first.envelope.id).await, counted: 0 };
    attempt.failed(&store, None, 1, "no variant `\0`".to_owned(), store.now()).await.unwrap();
    let parked = held::parked_one(&store, first.dead_letter_id).await.unwrap().unwrap();
    assert_eq!(parked.reason.as_deref(), Some("no variant `\u{fffd}`"));

    let [sound, ..] = three_of_a_key(&store).await;
    let foreign = Held {
        dead_letter_id: store.ids.next(),
        envelope: Envelope {
            id: store.ids.next(),
            key: store.ids.next(),
            event_type: "a\0b".to_owned(),
            source: "\0".to_owned(),
            ..sound.envelope
        },
        reason: Some("\0".to_owned()),
        state: HeldState::Parked,
        ..sound
    };
    let id = foreign.dead_letter_id;
    held::hold(&store, vec![foreign]).await.unwrap();
    let parked = held::parked_one(&store, id).await.unwrap().unwrap();
    assert_eq!((parked.envelope.event_type.as_str(), parked.envelope.source.as_str()), ("a\u{fffd}b", "\u{fffd}"));
}

async fn a_parked_delivery_is_replayed_with_all_its_attempts_before_it(place: StoreLocation) {
    let store = Store::open(&place).await;
    let [first, ..] = three_of_a_key(&store).await;
    let id = park(&store, &first).await;
    assert!(held::replay(&store, id, AUTOMATION, store.now()).await.unwrap());

    assert_eq!(due(&store).await, [first.envelope.id]);
    let replayed = held::of_events(&store, vec![first.envelope.id]).await.unwrap().pop().unwrap();
    assert_eq!(replayed.attempts, 0);
    assert!(!held::replay(&store, id, AUTOMATION, store.now()).await.unwrap(), "it is no dead letter any more");
    assert!(!held::discard(&store, id, AUTOMATION, store.now()).await.unwrap(), "it is no dead letter any more");
}

async fn a_discarded_delivery_counts_as_handled_and_lets_the_next_go(place: StoreLocation) {
    let store = Store::open(&place).await;
    let [first, second, _] = three_of_a_key(&store).await;
    let id = park(&store, &first).await;
    assert!(held::discard(&store, id, AUTOMATION, store.now()).await.unwrap());

    assert_eq!(due(&store).await, [second.envelope.id]);
    assert!(inbox::handled(&store, vec![first.envelope.id]).await.unwrap().contains_key(&first.envelope.id));
    let late = store
        .commit(insert(store.ids.next(), "late"), Cause::Deliveries(vec![delivery(first.envelope.id)]))
        .await
        .unwrap_err();
    assert_eq!(late, Error::AlreadyDone { events: vec![first.envelope.id] });
    assert!(!held::discard(&store, id, AUTOMATION, store.now()).await.unwrap(), "it is gone");
}

async fn a_decision_about_a_parked_delivery_is_kept_with_who_took_it_until_the_inbox_forgets(place: StoreLocation) {
    let store = Store::open(&place).await;
    let [first, second, _] = three_of_a_key(&store).await;
    let (event_id, id) = (first.envelope.id, park(&store, &first).await);
    let newest = async || decisions::newest(&store, vec![event_id, second.envelope.id]).await.unwrap();
    let of_first = |decision, by: &str, decided_at| {
        HashMap::from([(event_id, Decided { decision, decided_by: by.to_owned(), decided_at })])
    };
    assert_eq!(newest().await, HashMap::new());

    assert!(held::replay(&store, id, AUTOMATION, store.now()).await.unwrap());
    assert_eq!(newest().await, of_first(Decision::Replay, AUTOMATION, store.now()));
    // It is no dead letter any more, so this is no decision.
    let replayed_at = store.now();
    store.hands.advance(SignedDuration::from_secs(1));
    assert!(!held::discard(&store, id, "ada\0", store.now()).await.unwrap());
    assert_eq!(newest().await, of_first(Decision::Replay, AUTOMATION, replayed_at));

    park(&store, &first).await;
    assert!(held::discard(&store, id, "ada\0", store.now()).await.unwrap());
    assert_eq!(newest().await, of_first(Decision::Discard, "ada\u{fffd}", store.now()), "the last one is shown");

    let retention = SignedDuration::from_hours(24 * 14);
    store.hands.advance(retention);
    assert_eq!(inbox::forget(&store, store.now() - retention, 10).await.unwrap(), 1, "the first of the decisions");
    assert_eq!(newest().await.len(), 1);
    store.hands.advance(SignedDuration::from_secs(1));
    inbox::forget(&store, store.now() - retention, 10).await.unwrap();
    assert_eq!(newest().await, HashMap::new());
}

/// Two instances of a service share its schema, and each has a connection of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_instances_that_decide_at_once_about_a_parked_delivery_one_is_kept() {
    let place = StoreLocation::database();
    let (store, other) = (Store::open(&place).await, Store::open(&place).await);
    for _ in 0..20 {
        let delivery = arrival(&store, store.ids.next());
        held::hold(&store, vec![delivery.clone()]).await.unwrap();
        let id = park(&store, &delivery).await;
        let (replayed, discarded) =
            tokio::join!(held::replay(&store, id, "ada", store.now()), held::discard(&other, id, "grace", store.now()));
        let (replayed, discarded) = (replayed.unwrap(), discarded.unwrap());
        assert!(replayed != discarded, "one of them finds it parked");
        let kept = decisions::newest(&store, vec![delivery.envelope.id]).await.unwrap();
        let who = if replayed { "ada" } else { "grace" };
        assert_eq!(kept[&delivery.envelope.id].decided_by, who, "the decision that took effect");
    }
}

/// Operation on a store of held deliveries.
#[derive(Clone, Copy, Debug)]
enum Step {
    Arrive { key: usize },
    Succeed,
    FailForNow,
    Park,
    Replay,
    Discard,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0_usize..3).prop_map(|key| Step::Arrive { key }),
        2 => Just(Step::Succeed),
        2 => Just(Step::FailForNow),
        1 => Just(Step::Park),
        1 => Just(Step::Replay),
        1 => Just(Step::Discard),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_key_keeps_its_order_whatever_fails(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let place = StoreLocation::folder();
            let mut model = Model::new(Store::open(&place).await);
            for step in steps {
                model.take(step).await;
            }
            model.finish().await;
        });
    }
}

/// Model of the arrivals and decisions of each key, with which the store must agree.
struct Model {
    store: Store,
    keys: [Uuid; 3],
    arrived: HashMap<Uuid, Vec<EventId>>,
    decided: HashMap<Uuid, Vec<EventId>>,
}

impl Model {
    fn new(store: Store) -> Self {
        let keys = [(); 3].map(|()| store.ids.next());
        Self { store, keys, arrived: HashMap::new(), decided: HashMap::new() }
    }

    async fn take(&mut self, step: Step) {
        let store = &self.store;
        let parked = held::parked(store, Uuid::max().into(), 1).await.unwrap().pop();
        let first = held::due(store, LANE, &ALL, store.now(), 1).await.unwrap().pop();
        match (step, first, parked) {
            (Step::Arrive { key }, ..) => {
                let held = arrival(store, self.keys[key]);
                self.arrived.entry(held.envelope.key).or_default().push(held.envelope.id);
                held::hold(store, vec![held]).await.unwrap();
            }
            (Step::Succeed, Some(held), _) => {
                let cause = DeliveryCause { held: Some(held.position), ..delivery(held.envelope.id) };
                store.commit(Batch::new(), Cause::Deliveries(vec![cause])).await.unwrap();
                self.decided.entry(held.envelope.key).or_default().push(held.envelope.id);
            }
            (Step::FailForNow, Some(held), _) => {
                let retry_at = store.now() + SignedDuration::from_secs(1);
                attempt(&held).failed(store, Some(retry_at), 1, "down".to_owned(), store.now()).await.unwrap();
            }
            (Step::FailForNow, None, _) => store.hands.advance(SignedDuration::from_secs(1)),
            (Step::Park, Some(held), _) => {
                attempt(&held).failed(store, None, 1, "bad".to_owned(), store.now()).await.unwrap();
            }
            (Step::Replay, _, Some(parked)) => {
                assert!(held::replay(store, parked.dead_letter_id, AUTOMATION, store.now()).await.unwrap());
            }
            (Step::Discard, _, Some(parked)) => {
                assert!(held::discard(store, parked.dead_letter_id, AUTOMATION, store.now()).await.unwrap());
                self.decided.entry(parked.envelope.key).or_default().push(parked.envelope.id);
            }
            (Step::Succeed | Step::Park | Step::Replay | Step::Discard, ..) => {}
        }
        for (key, decided) in &self.decided {
            assert!(self.arrived[key].starts_with(decided), "{decided:?} of {:?}", self.arrived[key]);
        }
    }

    /// Once all that is parked was replayed, everything is handled: nothing was left waiting for nobody.
    async fn finish(mut self) {
        let arrivals: usize = self.arrived.values().map(Vec::len).sum();
        for _ in 0..arrivals {
            self.take(Step::Replay).await;
            self.store.hands.advance(SignedDuration::from_secs(1));
            self.take(Step::Succeed).await;
        }
        assert_eq!(held::counts(&self.store).await.unwrap(), held::Counts::default());
        assert_eq!(self.decided, self.arrived);
        self.store.close().await;
    }
}

fn arrival(store: &Store, key: Uuid) -> Held {
    let event_id: EventId = store.ids.next();
    Held {
        position: 0,
        dead_letter_id: store.ids.next(),
        envelope: Envelope {
            id: event_id,
            event_type: "users.user_registered.v1".to_owned(),
            source: "users".to_owned(),
            key,
            sequence: 1,
            lane: LANE,
            time: store.now(),
            correlation_id: event_id.into(),
            causation_id: event_id.into(),
            traceparent: None,
        },
        body: b"{}".to_vec(),
        digest: [7; 16],
        state: HeldState::Due,
        due_at: Some(store.now()),
        attempts: 0,
        reason: None,
        first_failed_at: None,
    }
}

async fn three_of_a_key(store: &Store) -> [Held; 3] {
    let key = store.ids.next();
    let arrivals = [(); 3].map(|()| arrival(store, key));
    held::hold(store, arrivals.to_vec()).await.unwrap();
    arrivals
}

async fn park(store: &Store, delivery: &Held) -> DeadLetterId {
    let found = held::of_events(store, vec![delivery.envelope.id]).await.unwrap().pop().unwrap();
    attempt(&found).failed(store, None, 1, "bad".to_owned(), store.now()).await.unwrap();
    delivery.dead_letter_id
}

fn attempt(held: &Held) -> Attempt {
    Attempt { position: held.position, counted: held.attempts }
}

async fn position(store: &Store, event_id: EventId) -> i64 {
    held::of_events(store, vec![event_id]).await.unwrap().pop().unwrap().position
}

async fn held_cause(store: &Store, event_id: EventId) -> DeliveryCause {
    DeliveryCause { held: Some(position(store, event_id).await), ..delivery(event_id) }
}

async fn due(store: &Store) -> Vec<EventId> {
    let due = held::due(store, LANE, &ALL, store.now(), 100).await.unwrap();
    due.into_iter().map(|held| held.envelope.id).collect()
}

async fn states(store: &Store, arrivals: &[Held]) -> Vec<HeldState> {
    let mut found = held::of_events(store, arrivals.iter().map(|held| held.envelope.id).collect()).await.unwrap();
    found.sort_by_key(|held| held.position);
    found.into_iter().map(|held| held.state).collect()
}

async fn a_delivery_that_another_instance_has_handled_is_not_held(place: StoreLocation) {
    let store = Store::open(&place).await;
    let late = arrival(&store, store.ids.next());
    let cause = DeliveryCause { digest: late.digest, ..delivery(late.envelope.id) };
    store.commit(insert(store.ids.next(), "handled"), Cause::Deliveries(vec![cause])).await.unwrap();

    let other_bytes = Held { digest: [9; 16], ..late.clone() };
    held::hold(&store, vec![late, other_bytes.clone()]).await.unwrap();

    assert_eq!(held::of_events(&store, vec![other_bytes.envelope.id]).await.unwrap().len(), 1);
    assert_eq!(held::due(&store, LANE, &ALL, store.now(), 100).await.unwrap()[0].digest, other_bytes.digest);
}

async fn a_row_is_outdated_while_a_delivery_of_its_source_is_held_in_either_lane(place: StoreLocation) {
    let store = Store::open(&place).await;
    let (due, parked, immediate, settled) = (store.ids.next(), store.ids.next(), store.ids.next(), store.ids.next());
    let mut arrivals = [due, parked, immediate].map(|key| arrival(&store, key));
    arrivals[2].envelope.lane = Lane::Immediate;
    for key in [due, parked, immediate, settled] {
        store.commit(insert(key, "a copy"), request(&store.ids)).await.unwrap();
    }
    held::hold(&store, arrivals.to_vec()).await.unwrap();
    let dead_letter = park(&store, &arrivals[1]).await;

    let source = arrivals[0].envelope.source.clone();
    let outdated = async |source: &str| {
        let found = store.query(&OUTDATED_THINGS, params![source], |row| row.get::<Uuid>("thing_id")).await;
        found.unwrap().into_iter().collect::<HashSet<Uuid>>()
    };
    assert_eq!(outdated(&source).await, HashSet::from([due, parked, immediate]));
    assert_eq!(outdated("another").await, HashSet::new(), "the key may be known to several services");
    held::discard(&store, dead_letter, AUTOMATION, store.now()).await.unwrap();
    assert_eq!(outdated(&source).await, HashSet::from([due, immediate]));
}

async fn held_deliveries_are_selected_by_the_shards_of_their_keys(place: StoreLocation) {
    let store = Store::open(&place).await;
    let arrivals: Vec<Held> = (0..40).map(|_| arrival(&store, store.ids.next())).collect();
    held::hold(&store, arrivals.clone()).await.unwrap();
    for shard in ALL {
        let mine: Vec<Uuid> = arrivals
            .iter()
            .map(|held| held.envelope.key)
            .filter(|key| store.shards().of(LANE, *key) == shard)
            .collect();
        let due = held::due(&store, LANE, &[shard], store.now(), 100).await.unwrap();
        assert_eq!(due.iter().map(|held| held.envelope.key).collect::<Vec<_>>(), mine);
        assert_eq!(held::keys(&store, LANE, &[shard]).await.unwrap().len(), mine.len());
        assert_eq!(held::next_due(&store, LANE, &[shard]).await.unwrap().is_some(), !mine.is_empty());
    }
    assert_eq!(held::next_due(&store, LANE, &[]).await.unwrap(), None);
}
