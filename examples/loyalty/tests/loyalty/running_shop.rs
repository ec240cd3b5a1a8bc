//! A shop on PostgreSQL and RabbitMQ, without the service, and the program that joins it.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use server::app::{self, App};
use server::config;
use server::shop::Shop;
use service::Tasks;
use service::http::listener::{Bounds, serve};
use test_servers::{Database, Vhost};
use testkit::{ADMIN_TOKEN, PASSWORD, SHARDS, Setup, options_on, settings_at};
use tokio::net::TcpListener;

use crate::process::{ask, ask_as};

/// Longer than a drain takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// The places where a shop keeps its stores and its queues.
pub struct Servers {
    pub database: Database,
    pub vhost: Vhost,
}

impl Servers {
    pub fn start() -> Self {
        Self { database: Database::create(), vhost: Vhost::create() }
    }

    pub fn settings(&self) -> config::Settings {
        settings_at(&Shop::tradepost(), &self.database.url(), &self.vhost.url())
    }

    /// The program `loyalty`, for the shop that serves at this address.
    pub fn loyalty(&self, shop: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loyalty"));
        // A developer's own variables are none of the test's business.
        command.args(arguments).env_clear().stdin(Stdio::null());
        command.env("TRADEPOST_STORE", self.database.url()).env("TRADEPOST_BROKER", self.vhost.url());
        command.env("TRADEPOST_SHARDS", SHARDS.to_string());
        command.env("TRADEPOST_ADMIN_TOKEN", ADMIN_TOKEN).env("TRADEPOST_LOG", "warn").env("TRADEPOST_URL", shop);
        for service in Shop::tradepost().services() {
            command.env(format!("TRADEPOST_PEERS_{}", service.to_uppercase()), shop);
        }
        command
    }
}

/// A shop at work.
pub struct RunningShop {
    pub url: String,
    app: App,
    listening: Tasks,
}

impl RunningShop {
    /// Migrates, starts all services, and serves them at one address.
    pub async fn start(servers: &Servers) -> Self {
        let settings = servers.settings();
        app::migrate(&Shop::tradepost(), &settings, |_| {}).await.unwrap();
        let options = options_on(&settings, Shop::tradepost().names(), Setup::default());
        let app = App::start(options).await.unwrap();
        let (listener, listening) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), Tasks::new());
        let url = format!("http://{}", listener.local_addr().unwrap());
        let bounds = Bounds::with_files(1_024);
        listening.spawn(serve(listener, app.router.clone(), bounds, &[], listening.stop_token()));
        Self { url, app, listening }
    }

    pub async fn stop(self) {
        assert!(self.listening.stop(PATIENCE).await);
        self.app.stop().await;
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    #[track_caller]
    fn post(&self, token: &str, path: &str, body: &Value, expected: u16) -> Value {
        let (status, answer) = ask_as(token, "POST", &self.url(path), body);
        assert_eq!(status, expected, "{path}: {answer}");
        answer
    }

    /// Adds a product at 10.00 EUR; answers with its id.
    pub fn product(&self, sku: &str) -> String {
        let product = json!({"sku": sku, "name": sku, "price": {"amount": 1_000, "currency": "EUR"}, "stock": 500});
        let product = self.post(ADMIN_TOKEN, "/v1/products", &product, 201);
        self.settle();
        product["product_id"].as_str().unwrap().to_owned()
    }

    /// Somebody with an account, signed in: the id and the token.
    pub fn customer(&self, name: &str) -> (String, String) {
        let email = format!("{name}@example.com");
        let account = json!({"username": name, "email": email, "password": PASSWORD});
        let user = self.post("", "/v1/users", &account, 201);
        let session = self.post("", "/v1/sessions", &json!({"email": email, "password": PASSWORD}), 201);
        self.settle();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&user["user_id"]), text(&session["access_token"]))
    }

    /// Places an order that is paid; answers with its id.
    pub fn order(&self, token: &str, product_id: &str, quantity: i64) -> String {
        let lines = json!([{"product_id": product_id, "quantity": quantity}]);
        let order = self.post(token, "/v1/orders", &json!({"lines": lines, "payment": {"token": "tok_ok"}}), 201);
        order["order_id"].as_str().unwrap().to_owned()
    }

    /// Gives money of a paid order back.
    pub fn refund(&self, order_id: &str, amount: i64) {
        let (_, payments) = ask("GET", &self.url(&format!("/v1/payments?order_id={order_id}")), &Value::Null);
        let payment_id = payments["items"][0]["payment_id"].as_str().unwrap();
        let amount = json!({"amount": {"amount": amount, "currency": "EUR"}});
        self.post(ADMIN_TOKEN, &format!("/v1/payments/{payment_id}/refund"), &amount, 202);
    }

    pub fn ban(&self, user_id: &str) {
        self.post(ADMIN_TOKEN, &format!("/v1/users/{user_id}/ban"), &json!({"reason": "a test"}), 202);
    }

    /// Waits until the shop has nothing in flight.
    pub fn settle(&self) {
        settle(&self.url);
    }
}

/// Waits until nothing is in flight of the services that the console at this address knows.
#[track_caller]
pub fn settle(url: &str) {
    let (status, answer) = ask("GET", &format!("{url}/internal/settled?timeout=300s"), &Value::Null);
    assert_eq!(status, 200, "{answer}");
}
