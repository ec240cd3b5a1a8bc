//! Bans and admin accounts in a whole shop.

use std::collections::HashMap;
use std::time::Duration;

use axum::http::Method;
use kernel::{Clock, Ids, Shards};
use serde_json::{Value, json};
use service::storage::accounts::{self, Change};
use service::storage::{Db, Location, Migrations, Options};
use testkit::{ShopLocation, TestResponse, TestShop, on_each_store};

on_each_store! {
    a_banned_user_is_refused_by_every_service_and_signs_in_again_after_the_unban,
    a_token_is_good_after_the_unban_if_it_was_issued_after_it_be_it_in_the_same_second,
    a_ban_holds_once_it_is_answered_behind_whatever_else_is_to_be_done,
    a_ban_is_refused_for_a_reason_of_its_own,
    the_history_says_who_when_and_why,
    an_account_acts_as_admin_by_its_own_token_until_it_is_demoted,
    the_last_admin_stays_an_admin_and_is_not_banned,
    an_instance_that_handled_nothing_refuses_what_its_store_knows,
    an_account_that_was_closed_is_unknown_and_its_bans_are_forgotten,
}

const PASSWORD: &str = "correct horse battery";

/// An account, and the tokens of its sign-in.
struct Account {
    user_id: String,
    email: String,
    token: String,
    refresh_token: String,
}

impl Account {
    async fn open(shop: &TestShop, username: &str) -> Self {
        let email = format!("{username}@example.com");
        let body = json!({"username": username, "email": email, "password": PASSWORD});
        let user_id = shop.request(Method::POST, "/v1/users").json(&body).send().await.expect(201).text("/user_id");
        shop.settle().await;
        let tokens = sign_in(shop, &email, PASSWORD).await.expect(201);
        let (token, refresh_token) = (tokens.text("/access_token"), tokens.text("/refresh_token"));
        Self { user_id, email, token, refresh_token }
    }

    /// The same account with the tokens of another sign-in.
    async fn sign_in_again(&self, shop: &TestShop) -> Self {
        let tokens = sign_in(shop, &self.email, PASSWORD).await.expect(201);
        let (token, refresh_token) = (tokens.text("/access_token"), tokens.text("/refresh_token"));
        Self { user_id: self.user_id.clone(), email: self.email.clone(), token, refresh_token }
    }

    fn path(&self, rest: &str) -> String {
        format!("/v1/users/{}{rest}", self.user_id)
    }

    async fn ask(&self, shop: &TestShop, method: Method, path: &str, body: &Value) -> TestResponse {
        let request = shop.request(method, path).bearer(&self.token);
        if body.is_null() { request.send().await } else { request.json(body).send().await }
    }
}

async fn sign_in(shop: &TestShop, email: &str, password: &str) -> TestResponse {
    let credentials = json!({"email": email, "password": password});
    shop.request(Method::POST, "/v1/sessions").json(&credentials).send().await
}

async fn refresh(shop: &TestShop, account: &Account) -> TestResponse {
    let token = json!({"refresh_token": account.refresh_token});
    shop.request(Method::POST, "/v1/sessions/refresh").json(&token).send().await
}

async fn ban(shop: &TestShop, account: &Account) -> TestResponse {
    shop.post(&account.path("/ban"), &json!({"reason": "chargebacks"})).await
}

async fn set_roles(shop: &TestShop, account: &Account, roles: &Value) -> TestResponse {
    shop.post(&account.path("/roles"), &json!({"roles": roles})).await
}

/// The status and the code of a refusal.
fn refused(answer: &TestResponse) -> (u16, String) {
    (answer.status.as_u16(), answer.json()["code"].as_str().unwrap_or_default().to_owned())
}

fn is(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// The routes that take a user's token: methods and paths.
async fn routes_of_users(shop: &TestShop) -> Vec<(Method, String)> {
    let document = shop.get("/openapi.json").await.expect(200).json();
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            // Where a token that is not good counts as none, so does one of a banned account.
            if operation["responses"]["401"].is_null() {
                continue;
            }
            let refusal = operation["responses"]["403"]["description"].as_str().unwrap_or_default();
            assert!(refusal.contains("`banned`"), "{method} {path}: {refusal}");
            let parts = path
                .split('/')
                .map(|part| if part.starts_with('{') { "019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d" } else { part });
            routes.push((method.to_uppercase().parse().unwrap(), parts.collect::<Vec<_>>().join("/")));
        }
    }
    assert!(routes.len() > 25, "{routes:?}");
    routes
}

async fn a_banned_user_is_refused_by_every_service_and_signs_in_again_after_the_unban(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let (ada, eve) = (Account::open(&shop, "ada").await, Account::open(&shop, "eve").await);
    let banned = ban(&shop, &ada).await.expect(202);
    assert_eq!(banned.json()["banned"], true);
    assert_eq!(
        (banned.text("/banned_by"), banned.text("/reason")),
        ("automation".to_owned(), "chargebacks".to_owned())
    );
    for (method, path) in routes_of_users(&shop).await {
        let answer = ada.ask(&shop, method.clone(), &path, &Value::Null).await;
        assert_eq!(refused(&answer), is(403, "banned"), "{method} {path}");
    }
    ada.ask(&shop, Method::GET, "/v1/products", &Value::Null).await.expect(200);
    eve.ask(&shop, Method::GET, "/v1/orders", &Value::Null).await.expect(200);
    shop.settle().await;
    assert_eq!(refused(&sign_in(&shop, &ada.email, "another password").await), is(401, "bad_credentials"));
    assert_eq!(refused(&sign_in(&shop, &ada.email, PASSWORD).await), is(403, "banned"));
    assert_eq!(refused(&refresh(&shop, &ada).await), is(401, "unauthenticated"));

    shop.delete(&ada.path("/ban")).await.expect(204);
    for (method, path) in routes_of_users(&shop).await {
        let answer = ada.ask(&shop, method.clone(), &path, &Value::Null).await;
        assert_eq!(refused(&answer), is(401, "session_ended"), "{method} {path}");
    }
    ada.ask(&shop, Method::GET, "/v1/products", &Value::Null).await.expect(200);
    assert_eq!(refused(&refresh(&shop, &ada).await), is(401, "unauthenticated"), "a sign-in does not come back");
    let again = ada.sign_in_again(&shop).await;
    again.ask(&shop, Method::GET, "/v1/orders", &Value::Null).await.expect(200);
    shop.stop().await;
}

/// A route of each service and of the console, and the answer to a customer: on most, that they are no admin.
fn a_route_of_each_service(of: &Account) -> [(u16, String); 10] {
    [
        (200, of.path("")),
        (404, "/v1/products/019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d/reviews".to_owned()),
        (200, "/v1/orders".to_owned()),
        (403, "/v1/stock".to_owned()),
        (403, "/v1/payments".to_owned()),
        (403, "/v1/shipments".to_owned()),
        (403, "/v1/mail".to_owned()),
        (403, of.path("/ban")),
        (403, "/v1/events".to_owned()),
        (403, "/metrics".to_owned()),
    ]
}

async fn a_token_is_good_after_the_unban_if_it_was_issued_after_it_be_it_in_the_same_second(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let mut ada = Account::open(&shop, "ada").await;
    // All in one second, twice, and with some seconds between the steps.
    for seconds in [0, 0, 3] {
        shop.advance(Duration::from_secs(seconds)).await;
        ban(&shop, &ada).await.expect(202);
        shop.advance(Duration::from_secs(seconds)).await;
        shop.settle().await;
        shop.delete(&ada.path("/ban")).await.expect(204);
        shop.advance(Duration::from_secs(seconds)).await;
        let again = ada.sign_in_again(&shop).await;
        let refreshed = refresh(&shop, &again).await.expect(200).text("/access_token");
        for (status, path) in a_route_of_each_service(&ada) {
            let old = ada.ask(&shop, Method::GET, &path, &Value::Null).await;
            assert_eq!(refused(&old), is(401, "session_ended"), "{path}");
            for token in [&again.token, &refreshed] {
                let new = shop.request(Method::GET, &path).bearer(token).send().await;
                assert_eq!(new.status.as_u16(), status, "{path}");
            }
        }
        // The next ban has a second of its own.
        shop.advance(Duration::from_secs(1)).await;
        ada = again;
    }
    shop.get("/v1/orders").await.expect(200);
    shop.stop().await;
}

async fn a_ban_holds_once_it_is_answered_behind_whatever_else_is_to_be_done(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let ada = Account::open(&shop, "ada").await;
    for sku in 0..100 {
        let price = json!({"amount": 1_000, "currency": "EUR"});
        let product = json!({"sku": sku.to_string(), "name": "a", "price": price, "stock": 5});
        shop.post("/v1/products", &product).await.expect(201);
    }
    ban(&shop, &ada).await.expect(202);
    for path in ["/v1/orders", &ada.path(""), "/v1/stock", "/v1/mail", "/v1/events", "/v1/dead-letters"] {
        let answer = ada.ask(&shop, Method::GET, path, &Value::Null).await;
        assert_eq!(refused(&answer), is(403, "banned"), "{path}");
    }
    shop.settle().await;
    shop.stop().await;
}

async fn a_ban_is_refused_for_a_reason_of_its_own(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let (ada, eve) = (Account::open(&shop, "ada").await, Account::open(&shop, "eve").await);
    let unknown = "/v1/users/019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d/ban";
    assert_eq!(refused(&shop.post(unknown, &json!({"reason": "spam"})).await), is(404, "not_found"));
    assert_eq!(refused(&shop.delete(unknown).await), is(404, "not_found"));
    assert_eq!(refused(&shop.get(unknown).await), is(404, "not_found"));
    assert_eq!(refused(&shop.delete(&ada.path("/ban")).await), is(409, "not_banned"));
    for reason in ["", " ", "two\nlines", &"a".repeat(201)] {
        let answer = shop.post(&ada.path("/ban"), &json!({"reason": reason})).await;
        assert_eq!(refused(&answer), is(422, "invalid_body"), "{reason:?}");
        assert_eq!(answer.text("/errors/0/field"), "reason");
    }
    set_roles(&shop, &eve, &json!(["admin"])).await.expect(200);
    let reason = json!({"reason": "spam"});
    let own = eve.ask(&shop, Method::POST, &eve.path("/ban"), &reason).await;
    assert_eq!(refused(&own), is(409, "not_yourself"));
    let by_customer = ada.ask(&shop, Method::POST, &eve.path("/ban"), &reason).await;
    assert_eq!(refused(&by_customer), is(403, "forbidden"));
    eve.ask(&shop, Method::POST, &ada.path("/ban"), &reason).await.expect(202);
    assert_eq!(refused(&ban(&shop, &ada).await), is(409, "already_banned"));
    shop.stop().await;
}

async fn the_history_says_who_when_and_why(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let (ada, eve) = (Account::open(&shop, "ada").await, Account::open(&shop, "eve").await);
    set_roles(&shop, &eve, &json!(["admin"])).await.expect(200);
    let reason = json!({"reason": "chargebacks"});
    let keyed = || shop.request(Method::POST, &ada.path("/ban")).admin().header("idempotency-key", "k").json(&reason);
    let (first, again) = (keyed().send().await.expect(202), keyed().send().await.expect(202));
    assert_eq!((first.body, &again.headers["idempotency-replayed"]), (again.body.clone(), &"true".parse().unwrap()));
    shop.advance(Duration::from_mins(1)).await;
    eve.ask(&shop, Method::DELETE, &ada.path("/ban"), &Value::Null).await.expect(204);
    shop.advance(Duration::from_mins(1)).await;
    eve.ask(&shop, Method::POST, &ada.path("/ban"), &json!({"reason": "spam"})).await.expect(202);
    let expected = json!({
        "user_id": ada.user_id,
        "banned": true,
        "history": [
            {"reason": "spam", "banned_by": eve.user_id, "banned_at": "2026-01-01T12:02:00Z"},
            {
                "reason": "chargebacks", "banned_by": "automation", "banned_at": "2026-01-01T12:00:00Z",
                "unbanned_by": eve.user_id, "unbanned_at": "2026-01-01T12:01:00Z",
            },
        ],
    });
    assert_eq!(shop.get(&ada.path("/ban")).await.expect(200).json(), expected);
    let none = shop.get(&eve.path("/ban")).await.expect(200).json();
    assert_eq!(none, json!({"user_id": eve.user_id, "banned": false, "history": []}));
    shop.stop().await;
}

async fn an_account_acts_as_admin_by_its_own_token_until_it_is_demoted(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let (ada, eve) = (Account::open(&shop, "ada").await, Account::open(&shop, "eve").await);
    let found = shop.get("/v1/users?email=ADA@example.com").await.expect(200).items();
    assert_eq!((found.len(), &found[0]["user_id"], &found[0]["roles"]), (1, &json!(ada.user_id), &json!([])));
    assert_eq!(shop.get("/v1/users").await.expect(200).items().len(), 2);
    assert_eq!(shop.get("/v1/users?email=nobody@example.com").await.expect(200).items().len(), 0);

    for path in ["/v1/stock", "/v1/mail", "/v1/events", "/v1/users", "/metrics"] {
        ada.ask(&shop, Method::GET, path, &Value::Null).await.expect(403);
    }
    let promoted = set_roles(&shop, &ada, &json!(["admin"])).await.expect(200);
    assert_eq!(promoted.json()["roles"], json!(["admin"]));
    for path in ["/v1/stock", "/v1/mail", "/v1/events", "/v1/users", "/metrics", "/v1/orders", &eve.path("")] {
        ada.ask(&shop, Method::GET, path, &Value::Null).await.expect(200);
    }
    let promoted = ada.ask(&shop, Method::POST, &eve.path("/roles"), &json!({"roles": ["admin"]})).await.expect(200);
    assert_eq!(promoted.json()["roles"], json!(["admin"]));
    let events = shop.get("/v1/events?type=users.user_roles_changed.v1").await.expect(200).items();
    let by: Vec<&Value> = events.iter().map(|event| &event["data"]["changed_by"]).collect();
    assert_eq!(by, [&json!(ada.user_id), &json!("automation")]);

    // The same again changes nothing.
    set_roles(&shop, &eve, &json!(["admin", "admin"])).await.expect(200);
    assert_eq!(shop.get("/v1/events?type=users.user_roles_changed.v1").await.expect(200).items().len(), 2);
    let unknown = set_roles(&shop, &eve, &json!(["root"])).await;
    assert_eq!((refused(&unknown), unknown.text("/errors/0/field")), (is(422, "invalid_body"), "roles[0]".to_owned()));
    let nobody = shop.post("/v1/users/019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d/roles", &json!({"roles": []})).await;
    assert_eq!(refused(&nobody), is(404, "not_found"));

    // What a borrowed session must not do asks an admin for the password of their own account too.
    let moved = json!({"email": "ada@example.org"});
    let own = ada.ask(&shop, Method::PATCH, &ada.path(""), &moved).await;
    assert_eq!(refused(&own), is(403, "password_required"));

    eve.ask(&shop, Method::POST, &ada.path("/roles"), &json!({"roles": []})).await.expect(200);
    for path in ["/v1/stock", "/v1/mail", "/v1/events", "/v1/users", "/metrics"] {
        ada.ask(&shop, Method::GET, path, &Value::Null).await.expect(403);
    }
    ada.ask(&shop, Method::GET, &ada.path(""), &Value::Null).await.expect(200);
    shop.stop().await;
}

async fn the_last_admin_stays_an_admin_and_is_not_banned(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let (ada, eve) = (Account::open(&shop, "ada").await, Account::open(&shop, "eve").await);
    set_roles(&shop, &ada, &json!(["admin"])).await.expect(200);
    assert_eq!(refused(&set_roles(&shop, &ada, &json!([])).await), is(409, "last_admin"));
    assert_eq!(refused(&ban(&shop, &ada).await), is(409, "last_admin"));
    let close = || shop.request(Method::DELETE, &ada.path("")).admin().json(&json!({}));
    assert_eq!(refused(&close().send().await), is(409, "last_admin"));

    set_roles(&shop, &eve, &json!(["admin"])).await.expect(200);
    ban(&shop, &eve).await.expect(202);
    assert_eq!(refused(&set_roles(&shop, &ada, &json!([])).await), is(409, "last_admin"), "the other is banned");
    assert_eq!(refused(&ban(&shop, &ada).await), is(409, "last_admin"), "the other is banned");
    shop.delete(&eve.path("/ban")).await.expect(204);
    // Of two who ban each other at once, one is refused.
    let eve_again = sign_in(&shop, &eve.email, PASSWORD).await.expect(201).text("/access_token");
    let reason = json!({"reason": "a quarrel"});
    let by_eve = shop.request(Method::POST, &ada.path("/ban")).bearer(&eve_again).json(&reason);
    let path = eve.path("/ban");
    let (first, second) = tokio::join!(by_eve.send(), ada.ask(&shop, Method::POST, &path, &reason));
    let mut answers = [refused(&first), refused(&second)];
    answers.sort_unstable();
    assert_eq!(answers[0], is(202, ""));
    assert!([is(403, "banned"), is(409, "last_admin")].contains(&answers[1]), "{answers:?}");
    shop.stop().await;
}

async fn an_instance_that_handled_nothing_refuses_what_its_store_knows(place: ShopLocation) {
    let location = place.store();
    let shop = TestShop::start_on(place).await;
    let ada = Account::open(&shop, "ada").await;
    let (clock, _hands) = Clock::mock("2026-01-01T12:00:00Z".parse().unwrap());
    let time = clock.now();
    let another = another_instance(location, clock).await;
    let user_id = ada.user_id.parse().unwrap();
    let change = |is_banned, version| Change::Ban { user_id, is_banned, version, time };
    ada.ask(&shop, Method::GET, "/v1/orders", &Value::Null).await.expect(200);
    // As another instance does that is given the event.
    accounts::keep(&another, &change(true, 2)).await.unwrap();
    let answer = ada.ask(&shop, Method::GET, "/v1/orders", &Value::Null).await;
    assert_eq!(refused(&answer), is(403, "banned"));
    ada.ask(&shop, Method::GET, &ada.path(""), &Value::Null).await.expect(200);
    accounts::keep(&another, &change(false, 3)).await.unwrap();
    let answer = ada.ask(&shop, Method::GET, "/v1/orders", &Value::Null).await;
    assert_eq!(refused(&answer), is(401, "session_ended"));
    ada.ask(&shop, Method::GET, &ada.path(""), &Value::Null).await.expect(200);
    another.close().await;
    shop.stop().await;
}

/// The store of orders, as another instance of that service has it open.
async fn another_instance(location: Location, clock: Clock) -> Db {
    let options = Options {
        service: "orders",
        location,
        migrations: Migrations { set: "another", steps: &[] },
        destinations: HashMap::new(),
        shards: Shards::DEFAULT,
        outbox_cap: 1_000,
        ids: Ids::new(clock.clone()),
        clock,
    };
    Db::open(options).await.unwrap()
}

async fn an_account_that_was_closed_is_unknown_and_its_bans_are_forgotten(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let ada = Account::open(&shop, "ada").await;
    ban(&shop, &ada).await.expect(202);
    shop.request(Method::DELETE, &ada.path("")).admin().json(&json!({})).send().await.expect(204);
    shop.settle().await;
    assert_eq!(refused(&shop.get(&ada.path("/ban")).await), is(404, "not_found"));
    assert_eq!(refused(&shop.delete(&ada.path("/ban")).await), is(404, "not_found"));
    let answer = ada.ask(&shop, Method::GET, "/v1/orders", &Value::Null).await;
    assert_eq!(refused(&answer), is(403, "banned"), "its tokens are good for some minutes more, and banned");
    shop.stop().await;
}
