//! Changes of an account: its open orders have the newest address, in whatever order the facts arrive, and also if a
//! request had read an older one.

use std::time::Duration;

use axum::http::Method;
use events::{Event, UserDeleted, UserProfileUpdated, UserRegistered};
use kernel::{Ids, UserId, Version};
use serde_json::json;
use service::storage::Batch;
use testkit::{Customer, PASSWORD, Setup, ShopLocation, TestShop, on_each_store};

use super::{NOBODY_IS_IN, order};
use crate::permutations::arrivals;
use crate::stores::Store;

on_each_store! {
    an_order_that_was_placed_with_the_address_before_follows_later,
    an_order_that_was_placed_just_before_its_account_was_closed_is_forgotten,
    an_account_ends_in_its_newest_state_whatever_arrives_when,
}

async fn email(shop: &TestShop, order_id: &str) -> String {
    shop.order_now(order_id).await.text("/email")
}

async fn an_order_that_was_placed_with_the_address_before_follows_later(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("A", 10).await;
    let ada = Customer::sign_up(&shop, "ada").await;
    let late = order(&shop, &ada, &product, Some("tok_ok")).await;
    let moved = json!({"email": "ada@example.org", "current_password": PASSWORD});
    ada.asks(&shop, Method::PATCH, &format!("/v1/users/{}", ada.user_id)).json(&moved).send().await.expect(200);
    shop.settle().await;
    assert_eq!(email(&shop, &late).await, "ada@example.org");

    // As if its request had read the address before, and committed only now.
    let shop = shop
        .restart_after(Setup::default(), async |store, clock| {
            let orders = Store::open("orders", store, clock, &[]).await;
            orders.set_email(&late, "ada@example.com").await;
            orders.close().await;
        })
        .await;
    shop.settle().await;
    assert_eq!(email(&shop, &late).await, "ada@example.com");
    shop.advance(NOBODY_IS_IN).await;
    assert_eq!(email(&shop, &late).await, "ada@example.org");
    let tag = shop.order_now(&late).await.headers["etag"].clone();
    shop.advance(NOBODY_IS_IN).await;
    assert_eq!(shop.order_now(&late).await.headers["etag"], tag);
}

async fn an_order_that_was_placed_just_before_its_account_was_closed_is_forgotten(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("A", 10).await;
    let ada = Customer::sign_up(&shop, "ada").await;
    let late = shop.order(&[(&product, 1)], None).await.text("/order_id");
    let close = ada.asks(&shop, Method::DELETE, &format!("/v1/users/{}", ada.user_id));
    close.json(&json!({"current_password": PASSWORD})).send().await.expect(204);
    shop.settle().await;
    let user_id: UserId = ada.user_id.parse().unwrap();
    let shop = shop
        .restart_after(Setup::default(), async |store, clock| {
            let orders = Store::open("orders", store, clock, &[]).await;
            assert_eq!(orders.account(user_id).await.unwrap().0, "", "no order needed the address");
            orders.set_owner(&late, user_id).await;
            orders.close().await;
        })
        .await;
    shop.settle().await;
    shop.post(&format!("/v1/orders/{late}/cancel"), &json!({})).await.expect(200);
    shop.advance(NOBODY_IS_IN).await;
    assert_eq!(email(&shop, &late).await, "ada@example.com", "its mails may be in flight");
    shop.advance(Duration::from_hours(25)).await;
    assert_eq!(email(&shop, &late).await, "");
}

/// The address of a version.
fn address(version: i64) -> String {
    format!("v{version}@example.com")
}

/// The `at`th thing that happened to an account.
fn emit(user_id: UserId, at: usize) -> Batch {
    let version = i64::try_from(at).unwrap() + 1;
    let (username, email) = (format!("ada{user_id}"), address(version));
    let batch = Batch::new();
    match at {
        0 => batch.emit(Version::FIRST, &UserRegistered { user_id, username, email }),
        1 | 2 => batch.emit(Version::FIRST, &UserProfileUpdated { user_id, username, email, version }),
        _ => batch.emit(Version::FIRST, &UserDeletedInOrder(UserDeleted { user_id, version })),
    }
}

/// The end of an account, in the lane of its other events: so it arrives where a test wants it among them.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
struct UserDeletedInOrder(UserDeleted);

impl Event for UserDeletedInOrder {
    const TYPE: &'static str = UserDeleted::TYPE;
    const SOURCE: &'static str = UserDeleted::SOURCE;
    const LANE: kernel::Lane = UserRegistered::LANE;

    fn key(&self) -> kernel::Uuid {
        self.0.key()
    }
}

fn is_twice(arrival: &[usize], fact: usize) -> bool {
    arrival.iter().filter(|at| **at == fact).count() == 2
}

async fn an_account_ends_in_its_newest_state_whatever_arrives_when(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("A", 1_000).await;
    let mut open = Vec::new();
    for facts in [3, 4] {
        // With the end of the account, either that or the newest address arrives twice.
        for arrival in
            arrivals(facts).into_iter().filter(|arrival| facts == 3 || is_twice(arrival, 2) || is_twice(arrival, 3))
        {
            let order = json!({"lines": [{"product_id": product, "quantity": 1}], "email": address(0)});
            let order_id = shop.post("/v1/orders", &order).await.expect(201).text("/order_id");
            open.push((order_id, facts, arrival));
        }
    }
    shop.settle().await;
    let mut users: Vec<UserId> = Vec::new();
    let shop = shop
        .restart_after(Setup::default(), async |store, clock| {
            let ids = Ids::new(clock.clone());
            let orders = Store::open("orders", store.clone(), clock.clone(), &[]).await;
            let types = [UserRegistered::TYPE, UserProfileUpdated::TYPE, UserDeleted::TYPE];
            let source = Store::open("users", store, clock, &types).await;
            for (order_id, _, arrival) in &open {
                let user_id = ids.next();
                orders.set_owner(order_id, user_id).await;
                source.commit(arrival.iter().map(|at| emit(user_id, *at))).await;
                users.push(user_id);
            }
            source.close().await;
            orders.close().await;
        })
        .await;
    // At once, and again when the later timers have come due.
    for _ in 0..2 {
        shop.settle().await;
        for (order_id, _, arrival) in &open {
            assert_eq!(email(&shop, order_id).await, address(3), "{arrival:?}");
        }
        shop.advance(NOBODY_IS_IN).await;
    }
    shop.restart_after(Setup::default(), async |store, clock| {
        let orders = Store::open("orders", store, clock, &[]).await;
        for (user_id, (_, facts, arrival)) in users.iter().zip(&open) {
            let closed = if *facts == 4 { 4 } else { 0 };
            assert_eq!(orders.account(*user_id).await, Some((address(3), 3, closed)), "{arrival:?}");
        }
        orders.close().await;
    })
    .await;
}
