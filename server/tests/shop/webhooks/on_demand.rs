//! Webhooks on RabbitMQ: its queues are bound to the types that its endpoints want, and to no others.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use axum::http::{Method, StatusCode};
use events::{
    Event, OrderPlaced, ProductCreated, SigningKeyPublished, SupplierUpdated, UserBanned, UserRolesChanged,
    UserUnbanned,
};
use serde_json::{Value, json};
use server::app::{self, App};
use server::config;
use server::shop::Shop;
use test_servers::{Database, Faults, Proxy, Vhost, What};
use testkit::{Call, Setup, TestResponse, options_on, settings_at};

use super::receiver::Receiver;
use super::settings;
use crate::selections::bound;

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_mins(5);

/// The types that every service receives.
const ALWAYS: [&str; 4] = [SigningKeyPublished::TYPE, UserBanned::TYPE, UserUnbanned::TYPE, UserRolesChanged::TYPE];

/// A database and a virtual host, with a shop.
struct Servers {
    database: Database,
    vhost: Vhost,
    settings: config::Settings,
}

impl Servers {
    async fn create() -> Self {
        let (database, vhost) = (Database::create(), Vhost::create());
        let settings = settings_at(&Shop::tradepost(), &database.url(), &vhost.url());
        let servers = Self { database, vhost, settings };
        servers.migrate().await;
        servers
    }

    async fn migrate(&self) {
        app::migrate(&Shop::tradepost(), &self.settings, |_| {}).await.unwrap();
    }

    /// All services in one process.
    async fn start(&self) -> App {
        start(&self.settings, Shop::tradepost().names()).await
    }

    /// Webhooks alone.
    async fn start_webhooks(&self) -> App {
        start(&self.settings, ["webhooks"]).await
    }

    /// Binds a queue of webhooks to a type, with these arguments.
    fn bind(&self, event_type: &str, arguments: &str) {
        let (vhost, lane) = (self.vhost.name(), events::find(event_type).unwrap().lane);
        let named = |kind: &str, name: &str| format!("rabbit_misc:r(<<\"{vhost}\">>, {kind}, <<\"{name}\">>)");
        let exchange = named("exchange", "tradepost.events");
        let queue = named("queue", &format!("tradepost.webhooks.{lane}.0"));
        self.vhost.eval(&format!(
            "ok = rabbit_binding:add({{binding, {exchange}, <<\"{event_type}.0\">>, {queue}, {arguments}}}, <<\"test\">>)"
        ));
    }

    /// Waits until the queues of webhooks are bound to just these types.
    async fn until_bound(&self, wanted: &[&'static str]) {
        let wanted: BTreeSet<&str> = ALWAYS.iter().chain(wanted).copied().collect();
        let begun = Instant::now();
        loop {
            let bound = bound(&self.vhost, "webhooks");
            if bound == wanted {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{bound:?}");
        }
    }
}

async fn start<'a>(on: &config::Settings, services: impl IntoIterator<Item = &'a str>) -> App {
    let setup = Setup { services: settings("1s"), ..Setup::default() };
    App::start(options_on(on, services, setup)).await.unwrap()
}

async fn call(app: &App, method: Method, path: &str, body: &Value) -> TestResponse {
    Call::to(&app.router, method, path).admin().json(body).send().await
}

async fn add(app: &App, receiver: &Receiver, event_types: &[&str]) -> TestResponse {
    call(app, Method::POST, "/v1/webhooks", &json!({"url": receiver.url, "event_types": event_types})).await
}

async fn add_supplier(app: &App, name: &str) {
    let supplier = json!({"name": name, "email": "a@example.com", "lead_time_days": 1});
    call(app, Method::POST, "/v1/suppliers", &supplier).await.expect(201);
}

/// Waits until a receiver has these many messages.
async fn until_received(receiver: &Receiver, count: usize) {
    let begun = Instant::now();
    while receiver.taken().len() < count {
        assert!(begun.elapsed() < PATIENCE, "{} of {count}", receiver.taken().len());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_queues_are_bound_to_what_its_endpoints_want() {
    let servers = Servers::create().await;
    servers.until_bound(&[]).await;
    let app = servers.start().await;
    let receiver = Receiver::start().await;
    let made = add(&app, &receiver, &["suppliers.*", ProductCreated::TYPE]).await.expect(201);
    // The very next event.
    add_supplier(&app, "First").await;
    until_received(&receiver, 1).await;
    let all_of_suppliers = events::all().filter(|event| event.source == "suppliers").map(|event| event.event_type);
    let wanted: Vec<&str> = all_of_suppliers.chain([ProductCreated::TYPE]).collect();
    servers.until_bound(&wanted).await;

    let path = format!("/v1/webhooks/{}", made.text("/webhook_id"));
    // What is added by a change arrives from its answer on, and what nobody wants any more is unbound.
    call(&app, Method::PATCH, &path, &json!({"event_types": [SupplierUpdated::TYPE]})).await.expect(200);
    add_supplier(&app, "Second").await;
    until_received(&receiver, 2).await;
    servers.until_bound(&[SupplierUpdated::TYPE]).await;
    call(&app, Method::PATCH, &path, &json!({"enabled": false})).await.expect(200);
    servers.until_bound(&[]).await;
    call(&app, Method::PATCH, &path, &json!({"enabled": true})).await.expect(200);
    add_supplier(&app, "Third").await;
    until_received(&receiver, 3).await;
    call(&app, Method::DELETE, &path, &Value::Null).await.expect(204);
    servers.until_bound(&[]).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_and_migrate_unbind_what_is_left_over() {
    let servers = Servers::create().await;
    // As a process of an earlier version bound it again after `migrate`.
    servers.bind(OrderPlaced::TYPE, "[]");
    servers.until_bound(&[OrderPlaced::TYPE]).await;
    let app = servers.start_webhooks().await;
    servers.until_bound(&[]).await;
    let receiver = Receiver::start().await;
    add(&app, &receiver, &[SupplierUpdated::TYPE]).await.expect(201);
    app.stop().await;
    // As a process left it that ended before its commit.
    let generation = servers.database.execute("select generation from webhooks.bindings");
    servers.bind(ProductCreated::TYPE, &format!("[{{<<\"tradepost-generation\">>, long, {}}}]", generation.trim()));
    servers.until_bound(&[SupplierUpdated::TYPE, ProductCreated::TYPE]).await;
    servers.bind(OrderPlaced::TYPE, "[]");
    servers.migrate().await;
    servers.until_bound(&[SupplierUpdated::TYPE]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_one_instance_registers_gets_the_events_that_another_receives() {
    let servers = Servers::create().await;
    let app = servers.start().await;
    let other = servers.start_webhooks().await;
    let begun = Instant::now();
    let owners = "select count(distinct owner) from webhooks.shards where lane = 'background' and owner is not null";
    while servers.database.execute(owners).trim() != "2" {
        assert!(begun.elapsed() < PATIENCE);
    }
    let receiver = Receiver::start().await;
    add(&app, &receiver, &[SupplierUpdated::TYPE]).await.expect(201);
    // Enough for each shard.
    for number in 0..40 {
        add_supplier(&app, &format!("Supplier {number}")).await;
    }
    until_received(&receiver, 40).await;
    receiver.is_complete_and_in_order();
    other.stop().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_broker_an_endpoint_is_refused_and_nothing_is_registered() {
    let servers = Servers::create().await;
    let (proxy, url) = Proxy::before(&servers.vhost.url()).await;
    let behind_proxy = settings_at(&Shop::tradepost(), &servers.database.url(), &url);
    let app = start(&behind_proxy, Shop::tradepost().names()).await;
    let receiver = Receiver::start().await;
    let made = add(&app, &receiver, &[ProductCreated::TYPE]).await.expect(201);
    let path = format!("/v1/webhooks/{}", made.text("/webhook_id"));

    proxy.refuse().await;
    proxy.hit(Faults::now(What::Cut));
    let refused = add(&app, &receiver, &[SupplierUpdated::TYPE]).await.expect(503);
    assert_eq!(refused.text("/code"), "broker_unavailable");
    let wider = json!({"event_types": ["*"]});
    assert_eq!(call(&app, Method::PATCH, &path, &wider).await.expect(503).text("/code"), "broker_unavailable");
    // What binds nothing needs no broker.
    call(&app, Method::PATCH, &path, &json!({"description": "The ERP"})).await.expect(200);
    let items = call(&app, Method::GET, "/v1/webhooks", &Value::Null).await.expect(200).items();
    assert_eq!((items.len(), &items[0]["event_types"]), (1, &json!([ProductCreated::TYPE])));

    proxy.heal().await;
    let begun = Instant::now();
    while add(&app, &receiver, &[SupplierUpdated::TYPE]).await.status != StatusCode::CREATED {
        assert!(begun.elapsed() < PATIENCE);
    }
    add_supplier(&app, "First").await;
    until_received(&receiver, 1).await;
    app.stop().await;
}
