//! The services in two processes, with a database and RabbitMQ between them.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::Router;
use axum::http::Method;
use console::Address;
use serde_json::{Value, json};
use server::app::{self, App, Options, Traces};
use server::config;
use server::shop::Shop;
use service::Tasks;
use service::http::listener::{Bounds, serve};
use test_servers::{Database, PATIENCE, Vhost};
use testkit::{Call, Setup, options_on, settings_at};
use tokio::net::TcpListener;

use crate::collector::Collector;
use crate::{TRACE, edges, story, traceparent, traces_as};

/// The services of the second process; the others and the console are in the first.
const SECOND: [&str; 3] = ["inventory", "payments", "notifications"];

/// Some services, as `serve` runs them.
async fn start(
    settings: &config::Settings,
    services: &[&str],
    peers: BTreeMap<&'static str, Address>,
    traces: &Traces,
) -> App {
    let setup = Setup { tracer: traces.tracer(), ..Setup::default() };
    let options = options_on(settings, services.iter().copied(), setup);
    App::start(Options { peers, ..options }).await.unwrap()
}

/// Serves until the tasks stop.
async fn listen(router: Router, tasks: &Tasks) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tasks.spawn(serve(listener, router, Bounds::with_files(1_024), &[], tasks.stop_token()));
    address
}

async fn send(router: &Router, method: Method, path: &str, body: &Value) -> Value {
    let call = Call::to(router, method, path).admin().header("traceparent", &traceparent(TRACE, "01"));
    let response = call.json(body).send().await;
    assert!(response.status.is_success(), "{path}: {response:?}");
    response.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_order_is_one_trace_across_processes() {
    let (database, vhost) = (Database::create(), Vhost::create());
    let settings = settings_at(&Shop::tradepost(), &database.url(), &vhost.url());
    app::migrate(&Shop::tradepost(), &settings, |_| {}).await.unwrap();
    let collector = Collector::start();
    let of_first = traces_as("tradepost-first", &collector.endpoint);
    let of_second = traces_as("tradepost-second", &collector.endpoint);
    let serving = Tasks::new();
    let second = start(&settings, &SECOND, BTreeMap::new(), &of_second).await;
    let address = listen(second.router.clone(), &serving).await;
    let peers = SECOND.map(|name| (name, format!("http://{address}").parse().unwrap()));
    let shop = Shop::tradepost();
    let first: Vec<&str> = shop.names().filter(|name| !SECOND.contains(name)).collect();
    let first = start(&settings, &first, BTreeMap::from(peers), &of_first).await;

    let product = json!({"sku": "123", "name": "a", "price": {"amount": 100, "currency": "EUR"}, "stock": 5});
    let product = send(&first.router, Method::POST, "/v1/products", &product).await["product_id"].clone();
    send(&first.router, Method::GET, testkit::SETTLED, &Value::Null).await;
    let lines = json!([{"product_id": product, "quantity": 1}]);
    let order = json!({"lines": lines, "email": "ada@example.com", "payment": {"token": "tok_ok"}});
    send(&first.router, Method::POST, "/v1/orders", &order).await;
    send(&first.router, Method::GET, testkit::SETTLED, &Value::Null).await;
    first.stop().await;
    second.stop().await;
    assert!(serving.stop(PATIENCE).await);
    of_first.stop().await;
    of_second.stop().await;

    let spans = collector.trace(TRACE);
    let edges = edges(&spans);
    assert!(story().is_subset(&edges), "{edges:?}");
    for span in spans.iter().filter(|span| !span.name.starts_with("POST /internal/operator/")) {
        let is_of_second = SECOND.contains(&span.attribute("tradepost.service"));
        assert_eq!(span.process, if is_of_second { "tradepost-second" } else { "tradepost-first" }, "{span:?}");
    }
    let reaction = spans.iter().find(|span| span.name == "inventory.on_order_placed").unwrap();
    assert_eq!(reaction.attribute("messaging.system"), "rabbitmq");
}
