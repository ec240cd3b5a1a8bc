//! Accounts that are banned or have roles: the newest fact counts, in whatever order they arrive.

use kernel::UserId;
use tradepost_storage::accounts::{self, Change, Standing};

use crate::store_location::StoreLocation;
use crate::support::Store;

on_each_store! {
    an_older_fact_about_an_account_never_overwrites_a_newer_one,
    facts_about_one_account_say_nothing_of_another,
}

/// The facts of one account in the order in which they happened, and the standing after all of them.
fn facts(user_id: UserId) -> (Vec<Change>, Standing) {
    let ban = |is_banned, version| Change::Ban { user_id, is_banned, version };
    let roles = |names: &[&str], version| {
        let roles = names.iter().map(ToString::to_string).collect();
        Change::Roles { user_id, roles, version }
    };
    let facts =
        vec![ban(true, 2), roles(&["admin"], 2), ban(false, 3), roles(&[], 5), ban(true, 4), roles(&["admin"], 6)];
    (facts, Standing { is_banned: true, is_admin: true })
}

/// All orders of the numbers below `count`.
fn permutations(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let shorter = permutations(count - 1);
    let with_last = |order: &Vec<usize>| {
        let order = order.clone();
        (0..count).map(move |at| {
            let mut longer = order.clone();
            longer.insert(at, count - 1);
            longer
        })
    };
    shorter.iter().flat_map(with_last).collect()
}

async fn an_older_fact_about_an_account_never_overwrites_a_newer_one(place: StoreLocation) {
    let store = Store::open(&place).await;
    let orders = permutations(6);
    assert_eq!(orders.len(), 720);
    // Each order on an account of its own. One of the facts comes twice.
    for order in orders {
        let user_id: UserId = store.ids.next();
        let (facts, expected) = facts(user_id);
        for &at in &order {
            accounts::keep(&store, &facts[at]).await.unwrap();
            if at == 0 {
                accounts::keep(&store, &facts[at]).await.unwrap();
            }
        }
        assert_eq!(accounts::standing(&store, user_id).await.unwrap(), expected, "{order:?}");
    }
}

async fn facts_about_one_account_say_nothing_of_another(place: StoreLocation) {
    let store = Store::open(&place).await;
    let (banned, admin, customer): (UserId, UserId, UserId) = (store.ids.next(), store.ids.next(), store.ids.next());
    accounts::keep(&store, &Change::Ban { user_id: banned, is_banned: true, version: 2 }).await.unwrap();
    let roles = vec!["auditor".to_owned(), "admin".to_owned()];
    accounts::keep(&store, &Change::Roles { user_id: admin, roles, version: 2 }).await.unwrap();
    let standing = async |user_id| accounts::standing(&store, user_id).await.unwrap();
    assert_eq!(standing(banned).await, Standing { is_banned: true, is_admin: false });
    assert_eq!(standing(admin).await, Standing { is_banned: false, is_admin: true });
    assert_eq!(standing(customer).await, Standing::default());
    let other = Change::Roles { user_id: admin, roles: vec!["administrator".to_owned()], version: 3 };
    accounts::keep(&store, &other).await.unwrap();
    assert_eq!(standing(admin).await, Standing::default(), "a role is a whole word");
}
