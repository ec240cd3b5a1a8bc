//! Accounts that are kept elsewhere, in a whole shop: opened, changed, closed for good, and parked if a rule says no.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use axum::http::Method;
use events::bridge::MESSAGE;
use events::{ExternalUserChanged, UserProfileUpdated, UserRegistered};
use kernel::Uuid;
use serde_json::json;
use testkit::{Customer, PASSWORD, ShopLocation, TestShop};

testkit::on_each_store! {
    an_account_of_elsewhere_is_opened_without_a_password_and_changed,
    a_closed_account_is_not_opened_again,
    an_account_of_elsewhere_that_breaks_a_rule_is_parked,
}

fn said(user_id: Uuid, username: Option<&str>, email: Option<&str>) -> ExternalUserChanged {
    ExternalUserChanged {
        user_id: user_id.into(),
        contract: "crm".to_owned(),
        via: MESSAGE.to_owned(),
        foreign_id: None,
        username: username.map(str::to_owned),
        email: email.map(str::to_owned),
    }
}

/// The same shop, after users has got these.
async fn after(shop: TestShop, events: Vec<ExternalUserChanged>) -> TestShop {
    let shop = shop.restart_with(&events, &["users"]).await;
    shop.settle().await;
    shop
}

/// Username and address.
async fn account(shop: &TestShop, id: Uuid) -> (String, String) {
    let user = shop.get(&format!("/v1/users/{id}")).await.expect(200);
    (user.text("/username"), user.text("/email"))
}

async fn an_account_of_elsewhere_is_opened_without_a_password_and_changed(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let ada = Uuid::from_u128(1);
    let shop = after(shop, vec![said(ada, None, Some("ada@example.com"))]).await;
    assert_eq!(account(&shop, ada).await, ("ada".into(), "ada@example.com".into()));
    for password in ["", PASSWORD] {
        let session = json!({"email": "ada@example.com", "password": password});
        let refused = shop.request(Method::POST, "/v1/sessions").json(&session).send().await;
        assert_eq!(refused.expect(401).text("/code"), "bad_credentials");
    }
    // Said again, it changes nothing.
    let moved = said(ada, Some("countess"), Some("ada@example.org"));
    let shop = after(shop, vec![moved.clone(), moved, said(ada, None, None)]).await;
    assert_eq!(account(&shop, ada).await, ("countess".into(), "ada@example.org".into()));
    assert_eq!(shop.emitted::<UserRegistered>(ada).await, 1);
    assert_eq!(shop.emitted::<UserProfileUpdated>(ada).await, 1);
    let reset = json!({"email": "ada@example.org"});
    shop.request(Method::POST, "/v1/users/password-reset").json(&reset).send().await.expect(202);
    shop.settle().await;
    let mails = shop.get("/v1/mail?limit=100").await.expect(200).items();
    assert!(mails.iter().any(|mail| mail["template"] == "password_reset"), "its owner gets a link: {mails:?}");
    assert!(shop.reasons().await.is_empty());
    shop.stop().await;
}

async fn a_closed_account_is_not_opened_again(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let id: Uuid = Customer::sign_up(&shop, "ada").await.user_id.parse().unwrap();
    shop.request(Method::DELETE, &format!("/v1/users/{id}")).admin().json(&json!({})).send().await.expect(204);
    shop.settle().await;
    let shop = after(shop, vec![said(id, None, Some("ada@example.com"))]).await;
    shop.get(&format!("/v1/users/{id}")).await.expect(404);
    assert!(shop.reasons().await.is_empty());
    shop.stop().await;
}

async fn an_account_of_elsewhere_that_breaks_a_rule_is_parked(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let ada: Uuid = Customer::sign_up(&shop, "ada").await.user_id.parse().unwrap();
    let grace: Uuid = Customer::sign_up(&shop, "grace").await.user_id.parse().unwrap();
    shop.post(&format!("/v1/users/{grace}/roles"), &json!({"roles": ["admin"]})).await.expect(200);
    shop.settle().await;
    let [no_address, bad_address, bad_name, same_name, same_address] = [1, 2, 3, 4, 5].map(Uuid::from_u128);
    let bad = vec![
        said(no_address, Some("mary"), None),
        said(bad_address, None, Some("mary")),
        said(bad_name, None, Some("m@example.com")),
        said(same_name, None, Some("ADA@example.org")),
        said(same_address, Some("mary"), Some("ADA@example.com")),
        said(grace, None, Some("grace@example.org")),
    ];
    let shop = after(shop, bad).await;
    let expected = [
        format!("account {same_name} can't have this username: account {ada} has it"),
        format!("account {same_address} can't have this e-mail address: account {ada} has it"),
        format!("account {grace} is an admin's: its address can be changed here only"),
        "a new account needs an e-mail address, and none was said".to_owned(),
        "email: wanted an e-mail address as in ada@example.com or ada@müller.de".to_owned(),
        "username: wanted 3 to 32 letters a to z, digits, `_`, `.` and `-`".to_owned(),
    ];
    let mut expected = expected.to_vec();
    expected.sort();
    assert_eq!(shop.reasons().await, expected);
    assert_eq!(account(&shop, grace).await.1, "grace@example.com");
    // Its name may change.
    let shop = after(shop, vec![said(ada, Some("countess"), None)]).await;
    assert_eq!(account(&shop, ada).await, ("countess".into(), "ada@example.com".into()));
    shop.stop().await;
}
