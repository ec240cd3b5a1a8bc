//! Messages that a broker loses: each of an order's flow once, and each pair. The clock mends some of it and republished
//! events the rest, so that every order ends and its books balance.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::Method;
use bus::{Broker, Destination, Embedded, Message, PublishResult, Publishing};
use events::{
    CancellationRequested, InventoryUpdated, OrderCancelled, OrderPaid, OrderPlaced, OrderUpdated, PaymentCaptured,
    PaymentRefunded, PaymentRequested, ShipmentDelivered, ShipmentDispatched, ShipmentStopped, StockReserved,
};
use futures_util::FutureExt;
use futures_util::future::{self, BoxFuture, join_all};
use kernel::{Event, EventId, Uuid};
use serde_json::{Value, json};
use server::shop::Shop;
use testkit::{BrokerVariant, Setup, TestResponse, TestShop};

/// Longer than any timer of an order: a reservation ends after a quarter of an hour, and shipping is asked again after
/// ten minutes.
const PAST_EVERY_TIMER: Duration = Duration::from_mins(20);

/// Messages of an order that are lost at the most.
const LOST_MAX: usize = 2;

/// Units of each product, all of which are ordered.
const UNITS: i64 = 2;

/// Units that come back, and the money that goes back with them.
const RETURNED: i64 = 1;
const REFUNDED: i64 = 700;

const PRICE: i64 = 1_000;

/// The events up to the payment. If one of them is lost, the order expires.
const TO_BE_PAID: [&str; 4] = [OrderPlaced::TYPE, StockReserved::TYPE, PaymentRequested::TYPE, PaymentCaptured::TYPE];

/// The events after it: of an order that arrives and comes back in part, and of one that is cancelled.
const DELIVERED: [&str; 6] = [
    OrderPaid::TYPE,
    ShipmentDispatched::TYPE,
    ShipmentDelivered::TYPE,
    PaymentRefunded::TYPE,
    OrderUpdated::TYPE,
    InventoryUpdated::TYPE,
];
const CANCELLED: [&str; 6] = [
    OrderPaid::TYPE,
    CancellationRequested::TYPE,
    ShipmentStopped::TYPE,
    OrderCancelled::TYPE,
    PaymentRefunded::TYPE,
    InventoryUpdated::TYPE,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_of_which_messages_are_lost_is_delivered_or_ends_unpaid() {
    let run = Run::begin(Flow::Delivered).await;
    run.follow().await;
    run.advance_past_timers().await;
    run.mend().await;
    for case in &run.cases {
        case.check(&run.shop).await;
    }
    run.expect_no_dead_letters().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_of_which_messages_are_lost_is_cancelled_after_its_payment_or_ends_unpaid() {
    let run = Run::begin(Flow::Cancelled).await;
    run.follow().await;
    run.advance_past_timers().await;
    let answers = [CancellationRequested::TYPE, ShipmentStopped::TYPE];
    for case in run.cases.iter().filter(|case| case.lost.iter().all(|lost| answers.contains(lost))) {
        // Shipping was asked again.
        case.check(&run.shop).await;
    }
    run.mend().await;
    for case in &run.cases {
        case.check(&run.shop).await;
    }
    run.expect_no_dead_letters().await;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Delivered,
    Cancelled,
}

impl Flow {
    /// The types of its events.
    fn types(self) -> Vec<&'static str> {
        let after = match self {
            Self::Delivered => DELIVERED,
            Self::Cancelled => CANCELLED,
        };
        [&TO_BE_PAID[..], &after[..]].concat()
    }

    /// Losses of nothing, of each type, and of each pair of types.
    fn losses(self) -> Vec<Vec<&'static str>> {
        let types = self.types();
        let pairs = (0..types.len()).flat_map(|at| (0..at).map(move |other| (other, at)));
        let pairs = pairs.map(|(one, other)| vec![types[one], types[other]]);
        [Vec::new()].into_iter().chain(types.iter().map(|one| vec![*one])).chain(pairs).collect()
    }
}

/// An order, and the types of which its first message is lost.
struct Case {
    flow: Flow,
    lost: Vec<&'static str>,
    product_id: String,
    order_id: String,
}

/// All orders of a flow, in one shop.
struct Run {
    shop: TestShop,
    cases: Vec<Case>,
    losing: Arc<Mutex<Losses>>,
}

impl Run {
    async fn begin(flow: Flow) -> Self {
        let losing = Arc::new(Mutex::new(Losses { of_orders: flow.losses(), ..Losses::default() }));
        let shop = TestShop::start_with(Setup::on_broker(Losing(losing.clone()))).await;
        let made = (0..flow.losses().len()).map(|n| {
            let price = json!({"amount": PRICE, "currency": "EUR"});
            let product = json!({"sku": format!("sku-{n}"), "name": "Thing", "price": price, "stock": UNITS});
            let shop = &shop;
            async move { shop.post("/v1/products", &product).await.expect(201).text("/product_id") }
        });
        let products = join_all(made).await;
        shop.settle().await;
        let placed = (0..).zip(&products).map(|(n, product)| place(&shop, n, product));
        let placed = join_all(placed).await;
        shop.settle().await;
        let cases = flow.losses().into_iter().zip(products.into_iter().zip(placed));
        let cases = cases.map(|(lost, (product_id, order_id))| Case { flow, lost, product_id, order_id }).collect();
        Self { shop, cases, losing }
    }

    /// Takes every order as many steps on as are possible.
    async fn follow(&self) {
        for step in [Case::cancel_or_dispatch, Case::deliver, Case::refund] {
            for case in &self.cases {
                step(case, &self.shop).await;
            }
            self.shop.settle().await;
        }
    }

    async fn advance_past_timers(&self) {
        // A second time, for the message that is lost may be one that a timer sends again.
        for _ in 0..LOST_MAX {
            self.shop.advance(PAST_EVERY_TIMER).await;
        }
    }

    /// Brings back what was lost, as an operator does. Steps that become possible lose the next message, so it is done
    /// again.
    async fn mend(&self) {
        for _ in 0..=LOST_MAX {
            self.republish().await;
            self.advance_past_timers().await;
            self.follow().await;
        }
        let losses = self.losing.lock().unwrap();
        for case in self.cases.iter().filter(|case| case.is_paid()) {
            let left = [&case.order_id, &case.product_id].map(|key| &losses.due[&key.parse().unwrap()]);
            assert!(left.iter().all(|types| types.is_empty()), "never sent, so not lost: {left:?}");
        }
    }

    async fn republish(&self) {
        for service in Shop::tradepost().services() {
            let mut body = json!({"service": service, "since": "2026-01-01T00:00:00Z"});
            loop {
                let step = self.shop.post("/v1/events/republish", &body).await.expect(200).json();
                if step["next"].is_null() {
                    break;
                }
                body["after"] = step["next"].clone();
            }
        }
        self.shop.settle().await;
    }

    async fn expect_no_dead_letters(&self) {
        let letters = self.shop.get("/v1/dead-letters").await.expect(200).items();
        assert!(letters.is_empty(), "{letters:#?}");
        let untouched = &self.cases[0];
        let story = self.shop.get(&format!("/v1/orders/{}/events", untouched.order_id)).await.expect(200).items();
        let story: BTreeSet<&str> = story.iter().map(|event| event["type"].as_str().unwrap()).collect();
        // Its key is the product's.
        let expected: BTreeSet<&str> =
            untouched.flow.types().into_iter().filter(|it| *it != InventoryUpdated::TYPE).collect();
        assert_eq!(story, expected, "each type of the flow is lost in some case");
    }
}

async fn place(shop: &TestShop, n: usize, product: &str) -> String {
    let ship_to = json!({"name": "Ada", "street": "12 St James's Square", "city": "London", "country": "GB"});
    let lines = json!([{"product_id": product, "quantity": UNITS}]);
    let order = json!({"lines": lines, "email": email(n), "ship_to": ship_to, "payment": {"token": "tok_ok"}});
    let placed = shop.request(Method::POST, "/v1/orders").json(&order).send().await.expect(201);
    placed.text("/order_id")
}

fn email(n: usize) -> String {
    format!("case-{n}@example.com")
}

fn case_of(email: &str) -> Option<usize> {
    email.strip_prefix("case-")?.strip_suffix("@example.com")?.parse().ok()
}

impl Case {
    fn is_paid(&self) -> bool {
        !self.lost.iter().any(|lost| TO_BE_PAID.contains(lost))
    }

    async fn shipments(&self, shop: &TestShop) -> Vec<Value> {
        shop.get(&format!("/v1/shipments?order_id={}", self.order_id)).await.expect(200).items()
    }

    async fn payments(&self, shop: &TestShop) -> Vec<Value> {
        shop.get(&format!("/v1/payments?order_id={}", self.order_id)).await.expect(200).items()
    }

    fn cancel_or_dispatch<'a>(&'a self, shop: &'a TestShop) -> BoxFuture<'a, ()> {
        async move {
            if self.flow == Flow::Cancelled {
                if shop.order_now(&self.order_id).await.text("/status") == "paid" {
                    shop.post(&format!("/v1/orders/{}/cancel", self.order_id), &json!({})).await.expect(202);
                }
                return;
            }
            for shipment in self.shipments(shop).await.iter().filter(|it| it["status"] == "pending") {
                let departure = json!({"carrier": "DHL", "tracking_number": "00340434161094042557"});
                self.ship(shop, shipment, "dispatch", &departure).await;
            }
        }
        .boxed()
    }

    fn deliver<'a>(&'a self, shop: &'a TestShop) -> BoxFuture<'a, ()> {
        async move {
            for shipment in self.shipments(shop).await.iter().filter(|it| it["status"] == "dispatched") {
                self.ship(shop, shipment, "deliver", &Value::Null).await;
            }
        }
        .boxed()
    }

    async fn ship(&self, shop: &TestShop, shipment: &Value, verb: &str, body: &Value) {
        let id = shipment["shipment_id"].as_str().unwrap();
        let request = shop.request(Method::POST, &format!("/v1/shipments/{id}/{verb}")).admin();
        let request = if body.is_null() { request } else { request.json(body) };
        request.send().await.expect(200);
    }

    /// Part of what was delivered comes back, and its money goes back.
    fn refund<'a>(&'a self, shop: &'a TestShop) -> BoxFuture<'a, ()> {
        async move {
            let has_arrived = self.shipments(shop).await.iter().any(|it| it["status"] == "delivered");
            let payments = self.payments(shop).await;
            let captured = payments.iter().find(|it| it["status"] == "captured" && it["refunds"] == json!([]));
            let Some(payment) = captured.filter(|_| has_arrived) else { return };
            let restock = json!([{"product_id": self.product_id, "quantity": RETURNED}]);
            let amount = json!({"amount": REFUNDED, "currency": "EUR"});
            let path = format!("/v1/payments/{}/refund", payment["payment_id"].as_str().unwrap());
            shop.post(&path, &json!({"amount": amount, "restock": restock})).await.expect(202);
        }
        .boxed()
    }

    /// The order is at its end, and its units, money and mails are what that end asks for.
    async fn check(&self, shop: &TestShop) {
        let order = shop.order_now(&self.order_id).await;
        let is_kept = self.is_paid() && self.flow == Flow::Delivered;
        let (status, reason, mails): (_, _, &[&str]) = match (self.is_paid(), self.flow) {
            (false, _) => ("cancelled", json!("expired"), &["cancelled"]),
            (true, Flow::Cancelled) => ("cancelled", json!("cancelled"), &["cancelled", "confirmation"]),
            (true, Flow::Delivered) => {
                ("delivered", Value::Null, &["confirmation", "delivered", "dispatched", "refunded"])
            }
        };
        let lost = &self.lost;
        assert_eq!((order.text("/status").as_str(), &order.json()["reason"]), (status, &reason), "without {lost:?}");

        let on_hand = if is_kept { RETURNED } else { UNITS };
        assert_eq!(shop.stock(&self.product_id).await, (on_hand, 0), "without {lost:?}");
        let product = shop.get(&format!("/v1/products/{}", self.product_id)).await.expect(200);
        assert_eq!(product.json()["in_stock"], json!(on_hand > 0), "without {lost:?}");

        let payments = self.payments(shop).await;
        let sum = |side: &str| -> i64 { payments.iter().map(|it| it[side]["amount"].as_i64().unwrap()).sum() };
        let kept = if is_kept { UNITS * PRICE - REFUNDED } else { 0 };
        assert_eq!(sum("captured") - sum("refunded"), kept, "without {lost:?}: {payments:?}");
        let pending = payments.iter().flat_map(|it| it["refunds"].as_array().unwrap());
        assert_eq!(pending.filter(|it| it["status"] != "succeeded").count(), 0, "without {lost:?}: {payments:?}");
        if self.is_paid() {
            let shown = ["captured", "refunded"].map(|side| order.number(&format!("/payment/{side}/amount")));
            assert_eq!(shown, [sum("captured"), sum("refunded")], "the order shows its money, without {lost:?}");
        }
        let shipments = self.shipments(shop).await;
        let expected = if is_kept { "delivered" } else { "stopped" };
        assert!(shipments.iter().all(|it| it["status"] == expected), "without {lost:?}: {shipments:?}");
        assert_eq!(self.mails(shop).await, mails, "without {lost:?}");
    }

    async fn mails(&self, shop: &TestShop) -> Vec<String> {
        let mails: TestResponse = shop.get(&format!("/v1/mail?order_id={}", self.order_id)).await.expect(200);
        let mut templates: Vec<String> =
            mails.items().iter().map(|mail| mail["template"].as_str().unwrap().to_owned()).collect();
        templates.sort();
        templates
    }
}

/// The messages that are to be lost, and those that were.
#[derive(Debug, Default)]
struct Losses {
    /// The types of each order, by the number in its e-mail address.
    of_orders: Vec<Vec<&'static str>>,
    /// Orders whose first message was seen.
    known: HashSet<Uuid>,
    /// Types of which the next message is lost, by key.
    due: HashMap<Uuid, Vec<&'static str>>,
    lost: HashSet<EventId>,
    /// The destinations that have lost it: what is sent again arrives.
    at: HashSet<(EventId, Destination)>,
}

impl Losses {
    fn take(&mut self, destination: &Destination, message: &Message) -> bool {
        let envelope = &message.envelope;
        if envelope.event_type == OrderPlaced::TYPE && self.known.insert(envelope.key) {
            self.meet(&message.body);
        }
        let due = self.due.get_mut(&envelope.key);
        if let Some(due) = due
            && let Some(at) = due.iter().position(|event_type| *event_type == envelope.event_type)
        {
            due.swap_remove(at);
            self.lost.insert(envelope.id);
        }
        self.lost.contains(&envelope.id) && self.at.insert((envelope.id, destination.clone()))
    }

    /// The first message of an order names the case, and the product whose stock it changes.
    fn meet(&mut self, body: &[u8]) {
        let order: OrderPlaced = serde_json::from_slice(body).unwrap();
        let losses = self.of_orders[case_of(&order.email).unwrap()].iter().copied();
        let (of_product, of_order) = losses.partition(|it| *it == InventoryUpdated::TYPE);
        self.due.insert(order.lines[0].product_id.into(), of_product);
        self.due.insert(order.order_id.into(), of_order);
    }
}

/// Says that a message is stored, and has lost it.
#[derive(Debug)]
struct Losing(Arc<Mutex<Losses>>);

impl BrokerVariant for Losing {
    fn publish(&self, embedded: &Embedded, destination: &Destination, message: Message) -> Publishing {
        if self.0.lock().unwrap().take(destination, &message) {
            return future::ready(PublishResult::Stored).boxed();
        }
        embedded.publish(destination, message)
    }
}
