//! Bans that have ended: they cancel nothing any more.

use events::UserBanned;
use serde_json::json;
use testkit::{Customer, Setup, ShopLocation, TestShop, on_each_store};

use super::{NOBODY_IS_IN, order, status};
use crate::stores::Store;

on_each_store! {
    what_is_ordered_after_a_ban_stays,
    a_ban_that_arrives_after_its_end_cancels_nothing,
    an_order_that_was_let_in_just_before_a_ban_is_cancelled_later,
}

async fn ban(shop: &TestShop, customer: &Customer) {
    shop.post(&format!("/v1/users/{}/ban", customer.user_id), &json!({"reason": "chargebacks"})).await.expect(202);
    shop.settle().await;
}

async fn unban(shop: &TestShop, customer: &Customer) {
    shop.delete(&format!("/v1/users/{}/ban", customer.user_id)).await.expect(204);
    shop.settle().await;
}

async fn what_is_ordered_after_a_ban_stays(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("A", 10).await;
    let mut eve = Customer::sign_up(&shop, "eve").await;
    let before = order(&shop, &eve, &product, Some("tok_ok")).await;
    ban(&shop, &eve).await;
    assert_eq!(status(&shop, &before).await, "cancelled");

    unban(&shop, &eve).await;
    eve.access_token = Customer::sign_in(&shop, "eve@example.com").await;
    let paid = order(&shop, &eve, &product, Some("tok_ok")).await;
    let reserved = order(&shop, &eve, &product, None).await;
    shop.advance(NOBODY_IS_IN).await;
    assert_eq!((status(&shop, &paid).await.as_str(), status(&shop, &reserved).await.as_str()), ("paid", "reserved"));
    assert_eq!((shop.mails(&paid).await, shop.mails(&reserved).await), (vec!["confirmation".to_owned()], vec![]));
    assert_eq!(shop.stock(&product).await, (9, 1));
}

async fn a_ban_that_arrives_after_its_end_cancels_nothing(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("A", 10).await;
    let mut eve = Customer::sign_up(&shop, "eve").await;
    ban(&shop, &eve).await;
    unban(&shop, &eve).await;
    shop.advance(NOBODY_IS_IN).await;
    eve.access_token = Customer::sign_in(&shop, "eve@example.com").await;
    let paid = order(&shop, &eve, &product, Some("tok_ok")).await;
    let banned = UserBanned {
        user_id: eve.user_id.parse().unwrap(),
        reason: "chargebacks".to_owned(),
        banned_by: "automation".to_owned(),
        version: 1,
    };
    let shop = shop.restart_with(&[banned], &["orders"]).await;
    shop.settle().await;
    assert_eq!(status(&shop, &paid).await, "paid");
    shop.advance(NOBODY_IS_IN).await;
    assert_eq!(status(&shop, &paid).await, "paid");
    assert_eq!(shop.mails(&paid).await, ["confirmation"]);
}

async fn an_order_that_was_let_in_just_before_a_ban_is_cancelled_later(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("A", 10).await;
    let eve = Customer::sign_up(&shop, "eve").await;
    let late = shop.order(&[(&product, 1)], Some("tok_ok")).await.text("/order_id");
    shop.settle().await;
    ban(&shop, &eve).await;
    let (user_id, order_id) = (eve.user_id.parse().unwrap(), late.clone());
    let shop = shop
        .restart_after(Setup::default(), async |store, clock| {
            let orders = Store::open("orders", store, clock, &[]).await;
            orders.set_owner(&order_id, user_id).await;
            orders.close().await;
        })
        .await;
    shop.settle().await;
    assert_eq!(status(&shop, &late).await, "paid");
    shop.advance(NOBODY_IS_IN).await;
    let order = shop.order_now(&late).await;
    assert_eq!((order.text("/status"), order.text("/reason")), ("cancelled".into(), "account_banned".into()));
    assert_eq!(order.text("/cancelled_by"), "ban");
}
