//! Events and the pointers to them.

use std::collections::HashSet;

use kernel::{Event, Lane, Uuid, Version};
use storage::outbox::Wanted;
use storage::{Batch, Db, archive, outbox};

use crate::store_location::StoreLocation;
use crate::support::{Store, ThingBroke, ThingMoved, ThingSeen, insert, options, request};

on_each_store! {
    events_keep_the_order_in_which_they_were_committed,
    an_event_is_pending_exactly_where_it_has_to_go_until_it_was_sent,
    what_is_in_flight_is_passed_over_and_nothing_else,
    what_is_unsent_is_counted_again_when_the_store_opens,
    a_commit_wakes_those_who_wait_for_its_events_and_nobody_else,
    pending_events_are_selected_by_the_shards_of_their_keys,
    what_pointed_to_another_broker_points_to_this_one,
}

async fn events_keep_the_order_in_which_they_were_committed(place: StoreLocation) {
    let store = Store::open(&place).await;
    let thing_id: Uuid = store.ids.next();
    let mut emitted = Vec::new();
    for n in (1..=9).step_by(3) {
        let batch = (n..n + 3)
            .fold(Batch::new(), |batch, version| batch.emit(Version::from_stored(version), &ThingMoved { thing_id }));
        emitted.extend(store.commit(batch, request(&store.ids)).await.unwrap().events);
    }

    let stored = archive::of_key(&store, thing_id, 100).await.unwrap();

    assert_eq!(stored.iter().map(|event| event.envelope.id).collect::<Vec<_>>(), emitted);
    assert_eq!(stored.iter().map(|event| event.envelope.sequence).collect::<Vec<_>>(), (1..=9).collect::<Vec<_>>());
    assert!(stored.windows(2).all(|pair| pair[0].position < pair[1].position));
    let pending = outbox::pending(&store, to("mail", Lane::Background), 0, vec![], 100).await.unwrap();
    assert_eq!(pending.iter().map(|event| event.envelope.id).collect::<Vec<_>>(), emitted);
}

async fn an_event_is_pending_exactly_where_it_has_to_go_until_it_was_sent(place: StoreLocation) {
    let store = Store::open(&place).await;
    let thing_id: Uuid = store.ids.next();
    let batch = insert(thing_id, "emitted")
        .emit(Version::FIRST, &ThingMoved { thing_id })
        .emit(Version::FIRST, &ThingBroke { thing_id })
        .emit(Version::FIRST, &ThingSeen { thing_id });
    store.commit(batch, request(&store.ids)).await.unwrap();
    let (background, immediate) = (Lane::Background, Lane::Immediate);

    assert_eq!(pending_types(&store, "mail", background).await, [ThingMoved::TYPE]);
    assert_eq!(pending_types(&store, "stock", background).await, [ThingMoved::TYPE]);
    assert_eq!(pending_types(&store, "mail", immediate).await, [ThingBroke::TYPE]);
    assert_eq!(pending_types(&store, "stock", immediate).await, [""; 0]);
    assert_eq!(archive::of_key(&store, thing_id, 10).await.unwrap().len(), 3);
    assert_eq!((store.counts().await.pointers, outbox::unsent(&store)), (3, 3));

    let positions: Vec<i64> = positions(&store, "mail", background).await;
    outbox::sent(&store, "mail", background, positions.clone()).await.unwrap();
    outbox::sent(&store, "mail", background, positions).await.unwrap();

    assert_eq!(pending_types(&store, "mail", background).await, [""; 0]);
    assert_eq!(pending_types(&store, "stock", background).await, [ThingMoved::TYPE]);
    assert_eq!(outbox::unsent(&store), 2);
    assert_eq!(outbox::backlog(&store, immediate).await.unwrap(), (1, Some(store.now())));
    assert_eq!(archive::of_key(&store, thing_id, 10).await.unwrap().len(), 3, "the archive keeps what was sent");
}

async fn what_is_in_flight_is_passed_over_and_nothing_else(place: StoreLocation) {
    let store = Store::open(&place).await;
    let thing_id: Uuid = store.ids.next();
    let batch = (1..=6).fold(Batch::new(), |batch, n| batch.emit(Version::from_stored(n), &ThingMoved { thing_id }));
    store.commit(batch, request(&store.ids)).await.unwrap();
    let all = positions(&store, "mail", Lane::Background).await;
    let in_flight = vec![all[0], all[2], all[5]];

    let rest = outbox::pending(&store, to("mail", Lane::Background), 0, in_flight.clone(), 2).await.unwrap();

    let rest: HashSet<i64> = rest.into_iter().map(|event| event.position).collect();
    assert_eq!(rest, HashSet::from([all[1], all[3]]));
    let beyond = outbox::pending(&store, to("mail", Lane::Background), all[3], vec![all[4]], 100).await.unwrap();
    assert_eq!(beyond.into_iter().map(|event| event.position).collect::<Vec<_>>(), [all[5]]);
}

async fn what_is_unsent_is_counted_again_when_the_store_opens(place: StoreLocation) {
    let store = Store::open(&place).await;
    for _ in 0..3 {
        let thing_id = store.ids.next();
        let batch = Batch::new().emit(Version::FIRST, &ThingMoved { thing_id });
        store.commit(batch, request(&store.ids)).await.unwrap();
    }
    let first = positions(&store, "stock", Lane::Background).await[0];
    outbox::sent(&store, "stock", Lane::Background, vec![first]).await.unwrap();
    store.close().await;

    let reopened = Store::open(&place).await;

    assert_eq!(outbox::unsent(&reopened), 5);
    assert_eq!(positions(&reopened, "stock", Lane::Background).await.len(), 2);
}

async fn a_commit_wakes_those_who_wait_for_its_events_and_nobody_else(place: StoreLocation) {
    let store = Store::open(&place).await;
    let urgent = store.outbox_signal("mail", Lane::Immediate);
    let mail = store.outbox_signal("mail", Lane::Background);
    let archive = store.archive_signal();

    let batch = Batch::new().emit(Version::FIRST, &ThingMoved { thing_id: store.ids.next() });
    store.commit(batch, request(&store.ids)).await.unwrap();

    let woken = [&mail, &archive, &urgent].map(|signal| signal.has_changed().unwrap());
    assert_eq!(woken, [true, true, false]);
}

async fn pending_types(store: &Store, destination: &str, lane: Lane) -> Vec<String> {
    let pending = outbox::pending(store, to(destination, lane), 0, vec![], 100).await.unwrap();
    pending.into_iter().map(|event| event.envelope.event_type).collect()
}

async fn positions(store: &Store, destination: &str, lane: Lane) -> Vec<i64> {
    let pending = outbox::pending(store, to(destination, lane), 0, vec![], 100).await.unwrap();
    pending.into_iter().map(|event| event.position).collect()
}

async fn pending_events_are_selected_by_the_shards_of_their_keys(place: StoreLocation) {
    let store = Store::open(&place).await;
    let things: Vec<Uuid> = (0..40).map(|_| store.ids.next()).collect();
    // Several of one commit: each must get the shard of its own key.
    for four in things.chunks(4) {
        let batch =
            four.iter().fold(Batch::new(), |batch, thing| batch.emit(Version::FIRST, &ThingMoved { thing_id: *thing }));
        store.commit(batch, request(&store.ids)).await.unwrap();
    }
    for shard in store.shards().all(Lane::Background) {
        let pending = outbox::pending_of(&store, to("mail", Lane::Background), &[shard], vec![], 100).await.unwrap();
        let mine: Vec<Uuid> =
            things.iter().copied().filter(|thing| store.shards().of(Lane::Background, *thing) == shard).collect();
        assert_eq!(pending.iter().map(|event| event.envelope.key).collect::<Vec<_>>(), mine);
        let in_flight = pending.iter().map(|event| event.position).take(1).collect();
        let rest = outbox::pending_of(&store, to("mail", Lane::Background), &[shard], in_flight, 100).await.unwrap();
        assert_eq!(rest.iter().map(|event| event.envelope.key).collect::<Vec<_>>(), mine[1.min(mine.len())..]);
    }
}

async fn what_pointed_to_another_broker_points_to_this_one(place: StoreLocation) {
    let store = Store::open(&place).await;
    let thing_id: Uuid = store.ids.next();
    let batch =
        Batch::new().emit(Version::FIRST, &ThingMoved { thing_id }).emit(Version::FIRST, &ThingBroke { thing_id });
    store.commit(batch, request(&store.ids)).await.unwrap();
    store.close().await;

    let (mut options, _) = options(&place);
    options.destinations.insert(ThingMoved::TYPE.to_owned(), vec!["events".to_owned()]);
    options.destinations.insert(ThingBroke::TYPE.to_owned(), vec!["events".to_owned()]);
    let db = Db::open(options).await.unwrap();
    outbox::redirect(&db).await.unwrap();

    assert_eq!(outbox::count(&db).await.unwrap(), 2);
    assert_eq!(outbox::unsent(&db), 2);
    for lane in Lane::ALL {
        assert_eq!(outbox::pending(&db, to("events", lane), 0, vec![], 100).await.unwrap().len(), 1);
    }
}

fn to(destination: &str, lane: Lane) -> Wanted<'_> {
    Wanted { destination, lane }
}
