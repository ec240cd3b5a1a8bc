//! Alerts in a whole shop: raised, acknowledged, resolved by themselves, and mailed all at once.

use std::time::Duration;

use events::{Event, PaymentRefunded, StockLow, WebhookDeleted, WebhookDisabled, WebhookEnabled};
use kernel::Uuid;
use serde_json::{Value, json};
use service::setting::Values;
use testkit::{Setup, ShopLocation, TestResponse, TestShop, emit, on_each_store, unlimited};

on_each_store! {
    a_product_that_runs_low_has_an_alert_until_it_is_stocked_again,
    the_alert_of_a_product_ends_with_another_threshold_and_with_the_product,
    a_late_purchase_order_has_an_alert_until_all_of_it_came_or_it_is_cancelled,
    a_refund_that_failed_has_an_alert_until_as_much_went_back_later,
    a_disabled_endpoint_has_an_alert_until_it_is_enabled_or_deleted,
    alerts_are_listed_by_status_and_kind_and_asked_for_by_admins_only,
    what_is_replayed_neither_reopens_nor_repeats_an_alert,
    resolved_alerts_are_deleted_after_ninety_days,
    thirty_products_that_run_low_in_one_interval_are_one_mail,
    more_alerts_than_a_mail_takes_are_in_the_next,
    what_is_resolved_or_acknowledged_before_the_mail_is_not_in_it,
    without_an_address_nothing_is_mailed,
}

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

/// The address of the admin.
const TO: &str = "admin@shop.example";

fn mailing() -> Values {
    unlimited().with(&tradepost_admin::settings::ALERT_MAIL, TO)
}

fn setup(services: Values) -> Setup {
    Setup { services, ..Setup::default() }
}

async fn alerts(shop: &TestShop, query: &str) -> Vec<Value> {
    shop.get(&format!("/v1/alerts?limit=100{query}")).await.expect(200).items()
}

/// The only alert of a kind that is not resolved.
async fn the_alert(shop: &TestShop, kind: &str) -> Value {
    let mut found = alerts(shop, &format!("&kind={kind}")).await;
    found.retain(|alert| alert["status"] != "resolved");
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

async fn acknowledge(shop: &TestShop, alert: &Value) -> TestResponse {
    shop.post(&path(alert, "/acknowledge"), &Value::Null).await
}

fn path(alert: &Value, rest: &str) -> String {
    format!("/v1/alerts/{}{rest}", alert["alert_id"].as_str().unwrap())
}

/// An alert is acknowledged, and what is done twice changes nothing.
async fn is_acknowledged_once(shop: &TestShop, alert: &Value) {
    let acknowledged = acknowledge(shop, alert).await.expect(200).json();
    let said = ["status", "acknowledged_by"].map(|field| acknowledged[field].clone());
    assert_eq!(said, [json!("acknowledged"), json!("automation")]);
    shop.advance(MINUTE).await;
    assert_eq!(acknowledge(shop, alert).await.expect(200).json(), acknowledged);
    assert_eq!(shop.get(&path(alert, "")).await.expect(200).json(), acknowledged);
}

/// An alert was resolved by itself.
async fn is_resolved(shop: &TestShop, alert: &Value) {
    let now = shop.get(&path(alert, "")).await.expect(200).json();
    assert_eq!((&now["status"], now["resolved_at"].is_string()), (&json!("resolved"), true), "{now}");
    assert_eq!(acknowledge(shop, alert).await.expect(409).text("/code"), "already_resolved");
}

async fn adjust(shop: &TestShop, product: &str, delta: i64) {
    let adjustment = json!({"delta": delta, "reason": "counted"});
    shop.post(&format!("/v1/stock/{product}/adjustments"), &adjustment).await.expect(201);
    shop.settle().await;
}

/// The mails about alerts, the oldest first.
async fn digests(shop: &TestShop) -> Vec<Value> {
    let mut mails = shop.get("/v1/mail?limit=100").await.expect(200).items();
    mails.retain(|mail| mail["template"] == "alerts");
    mails.reverse();
    mails
}

async fn replay<E: Event>(shop: TestShop, services: Values, events: &[E]) -> TestShop {
    let replayed = async |store, clock| emit(store, clock, events, &["admin"]).await;
    let shop = shop.restart_after(setup(services), replayed).await;
    shop.settle().await;
    shop
}

async fn a_product_that_runs_low_has_an_alert_until_it_is_stocked_again(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("laptop", 10).await;
    adjust(&shop, &product, -4).await;
    assert!(alerts(&shop, "").await.is_empty(), "6 are more than the threshold");
    adjust(&shop, &product, -2).await;
    let alert = the_alert(&shop, "low_stock").await;
    let expected = json!({
        "alert_id": alert["alert_id"], "kind": "low_stock", "status": "open", "since": "2026-01-01T12:00:00Z",
        "subject": product, "detail": "laptop (laptop): 4 available, at or below the threshold of 5",
    });
    assert_eq!(alert, expected);
    adjust(&shop, &product, -1).await;
    let changed = the_alert(&shop, "low_stock").await;
    assert_eq!(changed["alert_id"], alert["alert_id"]);
    assert_eq!(changed["detail"], "laptop (laptop): 3 available, at or below the threshold of 5");

    is_acknowledged_once(&shop, &alert).await;
    adjust(&shop, &product, -1).await;
    assert_eq!(the_alert(&shop, "low_stock").await["status"], "acknowledged", "it stays so");
    adjust(&shop, &product, 10).await;
    is_resolved(&shop, &alert).await;
    adjust(&shop, &product, -10).await;
    let next = the_alert(&shop, "low_stock").await;
    assert_ne!(next["alert_id"], alert["alert_id"], "the next shortage is another");
    assert_eq!((&next["status"], &next["since"]), (&json!("open"), &json!("2026-01-01T12:01:00Z")));
    shop.stop().await;
}

async fn the_alert_of_a_product_ends_with_another_threshold_and_with_the_product(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let (laptop, mouse) = (shop.product("laptop", 3).await, shop.product("mouse", 3).await);
    assert_eq!(alerts(&shop, "&status=open").await.len(), 2, "they begin with less than the threshold");
    shop.patch(&format!("/v1/products/{laptop}"), &json!({"low_stock_threshold": 2})).await.expect(200);
    shop.settle().await;
    assert_eq!(the_alert(&shop, "low_stock").await["subject"], mouse);
    shop.patch(&format!("/v1/products/{laptop}"), &json!({"low_stock_threshold": 9})).await.expect(200);
    shop.settle().await;
    assert_eq!(alerts(&shop, "&status=open").await.len(), 2);
    shop.delete(&format!("/v1/products/{mouse}")).await.expect(204);
    shop.settle().await;
    assert_eq!(the_alert(&shop, "low_stock").await["subject"], laptop);
    shop.stop().await;
}

async fn a_late_purchase_order_has_an_alert_until_all_of_it_came_or_it_is_cancelled(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("laptop", 10).await;
    let offer = json!({"product_id": product, "order_quantity": 20, "unit_cost": {"amount": 900, "currency": "EUR"}});
    let nordic = json!({"name": "Nordic", "email": "orders@nordic.example", "lead_time_days": 7,
        "auto_replenish": false, "products": [offer]});
    let supplier = shop.post("/v1/suppliers", &nordic).await.expect(201).text("/supplier_id");
    let wanted = json!({"supplier_id": supplier, "lines": [{"product_id": product, "quantity": 20}]});
    let place_order = async || {
        let placed = shop.post("/v1/purchase-orders", &wanted).await.expect(201).text("/purchase_order_id");
        shop.settle().await;
        placed
    };
    let (order, cancelled) = (place_order().await, place_order().await);
    let receive = async |units: i64| {
        let lines = json!({"lines": [{"product_id": product, "quantity": units}]});
        shop.post(&format!("/v1/purchase-orders/{order}/receive"), &lines).await.expect(200);
        shop.settle().await;
    };
    receive(5).await;
    shop.advance(6 * DAY).await;
    assert!(alerts(&shop, "").await.is_empty());
    shop.advance(DAY).await;
    let late = alerts(&shop, "&kind=purchase_order_overdue&status=open").await;
    assert_eq!(late.len(), 2);
    shop.post(&format!("/v1/purchase-orders/{cancelled}/cancel"), &Value::Null).await.expect(200);
    shop.settle().await;
    let alert = the_alert(&shop, "purchase_order_overdue").await;
    assert_eq!((&alert["subject"], &alert["since"]), (&json!(order), &json!("2026-01-08T12:00:00Z")));
    assert_eq!(alert["detail"], "15 × laptop from orders@nordic.example, expected on 2026-01-08");
    is_acknowledged_once(&shop, &alert).await;
    receive(5).await;
    let alert = the_alert(&shop, "purchase_order_overdue").await;
    assert_eq!(alert["detail"], "10 × laptop from orders@nordic.example, expected on 2026-01-08");
    receive(10).await;
    is_resolved(&shop, &alert).await;
    shop.stop().await;
}

async fn a_refund_that_failed_has_an_alert_until_as_much_went_back_later(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("laptop", 100).await;
    let order = shop.order(&[(&product, 2)], Some("tok_refund_fails")).await.text("/order_id");
    shop.settle().await;
    let payments = shop.get(&format!("/v1/payments?order_id={order}")).await.expect(200).items();
    let payment = payments[0]["payment_id"].as_str().unwrap().to_owned();
    shop.post(&format!("/v1/payments/{payment}/refund"), &json!({})).await.expect(202);
    shop.settle().await;
    let alert = the_alert(&shop, "refund_failed").await;
    assert_eq!(alert["subject"], payment);
    let begin = format!("20.00 EUR of order {order} did not go back: ");
    assert!(alert["detail"].as_str().unwrap().starts_with(&begin), "{alert}");
    is_acknowledged_once(&shop, &alert).await;

    let refunded = |refund_id: Uuid, cents| PaymentRefunded {
        payment_id: payment.parse().unwrap(),
        refund_id: Some(refund_id.into()),
        order_id: order.parse().unwrap(),
        amount: kernel::Money::new(cents, kernel::Currency::EUR),
        refunded_total: None,
        restock: Vec::new(),
        reason: None,
        of_cancellation: None,
    };
    let last = Uuid::max();
    let before_last = Uuid::from_u128(last.as_u128() - 1);
    // Before the one that failed, and too little after it.
    let others = [refunded(Uuid::nil(), 2_000), refunded(before_last, 1_000)];
    let shop = replay(shop, unlimited(), &others).await;
    assert_eq!(the_alert(&shop, "refund_failed").await["alert_id"], alert["alert_id"]);
    let shop = replay(shop, unlimited(), &[refunded(last, 1_000)]).await;
    is_resolved(&shop, &alert).await;
    shop.stop().await;
}

async fn a_disabled_endpoint_has_an_alert_until_it_is_enabled_or_deleted(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let [first, second] = [Uuid::from_u128(1), Uuid::from_u128(2)];
    let url = "https://erp.example.com/tradepost".to_owned();
    let since = "2026-01-01T10:00:00Z".parse().unwrap();
    let disabled = |id: Uuid| {
        let (url, reason) = (url.clone(), "answered 503".to_owned());
        WebhookDisabled { endpoint_id: id.into(), url, reason, since }
    };
    let shop = replay(shop, unlimited(), &[disabled(first), disabled(second)]).await;
    let raised = alerts(&shop, "&kind=webhook_disabled&status=open").await;
    assert_eq!(raised.len(), 2);
    let shop = replay(shop, unlimited(), &[WebhookDeleted { endpoint_id: second.into(), url: url.clone() }]).await;
    let alert = the_alert(&shop, "webhook_disabled").await;
    assert_eq!((&alert["subject"], &alert["since"]), (&json!(first.to_string()), &json!("2026-01-01T10:00:00Z")));
    assert_eq!(alert["detail"], "erp.example.com: answered 503");
    is_acknowledged_once(&shop, &alert).await;
    let shop = replay(shop, unlimited(), &[WebhookEnabled { endpoint_id: first.into(), url }]).await;
    is_resolved(&shop, &alert).await;
    shop.stop().await;
}

async fn alerts_are_listed_by_status_and_kind_and_asked_for_by_admins_only(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let (laptop, mouse) = (shop.product("laptop", 3).await, shop.product("mouse", 3).await);
    shop.product("desk", 3).await;
    adjust(&shop, &laptop, 9).await;
    let of_mouse = alerts(&shop, "&status=open").await.into_iter().find(|alert| alert["subject"] == mouse).unwrap();
    acknowledge(&shop, &of_mouse).await.expect(200);
    for (query, expected) in [
        ("", 3),
        ("&status=open", 1),
        ("&status=acknowledged", 1),
        ("&status=resolved", 1),
        ("&kind=low_stock", 3),
        ("&kind=low_stock&status=resolved", 1),
        ("&kind=dead_letters", 0),
    ] {
        assert_eq!(alerts(&shop, query).await.len(), expected, "{query}");
    }
    let first = shop.get("/v1/alerts?limit=2").await.expect(200).json();
    let rest = shop.get(&format!("/v1/alerts?limit=2&cursor={}", first["next"].as_str().unwrap())).await.expect(200);
    assert_eq!((first["items"].as_array().unwrap().len(), rest.items().len()), (2, 1));
    assert_eq!(rest.json()["next"], Value::Null);
    for query in ["status=new", "kind=fire"] {
        assert_eq!(shop.get(&format!("/v1/alerts?{query}")).await.expect(400).text("/code"), "invalid_query");
    }
    let unknown = json!({"alert_id": Uuid::nil()});
    assert_eq!(acknowledge(&shop, &unknown).await.expect(404).text("/code"), "not_found");
    shop.get(&path(&unknown, "")).await.expect(404);
    shop.request(axum::http::Method::GET, "/v1/alerts").send().await.expect(401);
    shop.stop().await;
}

async fn what_is_replayed_neither_reopens_nor_repeats_an_alert(place: ShopLocation) {
    let shop = TestShop::start_on_with(place, setup(mailing())).await;
    let product = shop.product("laptop", 3).await;
    let raised = the_alert(&shop, "low_stock").await;
    shop.advance(15 * MINUTE).await;
    let low = shop.get(&format!("/v1/events?type={}", StockLow::TYPE)).await.expect(200).items();
    let low: StockLow = serde_json::from_value(low[0]["data"].clone()).unwrap();
    // The same shortage, by an event with another id: of the same version of the level.
    let shop = replay(shop, mailing(), std::slice::from_ref(&low)).await;
    assert_eq!(the_alert(&shop, "low_stock").await, raised);
    adjust(&shop, &product, 9).await;
    is_resolved(&shop, &raised).await;
    let shop = replay(shop, mailing(), &[low]).await;
    let since = json!({"service": "inventory", "since": "2026-01-01T00:00:00Z"});
    shop.post("/v1/events/republish", &since).await.expect(200);
    shop.settle().await;
    shop.advance(15 * MINUTE).await;
    assert_eq!(alerts(&shop, "").await.len(), 1);
    is_resolved(&shop, &raised).await;
    let since = json!({"service": "admin", "since": "2026-01-01T00:00:00Z"});
    shop.post("/v1/events/republish", &since).await.expect(200);
    shop.settle().await;
    assert_eq!(digests(&shop).await.len(), 1);
    shop.stop().await;
}

async fn resolved_alerts_are_deleted_after_ninety_days(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let (laptop, mouse) = (shop.product("laptop", 3).await, shop.product("mouse", 3).await);
    adjust(&shop, &laptop, 9).await;
    assert_eq!(alerts(&shop, "").await.len(), 2);
    shop.advance(89 * DAY).await;
    assert_eq!(alerts(&shop, "").await.len(), 2);
    shop.advance(2 * DAY).await;
    let left = alerts(&shop, "").await;
    assert_eq!((left.len(), &left[0]["subject"]), (1, &json!(mouse)), "one that is open stays");
    adjust(&shop, &laptop, -9).await;
    assert_eq!(alerts(&shop, "&status=open").await.len(), 2, "the next shortage is noticed");
    shop.stop().await;
}

async fn thirty_products_that_run_low_in_one_interval_are_one_mail(place: ShopLocation) {
    let shop = TestShop::start_on_with(place, setup(mailing())).await;
    for number in 0..30 {
        shop.product(&format!("product-{number}"), 3).await;
        shop.advance(Duration::from_secs(20)).await;
    }
    assert_eq!(alerts(&shop, "&status=open").await.len(), 30);
    assert!(digests(&shop).await.is_empty(), "an interval is collected");
    shop.advance(5 * MINUTE).await;
    let mails = digests(&shop).await;
    assert_eq!(mails.len(), 1);
    assert_eq!((&mails[0]["to"], &mails[0]["subject"]), (&json!(TO), &json!("30 new alerts")));
    let text = mails[0]["text"].as_str().unwrap();
    for number in 0..30 {
        assert!(text.contains(&format!("product-{number} (product-{number}): 3 available")), "{number}: {text}");
    }

    // The next ones wait for their interval, and nothing is mailed twice.
    let last = shop.product("last", 3).await;
    for _ in 0..14 {
        shop.advance(MINUTE).await;
        assert_eq!(digests(&shop).await.len(), 1);
    }
    shop.advance(MINUTE).await;
    let mails = digests(&shop).await;
    assert_eq!((mails.len(), &mails[1]["subject"]), (2, &json!("1 new alert")));
    adjust(&shop, &last, -1).await;
    shop.advance(DAY).await;
    assert_eq!(digests(&shop).await.len(), 2, "a change of an alert is no other alert");
    shop.stop().await;
}

async fn more_alerts_than_a_mail_takes_are_in_the_next(place: ShopLocation) {
    let mut shop = TestShop::start_on_with(place, setup(mailing())).await;
    let disabled = |number: u128| WebhookDisabled {
        endpoint_id: Uuid::from_u128(number).into(),
        url: "https://erp.example.com/tradepost".to_owned(),
        reason: "answered 503".to_owned(),
        since: "2026-01-01T10:00:00Z".parse().unwrap(),
    };
    let all: Vec<WebhookDisabled> = (1..=1_100).map(disabled).collect();
    for some in all.chunks(all.len() / 2) {
        shop = replay(shop, mailing(), some).await;
    }
    for subjects in [&["1000 new alerts"][..], &["1000 new alerts", "100 new alerts"]] {
        shop.advance(15 * MINUTE).await;
        let mails = digests(&shop).await;
        assert_eq!(mails.iter().map(|mail| mail["subject"].as_str().unwrap()).collect::<Vec<_>>(), subjects);
    }
    shop.advance(DAY).await;
    assert_eq!(digests(&shop).await.len(), 2);
    shop.stop().await;
}

async fn what_is_resolved_or_acknowledged_before_the_mail_is_not_in_it(place: ShopLocation) {
    let shop = TestShop::start_on_with(place, setup(mailing())).await;
    let laptop = shop.product("laptop", 3).await;
    shop.product("mouse", 3).await;
    let mouse = alerts(&shop, "").await.remove(0);
    acknowledge(&shop, &mouse).await.expect(200);
    adjust(&shop, &laptop, 9).await;
    shop.advance(DAY).await;
    assert!(digests(&shop).await.is_empty());
    shop.product("desk", 3).await;
    shop.advance(15 * MINUTE).await;
    let mails = digests(&shop).await;
    assert_eq!((mails.len(), &mails[0]["subject"]), (1, &json!("1 new alert")));
    assert!(mails[0]["text"].as_str().unwrap().contains("desk"));
    shop.stop().await;
}

async fn without_an_address_nothing_is_mailed(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    shop.product("laptop", 3).await;
    shop.advance(DAY).await;
    assert_eq!(alerts(&shop, "&status=open").await.len(), 1);
    assert!(digests(&shop).await.is_empty());
    shop.stop().await;
}
