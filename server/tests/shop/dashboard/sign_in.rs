//! Signing in to the web pages, and answers to those who have not and to other sites.

use std::time::Duration;

use axum::http::{Method, header};
use serde_json::{Value, json};
use testkit::{ADMIN_TOKEN, Call, Customer, PASSWORD, TestResponse, TestShop};

/// A request as a page of the dashboard sends it.
fn page<'a>(shop: &'a TestShop, method: Method, path: &str) -> Call<'a> {
    shop.request(method, path).header("x-tradepost-console", "1")
}

async fn sign_in(shop: &TestShop, words: &Value) -> TestResponse {
    page(shop, Method::POST, "/ui/session").json(words).send().await
}

/// The cookie that an answer sets, as a browser sends it.
fn cookie(answer: &TestResponse) -> String {
    let set = answer.headers[header::SET_COOKIE].to_str().unwrap().to_owned();
    assert!(set.contains("; Path=/ui; HttpOnly; SameSite=Strict"), "{set}");
    set.split_once(';').unwrap().0.to_owned()
}

#[tokio::test]
async fn the_admin_token_signs_in_until_somebody_signs_out() {
    let shop = TestShop::start().await;
    let cookie = cookie(&sign_in(&shop, &json!({"token": ADMIN_TOKEN})).await.expect(204));
    let of_session = |method, path: &str| page(&shop, method, path).header("cookie", &cookie);

    let session = of_session(Method::GET, "/ui/session").send().await.expect(200);
    assert_eq!(
        (session.text("/actor"), session.json()["features"]["try"].clone()),
        ("automation".into(), json!(false))
    );
    of_session(Method::GET, "/ui/api/v1/orders?limit=1").send().await.expect(200);
    let product = json!({"sku": "A", "name": "A", "price": {"amount": 1, "currency": "EUR"}, "stock": 1});
    of_session(Method::POST, "/ui/api/v1/products").json(&product).send().await.expect(201);

    of_session(Method::DELETE, "/ui/session").send().await.expect(204);
    of_session(Method::GET, "/ui/session").send().await.expect(401);
    of_session(Method::GET, "/ui/api/v1/orders").send().await.expect(401);
    shop.stop().await;
}

#[tokio::test]
async fn an_admins_account_signs_in_and_its_requests_are_its_own() {
    let shop = TestShop::start().await;
    let ada = Customer::sign_up(&shop, "ada").await;
    let words = json!({"email": "ada@example.com", "password": PASSWORD});
    let refused = sign_in(&shop, &words).await.expect(403);
    assert_eq!(refused.text("/code"), "forbidden");
    shop.post(&format!("/v1/users/{}/roles", ada.user_id), &json!({"roles": ["admin"]})).await.expect(200);
    shop.settle().await;
    let cookie = cookie(&sign_in(&shop, &words).await.expect(204));
    let of_session = |method, path: &str| page(&shop, method, path).header("cookie", &cookie);
    let session = of_session(Method::GET, "/ui/session").send().await.expect(200);
    assert_eq!(session.text("/actor"), ada.user_id);

    // Its token is renewed when it is about to end, once, however many requests are sent at that time.
    shop.advance(Duration::from_mins(20)).await;
    let requests = (0..5).map(|_| of_session(Method::GET, "/ui/api/v1/orders").send());
    for answer in futures_util::future::join_all(requests).await {
        answer.expect(200);
    }
    // What the account may not do any more, its session may not either.
    let grace = Customer::sign_up(&shop, "grace").await;
    shop.post(&format!("/v1/users/{}/roles", grace.user_id), &json!({"roles": ["admin"]})).await.expect(200);
    shop.post(&format!("/v1/users/{}/roles", ada.user_id), &json!({"roles": []})).await.expect(200);
    shop.settle().await;
    of_session(Method::GET, "/ui/api/v1/users?email=ada@example.com").send().await.expect(403);
    shop.stop().await;
}

#[tokio::test]
async fn who_has_not_signed_in_is_refused_and_gets_ten_attempts_a_minute() {
    let shop = TestShop::start().await;
    for path in ["/ui/session", "/ui/api/v1/orders", "/ui/api/v1/flow", "/ui/api/v1/mail/x/html"] {
        let answer = shop.request(Method::GET, path).header("cookie", "tradepost_console=guessed").send().await;
        assert_eq!(answer.expect(401).text("/code"), "unauthenticated", "{path}");
    }
    let wrong = json!({"token": "a-token-that-is-wrong-but-long-enough"});
    for words in [&wrong, &json!({"link": "guessed"}), &json!({"email": "a@example.com", "password": "guessed"})] {
        assert_eq!(sign_in(&shop, words).await.expect(401).text("/code"), "bad_credentials", "{words}");
    }
    for words in [json!({}), json!({"token": "a", "link": "b"}), json!({"email": "a@example.com"})] {
        sign_in(&shop, &words).await.expect(400);
    }
    for _ in 6..10 {
        sign_in(&shop, &wrong).await.expect(401);
    }
    let refused = sign_in(&shop, &json!({"token": ADMIN_TOKEN})).await.expect(429);
    assert!(refused.headers.contains_key(header::RETRY_AFTER));
    shop.stop().await;
}

#[tokio::test]
async fn another_site_changes_nothing_by_the_session_of_a_browser() {
    let shop = TestShop::start().await;
    let cookie = cookie(&sign_in(&shop, &json!({"token": ADMIN_TOKEN})).await.expect(204));
    let product = json!({"sku": "A", "name": "A", "price": {"amount": 1, "currency": "EUR"}, "stock": 1});
    let place = || shop.request(Method::POST, "/ui/api/v1/products").header("cookie", &cookie).json(&product);
    let marked = || place().header("x-tradepost-console", "1").header("host", "shop.example");
    for attempt in [
        place(),
        place().header("origin", "https://shop.example"),
        marked().header("origin", "https://evil.example"),
        marked().header("origin", "null"),
        marked().header("sec-fetch-site", "cross-site"),
        marked().header("sec-fetch-site", "same-site"),
    ] {
        assert_eq!(attempt.send().await.expect(403).text("/code"), "cross_site_request");
    }
    let signing_out = shop.request(Method::DELETE, "/ui/session").header("cookie", &cookie);
    signing_out.send().await.expect(403);
    assert!(shop.get("/v1/products").await.expect(200).items().is_empty());
    marked().header("origin", "https://shop.example").header("sec-fetch-site", "same-origin").send().await.expect(201);
    shop.stop().await;
}

#[tokio::test]
async fn a_session_ends_with_the_process() {
    let shop = TestShop::start().await;
    let cookie = cookie(&sign_in(&shop, &json!({"token": ADMIN_TOKEN})).await.expect(204));
    let shop = shop.restart(testkit::Setup::default()).await;
    let answer = shop.request(Method::GET, "/ui/api/v1/orders").header("cookie", &cookie).send().await;
    assert_eq!(answer.expect(401).text("/code"), "unauthenticated");
    shop.stop().await;
}

#[tokio::test]
async fn a_mail_is_shown_as_a_document_that_may_do_nothing() {
    let shop = TestShop::start().await;
    let product = shop.product("A", 1).await;
    shop.order(&[(&product, 1)], Some("tok_ok")).await;
    shop.settle().await;
    let cookie = cookie(&sign_in(&shop, &json!({"token": ADMIN_TOKEN})).await.expect(204));
    let mail = shop.get("/v1/mail").await.expect(200).items().remove(0);
    let path = format!("/ui/api/v1/mail/{}/html", mail["mail_id"].as_str().unwrap());
    let shown = shop.request(Method::GET, &path).header("cookie", &cookie).send().await.expect(200);
    assert_eq!(shown.headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
    let policy = shown.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && policy.ends_with("sandbox"), "{policy}");
    assert_eq!(Some(&*String::from_utf8_lossy(&shown.body)), mail["html"].as_str());
    shop.stop().await;
}
