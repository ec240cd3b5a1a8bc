//! Webhooks in a whole shop: each event arrives signed and in order, whatever its receiver does meanwhile.

mod on_demand;
mod receiver;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use events::{Event, SigningKeyPublished, WebhookDeleted, WebhookDisabled, WebhookEnabled};
use kernel::Timestamp;
use serde_json::{Value, json};
use service::setting::Values;
use testkit::{Setup, ShopLocation, TestShop, on_each_broker, on_each_store, unlimited};

use receiver::{Answer, Receiver};

on_each_store! {
    what_waits_when_the_shop_stops_is_sent_after_its_start,
    a_slow_endpoint_delays_no_other,
    a_key_waits_for_a_day_and_then_goes_on,
    for_a_day_after_a_rotation_both_secrets_sign,
    what_was_sent_is_sent_again_under_its_id,
    an_endpoint_that_fails_for_five_days_is_disabled_until_it_is_enabled,
    a_deleted_endpoint_leaves_nothing,
    a_test_arrives_at_once_and_is_tried_once,
    attempts_are_kept_for_thirty_days,
}

on_each_broker! {
    every_event_arrives_once_signed_and_in_order,
    whatever_a_receiver_does_each_event_arrives_once_and_in_order,
}

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// Steps by which a clock meets every attempt of a day.
const STEPS: [Duration; 7] = [
    Duration::from_secs(6),
    Duration::from_secs(36),
    Duration::from_secs(150),
    Duration::from_mins(13),
    Duration::from_mins(37),
    Duration::from_mins(73),
    Duration::from_hours(3),
];

fn settings(timeout: &str) -> Values {
    unlimited().with(&webhooks::settings::ALLOW_LOOPBACK, "true").with(&webhooks::settings::TIMEOUT, timeout)
}

async fn shop(place: ShopLocation) -> TestShop {
    TestShop::start_on_with(place, Setup { services: settings("1s"), ..Setup::default() }).await
}

struct Endpoint {
    id: String,
    secret: String,
}

impl Endpoint {
    async fn add(shop: &TestShop, receiver: &Receiver, event_types: &[&str]) -> Self {
        let body = json!({"url": receiver.url, "event_types": event_types});
        let made = shop.post("/v1/webhooks", &body).await.expect(201);
        Self { id: made.text("/webhook_id"), secret: made.text("/secret") }
    }

    fn path(&self, rest: &str) -> String {
        format!("/v1/webhooks/{}{rest}", self.id)
    }

    async fn attempts(&self, shop: &TestShop) -> Vec<Value> {
        shop.get(&self.path("/attempts?limit=100")).await.expect(200).items()
    }

    async fn now(&self, shop: &TestShop) -> Value {
        shop.get(&self.path("")).await.expect(200).json()
    }
}

/// Sells something, so that there are events of many services, some of them about one order.
async fn sell(shop: &TestShop, product: &str) -> String {
    let order_id = shop.order(&[(product, 1)], Some("tok_ok")).await.text("/order_id");
    shop.settle().await;
    shop.deliver(&order_id).await;
    order_id
}

/// The ids of all events since a time that are sent to others.
async fn emitted(shop: &TestShop, since: Timestamp) -> BTreeSet<String> {
    let (mut ids, mut cursor) = (BTreeSet::new(), String::new());
    loop {
        let page = shop.get(&format!("/v1/events?limit=100{cursor}")).await.expect(200);
        for event in page.items() {
            let (event_type, time) = (event["type"].as_str().unwrap(), event["time"].as_str().unwrap());
            let is_sent = event_type != SigningKeyPublished::TYPE && !event_type.starts_with("webhooks.");
            if is_sent && time.parse::<Timestamp>().unwrap() >= since {
                ids.insert(event["event_id"].as_str().unwrap().to_owned());
            }
        }
        match page.json()["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return ids,
        }
    }
}

fn ids(receiver: &Receiver) -> BTreeSet<String> {
    receiver.taken().into_iter().map(|message| message.id).collect()
}

async fn now(shop: &TestShop) -> Timestamp {
    let made =
        shop.post("/v1/suppliers", &json!({"name": "Clock", "email": "a@example.com", "lead_time_days": 1})).await;
    made.expect(201).text("/created_at").parse().unwrap()
}

async fn events_of(shop: &TestShop, event_type: &str) -> Vec<Value> {
    shop.get(&format!("/v1/events?type={event_type}")).await.expect(200).items()
}

async fn every_event_arrives_once_signed_and_in_order(place: ShopLocation) {
    let shop = shop(place).await;
    let product = shop.product("123", 10).await;
    shop.advance(SECOND).await;
    let receiver = Receiver::start().await;
    let all = Endpoint::add(&shop, &receiver, &["*"]).await;
    let some = Receiver::start().await;
    Endpoint::add(&shop, &some, &["shipping.*", "orders.order_placed.v1"]).await;
    let since = now(&shop).await;
    for _ in 0..3 {
        sell(&shop, &product).await;
    }
    shop.settle().await;

    let expected = emitted(&shop, since).await;
    assert!(expected.len() > 30, "{}", expected.len());
    assert_eq!(ids(&receiver), expected);
    receiver.is_complete_and_in_order();
    for message in receiver.taken() {
        assert!(message.is_signed_by(&all.secret), "{message:?}");
        assert_eq!((message.body["id"].as_str(), &message.body["specversion"]), (Some(&*message.id), &json!("1.0")));
        assert!(!message.text.contains("tok_ok"), "{}", message.text);
    }
    let types: BTreeSet<String> = some.taken().iter().map(receiver::Message::event_type).collect();
    let expected = ["orders.order_placed.v1", "shipping.shipment_delivered.v1", "shipping.shipment_dispatched.v1"];
    assert_eq!(types, expected.map(str::to_owned).into());
    let attempt = all.attempts(&shop).await.remove(0);
    assert_eq!((&attempt["delivered"], &attempt["response"]["status"]), (&json!(true), &json!(204)));
    assert!(attempt["request"]["headers"]["webhook-signature"].as_str().unwrap().starts_with("v1,"));
    assert!(!attempt.to_string().contains(&all.secret), "{attempt}");
    shop.stop().await;
}

async fn whatever_a_receiver_does_each_event_arrives_once_and_in_order(place: ShopLocation) {
    let shop = shop(place).await;
    let product = shop.product("123", 10).await;
    shop.advance(SECOND).await;
    let receiver = Receiver::start().await;
    let endpoint = Endpoint::add(&shop, &receiver, &["*"]).await;
    let since = now(&shop).await;
    use Answer::{ClosesEarly, Garbage, Hangs, Large, Redirects, Status, Taken};
    let answers = [Status(500), Hangs, Garbage, Taken, ClosesEarly, Redirects, Large, Status(429), Taken];
    receiver.answers(&answers);
    for _ in 0..2 {
        sell(&shop, &product).await;
    }
    for step in STEPS {
        if receiver.has_answered_all() {
            break;
        }
        shop.advance(step).await;
    }
    assert!(receiver.has_answered_all());
    // Down for more than an hour.
    receiver.answers(&[Status(503)]);
    assert!(STEPS[..6].iter().sum::<Duration>() > HOUR);
    for step in &STEPS[..6] {
        sell(&shop, &product).await;
        shop.advance(*step).await;
    }
    receiver.answers(&[Status(500), Taken]);
    for step in STEPS {
        shop.advance(step).await;
    }
    shop.advance(3 * HOUR).await;

    receiver.is_complete_and_in_order();
    assert_eq!(ids(&receiver), emitted(&shop, since).await);
    let errors: BTreeSet<String> = endpoint
        .attempts(&shop)
        .await
        .iter()
        .filter_map(|it| Some(it["error"].as_str()?.split(':').next()?.to_owned()))
        .collect();
    assert!(errors.contains("answered 503"), "{errors:?}");
    let kinds: BTreeSet<String> = receiver.messages().iter().map(|it| format!("{:?}", it.answer)).collect();
    assert!(answers.iter().all(|answer| kinds.contains(&format!("{answer:?}"))), "{kinds:?}");
    assert_eq!(endpoint.now(&shop).await["failing_since"], Value::Null, "a success ends it");
    shop.stop().await;
}

async fn what_waits_when_the_shop_stops_is_sent_after_its_start(place: ShopLocation) {
    let first = shop(place).await;
    let product = first.product("123", 10).await;
    first.advance(SECOND).await;
    let receiver = Receiver::start().await;
    Endpoint::add(&first, &receiver, &["*"]).await;
    let since = now(&first).await;
    receiver.answers(&[Answer::Status(503)]);
    sell(&first, &product).await;
    assert!(ids(&receiver).len() + 8 < emitted(&first, since).await.len(), "the rest waits");
    let shop = first.restart(Setup { services: settings("1s"), ..Setup::default() }).await;
    receiver.answers(&[Answer::Taken]);
    for step in &STEPS[..4] {
        shop.advance(*step).await;
    }
    receiver.is_complete_and_in_order();
    assert_eq!(ids(&receiver), emitted(&shop, since).await);

    // Without the setting nothing is sent to this machine.
    let shop = shop.restart(Setup { services: unlimited(), ..Setup::default() }).await;
    let sent = receiver.messages().len();
    sell(&shop, &product).await;
    assert_eq!(receiver.messages().len(), sent);
    let endpoints = shop.get("/v1/webhooks").await.expect(200).items();
    let path = format!("/v1/webhooks/{}/attempts", endpoints[0]["webhook_id"].as_str().unwrap());
    let error = shop.get(&path).await.expect(200).text("/items/0/error");
    assert!(error.ends_with("is not a public address: nothing is sent there"), "{error}");
    shop.stop().await;
}

async fn a_slow_endpoint_delays_no_other(place: ShopLocation) {
    let shop = TestShop::start_on_with(place, Setup { services: settings("20s"), ..Setup::default() }).await;
    let (slow, fast) = (Receiver::start().await, Receiver::start().await);
    slow.answers(&[Answer::Slow]);
    Endpoint::add(&shop, &slow, &["suppliers.*"]).await;
    Endpoint::add(&shop, &fast, &["suppliers.*"]).await;
    let began = Instant::now();
    let many = 32;
    for _ in 0..many {
        now(&shop).await;
    }
    while fast.taken().len() < many {
        assert!(began.elapsed() < 10 * SECOND, "{} arrived at the fast endpoint", fast.taken().len());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let behind = slow.messages().len();
    assert!(behind < many, "the slow endpoint is behind, not the fast one");
    shop.settle().await;
    assert_eq!(slow.taken().len(), many);
    assert!((2..=8).contains(&slow.in_flight_max()), "{}", slow.in_flight_max());
    shop.stop().await;
}

async fn a_key_waits_for_a_day_and_then_goes_on(place: ShopLocation) {
    let shop = shop(place).await;
    let product = shop.product("123", 10).await;
    let receiver = Receiver::start().await;
    let endpoint = Endpoint::add(&shop, &receiver, &["orders.*"]).await;
    receiver.answers(&[Answer::Status(503)]);
    sell(&shop, &product).await;
    let first = receiver.messages()[0].id.clone();
    let only_first = |receiver: &Receiver| receiver.messages().iter().all(|it| it.id == first);
    for step in STEPS {
        shop.advance(step).await;
        assert!(only_first(&receiver), "the next event of the order waits");
    }
    let tried = receiver.messages().len();
    assert_eq!(tried, 1 + STEPS.len(), "each wait is over within its step");
    receiver.answers(&[Answer::Status(503), Answer::Taken]);
    shop.advance(DAY).await;
    assert!(receiver.messages().len() > tried + 2);
    assert!(receiver.taken().iter().all(|it| it.id != first));
    receiver.is_complete_and_in_order();
    let attempts = endpoint.attempts(&shop).await;
    let failed = attempts.iter().find(|it| it["event_id"] == first.as_str()).unwrap();
    assert_eq!((&failed["delivery_status"], &failed["next_attempt_at"]), (&json!("failed"), &Value::Null));
    shop.stop().await;
}

async fn for_a_day_after_a_rotation_both_secrets_sign(place: ShopLocation) {
    let shop = shop(place).await;
    let receiver = Receiver::start().await;
    let endpoint = Endpoint::add(&shop, &receiver, &["suppliers.*"]).await;
    let rotated = shop.post(&endpoint.path("/rotate-secret"), &Value::Null).await.expect(200);
    let new = rotated.text("/secret");
    let sent = async |by_new: bool, by_old: bool| {
        receiver.forget();
        now(&shop).await;
        shop.settle().await;
        let message = receiver.taken().remove(0);
        assert_eq!((message.is_signed_by(&new), message.is_signed_by(&endpoint.secret)), (by_new, by_old));
        message.signatures.len()
    };
    assert_eq!(sent(true, true).await, 2);
    shop.advance(23 * HOUR).await;
    assert_eq!(sent(true, true).await, 2);
    shop.advance(HOUR).await;
    assert_eq!(sent(true, false).await, 1);
    let shown = [endpoint.now(&shop).await.to_string(), json!(endpoint.attempts(&shop).await).to_string()].concat();
    assert!(!shown.contains(&new) && !shown.contains(&endpoint.secret), "a secret is shown once");
    shop.stop().await;
}

async fn what_was_sent_is_sent_again_under_its_id(place: ShopLocation) {
    let shop = shop(place).await;
    let product = shop.product("123", 10).await;
    let receiver = Receiver::start().await;
    let endpoint = Endpoint::add(&shop, &receiver, &["orders.*"]).await;
    sell(&shop, &product).await;
    let early = receiver.taken();
    shop.advance(HOUR).await;
    let since = now(&shop).await;
    receiver.forget();
    sell(&shop, &product).await;
    let late = receiver.taken();
    assert!(early.len() >= 4 && late.len() == early.len());

    receiver.forget();
    let newest = endpoint.attempts(&shop).await.remove(0);
    let path = endpoint.path(&format!("/attempts/{}/resend", newest["attempt_id"].as_str().unwrap()));
    let resent = shop.post(&path, &Value::Null).await.expect(202);
    shop.settle().await;
    let again = receiver.taken();
    assert_eq!(again.len(), 1);
    assert_eq!((&again[0].id, &again[0].text), (&resent.text("/event_id"), &late.last().unwrap().text));
    assert!(again[0].is_signed_by(&endpoint.secret));

    receiver.forget();
    shop.post(&endpoint.path("/resend"), &json!({"since": since})).await.expect(202);
    shop.settle().await;
    let sent = |messages: &[receiver::Message]| messages.iter().map(|it| it.id.clone()).collect::<Vec<_>>();
    assert_eq!(sent(&receiver.taken()), sent(&late), "those since then, in their order");
    receiver.forget();
    shop.post(&endpoint.path("/resend"), &json!({"since": "2025-12-31T00:00:00Z"})).await.expect(202);
    shop.settle().await;
    receiver.is_complete_and_in_order();
    assert_eq!(receiver.taken().len(), early.len() + late.len());

    // Nothing is sent that waits for its next attempt, nor to a disabled endpoint.
    receiver.answers(&[Answer::Status(503)]);
    sell(&shop, &product).await;
    let newest = endpoint.attempts(&shop).await.remove(0);
    let path = endpoint.path(&format!("/attempts/{}/resend", newest["attempt_id"].as_str().unwrap()));
    assert_eq!(shop.post(&path, &Value::Null).await.expect(409).text("/code"), "still_queued");
    shop.patch(&endpoint.path(""), &json!({"enabled": false})).await.expect(200);
    let refused = shop.post(&endpoint.path("/resend"), &json!({"since": since})).await.expect(409);
    assert_eq!(refused.text("/code"), "webhook_disabled");
    shop.stop().await;
}

async fn an_endpoint_that_fails_for_five_days_is_disabled_until_it_is_enabled(place: ShopLocation) {
    let shop = shop(place).await;
    let receiver = Receiver::start().await;
    let endpoint = Endpoint::add(&shop, &receiver, &["suppliers.*"]).await;
    receiver.answers(&[Answer::Status(503)]);
    let since = now(&shop).await;
    shop.settle().await;
    for _ in 0..4 {
        shop.advance(DAY).await;
        now(&shop).await;
        shop.settle().await;
    }
    assert_eq!(endpoint.now(&shop).await["enabled"], true);
    assert!(events_of(&shop, WebhookDisabled::TYPE).await.is_empty());
    shop.advance(DAY).await;
    let disabled = endpoint.now(&shop).await;
    assert_eq!((&disabled["enabled"], &disabled["disabled_reason"]), (&json!(false), &json!("answered 503")));
    let events = events_of(&shop, WebhookDisabled::TYPE).await;
    assert_eq!(events.len(), 1);
    let data = &events[0]["data"];
    assert_eq!((&data["url"], &data["reason"]), (&json!(receiver.url), &json!("answered 503")));
    assert_eq!(data["since"].as_str().unwrap().parse::<Timestamp>().unwrap(), since);

    receiver.answers(&[Answer::Taken]);
    receiver.forget();
    now(&shop).await;
    shop.settle().await;
    shop.advance(DAY).await;
    assert!(receiver.messages().is_empty(), "nothing is sent to a disabled endpoint");
    shop.patch(&endpoint.path(""), &json!({"enabled": true})).await.expect(200);
    let enabled = events_of(&shop, WebhookEnabled::TYPE).await;
    assert_eq!((enabled.len(), &enabled[0]["data"]["webhook_id"]), (1, &Value::Null));
    assert_eq!(enabled[0]["data"]["endpoint_id"], endpoint.id.as_str());
    now(&shop).await;
    shop.settle().await;
    assert_eq!(receiver.taken().len(), 1, "only the events since then");
    shop.stop().await;
}

async fn a_deleted_endpoint_leaves_nothing(place: ShopLocation) {
    let shop = shop(place).await;
    let receiver = Receiver::start().await;
    let endpoint = Endpoint::add(&shop, &receiver, &["suppliers.*"]).await;
    receiver.answers(&[Answer::Status(503)]);
    now(&shop).await;
    shop.settle().await;
    let attempt = endpoint.attempts(&shop).await.remove(0)["attempt_id"].as_str().unwrap().to_owned();
    shop.delete(&endpoint.path("")).await.expect(204);
    shop.settle().await;
    let tried = receiver.messages().len();
    shop.advance(DAY).await;
    now(&shop).await;
    shop.settle().await;
    assert_eq!(receiver.messages().len(), tried);
    for path in ["", "/attempts"] {
        shop.get(&endpoint.path(path)).await.expect(404);
    }
    shop.post(&endpoint.path(&format!("/attempts/{attempt}/resend")), &Value::Null).await.expect(404);
    assert_eq!(events_of(&shop, WebhookDeleted::TYPE).await[0]["data"]["url"], receiver.url.as_str());
    shop.stop().await;
}

async fn a_test_arrives_at_once_and_is_tried_once(place: ShopLocation) {
    let shop = shop(place).await;
    let receiver = Receiver::start().await;
    let endpoint = Endpoint::add(&shop, &receiver, &["orders.*"]).await;
    let test = shop.post(&endpoint.path("/test"), &Value::Null).await.expect(202);
    shop.settle().await;
    let message = receiver.taken().remove(0);
    assert_eq!((message.id.clone(), message.event_type()), (test.text("/event_id"), "webhooks.test.v1".to_owned()));
    assert!(message.is_signed_by(&endpoint.secret));

    receiver.answers(&[Answer::Status(500)]);
    shop.patch(&endpoint.path(""), &json!({"enabled": false})).await.expect(200);
    shop.post(&endpoint.path("/test"), &Value::Null).await.expect(202);
    shop.settle().await;
    shop.advance(DAY).await;
    assert_eq!(receiver.messages().len(), 2, "a disabled endpoint is tested too, once");
    assert_eq!(endpoint.attempts(&shop).await[0]["delivery_status"], "failed");
    shop.stop().await;
}

async fn attempts_are_kept_for_thirty_days(place: ShopLocation) {
    let shop = shop(place).await;
    let receiver = Receiver::start().await;
    let endpoint = Endpoint::add(&shop, &receiver, &["suppliers.*"]).await;
    now(&shop).await;
    shop.settle().await;
    shop.advance(29 * DAY).await;
    now(&shop).await;
    shop.settle().await;
    assert_eq!(endpoint.attempts(&shop).await.len(), 2);
    shop.advance(DAY).await;
    assert_eq!(endpoint.attempts(&shop).await.len(), 1);
    shop.stop().await;
}
