//! Accounts that are banned or have roles: the newest fact counts, in whatever order they arrive.

use itertools::Itertools;
use kernel::{Timestamp, UserId};
use storage::Db;
use storage::accounts::{self, Change, Standing};

use crate::store_location::StoreLocation;
use crate::support::Store;

on_each_store! {
    an_older_fact_about_an_account_never_overwrites_a_newer_one,
    tokens_from_before_a_ban_have_ended_in_whatever_order_bans_and_their_ends_arrive,
    nothing_has_ended_where_no_time_of_a_ban_is_known,
    facts_about_one_account_say_nothing_of_another,
}

/// A time of the day of the tests.
fn at(time: &str) -> Timestamp {
    format!("2026-01-01T{time}Z").parse().unwrap()
}

/// The facts of one account in the order in which they happened, and the standing after all of them.
fn facts(user_id: UserId) -> (Vec<Change>, Standing) {
    let ban = |is_banned, version| Change::Ban { user_id, is_banned, version, time: at("12:00:00") };
    let roles = |names: &[&str], version| {
        let roles = names.iter().map(ToString::to_string).collect();
        Change::Roles { user_id, roles, version }
    };
    let facts =
        vec![ban(true, 2), roles(&["admin"], 2), ban(false, 3), roles(&[], 5), ban(true, 4), roles(&["admin"], 6)];
    (facts, Standing { is_banned: true, is_admin: true, tokens_from: Some(at("12:00:01")) })
}

/// Two bans of one account and their ends. The clock was set back once: versions decide, not times.
fn bans(user_id: UserId) -> Vec<Change> {
    let bans = [
        (true, 2, "12:00:00.999999"),
        (false, 3, "12:10:00.9"),
        (true, 4, "12:08:00.000001"),
        (false, 5, "12:09:00.000001"),
    ];
    bans.map(|(is_banned, version, time)| Change::Ban { user_id, is_banned, version, time: at(time) }).into()
}

/// Keeps these facts in this order, and the first of them once more, after all.
async fn keep_all(db: &Db, facts: &[Change], order: &[usize]) {
    for &at in order.iter().chain(order.first()) {
        accounts::keep(db, &facts[at]).await.unwrap();
    }
}

async fn an_older_fact_about_an_account_never_overwrites_a_newer_one(place: StoreLocation) {
    let store = Store::open(&place).await;
    // Each order on an account of its own.
    for order in (0..6).permutations(6) {
        let user_id: UserId = store.ids.next();
        let (facts, expected) = facts(user_id);
        keep_all(&store, &facts, &order).await;
        assert_eq!(accounts::standing(&store, user_id).await.unwrap(), expected, "{order:?}");
    }
}

async fn tokens_from_before_a_ban_have_ended_in_whatever_order_bans_and_their_ends_arrive(place: StoreLocation) {
    let store = Store::open(&place).await;
    for order in (0..4).permutations(4) {
        let user_id: UserId = store.ids.next();
        keep_all(&store, &bans(user_id), &order).await;
        let standing = accounts::standing(&store, user_id).await.unwrap();
        let expected = Standing { is_banned: false, is_admin: false, tokens_from: Some(at("12:09:01")) };
        assert_eq!(standing, expected, "{order:?}");
        for (issued, has_ended) in [("11:59:59", true), ("12:09:00", true), ("12:09:01", false)] {
            assert_eq!(standing.has_ended(at(issued).as_second()), has_ended, "{issued}");
        }
    }
}

async fn nothing_has_ended_where_no_time_of_a_ban_is_known(place: StoreLocation) {
    let store = Store::open(&place).await;
    let user_id: UserId = store.ids.next();
    accounts::keep(&store, &Change::Roles { user_id, roles: vec!["admin".to_owned()], version: 2 }).await.unwrap();
    let standing = accounts::standing(&store, user_id).await.unwrap();
    assert_eq!(standing, Standing { is_banned: false, is_admin: true, tokens_from: None });
    assert!(!standing.has_ended(0));
}

async fn facts_about_one_account_say_nothing_of_another(place: StoreLocation) {
    let store = Store::open(&place).await;
    let (banned, admin, customer): (UserId, UserId, UserId) = (store.ids.next(), store.ids.next(), store.ids.next());
    let ban = Change::Ban { user_id: banned, is_banned: true, version: 2, time: at("12:00:00") };
    accounts::keep(&store, &ban).await.unwrap();
    let roles = vec!["auditor".to_owned(), "admin".to_owned()];
    accounts::keep(&store, &Change::Roles { user_id: admin, roles, version: 2 }).await.unwrap();
    let standing = async |user_id| accounts::standing(&store, user_id).await.unwrap();
    assert_eq!(
        standing(banned).await,
        Standing { is_banned: true, is_admin: false, tokens_from: Some(at("12:00:01")) }
    );
    assert_eq!(standing(admin).await, Standing { is_admin: true, ..Standing::default() });
    assert_eq!(standing(customer).await, Standing::default());
    let other = Change::Roles { user_id: admin, roles: vec!["administrator".to_owned()], version: 3 };
    accounts::keep(&store, &other).await.unwrap();
    assert_eq!(standing(admin).await, Standing::default(), "a role is a whole word");
}
