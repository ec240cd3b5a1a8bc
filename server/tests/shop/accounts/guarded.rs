//! Doors of an account: its sign-in has ended, its password is asked for, its bounds hold.

use std::time::Duration;

use axum::http::Method;
use serde_json::json;
use service::setting::Values;
use testkit::{Setup, ShopLocation, TestResponse, TestShop, on_each_store, unlimited};
use users::settings::{ATTEMPT_LIMIT, ATTEMPT_LIMIT_ACCOUNT};

use super::{MINUTE, PASSWORD, refresh, sign_in, sign_up, try_sign_in};

on_each_store! {
    an_ended_sign_in_reads_and_changes_nothing_of_its_account,
    another_address_asks_for_the_password,
    an_address_in_another_script_is_one_account,
}

async fn patch(shop: &TestShop, user_id: &str, access: &str, body: &serde_json::Value) -> TestResponse {
    shop.request(Method::PATCH, &format!("/v1/users/{user_id}")).bearer(access).json(body).send().await
}

async fn an_ended_sign_in_reads_and_changes_nothing_of_its_account(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let ada = sign_up(&shop, "ada").await;
    let (signed_out, other) = (sign_in(&shop, "ada").await, sign_in(&shop, "ada").await);
    shop.request(Method::DELETE, "/v1/sessions/current").bearer(&signed_out.access).send().await.expect(204);
    let stolen = sign_in(&shop, "ada").await;
    let thief = refresh(&shop, &stolen.refresh).await.expect(200).text("/access_token");
    refresh(&shop, &stolen.refresh).await.expect(401);

    for access in [&signed_out.access, &stolen.access, &thief] {
        let refused = patch(&shop, &ada, access, &json!({"username": "eve"})).await.expect(401);
        assert_eq!(refused.text("/code"), "session_ended");
        for (method, path) in [(Method::GET, ""), (Method::DELETE, ""), (Method::POST, "/verification")] {
            let asked = shop.request(method, &format!("/v1/users/{ada}{path}")).bearer(access);
            let refused = asked.json(&json!({"current_password": PASSWORD})).send().await.expect(401);
            assert_eq!(refused.text("/code"), "session_ended");
        }
    }
    patch(&shop, &ada, &other.access, &json!({"username": "countess"})).await.expect(200);
}

async fn another_address_asks_for_the_password(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let ada = sign_up(&shop, "ada").await;
    let access = sign_in(&shop, "ada").await.access;
    let moved = json!({"email": "thief@example.com"});
    assert_eq!(patch(&shop, &ada, &access, &moved).await.expect(403).text("/code"), "password_required");
    let guessed = json!({"email": "thief@example.com", "current_password": "battery staple"});
    assert_eq!(patch(&shop, &ada, &access, &guessed).await.expect(403).text("/code"), "wrong_password");
    try_sign_in(&shop, "ada@example.com", PASSWORD).await.expect(201);

    patch(&shop, &ada, &access, &json!({"email": "ADA@example.com"})).await.expect(200);
    let moved = json!({"email": "ada@example.org", "current_password": PASSWORD});
    patch(&shop, &ada, &access, &moved).await.expect(200);
    try_sign_in(&shop, "ada@example.org", PASSWORD).await.expect(201);
    shop.patch(&format!("/v1/users/{ada}"), &json!({"email": "ada@example.net"})).await.expect(200);
}

async fn an_address_in_another_script_is_one_account(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let account = |name: &str, email: &str| json!({"username": name, "email": email, "password": PASSWORD});
    shop.post("/v1/users", &account("ada", "ada@müller.de")).await.expect(201);
    let again = shop.post("/v1/users", &account("ada2", "ada@xn--mller-kva.de")).await.expect(409);
    assert_eq!(again.text("/code"), "email_taken");
    for email in ["ada@xn--mller-kva.de", "Ada@Mu\u{308}ller.de"] {
        try_sign_in(&shop, email, PASSWORD).await.expect(201);
    }
}

fn limited(services: Values) -> Setup {
    let mut setup = Setup { services, ..Setup::default() };
    setup.settings.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    setup
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_elsewhere_keeps_an_owner_out() {
    let limits = unlimited().with(&ATTEMPT_LIMIT, "5").with(&ATTEMPT_LIMIT_ACCOUNT, "12");
    let shop = TestShop::start_with(limited(limits)).await;
    sign_up(&shop, "ada").await;
    let try_from = async |address: &str, password: &str| {
        let credentials = json!({"email": "ada@example.com", "password": password});
        let call = shop.request(Method::POST, "/v1/sessions").connected_from("127.0.0.1:1".parse().unwrap());
        call.header("x-forwarded-for", address).json(&credentials).send().await
    };
    try_from("198.51.100.1", PASSWORD).await.expect(201);
    shop.advance(MINUTE).await;
    let mut refused = 0;
    for host in 0..4 {
        for _ in 0..6 {
            let answer = try_from(&format!("203.0.113.{host}"), "battery staple").await;
            if answer.status.as_u16() == 429 {
                assert_eq!(answer.text("/code"), "too_many_attempts");
                refused += 1;
            }
        }
    }
    assert_eq!(refused, 12, "guesses from many addresses share a bound");
    try_from("203.0.113.9", PASSWORD).await.expect(429);
    try_from("198.51.100.1", PASSWORD).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn probing_for_accounts_by_ones_own_address_has_the_bounds_of_registration() {
    let limits = unlimited().with(&ATTEMPT_LIMIT, "10");
    let shop = TestShop::start_with(limited(limits)).await;
    let ada = sign_up(&shop, "ada").await;
    sign_up(&shop, "bob").await;
    let access = sign_in(&shop, "ada").await.access;
    shop.advance(Duration::from_mins(2)).await;
    let mut answers = Vec::new();
    for change in [json!({"email": "bob@example.com", "current_password": PASSWORD}), json!({"username": "bob"})] {
        for _ in 0..10 {
            answers.push(patch(&shop, &ada, &access, &change).await.status.as_u16());
        }
    }
    assert_eq!(answers.iter().filter(|status| **status == 409).count(), 10, "{answers:?}");
    assert_eq!(answers.iter().filter(|status| **status == 429).count(), 10, "{answers:?}");
}
