//! Every number of analytics is what the archives say: recomputed here in the most simple way, after redeliveries, after
//! a rebuild, and while events go on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use axum::http::Method;
use kernel::{TimeZone, Timestamp};
use serde_json::{Value, json};
use server::app;
use server::config::{self, Environment};
use server::shop::Shop;
use testkit::{Customer, Setup, ShopLocation, TestShop, on_each_store, unlimited};

on_each_store! {
    every_number_is_what_the_archives_say,
}

const ZONE: &str = "America/New_York";

/// The type to which every service has a reaction of its own, so that analytics gets none of it.
const OF_THE_MACHINERY: &str = "users.signing_key_published.v1";

fn setup() -> Setup {
    Setup { services: unlimited().with(&::analytics::settings::TIME_ZONE, ZONE), ..Setup::default() }
}

async fn every_number_is_what_the_archives_say(place: ShopLocation) {
    let loaded = config::load(&Shop::tradepost(), &place.flags(), None, &Environment::default()).unwrap();
    let settings = config::Settings { services: setup().services, ..loaded.settings };
    // Half past seven in the evening in New York: an order of the evening is of another day in UTC.
    let shop = TestShop::start_at("2026-03-08T00:30:00Z", place, setup()).await;
    let products = [shop.product("laptop", 50).await, shop.product("mouse", 50).await, shop.product("desk", 2).await];
    let ada = Customer::sign_up(&shop, "ada").await;
    live(&shop, &products, Some(&ada)).await;
    check(&shop).await;
    for hours in [9, 11, 30] {
        shop.advance(Duration::from_hours(hours)).await;
        live(&shop, &products, None).await;
    }
    check(&shop).await;

    // Redelivered, all of it counts no second time.
    let before = answers(&shop).await;
    let mut sent = 0;
    for service in Shop::tradepost().services() {
        let since = json!({"service": service, "since": "2026-03-08T00:00:00Z"});
        let step = shop.post("/v1/events/republish", &since).await.expect(200);
        assert_eq!(step.json()["next"], json!(null), "one step sends all");
        sent += step.number("/events");
    }
    shop.settle().await;
    assert!(sent > 100, "{sent}");
    let metrics = String::from_utf8(shop.get("/metrics").await.expect(200).body.to_vec()).unwrap();
    let dropped = "consumer=\"analytics\",type=\"orders.order_paid.v1\",outcome=\"duplicate\"}";
    assert!(metrics.contains(dropped), "they were redelivered and known");
    assert_eq!(answers(&shop).await, before);

    // Nobody waits until these are delivered: they are in outboxes, in queues, or handled.
    for _ in 0..5 {
        shop.order(&[(&products[1], 1)], Some("tok_ok")).await;
    }
    let rebuild = async |_, _| {
        let mut seen = Vec::new();
        let rebuilt = app::rebuild(&Shop::tradepost(), &settings, "analytics", |progress| seen.push(progress)).await;
        let rebuilt = rebuilt.unwrap();
        assert!(rebuilt.events > 100 && rebuilt.parked == 0, "{rebuilt:?}");
        let done = app::RebuildProgress::Handled { done: rebuilt.events, of: rebuilt.events };
        assert_eq!(seen.last(), Some(&done));
    };
    let shop = shop.restart_after(setup(), rebuild).await;
    live(&shop, &products, None).await;
    check(&shop).await;
    assert!(shop.get("/v1/dead-letters?consumer=analytics").await.expect(200).items().is_empty());
    shop.stop().await;
}

/// Orders of every kind: paid, refunded in part and in full, cancelled, declined, rejected, delivered and reviewed.
async fn live(shop: &TestShop, products: &[String; 3], customer: Option<&Customer>) {
    let [laptop, mouse, desk] = products;
    let place = async |lines: &[(&str, i64)], token| shop.order(lines, token).await.text("/order_id");
    let arrives = place(&[(laptop, 2), (mouse, 3)], Some("tok_ok")).await;
    let sent_back = place(&[(mouse, 2)], Some("tok_ok")).await;
    let cancelled = place(&[(laptop, 1)], Some("tok_ok")).await;
    let unpaid = place(&[(mouse, 1)], None).await;
    place(&[(mouse, 1)], Some("tok_declined")).await;
    place(&[(laptop, 1)], Some("tok_soft")).await;
    place(&[(desk, 3)], Some("tok_ok")).await;
    place(&[(mouse, 4)], Some("tok_ok")).await;
    shop.settle().await;
    for order in [&cancelled, &unpaid] {
        shop.post(&format!("/v1/orders/{order}/cancel"), &Value::Null).await;
    }
    shop.settle().await;
    for order in [&arrives, &sent_back] {
        shop.deliver(order).await;
    }
    refund(shop, &arrives, Some(700)).await;
    refund(shop, &sent_back, None).await;
    if let Some(customer) = customer {
        review(shop, customer, [laptop, mouse]).await;
    }
    shop.settle().await;
}

async fn refund(shop: &TestShop, order: &str, cents: Option<i64>) {
    let payments = shop.get(&format!("/v1/payments?order_id={order}")).await.expect(200).items();
    let path = format!("/v1/payments/{}/refund", payments[0]["payment_id"].as_str().unwrap());
    let amount = cents.map(|cents| json!({"amount": {"amount": cents, "currency": "EUR"}}));
    shop.post(&path, &amount.unwrap_or_else(|| json!({}))).await.expect(202);
    shop.settle().await;
}

/// One review is changed, the other is hidden.
async fn review(shop: &TestShop, customer: &Customer, products: [&String; 2]) {
    let lines: Vec<Value> = products.iter().map(|id| json!({"product_id": id, "quantity": 1})).collect();
    let order = json!({"lines": lines, "payment": {"token": "tok_ok"}});
    let placed = customer.asks(shop, Method::POST, "/v1/orders").json(&order).send().await.expect(201);
    shop.settle().await;
    shop.deliver(&placed.text("/order_id")).await;
    let mut made = Vec::new();
    for product in products {
        let path = format!("/v1/products/{product}/reviews");
        let review = customer.asks(shop, Method::POST, &path).json(&json!({"rating": 2})).send().await.expect(201);
        made.push(format!("{path}/{}", review.text("/review_id")));
    }
    customer.asks(shop, Method::PUT, &made[0]).json(&json!({"rating": 5})).send().await.expect(200);
    shop.post(&format!("{}/hide", made[1]), &json!({"reason": "an insult"})).await.expect(200);
    shop.settle().await;
}

/// All answers of analytics.
async fn answers(shop: &TestShop) -> Vec<Value> {
    let period = "from=2026-03-01&to=2026-03-31";
    let mut answers = Vec::new();
    for zone in ["utc", "shop"] {
        for by in ["day", "product"] {
            let path = format!("/v1/analytics/sales?{period}&zone={zone}&by={by}&limit=100");
            answers.push(shop.get(&path).await.expect(200).json());
        }
    }
    for path in ["orders".to_owned(), format!("products?{period}"), "events?minutes=120".to_owned()] {
        answers.push(shop.get(&format!("/v1/analytics/{path}")).await.expect(200).json());
    }
    answers
}

/// Every event of all services.
async fn archives(shop: &TestShop) -> Vec<Value> {
    let (mut events, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = shop.get(&format!("/v1/events?limit=100{cursor}")).await.expect(200);
        events.extend(page.items());
        let Some(next) = page.json()["next"].as_str().map(str::to_owned) else { return events };
        cursor = format!("&cursor={next}");
    }
}

async fn check(shop: &TestShop) {
    shop.settle().await;
    let events = archives(shop).await;
    let found = answers(shop).await;
    let new_york = TimeZone::get(ZONE).unwrap();
    for (zone, offset, place) in [(TimeZone::UTC, "UTC", 0), (new_york, ZONE, 2)] {
        assert_eq!((&found[place]["zone"], &found[place + 1]["zone"]), (&json!(offset), &json!(offset)));
        assert_eq!(found[place]["days"], days(&events, &zone), "{offset}");
        assert_eq!(by_id(&found[place + 1]["products"]), by_id(&sold_products(&events)), "{offset}");
    }
    assert_eq!(found[4], orders(&events));
    let mut rated = found[5]["products"].clone();
    for product in rated.as_array_mut().unwrap() {
        let rating = product.as_object_mut().unwrap().remove("rating").unwrap();
        assert_eq!(rating, rating_of(&events, &product["product_id"]));
    }
    assert_eq!(by_id(&rated), by_id(&sold_products(&events)));
    assert_eq!(found[6]["types"], types(&events));
    let minutes: i64 = found[6]["minutes"].as_array().unwrap().iter().map(|it| number(&it["events"])).sum();
    let from: Timestamp = found[6]["from"].as_str().unwrap().parse().unwrap();
    let recent = events.iter().filter(|event| time(event) >= from && event["type"] != OF_THE_MACHINERY).count();
    assert_eq!(minutes, i64::try_from(recent).unwrap());
}

fn by_id(products: &Value) -> BTreeMap<String, Value> {
    let products = products.as_array().unwrap().iter();
    products.map(|product| (product["product_id"].to_string(), product.clone())).collect()
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap()
}

fn time(event: &Value) -> Timestamp {
    event["time"].as_str().unwrap().parse().unwrap()
}

fn of_type<'a>(events: &'a [Value], name: &'a str) -> impl Iterator<Item = &'a Value> {
    events.iter().filter(move |event| event["type"] == name)
}

fn euros(cents: i64) -> Value {
    json!({"amount": cents, "currency": "EUR"})
}

fn units(event: &Value) -> i64 {
    event["data"]["lines"].as_array().unwrap().iter().map(|line| number(&line["quantity"])).sum()
}

/// Half up.
fn average(sum: i64, count: i64) -> Value {
    if count == 0 { Value::Null } else { euros((2 * sum + count) / (2 * count)) }
}

fn days(events: &[Value], zone: &TimeZone) -> Value {
    let day = |event: &Value| {
        let local = time(event).as_second() + i64::from(zone.to_offset(time(event)).seconds());
        Timestamp::from_second(local).unwrap().to_string()[..10].to_owned()
    };
    let mut days: BTreeMap<String, [i64; 5]> = BTreeMap::new();
    for paid in of_type(events, "orders.order_paid.v1") {
        let sums = days.entry(day(paid)).or_default();
        sums[0] += 1;
        sums[1] += units(paid);
        sums[2] += number(&paid["data"]["amount"]["amount"]);
    }
    for refund in of_type(events, "payments.payment_refunded.v1") {
        let sums = days.entry(day(refund)).or_default();
        sums[3] += 1;
        sums[4] += number(&refund["data"]["amount"]["amount"]);
    }
    let shown = days.into_iter().map(|(day, [orders, units, sales, refunds, refunded])| {
        json!({"day": day, "orders": orders, "units": units, "sales": euros(sales),
            "average_order_value": average(sales, orders), "refunds": refunds, "refunded": euros(refunded),
            "net": euros(sales - refunded)})
    });
    shown.collect()
}

fn sold_products(events: &[Value]) -> Value {
    let mut products: BTreeMap<String, (i64, i64, i64, Value)> = BTreeMap::new();
    for paid in of_type(events, "orders.order_paid.v1") {
        let mut seen = BTreeSet::new();
        for line in paid["data"]["lines"].as_array().unwrap() {
            let id = line["product_id"].as_str().unwrap().to_owned();
            let sums = products.entry(id.clone()).or_insert_with(|| (0, 0, 0, line["sku"].clone()));
            sums.0 += i64::from(seen.insert(id));
            sums.1 += number(&line["quantity"]);
            sums.2 += number(&line["quantity"]) * number(&line["unit_price"]["amount"]);
        }
    }
    let shown = products.into_iter().map(|(id, (orders, units, sales, sku))| {
        json!({"product_id": id, "sku": sku, "name": sku, "orders": orders, "units": units, "sales": euros(sales)})
    });
    shown.collect()
}

fn rating_of(events: &[Value], product: &Value) -> Value {
    let mut reviews: BTreeMap<String, i64> = BTreeMap::new();
    let mut about: Vec<&Value> = of_type(events, "catalog.product_reviewed.v1")
        .chain(of_type(events, "catalog.product_review_removed.v1"))
        .filter(|event| event["data"]["product_id"] == *product)
        .collect();
    about.sort_by_key(|event| number(&event["sequence"]));
    for event in about {
        let review = event["data"]["review_id"].to_string();
        if event["type"] == "catalog.product_reviewed.v1" {
            reviews.insert(review, number(&event["data"]["rating"]));
        } else {
            reviews.remove(&review);
        }
    }
    let count = i64::try_from(reviews.len()).unwrap();
    let stars = |stars: i64| reviews.values().filter(|rating| **rating == stars).count();
    let mean = (count > 0).then(|| reviews.values().sum::<i64>() as f64 / reviews.len() as f64);
    json!({"count": count, "mean": mean, "distribution": [stars(1), stars(2), stars(3), stars(4), stars(5)]})
}

fn orders(events: &[Value]) -> Value {
    let mut newest: BTreeMap<String, (i64, String)> = BTreeMap::new();
    let mut reached: [BTreeSet<String>; 4] = Default::default();
    for event in events {
        let (data, name) = (&event["data"], event["type"].as_str().unwrap());
        let order = data["order_id"].to_string();
        let status = match name {
            "orders.order_placed.v1" => "placed",
            "orders.order_paid.v1" => "paid",
            "orders.cancellation_requested.v1" => "cancelling",
            "orders.order_cancelled.v1" => "cancelled",
            "orders.order_updated.v1" => data["status"].as_str().unwrap(),
            _ => continue,
        };
        let is_new = name != "orders.order_updated.v1" || data["previous_status"] != data["status"];
        let steps: &[usize] = match (status, is_new) {
            ("placed", _) => &[0],
            ("paid", _) if name == "orders.order_paid.v1" => &[1],
            ("shipped", _) => &[2],
            ("delivered", _) => &[2, 3],
            ("refunded", true) if data["reason"] != "not_sent" => &[2, 3],
            _ => &[],
        };
        for step in steps {
            reached[*step].insert(order.clone());
        }
        let sequence = number(&event["sequence"]);
        let known = newest.entry(order).or_insert_with(|| (sequence, status.to_owned()));
        if sequence > known.0 {
            *known = (sequence, status.to_owned());
        }
    }
    let mut by_status: BTreeMap<&str, i64> = BTreeMap::new();
    for (_, status) in newest.values() {
        *by_status.entry(status).or_default() += 1;
    }
    let by_status: Vec<Value> =
        by_status.into_iter().map(|(status, orders)| json!({"status": status, "orders": orders})).collect();
    let counts = reached.map(|orders| i64::try_from(orders.len()).unwrap());
    let share = |count: i64, of: i64| ((2 * count * 10_000 + of) / (2 * of)) as f64 / 10_000.0;
    let steps: Vec<Value> = ["placed", "paid", "shipped", "delivered"]
        .into_iter()
        .enumerate()
        .map(|(index, step)| {
            let (count, previous) = (counts[index], counts[index.saturating_sub(1)]);
            json!({"step": step, "orders": count, "share_of_placed": share(count, counts[0]),
                "share_of_previous": share(count, previous)})
        })
        .collect();
    let paid: Vec<i64> =
        of_type(events, "orders.order_paid.v1").map(|event| number(&event["data"]["amount"]["amount"])).collect();
    let (orders, sales) = (i64::try_from(paid.len()).unwrap(), paid.iter().sum());
    json!({"by_status": by_status, "steps": steps,
        "average_order_value": [{"orders": orders, "sales": euros(sales), "average": average(sales, orders)}]})
}

fn types(events: &[Value]) -> Value {
    let interpreted = [
        "orders.order_placed.v1",
        "orders.order_paid.v1",
        "orders.order_updated.v1",
        "orders.cancellation_requested.v1",
        "orders.order_cancelled.v1",
        "payments.payment_refunded.v1",
        "catalog.product_reviewed.v1",
        "catalog.product_review_removed.v1",
        "catalog.product_created.v1",
        "catalog.product_updated.v1",
    ];
    let mut types: BTreeMap<&str, i64> = BTreeMap::new();
    for event in events {
        *types.entry(event["type"].as_str().unwrap()).or_default() += 1;
    }
    types.remove(OF_THE_MACHINERY);
    let shown = types
        .into_iter()
        .map(|(name, events)| json!({"type": name, "events": events, "interpreted": interpreted.contains(&name)}));
    shown.collect()
}
