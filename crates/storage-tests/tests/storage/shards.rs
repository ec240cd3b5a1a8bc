//! Instances of a service and the shards that they have.

use kernel::{Lane, Shards, Uuid};
use storage::shards::{self, Owner, Ownership, Shard};
use storage::{Db, Error};

use crate::store_location::StoreLocation;
use crate::support::{Store, options};

on_each_store! {
    a_shard_goes_to_whoever_claims_it_first,
    a_shard_that_was_released_can_be_claimed_again,
    an_instance_that_has_moved_on_is_not_forgotten,
    the_number_of_shards_is_fixed_when_the_store_is_made,
}

const SHARD: Shard = Shard { lane: Lane::Background, number: 3 };

async fn a_shard_goes_to_whoever_claims_it_first(place: StoreLocation) {
    let store = Store::open(&place).await;
    let [ada, bob]: [Uuid; 2] = [store.ids.next(), store.ids.next()];
    shards::make(&store, &[SHARD]).await.unwrap();
    shards::make(&store, &[SHARD]).await.unwrap();
    let seen = owner(&store).await;
    assert_eq!(seen, Owner { instance_id: None, fence: 0 });

    assert_eq!(shards::claim(&store, ada, &[(SHARD, seen)]).await.unwrap(), [SHARD]);
    assert_eq!(shards::claim(&store, bob, &[(SHARD, seen)]).await.unwrap(), []);

    assert_eq!(owner(&store).await, Owner { instance_id: Some(ada), fence: 1 });
}

async fn a_shard_that_was_released_can_be_claimed_again(place: StoreLocation) {
    let store = Store::open(&place).await;
    let [ada, bob]: [Uuid; 2] = [store.ids.next(), store.ids.next()];
    shards::make(&store, &[SHARD]).await.unwrap();
    shards::claim(&store, ada, &[(SHARD, owner(&store).await)]).await.unwrap();

    shards::release(&store, bob, &[SHARD]).await.unwrap();
    assert_eq!(owner(&store).await.instance_id, Some(ada), "it is not his to give");
    shards::release(&store, ada, &[SHARD]).await.unwrap();
    let seen = owner(&store).await;
    assert_eq!(seen.instance_id, None);

    assert_eq!(shards::claim(&store, bob, &[(SHARD, seen)]).await.unwrap(), [SHARD]);
    assert_eq!(owner(&store).await, Owner { instance_id: Some(bob), fence: 2 });
}

async fn an_instance_that_has_moved_on_is_not_forgotten(place: StoreLocation) {
    let store = Store::open(&place).await;
    let [ada, bob]: [Uuid; 2] = [store.ids.next(), store.ids.next()];
    shards::beat(&store, ada, 1).await.unwrap();
    shards::beat(&store, bob, 1).await.unwrap();
    shards::beat(&store, ada, 2).await.unwrap();

    shards::forget(&store, &[(ada, 1), (bob, 1)]).await.unwrap();

    let beats = shards::ownership(&store).await.unwrap().beats;
    assert_eq!(beats.into_iter().collect::<Vec<_>>(), [(ada, 2)]);
}

async fn the_number_of_shards_is_fixed_when_the_store_is_made(place: StoreLocation) {
    Store::open(&place).await.close().await;
    let (mut options, _) = options(&place);
    options.shards = Shards::new(4).unwrap();
    let Err(Error::Unusable { detail, .. }) = Db::open(options).await else { panic!("keys would move") };
    assert_eq!(detail, "its keys are split into 8 shards, for good: set `shards` to 8");
}

async fn owner(store: &Store) -> Owner {
    let Ownership { owners, .. } = shards::ownership(store).await.unwrap();
    owners[&SHARD]
}
