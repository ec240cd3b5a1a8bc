//! Mailed links: a forgotten password, a verified address.

use std::time::Duration;

use axum::http::Method;
use notifications::settings::SHOP_URL;
use serde_json::{Value, json};
use testkit::{Setup, ShopLocation, TestResponse, TestShop, on_each_store, unlimited};

use super::{PASSWORD, Tokens, refresh, sign_in, sign_up, try_sign_in};

on_each_store! {
    a_forgotten_password_is_set_anew_by_a_mailed_link_once,
    an_address_is_verified_by_a_mailed_link,
    a_link_ends_with_its_hour_and_with_the_address_it_was_mailed_to,
}

const ANOTHER: &str = "quite another battery";

async fn shop_on(place: ShopLocation) -> TestShop {
    let services = unlimited().with(&SHOP_URL, "https://shop.example");
    TestShop::start_on_with(place, Setup { services, ..Setup::default() }).await
}

async fn ask_for_a_reset(shop: &TestShop, email: &str) -> TestResponse {
    let answer = shop.request(Method::POST, "/v1/users/password-reset").json(&json!({"email": email})).send().await;
    shop.settle().await;
    answer
}

async fn reset(shop: &TestShop, token: &str, password: &str) -> TestResponse {
    let body = json!({"token": token, "password": password});
    shop.request(Method::POST, "/v1/users/password-reset/confirm").json(&body).send().await
}

async fn confirm(shop: &TestShop, token: &str) -> TestResponse {
    shop.request(Method::POST, "/v1/users/verification/confirm").json(&json!({"token": token})).send().await
}

/// Mails of a template, newest first.
async fn mails(shop: &TestShop, template: &str) -> Vec<Value> {
    let mails = shop.get("/v1/mail?limit=100").await.expect(200).items();
    mails.into_iter().filter(|mail| mail["template"] == template).collect()
}

/// The token of the newest mailed link to a page.
async fn mailed(shop: &TestShop, template: &str, page: &str) -> String {
    let text = mails(shop, template).await[0]["text"].as_str().unwrap().to_owned();
    let link = text.lines().find(|line| line.starts_with("https://")).unwrap().to_owned();
    link.strip_prefix(&format!("https://shop.example/{page}#token=")).unwrap().to_owned()
}

async fn a_forgotten_password_is_set_anew_by_a_mailed_link_once(place: ShopLocation) {
    let shop = shop_on(place).await;
    let ada = sign_up(&shop, "ada").await;
    let stolen = sign_in(&shop, "ada").await;
    let (known, unknown) =
        (ask_for_a_reset(&shop, "ADA@example.com").await, ask_for_a_reset(&shop, "eve@example.com").await);
    assert_eq!((known.status, &known.body), (unknown.status, &unknown.body), "no answer says who has an account");
    known.expect(202);
    assert_eq!(mails(&shop, "password_reset").await.len(), 1);

    let token = mailed(&shop, "password_reset", "password-reset").await;
    reset(&shop, &token, "password1").await.expect(422);
    assert_eq!(reset(&shop, &token[1..], ANOTHER).await.expect(400).text("/code"), "invalid_link");
    reset(&shop, &token, ANOTHER).await.expect(204);
    assert_eq!(reset(&shop, &token, PASSWORD).await.expect(400).text("/code"), "invalid_link");

    try_sign_in(&shop, "ada@example.com", PASSWORD).await.expect(401);
    try_sign_in(&shop, "ada@example.com", ANOTHER).await.expect(201);
    refresh(&shop, &stolen.refresh).await.expect(401);
    shop.settle().await;
    assert_eq!(mails(&shop, "password_changed").await.len(), 1);
    let user = shop.get(&format!("/v1/users/{ada}")).await.expect(200).json();
    assert_eq!(user["email_verified"], true, "whoever read the mail has the address");
    let events = shop.get("/v1/events?limit=100").await.expect(200).json().to_string();
    assert!(events.contains("password_reset_requested") && !events.contains(&token), "{events}");
}

async fn a_link_ends_with_its_hour_and_with_the_address_it_was_mailed_to(place: ShopLocation) {
    let shop = shop_on(place).await;
    let ada = sign_up(&shop, "ada").await;
    ask_for_a_reset(&shop, "ada@example.com").await.expect(202);
    let token = mailed(&shop, "password_reset", "password-reset").await;
    shop.advance(Duration::from_hours(1)).await;
    reset(&shop, &token, ANOTHER).await.expect(400);

    for _ in 0..5 {
        ask_for_a_reset(&shop, "ada@example.com").await.expect(202);
    }
    assert_eq!(mails(&shop, "password_reset").await.len(), 4, "three good links at a time are enough");
    let token = mailed(&shop, "password_reset", "password-reset").await;
    shop.patch(&format!("/v1/users/{ada}"), &json!({"email": "ada@example.org"})).await.expect(200);
    reset(&shop, &token, ANOTHER).await.expect(400);
    try_sign_in(&shop, "ada@example.org", PASSWORD).await.expect(201);
}

async fn an_address_is_verified_by_a_mailed_link(place: ShopLocation) {
    let shop = shop_on(place).await;
    let ada = sign_up(&shop, "ada").await;
    let Tokens { access, .. } = sign_in(&shop, "ada").await;
    let path = format!("/v1/users/{ada}/verification");
    shop.request(Method::POST, &path).send().await.expect(401);
    let ask = async || shop.request(Method::POST, &path).bearer(&access).send().await;
    for _ in 0..5 {
        ask().await.expect(202);
    }
    shop.settle().await;
    let is_verified = async || shop.get(&format!("/v1/users/{ada}")).await.expect(200).json()["email_verified"].clone();
    assert_eq!(is_verified().await, false);
    let token = mailed(&shop, "verification", "verify-email").await;
    reset(&shop, &token, ANOTHER).await.expect(400);
    confirm(&shop, &token).await.expect(204);
    assert_eq!(is_verified().await, true);
    confirm(&shop, &token).await.expect(400);
    assert_eq!(ask().await.expect(409).text("/code"), "email_verified");

    let moved = json!({"email": "ada@example.org", "current_password": PASSWORD});
    let moved = shop.request(Method::PATCH, &format!("/v1/users/{ada}")).bearer(&access).json(&moved).send().await;
    assert_eq!(moved.expect(200).json()["email_verified"], false, "another address is another matter");
}
