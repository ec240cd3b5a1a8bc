//! A console that asks over HTTP: it answers like one in the same process, and names services that do not answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, BodyDataStream};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use axum::middleware::{Next, from_fn};
use console::{AskedAccounts, Console, Peer, Replays, Watcher};
use events::OrderId;
use futures_util::StreamExt;
use kernel::Clock;
use serde_json::{Value, json};
use server::shop::Shop;
use service::Tasks;
use service::http::Keyring;
use service::http::auth::{Auth, digest};
use service::http::listener::{Bounds, serve};
use service::operator::{Deliveries, EventById, IDS_MAX, NewestPosition, path};
use test_servers::PATIENCE;
use testkit::{ADMIN_TOKEN, Customer, Setup, ShopLocation, TestShop, emit_about_an_unknown_order, on_each_store};
use tokio::net::TcpListener;
use tower::ServiceExt;

on_each_store! {
    a_console_apart_shows_the_same_stories_and_lists,
    a_console_apart_replays_and_discards_dead_letters,
}

/// The services of the second process; the others are in the first.
const SECOND: [&str; 3] = ["inventory", "payments", "notifications"];

/// The wait for a peer that does not answer, where a test is about that.
const NO_PATIENCE: Duration = Duration::from_millis(200);

/// A listener of a shop; its connections end with it, in the middle of whatever they carry.
pub(crate) struct Process {
    pub(crate) address: SocketAddr,
    serving: Tasks,
}

impl Process {
    pub(crate) async fn start(router: Router, address: &str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = Tasks::new();
        let cut_off = serving.stopping();
        serving.spawn(async move {
            tokio::select! {
                () = serve(listener, router, Bounds::with_files(1_024), &[], Tasks::new().stop_token()) => {}
                () = cut_off => {}
            }
        });
        Self { address, serving }
    }

    /// Ends it; answers with where it was.
    pub(crate) async fn stop(self) -> String {
        assert!(self.serving.stop(PATIENCE).await);
        self.address.to_string()
    }
}

/// A shop whose services are asked at two addresses, and a console in neither of them.
struct Apart {
    first: Process,
    second: Process,
    console: ConsoleApart,
}

/// The console's routes.
struct ConsoleApart(Router);

impl Apart {
    async fn start(shop: &TestShop) -> Self {
        Self::start_with(shop, PATIENCE).await
    }

    async fn start_with(shop: &TestShop, patience: Duration) -> Self {
        let first = Process::start(shop.router(), "127.0.0.1:0").await;
        let second = Process::start(shop.router(), "127.0.0.1:0").await;
        let shop = Shop::tradepost();
        let place = |name| (name, if SECOND.contains(&name) { second.address } else { first.address });
        let console = ConsoleApart::asking(shop.services().map(place), patience);
        Self { first, second, console }
    }
}

impl ConsoleApart {
    fn asking(places: impl IntoIterator<Item = (&'static str, SocketAddr)>, patience: Duration) -> Self {
        let peers = places.into_iter().map(|(name, address)| elsewhere(name, address, patience));
        Self::of(peers.collect(), Vec::new())
    }

    fn of(peers: Vec<Peer>, keyrings: Vec<Keyring>) -> Self {
        let (clock, _hands) = Clock::mock("2026-01-01T12:00:00Z".parse().unwrap());
        let described = Shop::tradepost().described();
        let object_tokens = described.iter().filter_map(|service| service.object_token()).collect();
        let auth = Auth::new(vec![digest(ADMIN_TOKEN.as_bytes())], clock.clone());
        let auth = auth.with_object_tokens(object_tokens).with_keys(keyrings);
        let window = Duration::from_hours(7 * 24);
        let peers = Arc::new(peers);
        let auth = Arc::new(auth.with_accounts(Arc::new(AskedAccounts::of(peers.clone()))));
        let tasks = Tasks::new();
        let console = Console {
            peers,
            auth,
            clock,
            flow: Watcher::default(),
            replays: Replays::default(),
            republish_window: window,
            tasks,
        };
        Self(console::routes(console))
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, HeaderMap, Value) {
        let response = tokio::time::timeout(PATIENCE * 4, self.0.clone().oneshot(request)).await.unwrap().unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 16 << 20).await.unwrap();
        (parts.status, parts.headers, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn ask(&self, method: Method, path: &str) -> (StatusCode, HeaderMap, Value) {
        self.send(as_admin(method, path)).await
    }

    async fn get(&self, path: &str) -> Value {
        let (status, headers, json) = self.ask(Method::GET, path).await;
        assert_eq!((status, missing(&headers)), (StatusCode::OK, ""), "{path}: {json}");
        json
    }

    async fn tail(&self) -> BodyDataStream {
        let response = self.0.clone().oneshot(as_admin(Method::GET, "/v1/events/tail")).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        response.into_body().into_data_stream()
    }
}

fn elsewhere(name: &'static str, address: SocketAddr, patience: Duration) -> Peer {
    // Another test of this process may have installed it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Peer::elsewhere(name, format!("http://{address}").parse().unwrap(), ADMIN_TOKEN).answering_within(patience)
}

/// The token of a customer who has signed up and in.
async fn signed_in(shop: &TestShop) -> String {
    let account = json!({"username": "ada", "email": "ada@example.com", "password": "correct horse battery"});
    shop.request(Method::POST, "/v1/users").json(&account).send().await.expect(201);
    shop.settle().await;
    sign_in(shop).await
}

async fn sign_in(shop: &TestShop) -> String {
    let credentials = json!({"email": "ada@example.com", "password": "correct horse battery"});
    shop.request(Method::POST, "/v1/sessions").json(&credentials).send().await.expect(201).text("/access_token")
}

fn as_admin(method: Method, path: &str) -> Request<Body> {
    let request = Request::builder().method(method).uri(path);
    request.header(header::AUTHORIZATION, format!("Bearer {ADMIN_TOKEN}")).body(Body::empty()).unwrap()
}

fn missing(headers: &HeaderMap) -> &str {
    headers.get("x-tradepost-missing").map_or("", |value| value.to_str().unwrap())
}

/// Reads a tail until it has sent each of these.
async fn until_sent(tail: &mut BodyDataStream, wanted: &[&str]) {
    let mut text = String::new();
    let reading = async {
        while !wanted.iter().all(|wanted| text.contains(&format!("event: {wanted}\n"))) {
            text.push_str(str::from_utf8(&tail.next().await.unwrap().unwrap()).unwrap());
        }
    };
    let read = tokio::time::timeout(PATIENCE, reading).await;
    assert!(read.is_ok(), "not all of {wanted:?} in\n{text}");
}

async fn a_console_apart_shows_the_same_stories_and_lists(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let Apart { console, .. } = Apart::start(&shop).await;
    let product = shop.product("123", 10).await;
    let order = shop.order(&[(&product, 1)], Some("tok_ok")).await;
    console.get(testkit::SETTLED).await;

    let order_id = order.text("/order_id");
    let path = format!("/v1/orders/{order_id}/events");
    let story = console.get(&path).await;
    let types: Vec<&str> = story["items"].as_array().unwrap().iter().filter_map(|it| it["type"].as_str()).collect();
    assert!(types.contains(&"orders.order_paid.v1"), "settled came too early: {types:?}");
    assert_eq!(story, shop.get(&path).await.expect(200).json());
    assert!(story.get("missing").is_none());
    let newest = story["items"][0]["event_id"].as_str().unwrap().to_owned();
    for path in [
        "/v1/events?limit=5",
        "/v1/events?limit=100",
        "/v1/events?type=orders.order_placed.v1",
        "/v1/dead-letters",
        &format!("/v1/events?subject={order_id}"),
        &format!("/v1/events/{newest}"),
    ] {
        assert_eq!(console.get(path).await, shop.get(path).await.expect(200).json(), "{path}");
    }

    for (token, expected) in [(order.text("/access_token"), 200), ("another".to_owned(), 404)] {
        let request = Request::get(&path).header("x-order-token", token).body(Body::empty()).unwrap();
        assert_eq!(console.send(request).await.0, expected, "whoever holds the order's token reads its story");
    }
    for path in ["/v1/events", "/v1/dead-letters"].map(|list| format!("{list}/019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d")) {
        assert_eq!(console.ask(Method::GET, &path).await.0, 404, "{path}");
    }
}

async fn a_console_apart_replays_and_discards_dead_letters(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let order_id: OrderId = "019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d".parse().unwrap();
    let meanwhile = async |store, clock| {
        emit_about_an_unknown_order(store, clock, order_id, 2, &["orders", "analytics", "webhooks"]).await;
    };
    let shop = shop.restart_after(Setup::default(), meanwhile).await;
    shop.settle().await;
    let Apart { console, .. } = Apart::start(&shop).await;

    let letters = console.get("/v1/dead-letters").await;
    assert_eq!(letters, shop.get("/v1/dead-letters").await.expect(200).json());
    let letter = &letters["items"][0];
    let event = format!("/v1/events/{}", letter["event_id"].as_str().unwrap());
    assert_eq!((&letter["consumer"], &letter["body"]["order_id"]), (&json!("orders"), &json!(order_id.to_string())));
    let path = format!("/v1/dead-letters/{}", letter["dead_letter_id"].as_str().unwrap());
    assert_eq!(&console.get(&path).await, letter);

    assert_eq!(console.ask(Method::POST, &format!("{path}/replay")).await.0, 202);
    console.get(testkit::SETTLED).await;
    assert_eq!(&console.get(&path).await["dead_letter_id"], &letter["dead_letter_id"], "it is parked again");
    let metrics = String::from_utf8_lossy(&shop.get("/metrics").await.expect(200).body).into_owned();
    let parked = "consumer=\"orders\",type=\"payments.payment_captured.v1\",outcome=\"parked\"} 2";
    assert!(metrics.contains(parked), "it was handled again:\n{metrics}");
    let decided = async || {
        let delivery = console.get(&event).await["deliveries"][0].take();
        ["consumer", "status", "decision", "decided_by"].map(|name| delivery[name].as_str().unwrap().to_owned())
    };
    assert_eq!(decided().await, ["orders", "parked", "replay", "automation"]);
    assert_eq!(console.ask(Method::POST, &format!("{path}/discard")).await.0, 200);
    console.get(testkit::SETTLED).await;
    assert_eq!(decided().await, ["orders", "done", "discard", "automation"]);
    assert_eq!(console.ask(Method::POST, &format!("{path}/discard")).await.0, 404);
    let next = console.get("/v1/dead-letters").await;
    assert_ne!(next["items"][0]["event_id"], letter["event_id"], "the one that waited is parked now");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn apart_a_shop_is_not_settled_while_a_delivery_is_in_nobodys_books() {
    let shop = TestShop::start().await;
    let order_id: OrderId = "019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d".parse().unwrap();
    let meanwhile = async |store, clock| emit_about_an_unknown_order(store, clock, order_id, 1, &[]).await;
    let shop = shop.restart_after(Setup::default(), meanwhile).await;
    shop.settle().await;
    let Apart { console, .. } = Apart::start(&shop).await;
    let (status, _, problem) = console.ask(Method::GET, "/internal/settled?timeout=1s").await;
    assert_eq!((status, &problem["code"]), (StatusCode::REQUEST_TIMEOUT, &json!("not_settled")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_is_unreachable_is_named_and_the_others_are_shown() {
    let shop = TestShop::start().await;
    let product = shop.product("123", 10).await;
    let order = shop.order(&[(&product, 1)], Some("tok_ok")).await;
    shop.settle().await;
    let path = format!("/v1/orders/{}/events", order.text("/order_id"));
    let Apart { first, second, console } = Apart::start(&shop).await;
    let all = console.get(&path).await;
    let address = second.stop().await;

    let (status, headers, story) = console.ask(Method::GET, &path).await;
    assert_eq!((status, missing(&headers)), (StatusCode::OK, "inventory, payments, notifications"));
    assert_eq!(story["missing"], json!(SECOND));
    let by = |story: &Value| story["items"].as_array().unwrap().iter().filter(|it| it["service"] == "orders").count();
    assert_eq!(by(&story), by(&all), "the events of orders are all there");
    for path in ["/v1/events", "/v1/dead-letters"] {
        let (status, headers, list) = console.ask(Method::GET, path).await;
        assert_eq!((status, missing(&headers)), (StatusCode::OK, "inventory, payments, notifications"), "{path}");
        assert!(list["items"].is_array(), "{path}: {list}");
    }
    let of_orders = console.ask(Method::GET, "/v1/events?type=orders.order_placed.v1").await;
    assert_eq!(missing(&of_orders.1), "", "nobody else emits these");

    let unknown = "/v1/dead-letters/019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d";
    for (method, path) in [
        (Method::GET, unknown.to_owned()),
        (Method::POST, format!("{unknown}/replay")),
        (Method::POST, format!("{unknown}/discard")),
        (Method::GET, "/v1/events/019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d".to_owned()),
        (Method::GET, "/internal/settled?timeout=500ms".to_owned()),
    ] {
        let (status, _, problem) = console.ask(method, &path).await;
        assert_eq!((status, &problem["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("peer_away")), "{path}");
        let detail = problem["detail"].as_str().unwrap();
        // Whichever of them was asked first.
        let is_named =
            SECOND.iter().any(|it| detail.starts_with(&format!("{it} at http://{address} can't be reached: ")));
        assert!(is_named, "{detail}");
    }

    first.stop().await;
    let guests = Request::get(&path).header("x-order-token", order.text("/access_token")).body(Body::empty()).unwrap();
    let (status, _, problem) = console.send(guests).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "nobody can say whose the order is");
    assert!(!problem.to_string().contains("127.0.0.1"), "where services are is no guest's business: {problem}");
    let (status, _, story) = console.ask(Method::GET, &path).await;
    assert_eq!((status, &story["items"]), (StatusCode::OK, &json!([])), "the admin sees what there is");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_console_apart_learns_the_keys_by_which_it_knows_customers() {
    let shop = TestShop::start().await;
    let Apart { first, .. } = Apart::start(&shop).await;
    let product = shop.product("123", 10).await;
    let customer = signed_in(&shop).await;
    let lines = json!({"lines": [{"product_id": product, "quantity": 1}]});
    let order = shop.request(Method::POST, "/v1/orders").bearer(&customer).json(&lines).send().await.expect(201);
    let path = format!("/v1/orders/{}/events", order.text("/order_id"));

    let (keyring, tasks) = (Keyring::default(), Tasks::new());
    let peers = vec![elsewhere("users", first.address, PATIENCE), elsewhere("orders", first.address, PATIENCE)];
    tasks.spawn(console::keep_keys(peers.clone(), keyring.clone(), tasks.clone()));
    let console = ConsoleApart::of(peers, vec![keyring]);
    let ask = || Request::get(&path).header("authorization", format!("Bearer {customer}")).body(Body::empty()).unwrap();
    let known = async { while console.send(ask()).await.0 != StatusCode::OK {} };
    tokio::time::timeout(PATIENCE, known).await.unwrap();
    let other = Request::get(&path).header("authorization", "Bearer other").body(Body::empty()).unwrap();
    assert_eq!(console.send(other).await.0, StatusCode::UNAUTHORIZED);
    assert!(tasks.stop(PATIENCE).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_console_apart_refuses_a_banned_user_and_lets_an_admins_account_in() {
    let shop = TestShop::start().await;
    let Apart { first, second, .. } = Apart::start(&shop).await;
    let mut ada = signed_in(&shop).await;
    let user_id = shop.get("/v1/users").await.expect(200).text("/items/0/user_id");
    let tasks = Tasks::new();
    let keyring = Keyring::default();
    // One of these never answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = elsewhere("payments", silent.local_addr().unwrap(), NO_PATIENCE);
    let peers =
        vec![nobody, elsewhere("users", first.address, PATIENCE), elsewhere("orders", second.address, PATIENCE)];
    tasks.spawn(console::keep_keys(peers[1..].to_vec(), keyring.clone(), tasks.clone()));
    let console = ConsoleApart::of(peers, vec![keyring]);
    let path = "/v1/events/019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d";
    let ask = async |token: &str| {
        let request =
            Request::get(path).header("authorization", format!("Bearer {token}")).body(Body::empty()).unwrap();
        let (status, _, problem) = console.send(request).await;
        (status, problem["code"].as_str().unwrap_or_default().to_owned())
    };
    let known = async { while ask(&ada).await.0 == StatusCode::UNAUTHORIZED {} };
    tokio::time::timeout(PATIENCE, known).await.unwrap();
    assert_eq!(ask(&ada).await, (StatusCode::FORBIDDEN, "forbidden".to_owned()));
    shop.post(&format!("/v1/users/{user_id}/ban"), &json!({"reason": "spam"})).await.expect(202);
    assert_eq!(ask(&ada).await, (StatusCode::FORBIDDEN, "banned".to_owned()));
    shop.delete(&format!("/v1/users/{user_id}/ban")).await.expect(204);
    assert_eq!(ask(&ada).await, (StatusCode::UNAUTHORIZED, "session_ended".to_owned()));
    ada = sign_in(&shop).await;
    assert_eq!(ask(&ada).await, (StatusCode::FORBIDDEN, "forbidden".to_owned()));
    shop.post(&format!("/v1/users/{user_id}/roles"), &json!({"roles": ["admin"]})).await.expect(200);
    assert_ne!(ask(&ada).await.1, "forbidden", "it is an admin");

    // Nobody can say if the account is banned.
    first.stop().await;
    second.stop().await;
    drop(silent);
    assert_eq!(ask(&ada).await, (StatusCode::SERVICE_UNAVAILABLE, "peer_away".to_owned()));
    assert!(tasks.stop(PATIENCE).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_console_apart_refuses_a_banned_user_if_any_service_knows_the_ban() {
    let shop = TestShop::start().await;
    let (ada, grace) = (Customer::sign_up(&shop, "ada").await, Customer::sign_up(&shop, "grace").await);
    // One that has not received the ban answers at once, one that knows it takes a moment, and one never answers.
    let unaware = Process::start(TestShop::start().await.router(), "127.0.0.1:0").await;
    let late = shop.router().layer(from_fn(async |request: Request<Body>, next: Next| {
        tokio::time::sleep(Duration::from_millis(50)).await;
        next.run(request).await
    }));
    let late = Process::start(late, "127.0.0.1:0").await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peers = [("orders", unaware.address), ("users", late.address), ("payments", silent.local_addr().unwrap())];
    let peers: Vec<Peer> = peers.into_iter().map(|(name, address)| elsewhere(name, address, PATIENCE)).collect();
    let (keyring, tasks) = (Keyring::default(), Tasks::new());
    tasks.spawn(console::keep_keys(vec![peers[1].clone()], keyring.clone(), tasks.clone()));
    let console = ConsoleApart::of(peers, vec![keyring]);
    let path = "/v1/dead-letters?consumer=orders";
    let ask = async || {
        let request = Request::get(path).header("authorization", format!("Bearer {}", ada.access_token));
        let (status, _, problem) = console.send(request.body(Body::empty()).unwrap()).await;
        (status, problem["code"].as_str().unwrap_or_default().to_owned())
    };
    let known = async { while ask().await.0 == StatusCode::UNAUTHORIZED {} };
    tokio::time::timeout(PATIENCE, known).await.unwrap();
    assert_eq!(ask().await, (StatusCode::FORBIDDEN, "forbidden".to_owned()));
    for admin in [&ada, &grace] {
        let path = format!("/v1/users/{}/roles", admin.user_id);
        shop.post(&path, &json!({"roles": ["admin"]})).await.expect(200);
    }
    shop.settle().await;
    assert_eq!(ask().await, (StatusCode::OK, String::new()), "the newest roles count");
    shop.post(&format!("/v1/users/{}/ban", ada.user_id), &json!({"reason": "spam"})).await.expect(202);
    let asked_at = Instant::now();
    assert_eq!(ask().await, (StatusCode::FORBIDDEN, "banned".to_owned()));
    assert!(asked_at.elapsed() < PATIENCE / 2, "nobody waits for who does not answer");
    assert!(tasks.stop(PATIENCE).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_never_answers_is_not_waited_for() {
    // Connections are taken by the system, and nobody reads from them.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let console = ConsoleApart::asking([("orders", silent.local_addr().unwrap())], NO_PATIENCE);
    let (status, headers, _) = console.ask(Method::GET, "/v1/events").await;
    assert_eq!((status, missing(&headers)), (StatusCode::OK, "orders"));
    let (_, _, problem) = console.ask(Method::GET, "/internal/settled?timeout=2s").await;
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.ends_with("can't be reached: it didn't answer in time"), "{detail}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_server_is_distinguished_from_an_unreachable_service() {
    let other = Router::new().fallback(async || "hello");
    let other = Process::start(other, "127.0.0.1:0").await;
    let refusing = Process::start(TestShop::start().await.router(), "127.0.0.1:0").await;
    let console = ConsoleApart::asking([("orders", other.address), ("nobody", refusing.address)], PATIENCE);
    let (_, headers, _) = console.ask(Method::GET, "/v1/events").await;
    assert_eq!(missing(&headers), "orders, nobody");
    let (_, _, problem) = console.ask(Method::GET, "/v1/events/019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d").await;
    assert!(problem["detail"].as_str().unwrap().ends_with("this version of Tradepost doesn't know"), "{problem}");
    let console = ConsoleApart::asking([("nobody", refusing.address)], PATIENCE);
    let (_, _, problem) = console.ask(Method::GET, "/v1/events/019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d").await;
    assert!(problem["detail"].as_str().unwrap().contains(" answers 404: "), "{problem}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_goes_on_with_a_service_that_comes_back() {
    let shop = TestShop::start().await;
    let product = shop.product("123", 10).await;
    let Apart { first, second, console } = Apart::start(&shop).await;
    let mut tail = console.tail().await;
    shop.order(&[(&product, 1)], Some("tok_ok")).await;
    until_sent(&mut tail, &["orders.order_placed.v1", "inventory.stock_reserved.v1", "orders.order_paid.v1"]).await;

    let address = second.stop().await;
    shop.order(&[(&product, 1)], Some("tok_ok")).await;
    until_sent(&mut tail, &["orders.order_placed.v1", "orders.order_paid.v1"]).await;
    shop.settle().await;
    let _second = Process::start(shop.router(), &address).await;
    until_sent(&mut tail, &["inventory.stock_reserved.v1", "payments.payment_captured.v1"]).await;
    drop(first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_admin_asks_a_service_and_only_what_it_knows() {
    let shop = TestShop::start().await;
    let customer = signed_in(&shop).await;
    for service in Shop::tradepost().services() {
        let ask = |path: &str, question: &Value| shop.request(Method::POST, path).json(question);
        let (newest, good) = (path::<NewestPosition>(service), json!({}));
        ask(&newest, &good).send().await.expect(401);
        ask(&newest, &good).bearer("wrong").send().await.expect(401);
        ask(&newest, &good).bearer(&customer).send().await.expect(403);
        assert!(ask(&newest, &good).admin().send().await.expect(200).json().is_i64());
        ask(&format!("{newest}s"), &good).admin().send().await.expect(404);
        shop.request(Method::GET, &newest).admin().send().await.expect(405);
        ask(&newest, &json!({"more": 1})).admin().send().await.expect(400);
        for bad in [
            json!({"event_id": "ada"}),
            json!({"event_id": "019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d", "more": 1}),
            json!({}),
            json!([]),
            json!("event"),
        ] {
            ask(&path::<EventById>(service), &bad).admin().send().await.expect(400);
        }
        let name = json!({"event_id": "019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d", "event_type": "a"});
        let of_too_many = json!({"events": vec![name; IDS_MAX + 1]});
        ask(&path::<Deliveries>(service), &of_too_many).admin().send().await.expect(400);
        ask(&path::<Deliveries>(service), &json!("a".repeat(300 * 1024))).admin().send().await.expect(413);
    }
    let api = shop.get("/openapi.json").await.expect(200);
    assert!(!String::from_utf8_lossy(&api.body).contains(service::http::OPERATOR_PATH), "it is for consoles alone");
}
