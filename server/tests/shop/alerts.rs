//! Alerts that several services have a part in: dead letters, stuck orders, and one mail of three instances.

use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use events::{CancellationRequested, Event, OrderId, OrderStuck};
use kernel::{Clock, Lane, SignedDuration, Uuid};
use serde_json::{Value, json};
use server::app::{self, App, Options};
use server::config;
use server::shop::Shop;
use service::Operator;
use test_servers::{Database, Vhost};
use testkit::{
    Call, Setup, ShopLocation, TestShop, emit, emit_about_an_unknown_order, on_each_broker, on_each_store, options_on,
    settings_at,
};

on_each_store! {
    dead_letters_have_an_alert_for_each_service_until_they_are_discarded,
}

on_each_broker! {
    a_dead_letter_of_a_service_ends_its_alert_when_it_is_discarded_and_what_waited_goes_on,
    an_order_of_which_shipping_does_not_answer_is_stuck_until_it_moves_on,
    what_is_redelivered_changes_no_alert,
}

/// The time between two looks for dead letters.
const LOOK: Duration = Duration::from_secs(10);
const MINUTE: Duration = Duration::from_mins(1);

/// A question of which shipping can read nothing: it is parked, and holds back what else orders says about its key.
#[derive(serde::Serialize, serde::Deserialize)]
struct MalformedRequest {
    key: Uuid,
}

impl Event for MalformedRequest {
    const TYPE: &'static str = CancellationRequested::TYPE;
    const SOURCE: &'static str = CancellationRequested::SOURCE;
    const LANE: Lane = CancellationRequested::LANE;

    fn key(&self) -> Uuid {
        self.key
    }
}

async fn alerts(shop: &TestShop, kind: &str) -> Vec<Value> {
    shop.get(&format!("/v1/alerts?kind={kind}")).await.expect(200).items()
}

/// The only alert of a kind.
async fn the_alert(shop: &TestShop, kind: &str) -> Value {
    let mut found = alerts(shop, kind).await;
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

async fn letters(shop: &TestShop) -> Vec<Value> {
    shop.get("/v1/dead-letters").await.expect(200).items()
}

/// The only dead letter of a service.
async fn letter_of(shop: &TestShop, consumer: &str) -> Value {
    let mut found = letters(shop).await;
    found.retain(|letter| letter["consumer"] == consumer);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

async fn decide(shop: &TestShop, letter: &Value, decision: &str) {
    let path = format!("/v1/dead-letters/{}/{decision}", letter["dead_letter_id"].as_str().unwrap());
    let answer = shop.request(Method::POST, &path).admin().send().await;
    assert!(answer.status.is_success(), "{}", answer.json());
    shop.settle().await;
}

async fn dead_letters_have_an_alert_for_each_service_until_they_are_discarded(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let [first, second] = [1, 2].map(|number| OrderId::from(Uuid::from_u128(number)));
    let shop = shop
        .restart_after(Setup::default(), async |store, clock| {
            emit_about_an_unknown_order(store, clock, first, 1, &["orders"]).await;
        })
        .await;
    shop.settle().await;
    assert!(alerts(&shop, "dead_letters").await.is_empty(), "nobody has looked yet");
    shop.advance(LOOK).await;
    let alert = the_alert(&shop, "dead_letters").await;
    assert_eq!((&alert["subject"], &alert["status"]), (&json!("orders"), &json!("open")));
    assert_eq!(alert["detail"], "1 dead letter, the newest of type payments.payment_captured.v1");
    shop.advance(LOOK).await;
    assert_eq!(the_alert(&shop, "dead_letters").await, alert, "looking again changes nothing");

    // Replayed in vain it is parked again, and another comes.
    decide(&shop, &letters(&shop).await[0], "replay").await;
    let shop = shop
        .restart_after(Setup::default(), async |store, clock| {
            emit_about_an_unknown_order(store, clock, second, 1, &["orders"]).await;
        })
        .await;
    shop.settle().await;
    shop.advance(LOOK).await;
    let more = the_alert(&shop, "dead_letters").await;
    assert_eq!((&more["alert_id"], &more["since"]), (&alert["alert_id"], &alert["since"]));
    assert_eq!(more["detail"], "2 dead letters, the newest of type payments.payment_captured.v1");
    let acknowledge = format!("/v1/alerts/{}/acknowledge", alert["alert_id"].as_str().unwrap());
    shop.post(&acknowledge, &Value::Null).await.expect(200);

    for letter in letters(&shop).await {
        decide(&shop, &letter, "discard").await;
    }
    shop.advance(LOOK).await;
    let resolved = the_alert(&shop, "dead_letters").await;
    assert_eq!((&resolved["status"], &resolved["acknowledged_by"]), (&json!("resolved"), &json!("automation")));
    shop.stop().await;
}

async fn a_dead_letter_of_a_service_ends_its_alert_when_it_is_discarded_and_what_waited_goes_on(place: ShopLocation) {
    let (shop, order_id) = cancelling_without_an_answer(TestShop::start_on(place).await).await;
    shop.advance(LOOK).await;
    assert_eq!(of_shipping(alerts(&shop, "dead_letters").await)["status"], "open");
    decide(&shop, &letter_of(&shop, "shipping").await, "discard").await;
    shop.advance(LOOK).await;
    assert_eq!(of_shipping(alerts(&shop, "dead_letters").await)["status"], "resolved");
    assert_eq!(shop.order_now(&order_id).await.text("/status"), "cancelled");
    shop.stop().await;
}

/// The alert about the dead letters of shipping: on RabbitMQ whoever reads what shipping can't read has one, too.
fn of_shipping(alerts: Vec<Value>) -> Value {
    alerts.into_iter().find(|alert| alert["subject"] == "shipping").expect("shipping has dead letters")
}

/// A paid order that is to be cancelled, and of which shipping learns nothing.
async fn cancelling_without_an_answer(shop: TestShop) -> (TestShop, String) {
    let product = shop.product("A", 100).await;
    let order_id = shop.order(&[(&product, 1)], Some("tok_ok")).await.text("/order_id");
    shop.settle().await;
    let obstacle = MalformedRequest { key: order_id.parse().unwrap() };
    let hold_back = async |store, clock| emit(store, clock, &[obstacle], &["shipping"]).await;
    let shop = shop.restart_after(Setup::default(), hold_back).await;
    shop.settle().await;
    let cancel = shop.request(Method::POST, &format!("/v1/orders/{order_id}/cancel")).admin().send().await;
    assert_eq!(cancel.expect(202).text("/status"), "cancelling");
    shop.settle().await;
    (shop, order_id)
}

async fn an_order_of_which_shipping_does_not_answer_is_stuck_until_it_moves_on(place: ShopLocation) {
    let (shop, order_id) = cancelling_without_an_answer(TestShop::start_on(place).await).await;
    let number = shop.order_now(&order_id).await.number("/number");
    shop.advance(9 * MINUTE).await;
    assert!(alerts(&shop, "order_stuck").await.is_empty());
    shop.advance(MINUTE).await;
    let alert = the_alert(&shop, "order_stuck").await;
    assert_eq!((&alert["subject"], &alert["since"]), (&json!(order_id), &json!("2026-01-01T12:00:00Z")));
    assert_eq!(alert["detail"], format!("order {number} is cancelling for too long"));
    let acknowledge = format!("/v1/alerts/{}/acknowledge", alert["alert_id"].as_str().unwrap());
    let acknowledged = shop.post(&acknowledge, &Value::Null).await.expect(200).json();
    assert_eq!(acknowledged["status"], "acknowledged");
    shop.advance(10 * MINUTE).await;
    assert_eq!(the_alert(&shop, "order_stuck").await, acknowledged);
    let reports = shop.get(&format!("/v1/events?type={}", OrderStuck::TYPE)).await.expect(200).items();
    assert_eq!(reports.len(), 1, "shipping was asked again, and that is reported once");

    decide(&shop, &letter_of(&shop, "shipping").await, "discard").await;
    assert_eq!(shop.order_now(&order_id).await.text("/status"), "cancelled");
    assert_eq!(the_alert(&shop, "order_stuck").await["status"], "resolved");
    shop.stop().await;
}

async fn what_is_redelivered_changes_no_alert(place: ShopLocation) {
    let services = testkit::unlimited().with(&admin::settings::ALERT_MAIL, "admin@shop.example");
    let shop = TestShop::start_on_with(place, Setup { services, ..Setup::default() }).await;
    let (low, stocked) = (shop.product("low", 3).await, shop.product("stocked", 3).await);
    let adjustment = json!({"delta": 9, "reason": "counted"});
    shop.post(&format!("/v1/stock/{stocked}/adjustments"), &adjustment).await.expect(201);
    shop.settle().await;
    shop.advance(15 * MINUTE).await;
    let before = shop.get("/v1/alerts").await.expect(200).items();
    let statuses: Vec<(&Value, &Value)> = before.iter().map(|alert| (&alert["subject"], &alert["status"])).collect();
    assert_eq!(statuses, [(&json!(stocked), &json!("resolved")), (&json!(low), &json!("open"))]);
    for service in ["catalog", "inventory", "admin"] {
        let since = json!({"service": service, "since": "2026-01-01T00:00:00Z"});
        shop.post("/v1/events/republish", &since).await.expect(200);
        shop.settle().await;
    }
    shop.advance(15 * MINUTE).await;
    assert_eq!(shop.get("/v1/alerts").await.expect(200).items(), before);
    let mails = shop.get("/v1/mail").await.expect(200).items();
    assert_eq!(mails.iter().filter(|mail| mail["template"] == "alerts").count(), 1);
    shop.stop().await;
}

/// Some services of a shop, in a process of their own but for the clock.
async fn start(settings: &config::Settings, services: &[&str], clock: Clock) -> App {
    let with_mail = testkit::unlimited().with(&admin::settings::ALERT_MAIL, "admin@shop.example");
    let setup = Setup { services: with_mail, ..Setup::default() };
    let options = options_on(settings, services.iter().copied(), setup);
    App::start(Options { clock, peers: settings.peers.clone(), ..options }).await.unwrap()
}

/// The services that have a part in a mail about stock.
const OF_ALL: [&str; 5] = ["catalog", "inventory", "notifications", "admin", "console"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_instances_send_one_mail_in_each_interval() {
    // Another test of this process may have installed it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (database, vhost) = (Database::create(), Vhost::create());
    let settings = settings_at(&Shop::tradepost(), &database.url(), &vhost.url());
    app::migrate(&Shop::tradepost(), &settings, |_| {}).await.unwrap();
    let (clock, hands) = Clock::mock("2026-01-01T12:00:00Z".parse().unwrap());
    let mut instances = Vec::new();
    for services in [&OF_ALL[..], &["admin"], &["admin"]] {
        instances.push(start(&settings, services, clock.clone()).await);
    }
    let operators: Arc<Vec<Operator>> =
        Arc::new(instances.iter().flat_map(|app| app.operators.iter().cloned()).collect());
    hands.on_advance(move || operators.iter().for_each(Operator::wake));
    let shop = instances[0].router.clone();
    let count = async |path: &str| Call::to(&shop, Method::GET, path).admin().send().await.expect(200).items().len();
    let until = async |path: &str, expected: usize| {
        let reached = async {
            while count(path).await != expected {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(MINUTE, reached).await.unwrap_or_else(|_| panic!("{path}: {expected}"));
    };
    let mut low = 0;
    for round in 1..=3 {
        for _ in 0..10 {
            low += 1;
            let price = json!({"amount": 100, "currency": "EUR"});
            let product = json!({"sku": format!("{low}"), "name": "a", "price": price, "stock": 3});
            Call::to(&shop, Method::POST, "/v1/products").admin().json(&product).send().await.expect(201);
        }
        until("/v1/alerts?limit=100", low).await;
        // All of their timers come due at once, and each instance leases some.
        hands.advance(SignedDuration::from_mins(15));
        until("/v1/mail", round).await;
        // Nobody is left who could send another.
        hands.advance(SignedDuration::from_mins(14));
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(count("/v1/events?type=AlertsRaised").await, round);
        assert_eq!(count("/v1/mail").await, round);
    }
    for instance in instances {
        instance.stop().await;
    }
}
