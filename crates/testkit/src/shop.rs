//! All services in one process, on a folder that goes with the test.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Method, Request, header};
use kernel::{Clock, Event, MockClock, SignedDuration, Uuid};
use serde_json::{Value, json};
use server::app::{App, Options, Scope};
use server::config::BrokerSetting;
use server::shop::Shop;
use service::http::overload::Limits;
use service::setting::Values;
use service::storage::Location;
use service::{Settings, Tracer};
use tower::ServiceExt;

use crate::on_servers::options;
use crate::{ShopLocation, TestResponse, emit};

/// The admin token of every test shop.
pub const ADMIN_TOKEN: &str = "an-admin-token-for-tests-only-0123456789";

/// The path that answers once the shop is settled, at the latest after [`test_servers::PATIENCE`].
pub const SETTLED: &str = "/internal/settled?timeout=300s";

/// The largest answer that a test reads, in bytes.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// The differences of a test's shop from a new one.
pub struct Setup {
    /// The services.
    pub shop: Shop,
    /// The broker, unless the place has one.
    pub broker: BrokerSetting,
    /// Settings of all services.
    pub settings: Settings,
    /// Settings that services declare.
    pub services: Values,
    /// Spans of what happens, if anybody wants them.
    pub tracer: Tracer,
    /// The admin token before [`ADMIN_TOKEN`], good beside it.
    pub admin_token_previous: Option<String>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            shop: Shop::tradepost(),
            broker: BrokerSetting::of_default(&Shop::tradepost()),
            settings: Settings { limits: Limits::NONE, ..Settings::default() },
            services: unlimited(),
            tracer: Tracer::default(),
            admin_token_previous: None,
        }
    }
}

/// Settings of services whose bounds no test meets: its clock stands still, and all of it comes from one address.
pub fn unlimited() -> Values {
    const MANY: &str = "1000000";
    Values::default()
        .with(&users::settings::ATTEMPT_LIMIT, MANY)
        .with(&users::settings::ATTEMPT_LIMIT_ADDRESS, MANY)
        .with(&users::settings::ATTEMPT_LIMIT_ACCOUNT, MANY)
        .with(&notifications::settings::MAIL_LIMIT, MANY)
        .with(&notifications::settings::MAIL_FROM, "Test shop <shop@localhost>")
}

/// A shop for one test.
pub struct TestShop {
    app: App,
    hands: MockClock,
    place: ShopLocation,
}

impl TestShop {
    /// An empty shop on a folder.
    pub async fn start() -> Self {
        Self::start_on(ShopLocation::folder()).await
    }

    /// An empty shop in a place.
    pub async fn start_on(place: ShopLocation) -> Self {
        Self::start_on_with(place, Setup::default()).await
    }

    /// An empty shop with other settings.
    pub async fn start_with(setup: Setup) -> Self {
        Self::start_on_with(ShopLocation::folder(), setup).await
    }

    /// An empty shop in a place, with other settings.
    pub async fn start_on_with(place: ShopLocation, setup: Setup) -> Self {
        Self::start_at("2026-01-01T12:00:00Z", place, setup).await
    }

    /// A shop at some time, in a place that may have one of an earlier version.
    pub async fn start_at(time: &str, place: ShopLocation, setup: Setup) -> Self {
        let (clock, hands) = Clock::mock(time.parse().expect("a time"));
        let app = open(&place, clock, &hands, setup).await.expect("the place can be opened");
        Self { app, hands, place }
    }

    /// Stops the shop and starts it again in the same place.
    pub async fn restart(self, setup: Setup) -> Self {
        self.restart_after(setup, async |_, _| {}).await
    }

    /// Stops the shop, does something to its stores, and starts it again.
    pub async fn restart_after(self, setup: Setup, meanwhile: impl AsyncFnOnce(Location, Clock)) -> Self {
        let Self { app, hands, place } = self;
        app.stop().await;
        meanwhile(place.store(), hands.clock()).await;
        let app = open(&place, hands.clock(), &hands, setup).await.expect("what the shop has left can be opened");
        Self { app, hands, place }
    }

    /// Stops the shop and tries to start it again; answers with the reason of the refusal. Panics if it starts.
    pub async fn refuses_to_restart(self, setup: Setup) -> String {
        let Self { app, hands, place } = self;
        app.stop().await;
        match open(&place, hands.clock(), &hands, setup).await {
            Ok(_) => panic!("the shop started again"),
            Err(refusal) => refusal,
        }
    }

    /// The whole HTTP surface, for a test that serves it.
    pub fn router(&self) -> Router {
        self.app.router.clone()
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.place.data()
    }

    /// Waits until nothing is in flight. Panics if something stays.
    #[track_caller]
    pub fn settle(&self) -> impl Future<Output = ()> + '_ {
        let caller = std::panic::Location::caller();
        async move {
            let answer = self.get(SETTLED).await;
            assert!(answer.status.is_success(), "at {caller}: the shop did not settle: {:?}", answer.json());
        }
    }

    /// Moves the clock, then settles what came due.
    pub async fn advance(&self, by: Duration) {
        self.hands.advance(SignedDuration::try_from(by).expect("a test moves the clock by days at most"));
        self.settle().await;
    }

    /// `GET` as admin.
    pub async fn get(&self, path: &str) -> TestResponse {
        self.request(Method::GET, path).admin().send().await
    }

    /// `POST` as admin.
    pub async fn post(&self, path: &str, body: &Value) -> TestResponse {
        self.request(Method::POST, path).admin().json(body).send().await
    }

    /// `PATCH` as admin.
    pub async fn patch(&self, path: &str, body: &Value) -> TestResponse {
        self.request(Method::PATCH, path).admin().json(body).send().await
    }

    /// `DELETE` as admin.
    pub async fn delete(&self, path: &str) -> TestResponse {
        self.request(Method::DELETE, path).admin().send().await
    }

    /// Any request, from nobody in particular until [`Call::admin`].
    pub fn request(&self, method: Method, path: &str) -> Call<'_> {
        Call::to(&self.app.router, method, path)
    }

    /// Adds a product at 10.00 EUR that all services know; answers with its id.
    pub async fn product(&self, sku: &str, stock: i64) -> String {
        let product = json!({"sku": sku, "name": sku, "price": {"amount": 1_000, "currency": "EUR"}, "stock": stock});
        let made = self.post("/v1/products", &product).await.expect(201);
        self.settle().await;
        made.text("/product_id")
    }

    /// Places an order as a guest; answers with what the guest gets.
    pub async fn order(&self, lines: &[(&str, i64)], token: Option<&str>) -> TestResponse {
        let lines: Vec<Value> =
            lines.iter().map(|(id, quantity)| json!({"product_id": id, "quantity": quantity})).collect();
        let mut order = json!({"lines": lines, "email": "ada@example.com"});
        if let Some(token) = token {
            order["payment"] = json!({"token": token});
        }
        self.request(Method::POST, "/v1/orders").json(&order).send().await.expect(201)
    }

    /// The order as it is now.
    pub async fn order_now(&self, order_id: &str) -> TestResponse {
        self.get(&format!("/v1/orders/{order_id}")).await.expect(200)
    }

    /// Dispatches and delivers all shipments of a paid order.
    pub async fn deliver(&self, order_id: &str) {
        for shipment in self.get(&format!("/v1/shipments?order_id={order_id}")).await.expect(200).items() {
            let path = format!("/v1/shipments/{}", shipment["shipment_id"].as_str().unwrap_or_default());
            let carrier = json!({"carrier": "DHL", "tracking_number": "00340434161094042557"});
            self.post(&format!("{path}/dispatch"), &carrier).await.expect(200);
            self.post(&format!("{path}/deliver"), &Value::Null).await.expect(200);
        }
        self.settle().await;
    }

    /// `(on_hand, reserved)` of a product.
    pub async fn stock(&self, product_id: &str) -> (i64, i64) {
        let level = self.get(&format!("/v1/stock/{product_id}")).await.expect(200);
        (level.number("/on_hand"), level.number("/reserved"))
    }

    /// The events of a type about a subject, as many as were emitted, up to a hundred.
    pub async fn emitted<E: Event>(&self, subject: Uuid) -> usize {
        self.get(&format!("/v1/events?type={}&subject={subject}&limit=100", E::TYPE)).await.expect(200).items().len()
    }

    /// The reasons of the dead letters, in alphabetical order.
    pub async fn reasons(&self) -> Vec<String> {
        let letters = self.get("/v1/dead-letters?limit=100").await.expect(200).items();
        let mut reasons: Vec<String> =
            letters.iter().filter_map(|letter| letter["reason"].as_str()).map(str::to_owned).collect();
        reasons.sort();
        reasons
    }

    /// The same shop, started again after a service emitted these, whatever they say; see [`emit`].
    pub async fn restart_with<E: Event>(self, events: &[E], destinations: &[&str]) -> Self {
        self.restart_after(Setup::default(), async |store, clock| emit(store, clock, events, destinations).await).await
    }

    /// The templates of the mails about an order, in alphabetical order.
    pub async fn mails(&self, order_id: &str) -> Vec<String> {
        let mails = self.get("/v1/mail?limit=100").await.expect(200).items();
        let about = mails.iter().filter(|mail| mail["order_id"] == order_id);
        let mut templates: Vec<String> =
            about.filter_map(|mail| mail["template"].as_str().map(str::to_owned)).collect();
        templates.sort();
        templates
    }

    /// Stops the shop.
    pub async fn stop(self) {
        self.app.stop().await;
    }
}

async fn open(place: &ShopLocation, clock: Clock, hands: &MockClock, setup: Setup) -> Result<App, String> {
    let shards = place.shards().unwrap_or(setup.settings.shards);
    let scope = Scope::Whole { data: place.data() };
    let broker = place.broker(&setup.shop).unwrap_or_else(|| setup.broker.clone());
    let setup = Setup { settings: Settings { shards, ..setup.settings }, ..setup };
    let options = Options { clock, ..options(scope, place.store(), broker, setup) };
    let app = App::start(options).await.map_err(|error| format!("{error:#}"))?;
    let operators = app.operators.clone();
    hands.on_advance(move || operators.iter().for_each(service::Operator::wake));
    Ok(app)
}

/// A request that is being put together.
pub struct Call<'a> {
    router: &'a Router,
    request: axum::http::request::Builder,
    body: Vec<u8>,
}

impl<'a> Call<'a> {
    /// A request to a process, from nobody in particular.
    pub fn to(router: &'a Router, method: Method, path: &str) -> Self {
        Self { router, request: Request::builder().method(method).uri(path), body: Vec::new() }
    }

    /// Sends the admin token along.
    #[must_use]
    pub fn admin(self) -> Self {
        self.header(header::AUTHORIZATION.as_str(), &format!("Bearer {ADMIN_TOKEN}"))
    }

    /// Sends a user's token along.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header(header::AUTHORIZATION.as_str(), &format!("Bearer {token}"))
    }

    /// Sends a header along.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    /// Sends it over a connection from this address, with the `Host` that this needs. Otherwise it comes over none.
    #[must_use]
    pub fn connected_from(mut self, peer: SocketAddr) -> Self {
        self.request = self.request.extension(ConnectInfo(peer)).header(header::HOST, "localhost");
        self
    }

    /// Sends a JSON body.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.header(header::CONTENT_TYPE.as_str(), "application/json").bytes(body.to_string().into_bytes())
    }

    /// Sends a body as it is.
    #[must_use]
    pub fn bytes(mut self, body: Vec<u8>) -> Self {
        self.body = body;
        self
    }

    /// Sends it.
    pub async fn send(self) -> TestResponse {
        let request = self.request.body(Body::from(self.body)).expect("a test writes valid requests");
        let response = self.router.clone().oneshot(request).await.expect("the router answers everything");
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, ANSWER_BYTES_MAX).await.expect("an answer is complete");
        TestResponse { status: parts.status, headers: parts.headers, body }
    }
}
