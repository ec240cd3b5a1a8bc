//! Numbers in a whole shop: on which day something counts, in which form it is answered, and what is refused.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use axum::http::Method;
use events::OrderPaid;
use kernel::{Event, Lane, Uuid};
use serde_json::{Value, json};
use testkit::{Customer, Setup, ShopLocation, TestResponse, TestShop, emit, unlimited};
use tradepost_analytics::settings::TIME_ZONE;

testkit::on_each_store! {
    a_sale_counts_on_the_day_of_its_payment_and_a_refund_on_its_own,
    a_shop_in_utc_has_one_kind_of_day,
    numbers_are_answered_as_a_table_to_whom_wants_one,
    parameters_that_are_not_as_expected_are_refused_by_name,
    events_are_counted_by_minute_for_two_days,
    a_start_in_another_time_zone_is_refused,
    what_can_not_be_counted_is_a_dead_letter_and_what_is_unknown_of_an_event_is_ignored,
}

fn berlin() -> Setup {
    Setup { services: unlimited().with(&TIME_ZONE, "Europe/Berlin"), ..Setup::default() }
}

fn euros(cents: i64) -> Value {
    json!({"amount": cents, "currency": "EUR"})
}

async fn pay(shop: &TestShop, lines: &[(&str, i64)]) -> String {
    let order = shop.order(lines, Some("tok_ok")).await.text("/order_id");
    shop.settle().await;
    order
}

async fn refund(shop: &TestShop, order: &str, cents: i64) {
    let payments = shop.get(&format!("/v1/payments?order_id={order}")).await.expect(200).items();
    let path = format!("/v1/payments/{}/refund", payments[0]["payment_id"].as_str().unwrap());
    shop.post(&path, &json!({"amount": euros(cents)})).await.expect(202);
    shop.settle().await;
}

async fn sales(shop: &TestShop, query: &str) -> Value {
    shop.get(&format!("/v1/analytics/sales?{query}")).await.expect(200).json()
}

async fn a_sale_counts_on_the_day_of_its_payment_and_a_refund_on_its_own(place: ShopLocation) {
    // Half past midnight in Berlin.
    let shop = TestShop::start_at("2026-01-31T23:30:00Z", place, berlin()).await;
    let (laptop, mouse) = (shop.product("laptop", 10).await, shop.product("mouse", 10).await);
    let first = pay(&shop, &[(&laptop, 2), (&mouse, 1)]).await;
    pay(&shop, &[(&mouse, 1)]).await;
    shop.order(&[(&mouse, 1)], Some("tok_declined")).await;
    shop.advance(Duration::from_hours(24)).await;
    refund(&shop, &first, 500).await;

    let sold = json!({"orders": 2, "units": 4, "sales": euros(4_000), "average_order_value": euros(2_000),
        "refunds": 0, "refunded": euros(0), "net": euros(4_000)});
    let refunded = json!({"orders": 0, "units": 0, "sales": euros(0), "average_order_value": null,
        "refunds": 1, "refunded": euros(500), "net": euros(-500)});
    let total = json!({"orders": 2, "units": 4, "sales": euros(4_000), "average_order_value": euros(2_000),
        "refunds": 1, "refunded": euros(500), "net": euros(3_500)});
    let on = |day: &str, sums: &Value| {
        let mut sums = sums.clone();
        sums["day"] = day.into();
        sums
    };
    let shown = sales(&shop, "from=2026-01-01&to=2026-02-28").await;
    let days = json!([on("2026-01-31", &sold), on("2026-02-01", &refunded)]);
    assert_eq!((&shown["days"], &shown["totals"], &shown["zone"]), (&days, &json!([total]), &json!("UTC")));
    let shown = sales(&shop, "from=2026-01-01&to=2026-02-28&zone=shop").await;
    let days = json!([on("2026-02-01", &sold), on("2026-02-02", &refunded)]);
    assert_eq!((&shown["days"], &shown["zone"]), (&days, &json!("Europe/Berlin")));
    let shown = sales(&shop, "from=2026-02-01&to=2026-02-01").await;
    assert_eq!((&shown["days"], shown.get("products")), (&json!([on("2026-02-01", &refunded)]), None));

    let product = |id: &str, sku: &str, orders: i64, units: i64| {
        json!({"product_id": id, "sku": sku, "name": sku, "orders": orders, "units": units,
            "sales": euros(units * 1_000)})
    };
    let shown = sales(&shop, "from=2026-01-31&to=2026-01-31&by=product").await;
    let both = json!([product(&laptop, "laptop", 1, 2), product(&mouse, "mouse", 2, 2)]);
    let mut found = shown["products"].as_array().unwrap().clone();
    found.sort_by_key(|product| product["sku"].to_string());
    assert_eq!((&json!(found), &shown["totals"]), (&both, &json!([sold])));
    let one = sales(&shop, "from=2026-01-31&to=2026-01-31&by=product&limit=1").await;
    assert_eq!(one["products"].as_array().unwrap().len(), 1);
    shop.stop().await;
}

async fn a_shop_in_utc_has_one_kind_of_day(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 10).await;
    pay(&shop, &[(&product, 3)]).await;
    let (utc, own) = (sales(&shop, "zone=utc").await, sales(&shop, "zone=shop").await);
    assert_eq!(utc, own);
    assert_eq!((&utc["from"], &utc["to"]), (&json!("2025-12-03"), &json!("2026-01-01")), "thirty days");
    assert_eq!(utc["days"][0]["units"], 3);
    shop.stop().await;
}

async fn numbers_are_answered_as_a_table_to_whom_wants_one(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = json!({"sku": "-1", "name": "=SUM(A1), \"x\"", "price": euros(1_000), "stock": 5});
    let product = shop.post("/v1/products", &product).await.expect(201).text("/product_id");
    shop.settle().await;
    let ada = Customer::sign_up(&shop, "ada").await;
    let order = json!({"lines": [{"product_id": product, "quantity": 3}], "payment": {"token": "tok_ok"}});
    let order = ada.asks(&shop, Method::POST, "/v1/orders").json(&order).send().await.expect(201).text("/order_id");
    shop.settle().await;
    shop.deliver(&order).await;
    let review = json!({"rating": 4});
    ada.asks(&shop, Method::POST, &format!("/v1/products/{product}/reviews")).json(&review).send().await.expect(201);
    shop.settle().await;

    let table = async |path: &str| {
        let call = shop.request(Method::GET, path).admin().header("accept", "text/csv");
        let answer = call.send().await.expect(200);
        assert!(answer.headers["content-type"].to_str().unwrap().starts_with("text/csv"));
        let named = shop.get(&format!("{path}{}format=csv", if path.contains('?') { '&' } else { '?' })).await;
        assert_eq!(named.expect(200).body, answer.body);
        String::from_utf8(answer.body.to_vec()).unwrap()
    };
    let sold = "3000,3000,0,0,3000\r\n";
    let headings = "day,currency,orders,units,sales,average_order_value,refunds,refunded,net\r\n";
    assert_eq!(table("/v1/analytics/sales").await, format!("{headings}2026-01-01,EUR,1,3,{sold}"));
    let named = format!("{product},'-1,\"'=SUM(A1), \"\"x\"\"\",EUR,1,3,3000");
    assert_eq!(
        table("/v1/analytics/sales?by=product").await,
        format!("product_id,sku,name,currency,orders,units,sales\r\n{named}\r\n")
    );
    assert_eq!(
        table("/v1/analytics/products").await,
        format!("product_id,sku,name,currency,orders,units,sales,rating_count,rating_mean\r\n{named},1,4.00\r\n")
    );
    let orders = table("/v1/analytics/orders").await;
    assert!(orders.starts_with("kind,name,orders,sales,average_order_value\r\nstatus,delivered,1,,\r\n"), "{orders}");
    assert!(orders.ends_with("step,delivered,1,,\r\npaid,EUR,1,3000,3000\r\n"), "{orders}");
    let events = table("/v1/analytics/events").await;
    assert!(events.starts_with("minute,type,events\r\n2026-01-01T12:00:00Z,"), "{events}");
    assert!(events.contains("2026-01-01T12:00:00Z,orders.order_paid.v1,1\r\n"), "{events}");
    let preferred = shop.request(Method::GET, "/v1/analytics/orders").admin().header("accept", "text/csv;q=0.5, */*");
    assert!(preferred.send().await.expect(200).headers["content-type"].to_str().unwrap().starts_with("text/csv"));
    shop.stop().await;
}

async fn parameters_that_are_not_as_expected_are_refused_by_name(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let refused = async |path: &str| -> Vec<String> {
        let refused: TestResponse = shop.get(&format!("/v1/analytics/{path}")).await.expect(400);
        assert_eq!(refused.text("/code"), "invalid_query");
        let errors = refused.json()["errors"].as_array().unwrap().clone();
        errors.iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect()
    };
    let all = ["zone", "from", "to", "by", "limit", "format"];
    assert_eq!(refused("sales?from=x&to=2026-02-30&by=month&zone=mars&limit=0&format=xml").await, all);
    assert_eq!(refused("sales?from=2025-01-01&to=2026-01-02").await, ["from"]);
    assert_eq!(refused("sales?limit=5").await, ["limit"]);
    assert_eq!(refused("sales?from=2026-01-02&to=2026-01-01").await, ["from"]);
    assert_eq!(refused("products?sort=name&limit=101").await, ["sort", "limit"]);
    assert_eq!(refused("orders?format=pdf").await, ["format"]);
    assert_eq!(refused("events?minutes=2881").await, ["minutes"]);
    assert_eq!(refused("events?minutes=121").await, ["minutes"]);
    shop.get("/v1/analytics/sales?from=2025-01-01&to=2026-01-01").await.expect(200);
    shop.get("/v1/analytics/events?minutes=2880&type=orders.order_placed.v1").await.expect(200);
    let ada = Customer::sign_up(&shop, "ada").await;
    for path in ["sales", "orders", "products", "events"] {
        let path = format!("/v1/analytics/{path}");
        shop.request(Method::GET, &path).send().await.expect(401);
        ada.asks(&shop, Method::GET, &path).send().await.expect(403);
    }
    shop.stop().await;
}

async fn events_are_counted_by_minute_for_two_days(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 10).await;
    let placed = "orders.order_placed.v1";
    let counted = async |minutes: i64| {
        let path = format!("/v1/analytics/events?minutes={minutes}&type={placed}");
        let counts = shop.get(&path).await.expect(200).json();
        let all = counts["types"][0]["events"].as_i64().unwrap_or_default();
        let minutes = counts["minutes"].as_array().unwrap().iter();
        let minutes = minutes.map(|it| (it["minute"].as_str().unwrap().to_owned(), it["events"].as_i64().unwrap()));
        (all, minutes.collect::<Vec<_>>())
    };
    pay(&shop, &[(&product, 1)]).await;
    pay(&shop, &[(&product, 1)]).await;
    shop.advance(Duration::from_mins(1)).await;
    pay(&shop, &[(&product, 1)]).await;
    let (first, second) = ("2026-01-01T12:00:00Z".to_owned(), "2026-01-01T12:01:00Z".to_owned());
    assert_eq!(counted(60).await, (3, vec![(first.clone(), 2), (second.clone(), 1)]));
    assert_eq!(counted(1).await, (3, vec![(second.clone(), 1)]));

    // Two days later the minute's place is taken, and the one behind it is still there.
    shop.advance(Duration::from_hours(48) - Duration::from_mins(1)).await;
    pay(&shop, &[(&product, 1)]).await;
    let now = "2026-01-03T12:00:00Z".to_owned();
    assert_eq!(counted(2_880).await, (4, vec![(second, 1), (now, 1)]));
    let types = shop.get("/v1/analytics/events?minutes=1").await.expect(200).json()["types"].clone();
    let of = |name: &str| types.as_array().unwrap().iter().find(|it| it["type"] == name).unwrap().clone();
    assert_eq!(of("orders.order_paid.v1"), json!({"type": "orders.order_paid.v1", "events": 4, "interpreted": true}));
    assert_eq!(of("inventory.stock_reserved.v1")["interpreted"], false);
    shop.stop().await;
}

async fn a_start_in_another_time_zone_is_refused(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let refusal = shop.refuses_to_restart(berlin()).await;
    assert!(refusal.contains("counted in UTC, and the shop's time zone is Europe/Berlin"), "{refusal}");
    assert!(refusal.contains("`tradepost analytics rebuild`"), "{refusal}");
}

/// A paid order as another version may emit it.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
struct OtherOrderPaid(Value);

impl Event for OtherOrderPaid {
    const TYPE: &'static str = OrderPaid::TYPE;
    const SOURCE: &'static str = OrderPaid::SOURCE;
    const LANE: Lane = OrderPaid::LANE;

    fn key(&self) -> Uuid {
        self.0["order_id"].as_str().unwrap().parse().unwrap()
    }
}

async fn what_can_not_be_counted_is_a_dead_letter_and_what_is_unknown_of_an_event_is_ignored(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 10).await;
    let paid = |order: u128| {
        json!({"order_id": Uuid::from_u128(order), "number": 1, "email": "ada@example.com",
            "payment_id": Uuid::from_u128(order), "amount": euros(700), "mood": {"is": "good"},
            "lines": [{"product_id": product, "sku": "123", "name": "123", "quantity": 7, "unit_price": euros(100),
                "colour": "red"}]})
    };
    let bad = json!({"order_id": Uuid::from_u128(1), "amount": "a lot"});
    let events = [OtherOrderPaid(bad), OtherOrderPaid(paid(1)), OtherOrderPaid(paid(2))];
    let meanwhile = async |store, clock| emit(store, clock, &events, &["analytics"]).await;
    let shop = shop.restart_after(Setup::default(), meanwhile).await;
    shop.settle().await;
    pay(&shop, &[(&product, 1)]).await;

    let counted = async || {
        let day = sales(&shop, "").await["days"][0].clone();
        (day["orders"].as_i64().unwrap(), day["units"].as_i64().unwrap(), day["sales"]["amount"].as_i64().unwrap())
    };
    assert_eq!(counted().await, (2, 8, 1_700), "what comes behind the dead letter waits, and nothing else");
    let letters = async || shop.get("/v1/dead-letters?consumer=analytics").await.expect(200).items();
    let letter = letters().await.remove(0);
    assert!(letter["reason"].as_str().unwrap().contains("the body is not what orders.order_paid.v1 is"), "{letter}");
    let path = format!("/v1/dead-letters/{}", letter["dead_letter_id"].as_str().unwrap());
    shop.post(&format!("{path}/replay"), &Value::Null).await.expect(202);
    shop.settle().await;
    assert_eq!((counted().await, letters().await.len()), ((2, 8, 1_700), 1));
    shop.post(&format!("{path}/discard"), &Value::Null).await.expect(200);
    shop.settle().await;
    assert_eq!((counted().await, letters().await.len()), ((3, 15, 2_400), 0));
    shop.stop().await;
}
