//! Accounts: signing in, going on, signing out, and what nobody may learn or take on the way.

mod closing;
mod guarded;
mod links;

use std::time::Duration;

use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use testkit::{Setup, ShopLocation, TestResponse, TestShop, on_each_store, unlimited};
use users::settings::{ATTEMPT_LIMIT, ATTEMPT_LIMIT_ADDRESS};

on_each_store! {
    who_signed_in_reads_and_changes_their_own_account_and_no_other,
    a_wrong_password_and_an_unknown_account_are_answered_alike,
    a_refresh_token_is_good_once_and_used_again_ends_the_sign_in,
    of_two_refreshes_at_once_one_wins_and_the_sign_in_ends,
    who_signed_out_can_not_go_on_and_other_sign_ins_can,
    a_sign_in_ends_after_thirty_days_however_often_it_was_refreshed,
    a_rotated_key_leaves_tokens_good_and_goes_when_they_are_over,
    a_token_is_good_after_a_restart_and_a_spent_one_is_still_spent,
    nothing_secret_is_published_or_answered,
    the_oldest_of_too_many_sign_ins_ends,
}

const PASSWORD: &str = "correct horse battery";
const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

struct Tokens {
    access: String,
    refresh: String,
}

impl From<TestResponse> for Tokens {
    fn from(answer: TestResponse) -> Self {
        Self { access: answer.text("/access_token"), refresh: answer.text("/refresh_token") }
    }
}

async fn sign_up(shop: &TestShop, name: &str) -> String {
    let account = json!({"username": name, "email": format!("{name}@example.com"), "password": PASSWORD});
    let user = shop.request(Method::POST, "/v1/users").json(&account).send().await.expect(201);
    shop.settle().await;
    user.text("/user_id")
}

async fn try_sign_in(shop: &TestShop, email: &str, password: &str) -> TestResponse {
    let credentials = json!({"email": email, "password": password});
    shop.request(Method::POST, "/v1/sessions").json(&credentials).send().await
}

async fn sign_in(shop: &TestShop, name: &str) -> Tokens {
    try_sign_in(shop, &format!("{name}@example.com"), PASSWORD).await.expect(201).into()
}

async fn refresh(shop: &TestShop, token: &str) -> TestResponse {
    let body = json!({"refresh_token": token});
    shop.request(Method::POST, "/v1/sessions/refresh").json(&body).send().await
}

/// Statuses of a request with the token at the users service, and at one that knows its key by event only.
async fn is_good(shop: &TestShop, user_id: &str, access: &str) -> bool {
    let own = shop.request(Method::GET, &format!("/v1/users/{user_id}")).bearer(access).send().await;
    let orders = shop.request(Method::GET, "/v1/orders").bearer(access).send().await;
    assert_eq!(own.status, orders.status, "all services agree");
    own.status.is_success()
}

fn kid(token: &str) -> String {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
}

async fn published_kids(shop: &TestShop) -> Vec<String> {
    let keys = shop.request(Method::GET, "/.well-known/jwks.json").send().await.expect(200).json();
    keys["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

async fn who_signed_in_reads_and_changes_their_own_account_and_no_other(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let (ada, bob) = (sign_up(&shop, "ada").await, sign_up(&shop, "bob").await);
    let answer = try_sign_in(&shop, "ADA@example.com", PASSWORD).await.expect(201);
    assert_eq!((answer.text("/token_type").as_str(), answer.number("/expires_in")), ("Bearer", 900));
    assert_eq!(answer.headers["cache-control"], "no-store");
    let tokens = Tokens::from(answer);
    let ask = |method, user_id: &str| shop.request(method, &format!("/v1/users/{user_id}")).bearer(&tokens.access);

    assert_eq!(ask(Method::GET, &ada).send().await.expect(200).text("/username"), "ada");
    let renamed = ask(Method::PATCH, &ada).json(&json!({"username": "countess"})).send().await.expect(200);
    assert_eq!(renamed.text("/username"), "countess");
    for method in [Method::GET, Method::PATCH] {
        let refused = ask(method, &bob).json(&json!({"username": "eve"})).send().await.expect(404);
        assert_eq!(refused.text("/code"), "not_found");
    }
    assert_eq!(shop.get(&format!("/v1/users/{bob}")).await.expect(200).text("/username"), "bob");
    shop.request(Method::GET, &format!("/v1/users/{ada}")).send().await.expect(401);
}

async fn a_wrong_password_and_an_unknown_account_are_answered_alike(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    sign_up(&shop, "ada").await;
    let mut bodies = Vec::new();
    for (email, password) in [("ada@example.com", "battery staple"), ("bob@example.com", PASSWORD)] {
        let refused = try_sign_in(&shop, email, password).await.expect(401);
        let mut body = refused.json();
        body["request_id"] = Value::Null;
        let mut headers: Vec<String> = refused.headers.keys().map(ToString::to_string).collect();
        headers.sort();
        bodies.push((body, headers));
    }
    assert_eq!(bodies[0].0["code"], "bad_credentials");
    assert_eq!(bodies[0], bodies[1]);
    let huge = try_sign_in(&shop, "ada@example.com", &"x".repeat(1_025)).await.expect(422);
    assert_eq!(huge.text("/errors/0/field"), "password");
}

async fn a_refresh_token_is_good_once_and_used_again_ends_the_sign_in(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let ada = sign_up(&shop, "ada").await;
    let (first, other) = (sign_in(&shop, "ada").await, sign_in(&shop, "ada").await);
    let second = Tokens::from(refresh(&shop, &first.refresh).await.expect(200));
    let third = Tokens::from(refresh(&shop, &second.refresh).await.expect(200));
    assert!(is_good(&shop, &ada, &third.access).await);

    // Of the family, but never given out: nobody is signed out by guessing.
    let mut forged = URL_SAFE_NO_PAD.decode(&third.refresh).unwrap();
    forged[20] ^= 1;
    refresh(&shop, &URL_SAFE_NO_PAD.encode(&forged)).await.expect(401);
    let fourth = Tokens::from(refresh(&shop, &third.refresh).await.expect(200));

    let refused = refresh(&shop, &first.refresh).await.expect(401);
    assert_eq!(refused.text("/code"), "unauthenticated");
    refresh(&shop, &fourth.refresh).await.expect(401);
    refresh(&shop, &other.refresh).await.expect(200);
    refresh(&shop, &other.access).await.expect(401);
    refresh(&shop, "").await.expect(401);
}

async fn of_two_refreshes_at_once_one_wins_and_the_sign_in_ends(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    sign_up(&shop, "ada").await;
    for _ in 0..5 {
        let tokens = sign_in(&shop, "ada").await;
        let (one, two) = tokio::join!(refresh(&shop, &tokens.refresh), refresh(&shop, &tokens.refresh));
        let (won, lost): (Vec<TestResponse>, Vec<TestResponse>) =
            [one, two].into_iter().partition(|it| it.status.is_success());
        assert_eq!((won.len(), lost.len()), (1, 1));
        assert_eq!(lost[0].status.as_u16(), 401);
        refresh(&shop, &won[0].text("/refresh_token")).await.expect(401);
    }
}

async fn who_signed_out_can_not_go_on_and_other_sign_ins_can(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    sign_up(&shop, "ada").await;
    let (here, there) = (sign_in(&shop, "ada").await, sign_in(&shop, "ada").await);
    let sign_out = async || shop.request(Method::DELETE, "/v1/sessions/current").bearer(&here.access).send().await;
    sign_out().await.expect(204);
    sign_out().await.expect(204);
    refresh(&shop, &here.refresh).await.expect(401);
    refresh(&shop, &there.refresh).await.expect(200);
    shop.delete("/v1/sessions/current").await.expect(404);
}

async fn a_sign_in_ends_after_thirty_days_however_often_it_was_refreshed(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    sign_up(&shop, "ada").await;
    let mut tokens = sign_in(&shop, "ada").await;
    for _ in 0..3 {
        shop.advance(9 * DAY).await;
        tokens = refresh(&shop, &tokens.refresh).await.expect(200).into();
    }
    shop.advance(3 * DAY).await;
    refresh(&shop, &tokens.refresh).await.expect(401);
}

async fn a_rotated_key_leaves_tokens_good_and_goes_when_they_are_over(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let ada = sign_up(&shop, "ada").await;
    let first = kid(&sign_in(&shop, "ada").await.access);
    assert_eq!(published_kids(&shop).await, [first.as_str()]);

    shop.advance(30 * DAY).await;
    let kids = published_kids(&shop).await;
    assert_eq!(kids.len(), 2, "the next key is published");
    shop.advance(59 * MINUTE).await;
    let before = sign_in(&shop, "ada").await;
    assert_eq!(kid(&before.access), first, "and does not sign yet");
    shop.advance(MINUTE).await;
    let after = sign_in(&shop, "ada").await;
    assert_eq!(kid(&after.access), kids[1]);
    assert!(is_good(&shop, &ada, &before.access).await, "what the old key signed is good");
    assert!(is_good(&shop, &ada, &after.access).await);
    shop.advance(15 * MINUTE).await;
    assert!(!is_good(&shop, &ada, &before.access).await, "for its fifteen minutes");

    shop.advance(2 * DAY).await;
    assert_eq!(published_kids(&shop).await, [kids[1].as_str()]);
}

async fn a_token_is_good_after_a_restart_and_a_spent_one_is_still_spent(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let ada = sign_up(&shop, "ada").await;
    let first = sign_in(&shop, "ada").await;
    let second = Tokens::from(refresh(&shop, &first.refresh).await.expect(200));
    let shop = shop.restart(Setup::default()).await;
    assert!(is_good(&shop, &ada, &second.access).await, "before any event was handled");
    assert_eq!(kid(&sign_in(&shop, "ada").await.access), kid(&first.access), "a start makes no other key");
    refresh(&shop, &first.refresh).await.expect(401);
    refresh(&shop, &second.refresh).await.expect(401);
}

async fn nothing_secret_is_published_or_answered(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let ada = sign_up(&shop, "ada").await;
    let tokens = sign_in(&shop, "ada").await;
    refresh(&shop, &tokens.refresh).await.expect(200);
    shop.settle().await;
    let user = shop.get(&format!("/v1/users/{ada}")).await.expect(200).json();
    let fields: Vec<&String> = user.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["created_at", "email", "email_verified", "roles", "user_id", "username"]);
    let events = shop.get("/v1/events?limit=100").await.expect(200).json().to_string();
    let keys = shop.request(Method::GET, "/.well-known/jwks.json").send().await.expect(200).json();
    assert_eq!(keys["keys"][0]["crv"], "Ed25519");
    for shown in [events, keys.to_string()] {
        let secrets = [PASSWORD, "argon2", "private", "\"d\"", tokens.access.as_str(), tokens.refresh.as_str()];
        for secret in secrets {
            assert!(!shown.contains(secret), "{secret} is shown: {shown}");
        }
    }
}

async fn the_oldest_of_too_many_sign_ins_ends(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    sign_up(&shop, "ada").await;
    let oldest = sign_in(&shop, "ada").await;
    let second = sign_in(&shop, "ada").await;
    for _ in 0..31 {
        sign_in(&shop, "ada").await;
    }
    refresh(&shop, &oldest.refresh).await.expect(401);
    refresh(&shop, &second.refresh).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_are_limited_by_account_and_by_address_and_not_for_the_admin() {
    let services = unlimited().with(&ATTEMPT_LIMIT, "10").with(&ATTEMPT_LIMIT_ADDRESS, "15");
    let setup = Setup { services, ..Setup::default() };
    let shop = TestShop::start_with(setup).await;
    let account = json!({"username": "ada", "email": "ada@example.com", "password": PASSWORD});
    shop.post("/v1/users", &account).await.expect(201);

    for _ in 0..10 {
        try_sign_in(&shop, "ada@example.com", "battery staple").await.expect(401);
    }
    let refused = try_sign_in(&shop, "Ada@Example.com", PASSWORD).await.expect(429);
    assert_eq!(refused.text("/code"), "too_many_attempts");
    assert_eq!(refused.headers["retry-after"], "6");
    shop.post("/v1/sessions", &json!({"email": "ada@example.com", "password": PASSWORD})).await.expect(201);

    for _ in 0..4 {
        try_sign_in(&shop, "bob@example.com", PASSWORD).await.expect(401);
    }
    let other = json!({"username": "eve", "email": "eve@example.com", "password": PASSWORD});
    shop.request(Method::POST, "/v1/users").json(&other).send().await.expect(429);
    shop.advance(Duration::from_secs(6)).await;
    try_sign_in(&shop, "ada@example.com", PASSWORD).await.expect(201);
}
