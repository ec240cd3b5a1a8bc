//! The web pages where the console has a process of its own: requests go on to the processes that have the routes.

use std::time::Instant;

use axum::Router;
use axum::http::{Method, header};
use kernel::Clock;
use serde_json::{Value, json};
use server::app::{App, Options};
use server::shop::{CONSOLE, Shop};
use test_servers::PATIENCE;
use testkit::{ADMIN_TOKEN, Call, Customer, PASSWORD, Setup, TestResponse, TestShop, options_on, settings_at};

use crate::peers::Process;

/// A console alone, which finds all services at one address.
async fn console(process: &Process) -> App {
    // Another test of this process may have installed it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let shop = Shop::tradepost();
    let settings = settings_at(&shop, &format!("sqlite:{}", folder.path().display()), "embedded");
    let at = |name| (name, format!("http://{}", process.address).parse().unwrap());
    let options = options_on(&settings, [CONSOLE], Setup::default());
    // The time of the shop, whose tokens it checks.
    let (clock, _) = Clock::mock("2026-01-01T12:00:00Z".parse().unwrap());
    App::start(Options { peers: shop.services().map(at).collect(), clock, ..options }).await.unwrap()
}

fn page<'a>(router: &'a Router, method: Method, path: &str, cookie: &str) -> Call<'a> {
    Call::to(router, method, path).header("x-tradepost-console", "1").header("cookie", cookie)
}

async fn sign_in(router: &Router, words: &Value) -> TestResponse {
    page(router, Method::POST, "/ui/session", "").json(words).send().await
}

fn cookie(answer: &TestResponse) -> String {
    answer.headers[header::SET_COOKIE].to_str().unwrap().split_once(';').unwrap().0.to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_of_the_pages_go_on_to_the_processes_that_have_the_routes() {
    let shop = TestShop::start().await;
    let process = Process::start(shop.router(), "127.0.0.1:0").await;
    let console = console(&process).await;
    let router = &console.router;
    assert!(console.pages.as_ref().unwrap().link().is_none(), "its token is none of the others'");

    let cookie = cookie(&sign_in(router, &json!({"token": ADMIN_TOKEN})).await.expect(204));
    let product = json!({"sku": "A", "name": "A", "price": {"amount": 1, "currency": "EUR"}, "stock": 1});
    let made = page(router, Method::POST, "/ui/api/v1/products", &cookie).json(&product).send().await.expect(201);
    shop.settle().await;
    let path = format!("/ui/api/v1/products/{}", made.text("/product_id"));
    let read = page(router, Method::GET, &path, &cookie).send().await.expect(200);
    assert_eq!(read.json(), shop.get(&path["/ui/api".len()..]).await.expect(200).json());
    // What the services refuse is refused here in the same words.
    let again = page(router, Method::POST, "/ui/api/v1/products", &cookie).json(&product).send().await.expect(409);
    assert_eq!((again.text("/code"), again.text("/type")), ("sku_taken".into(), "about:blank".into()));
    assert_eq!(again.headers[header::CONTENT_TYPE], "application/problem+json");
    let query = page(router, Method::GET, "/ui/api/v1/orders?status=lost", &cookie).send().await.expect(400);
    assert_eq!(query.text("/code"), "invalid_query");
    // The console's own routes are in this process.
    let flow = page(router, Method::GET, "/ui/api/v1/flow", &cookie).send().await.expect(200).json();
    assert!(flow["services"].as_array().unwrap().iter().all(|service| service["state"] == "ready"), "{flow}");

    process.stop().await;
    let unreachable = page(router, Method::GET, "/ui/api/v1/products", &cookie).send().await.expect(503);
    assert_eq!(unreachable.text("/code"), "peer_away");
    let flow = page(router, Method::GET, "/ui/api/v1/services", &cookie).send().await.expect(200).items();
    assert_eq!(flow.len(), Shop::tradepost().services().count());
    console.stop().await;
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admins_account_signs_in_where_the_users_service_is_elsewhere() {
    let shop = TestShop::start().await;
    let ada = Customer::sign_up(&shop, "ada").await;
    shop.post(&format!("/v1/users/{}/roles", ada.user_id), &json!({"roles": ["admin"]})).await.expect(200);
    shop.settle().await;
    let process = Process::start(shop.router(), "127.0.0.1:0").await;
    let console = console(&process).await;
    let words = json!({"email": "ada@example.com", "password": PASSWORD});
    // The console learns the keys of users' tokens soon after its start.
    let began = Instant::now();
    let signed_in = loop {
        let answer = sign_in(&console.router, &words).await;
        if answer.status == 204 || began.elapsed() > PATIENCE {
            break answer.expect(204);
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    };
    let session = page(&console.router, Method::GET, "/ui/session", &cookie(&signed_in)).send().await.expect(200);
    assert_eq!(session.text("/actor"), ada.user_id);
    page(&console.router, Method::GET, "/ui/api/v1/orders", &cookie(&signed_in)).send().await.expect(200);
    console.stop().await;
    shop.stop().await;
}
