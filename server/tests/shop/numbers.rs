//! The numbers of analytics, recomputed from the archives of all services in the most simple way.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use kernel::{TimeZone, Timestamp};
use serde_json::{Value, json};

/// The type to which every service has a reaction of its own, so that analytics gets none of it.
const OF_THE_MACHINERY: &str = "users.signing_key_published.v1";

/// All questions to analytics about a period, as in `&from=2026-03-01&to=2026-03-31`; without one about thirty days.
pub fn questions(period: &str) -> [String; 7] {
    let sales = |zone: &str, by: &str| format!("/v1/analytics/sales?zone={zone}&by={by}{period}");
    [
        sales("utc", "day"),
        sales("utc", "product&limit=100"),
        sales("shop", "day"),
        sales("shop", "product&limit=100"),
        "/v1/analytics/orders".to_owned(),
        format!("/v1/analytics/products?limit=100{period}"),
        "/v1/analytics/events?minutes=120".to_owned(),
    ]
}

/// Everything in the answers to [`questions`] that is not what the events of all services say. `zone` is the shop's.
pub fn findings(answers: &[Value], events: &[Value], zone: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let products = sold_products(events);
    for (name, place) in [("UTC", 0), (zone, 2)] {
        let (by_day, by_product) = (&answers[place], &answers[place + 1]);
        findings.extend(difference("zone", [&by_day["zone"], &by_product["zone"]], [&json!(name); 2]));
        findings.extend(difference(name, &by_day["days"], &days(events, &TimeZone::get(name).unwrap())));
        findings.extend(difference(name, by_id(&by_product["products"]), by_id(&products)));
    }
    findings.extend(difference("orders", &answers[4], &orders(events)));
    let mut rated = answers[5]["products"].clone();
    for product in rated.as_array_mut().unwrap() {
        let rating = product.as_object_mut().unwrap().remove("rating").unwrap();
        findings.extend(difference("rating", &rating, &rating_of(events, &product["product_id"])));
    }
    findings.extend(difference("products", by_id(&rated), by_id(&products)));
    findings.extend(difference("types", &answers[6]["types"], &types(events)));
    let minutes: i64 = answers[6]["minutes"].as_array().unwrap().iter().map(|it| number(&it["events"])).sum();
    let from: Timestamp = answers[6]["from"].as_str().unwrap().parse().unwrap();
    let recent = events.iter().filter(|event| time(event) >= from && event["type"] != OF_THE_MACHINERY).count();
    findings.extend(difference("minutes", minutes, i64::try_from(recent).unwrap()));
    findings
}

fn difference<T: PartialEq + Debug>(name: &str, answered: T, recomputed: T) -> Option<String> {
    (answered != recomputed).then(|| format!("{name}: analytics say {answered:?}, and the archives {recomputed:?}"))
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
    let created = of_type(events, "catalog.product_created.v1").map(|event| &event["data"]);
    let names: BTreeMap<&str, &Value> =
        created.map(|product| (product["sku"].as_str().unwrap(), &product["name"])).collect();
    let shown = products.into_iter().map(|(id, (orders, units, sales, sku))| {
        json!({"product_id": id, "sku": sku, "name": names[sku.as_str().unwrap()], "orders": orders, "units": units,
            "sales": euros(sales)})
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
    let share = |count: i64, of: i64| (of > 0).then(|| ((2 * count * 10_000 + of) / (2 * of)) as f64 / 10_000.0);
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
    let value = json!({"orders": orders, "sales": euros(sales), "average": average(sales, orders)});
    let values: Vec<Value> = (orders > 0).then_some(value).into_iter().collect();
    json!({"by_status": by_status, "steps": steps, "average_order_value": values})
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
