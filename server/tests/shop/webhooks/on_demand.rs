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
use server::config::{self, Environment, Flags};
use server::shop::Shop;
use test_servers::{Database, Faults, Proxy, Vhost, What};
use testkit::Setup;

use super::receiver::Receiver;
use super::settings;
use crate::selections::{bound, call, start_part};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_mins(1);

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
        let settings = settings_of(&database, &vhost.url());
        let servers = Self { database, vhost, settings };
        servers.migrate().await;
        servers
    }

    async fn migrate(&self) {
        app::migrate(&Shop::tradepost(), &self.settings, |_| {}).await.unwrap();
    }

    /// All services in one process.
    async fn start(&self) -> App {
        self.start_part(Shop::tradepost().names().map(str::to_owned).collect()).await
    }

    async fn start_part(&self, services: Vec<String>) -> App {
        start(services, &self.settings).await
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

fn settings_of(database: &Database, broker: &str) -> config::Settings {
    let flags = Flags { store: Some(database.url()), broker: Some(broker.to_owned()), ..Flags::default() };
    config::load(&Shop::tradepost(), &flags, None, &Environment::default()).unwrap().settings
}

async fn start(services: Vec<String>, on: &config::Settings) -> App {
    let setup = Setup { services: settings("1s"), ..Setup::default() };
    start_part(Shop::tradepost(), services, on, setup).await
}

async fn add(app: &App, receiver: &Receiver, event_types: &[&str]) -> (StatusCode, Value) {
    call(app, Method::POST, "/v1/webhooks", &json!({"url": receiver.url, "event_types": event_types})).await
}

async fn add_supplier(app: &App, name: &str) {
    let supplier = json!({"name": name, "email": "a@example.com", "lead_time_days": 1});
    let (status, answer) = call(app, Method::POST, "/v1/suppliers", &supplier).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
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
    let (status, made) = add(&app, &receiver, &["suppliers.*", ProductCreated::TYPE]).await;
    assert_eq!(status, StatusCode::CREATED);
    // The very next event.
    add_supplier(&app, "First").await;
    until_received(&receiver, 1).await;
    let all_of_suppliers = events::all().filter(|event| event.source == "suppliers").map(|event| event.event_type);
    let wanted: Vec<&str> = all_of_suppliers.chain([ProductCreated::TYPE]).collect();
    servers.until_bound(&wanted).await;

    let path = format!("/v1/webhooks/{}", made["webhook_id"].as_str().unwrap());
    // What is added by a change arrives from its answer on, and what nobody wants any more is unbound.
    let changed = call(&app, Method::PATCH, &path, &json!({"event_types": [SupplierUpdated::TYPE]})).await;
    assert_eq!(changed.0, StatusCode::OK);
    add_supplier(&app, "Second").await;
    until_received(&receiver, 2).await;
    servers.until_bound(&[SupplierUpdated::TYPE]).await;
    call(&app, Method::PATCH, &path, &json!({"enabled": false})).await;
    servers.until_bound(&[]).await;
    let enabled = call(&app, Method::PATCH, &path, &json!({"enabled": true})).await;
    assert_eq!(enabled.0, StatusCode::OK);
    add_supplier(&app, "Third").await;
    until_received(&receiver, 3).await;
    let (status, _) = call(&app, Method::DELETE, &path, &Value::Null).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    servers.until_bound(&[]).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_and_migrate_unbind_what_is_left_over() {
    let servers = Servers::create().await;
    // As a process of an earlier version bound it again after `migrate`.
    servers.bind(OrderPlaced::TYPE, "[]");
    servers.until_bound(&[OrderPlaced::TYPE]).await;
    let app = servers.start_part(vec!["webhooks".to_owned()]).await;
    servers.until_bound(&[]).await;
    let receiver = Receiver::start().await;
    let (status, _) = add(&app, &receiver, &[SupplierUpdated::TYPE]).await;
    assert_eq!(status, StatusCode::CREATED);
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
    let other = servers.start_part(vec!["webhooks".to_owned()]).await;
    let begun = Instant::now();
    let owners = "select count(distinct owner) from webhooks.shards where lane = 'background' and owner is not null";
    while servers.database.execute(owners).trim() != "2" {
        assert!(begun.elapsed() < PATIENCE);
    }
    let receiver = Receiver::start().await;
    let (status, _) = add(&app, &receiver, &[SupplierUpdated::TYPE]).await;
    assert_eq!(status, StatusCode::CREATED);
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
    let app =
        start(Shop::tradepost().names().map(str::to_owned).collect(), &settings_of(&servers.database, &url)).await;
    let receiver = Receiver::start().await;
    let (status, made) = add(&app, &receiver, &[ProductCreated::TYPE]).await;
    assert_eq!(status, StatusCode::CREATED);
    let path = format!("/v1/webhooks/{}", made["webhook_id"].as_str().unwrap());

    proxy.refuse().await;
    proxy.hit(Faults::now(What::Cut));
    let (status, refused) = add(&app, &receiver, &[SupplierUpdated::TYPE]).await;
    assert_eq!((status, refused["code"].as_str()), (StatusCode::SERVICE_UNAVAILABLE, Some("broker_unavailable")));
    let wider = json!({"event_types": ["*"]});
    let (status, refused) = call(&app, Method::PATCH, &path, &wider).await;
    assert_eq!((status, refused["code"].as_str()), (StatusCode::SERVICE_UNAVAILABLE, Some("broker_unavailable")));
    // What binds nothing needs no broker.
    let (status, _) = call(&app, Method::PATCH, &path, &json!({"description": "The ERP"})).await;
    assert_eq!(status, StatusCode::OK);
    let (_, listed) = call(&app, Method::GET, "/v1/webhooks", &Value::Null).await;
    let items = listed["items"].as_array().unwrap();
    assert_eq!((items.len(), &items[0]["event_types"]), (1, &json!([ProductCreated::TYPE])));

    proxy.heal().await;
    let begun = Instant::now();
    while add(&app, &receiver, &[SupplierUpdated::TYPE]).await.0 != StatusCode::CREATED {
        assert!(begun.elapsed() < PATIENCE);
    }
    add_supplier(&app, "First").await;
    until_received(&receiver, 1).await;
    app.stop().await;
}
