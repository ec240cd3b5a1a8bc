//! One order is one trace, from the request through every reaction, as a collector sees it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod apart;
mod binary;
mod collector;

use std::collections::{BTreeSet, HashMap};

use axum::http::Method;
use kernel::Clock;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::json;
use server::app::{Target, Traces};
use testkit::{Setup, ShopLocation, TestResponse, TestShop, on_each_store};

use collector::{Collector, Received};

on_each_store! {
    one_order_is_one_trace_and_each_reaction_follows_from_what_emitted_its_event,
    orders_that_are_handled_together_stay_in_their_own_traces,
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// The span of whoever places the order.
const CLIENT: &str = "00f067aa0ba902b7";

/// The spans of an order that is paid, in the order of its events.
const STORY: [(&str, &str); 11] = [
    ("inventory.on_order_placed", "POST /v1/orders"),
    ("orders.on_stock_reserved", "inventory.on_order_placed"),
    ("catalog.on_inventory_updated", "inventory.on_order_placed"),
    ("notifications.on_inventory_updated", "inventory.on_order_placed"),
    ("payments.on_payment_requested", "orders.on_stock_reserved"),
    ("payments.charge", "payments.on_payment_requested"),
    ("orders.on_payment_captured", "payments.charge"),
    ("inventory.on_order_paid", "orders.on_payment_captured"),
    ("notifications.on_order_paid", "orders.on_payment_captured"),
    ("catalog.on_inventory_updated", "inventory.on_order_paid"),
    ("notifications.on_inventory_updated", "inventory.on_order_paid"),
];

fn traceparent(trace_id: &str, flags: &str) -> String {
    format!("00-{trace_id}-{CLIENT}-{flags}")
}

/// A way to a collector. The exporter takes the process's TLS, as in `main`.
fn traces_to(endpoint: &str) -> Traces {
    traces_as("tradepost", endpoint)
}

fn traces_as(service: &str, endpoint: &str) -> Traces {
    // Another test of this process may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let target = Target { endpoint: endpoint.to_owned(), share: 1.0, service: service.to_owned() };
    Traces::start(target, &Clock::system()).unwrap()
}

async fn shop_with(place: ShopLocation, traces: &Traces) -> TestShop {
    TestShop::start_on_with(place, Setup { tracer: traces.tracer(), ..Setup::default() }).await
}

async fn place(shop: &TestShop, product: &str, traceparent: &str) -> TestResponse {
    let order = json!({
        "lines": [{"product_id": product, "quantity": 1}], "email": "ada@example.com", "payment": {"token": "tok_ok"},
    });
    let call = shop.request(Method::POST, "/v1/orders").header("traceparent", traceparent);
    call.json(&order).send().await.expect(201)
}

/// Drops the spans of services that are not in the story: a service that is new to the shop may react to the same events.
fn of_story(spans: Vec<Received>) -> Vec<Received> {
    let services = || STORY.iter().filter_map(|(name, _)| name.split_once('.')).map(|(service, _)| service);
    let is_in = |span: &Received| span.name.split_once('.').is_none_or(|(of, _)| services().any(|it| it == of));
    spans.into_iter().filter(is_in).collect()
}

/// The name of each span's parent, with the name of the span itself.
fn edges(spans: &[Received]) -> BTreeSet<(String, String)> {
    let names: HashMap<&str, &str> = spans.iter().map(|span| (&*span.span_id, &*span.name)).collect();
    assert_eq!(names.len(), spans.len(), "each span has an id of its own");
    let parent = |span: &Received| names.get(&*span.parent).copied().unwrap_or("outside").to_owned();
    spans.iter().map(|span| (span.name.clone(), parent(span))).collect()
}

fn story() -> BTreeSet<(String, String)> {
    let root = ("POST /v1/orders", "outside");
    STORY.into_iter().chain([root]).map(|(name, parent)| (name.to_owned(), parent.to_owned())).collect()
}

async fn one_order_is_one_trace_and_each_reaction_follows_from_what_emitted_its_event(at: ShopLocation) {
    let collector = Collector::start();
    let traces = traces_to(&collector.endpoint);
    let shop = shop_with(at, &traces).await;
    let product = shop.product("123", 10).await;
    let order = place(&shop, &product, &traceparent(TRACE, "01")).await;
    shop.settle().await;
    assert_eq!(shop.order_now(&order.text("/order_id")).await.text("/status"), "paid");
    shop.stop().await;
    traces.stop().await;

    let spans = of_story(collector.trace(TRACE));
    assert_eq!(edges(&spans), story());
    let named = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    let request = named("POST /v1/orders");
    assert_eq!((request.kind, &*request.parent, &*request.process), (SpanKind::Server, CLIENT, "tradepost"));
    assert_eq!(request.attribute("tradepost.service"), "orders");
    assert_eq!(request.attribute("http.request.method"), "POST");
    assert_eq!(request.attribute("http.route"), "/v1/orders");
    assert_eq!(request.attribute("http.response.status_code"), "201");
    assert_eq!(request.attribute("tradepost.request_id"), order.headers["x-request-id"].to_str().unwrap());
    let reaction = named("inventory.on_order_placed");
    assert_eq!((reaction.kind, reaction.attribute("tradepost.service")), (SpanKind::Consumer, "inventory"));
    assert_eq!(reaction.attribute("messaging.system"), "embedded");
    assert_eq!(reaction.attribute("tradepost.event.type"), "orders.order_placed.v1");
    assert_eq!(reaction.attribute("tradepost.event.key"), order.text("/order_id"));
    assert_eq!((reaction.attribute("tradepost.outcome"), reaction.attribute("tradepost.attempts")), ("done", "1"));
    let charge = named("payments.charge");
    assert_eq!((charge.kind, charge.attribute("tradepost.outcome")), (SpanKind::Internal, "done"));
    let correlations: BTreeSet<&str> =
        spans.iter().filter_map(|span| span.attributes.get("tradepost.correlation_id")).map(|it| &**it).collect();
    assert_eq!(correlations.len(), 1, "all of it follows from one request");
    assert!(spans.iter().all(|span| !span.is_error), "{spans:?}");
}

async fn orders_that_are_handled_together_stay_in_their_own_traces(at: ShopLocation) {
    const ORDERS: u128 = 20;
    let collector = Collector::start();
    let traces = traces_to(&collector.endpoint);
    let shop = shop_with(at, &traces).await;
    // A product for each, for an event about a product belongs to the first order that changed it.
    let mut products = Vec::new();
    for number in 0..ORDERS {
        products.push(shop.product(&format!("sku-{number}"), 10).await);
    }
    let ids: Vec<String> = (1..=ORDERS).map(|number| format!("{number:032x}")).collect();
    let placed = products.iter().zip(&ids).map(async |(product, id)| {
        place(&shop, product, &traceparent(id, "01")).await;
    });
    futures_util::future::join_all(placed).await;
    shop.settle().await;
    shop.stop().await;
    traces.stop().await;

    let about_stock = |name: &str| name.ends_with(".on_inventory_updated");
    let own: BTreeSet<_> = story().into_iter().filter(|(name, _)| !about_stock(name)).collect();
    for id in &ids {
        let spans = of_story(collector.trace(id)).into_iter().filter(|span| !about_stock(&span.name));
        let spans: Vec<Received> = spans.collect();
        assert_eq!(edges(&spans), own, "of the order {id}");
        assert_eq!(spans.len(), own.len(), "each reaction is there once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_traceparent_begins_a_new_trace() {
    let collector = Collector::start();
    let traces = traces_to(&collector.endpoint);
    let shop = shop_with(ShopLocation::folder(), &traces).await;
    let product = shop.product("123", 10).await;
    place(&shop, &product, &traceparent(TRACE, "1")).await;
    shop.settle().await;
    shop.stop().await;
    traces.stop().await;

    assert_eq!(collector.trace(TRACE).len(), 0);
    let spans = collector.spans();
    let request = spans.iter().find(|span| span.name == "POST /v1/orders").unwrap();
    assert_eq!(request.parent, "", "it is the first of its trace");
    assert_eq!(edges(&of_story(collector.trace(&request.trace_id))), story());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_that_is_not_sampled_leaves_no_spans_and_is_handed_on() {
    let collector = Collector::start();
    let traces = traces_to(&collector.endpoint);
    let shop = shop_with(ShopLocation::folder(), &traces).await;
    let product = shop.product("123", 10).await;
    let order = place(&shop, &product, &traceparent(TRACE, "00")).await;
    shop.settle().await;
    assert_eq!(shop.order_now(&order.text("/order_id")).await.text("/status"), "paid");
    shop.stop().await;
    traces.stop().await;
    assert_eq!(collector.trace(TRACE).len(), 0);
    assert!(!collector.spans().iter().any(|span| span.name == "inventory.on_order_placed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn looks_at_the_process_begin_no_trace() {
    let collector = Collector::start();
    let traces = traces_to(&collector.endpoint);
    let shop = shop_with(ShopLocation::folder(), &traces).await;
    for path in ["/healthz", "/readyz", "/metrics"] {
        shop.get(path).await.expect(200);
    }
    shop.settle().await;
    shop.request(Method::GET, "/healthz").header("traceparent", &traceparent(TRACE, "01")).send().await.expect(200);
    shop.stop().await;
    traces.stop().await;
    let requests = collector.spans().into_iter().filter(|span| span.kind == SpanKind::Server);
    let named: Vec<(String, String)> = requests.map(|span| (span.name, span.trace_id)).collect();
    assert_eq!(named, [("GET /healthz".to_owned(), TRACE.to_owned())], "only the one whose client traces it");
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_go_on_while_the_collector_is_unreachable() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let traces = traces_to(&format!("http://{gone}"));
    let shop = shop_with(ShopLocation::folder(), &traces).await;
    let product = shop.product("123", 10).await;
    let order = place(&shop, &product, &traceparent(TRACE, "01")).await;
    shop.settle().await;
    assert_eq!(shop.order_now(&order.text("/order_id")).await.text("/status"), "paid");
    shop.stop().await;
    traces.stop().await;
}
