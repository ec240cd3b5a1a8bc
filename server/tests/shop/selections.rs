//! One handler for a selection of types, on RabbitMQ: the consumer is bound to what the selection names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::http::Method;
use events::{
    OrderPaid, OrderPlaced, PaymentCaptured, SigningKeyPublished, UserBanned, UserRolesChanged, UserUnbanned,
};
use kernel::{Envelope, Event};
use serde_json::{Value, json};
use server::app::{self, App};
use server::config;
use server::shop::Shop;
use service::storage::{Batch, Migrations};
use service::{Committed, Ctx, Delivery, Failure, Selection, Service};
use test_servers::{Database, Vhost};
use testkit::{Call, Setup, options_on, settings_at};

/// The deliveries that the handler got, each once.
type Seen = Arc<Mutex<Vec<(Envelope, Bytes)>>>;

async fn note(ctx: Ctx<Seen>, delivery: Delivery<Bytes>) -> Result<Committed, Failure> {
    let noted = (delivery.envelope.clone(), delivery.event.clone());
    let committed = ctx.commit(Batch::new(), delivery.cause()).await?;
    // After the commit: what is redelivered and known never comes here.
    ctx.state.lock().unwrap().push(noted);
    Ok(committed)
}

/// Tradepost, and a service that reacts to a selection.
fn shop(selection: Selection, seen: &Seen) -> Shop {
    const NOTHING: Migrations = Migrations { set: "listener", steps: &[] };
    let seen = seen.clone();
    Shop::tradepost()
        .service(9301, move |_| Service::new("listener", NOTHING, &[], seen.clone()).on_any(&selection, note))
}

/// All services in one process, on these servers.
async fn start(shop: Shop, settings: &config::Settings) -> App {
    let services: Vec<String> = shop.names().map(str::to_owned).collect();
    let setup = Setup { shop, ..Setup::default() };
    App::start(options_on(settings, services.iter().map(String::as_str), setup)).await.unwrap()
}

async fn send(app: &App, method: Method, path: &str, body: &Value) -> Value {
    let response = Call::to(&app.router, method, path).admin().json(body).send().await;
    assert!(response.status.is_success(), "{path}: {response:?}");
    response.json()
}

async fn sell(app: &App, sku: &str) -> Value {
    let product = json!({"sku": sku, "name": "a", "price": {"amount": 100, "currency": "EUR"}, "stock": 5});
    let product = send(app, Method::POST, "/v1/products", &product).await["product_id"].clone();
    settle(app).await;
    let lines = json!([{"product_id": product, "quantity": 1}]);
    let order = json!({"lines": lines, "email": "ada@example.com", "payment": {"token": "tok_ok"}});
    let order = send(app, Method::POST, "/v1/orders", &order).await["order_id"].clone();
    settle(app).await;
    order
}

async fn settle(app: &App) {
    send(app, Method::GET, testkit::SETTLED, &Value::Null).await;
}

/// The types of the deliveries so far, how often each came.
fn counted(seen: &Seen) -> BTreeMap<String, usize> {
    let mut counted = BTreeMap::new();
    for (envelope, _) in seen.lock().unwrap().iter() {
        *counted.entry(envelope.event_type.clone()).or_default() += 1;
    }
    counted
}

/// The types that a consumer's queues are bound to in a virtual host.
pub fn bound(vhost: &Vhost, consumer: &str) -> BTreeSet<&'static str> {
    let types: Vec<&str> = events::all().map(|event| event.event_type).collect();
    let listed: Vec<String> = types.iter().map(|event_type| format!("<<\"{event_type}.\">>")).collect();
    // A binding is a tuple of source, key, destination and arguments, and the name of a queue the last of its resource.
    let are_bound = vhost.eval(&format!(
        "[lists:any(fun(B) -> string:prefix(element(4, element(4, B)), <<\"tradepost.{consumer}.\">>) =/= nomatch \
             andalso string:prefix(element(3, B), T) =/= nomatch end, rabbit_binding:list(<<\"{}\">>)) || T <- [{}]]",
        vhost.name(),
        listed.join(", ")
    ));
    let are_bound: Vec<&str> = are_bound.split(',').collect();
    assert_eq!(are_bound.len(), types.len(), "{are_bound:?}");
    types.into_iter().zip(are_bound).filter(|(_, is_bound)| is_bound.contains("true")).map(|(name, _)| name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selection_is_bound_to_its_types_and_a_type_that_is_new_to_it_comes_with_its_history() {
    let (database, vhost) = (Database::create(), Vhost::create());
    let seen = Seen::default();
    let few = Selection::of::<OrderPlaced>().and(Selection::of::<PaymentCaptured>());
    let narrow = shop(few.clone(), &seen);
    let settings = settings_at(&narrow, &database.url(), &vhost.url());
    app::migrate(&narrow, &settings, |_| {}).await.unwrap();
    let app = start(narrow, &settings).await;
    let order = sell(&app, "123").await;
    app.stop().await;

    let (placed, captured, paid) = (OrderPlaced::TYPE, PaymentCaptured::TYPE, OrderPaid::TYPE);
    assert_eq!(counted(&seen), BTreeMap::from([(placed.to_owned(), 1), (captured.to_owned(), 1)]));
    {
        let seen = seen.lock().unwrap();
        let (envelope, body) = seen.iter().find(|(envelope, _)| envelope.event_type == placed).unwrap();
        assert_eq!((envelope.source.as_str(), json!(envelope.key)), ("orders", order.clone()));
        let event: OrderPlaced = serde_json::from_slice(body).unwrap();
        assert_eq!(json!(event.order_id), order, "the body is as it was sent");
    }

    // The selection of a later version names one type more.
    let wide = shop(few.and(Selection::of::<OrderPaid>()), &seen);
    app::migrate(&wide, &settings, |_| {}).await.unwrap();
    let of_all = [SigningKeyPublished::TYPE, UserBanned::TYPE, UserUnbanned::TYPE, UserRolesChanged::TYPE];
    assert_eq!(bound(&vhost, "listener"), BTreeSet::from([placed, captured, paid]).into_iter().chain(of_all).collect());
    let app = start(wide, &settings).await;
    settle(&app).await;
    assert_eq!(counted(&seen).get(paid), Some(&1), "the history of the new type, and nothing else again");
    assert_eq!(counted(&seen)[placed], 1);
    sell(&app, "456").await;
    app.stop().await;
    let all = [placed, captured, paid].map(|event_type| (event_type.to_owned(), 2));
    assert_eq!(counted(&seen), BTreeMap::from(all));
}
