//! Shipments in a whole shop: what is sent, what arrives, what is refused, and what a cancellation stops.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use axum::http::Method;
use events::inventory::ReservedLine;
use events::{
    CancellationRequested, Event, OrderAnonymized, OrderLine, OrderPaid, PaymentRefunded, ShipmentDelivered,
    ShipmentDispatched, ShipmentReduced, ShipmentStopped,
};
use futures_util::future::join_all;
use kernel::{Currency, Money, Uuid};
use serde_json::{Value, json};
use testkit::{Setup, ShopLocation, TestResponse, TestShop, emit};

testkit::on_each_store! {
    an_order_is_shipped_in_parts_and_arrives,
    an_order_without_an_address_is_collected,
    a_shipment_is_sent_once_and_as_it_was_read,
    what_cannot_be_shipped_is_refused,
    shipments_are_listed_by_order_and_status,
    a_cancellation_stops_all_or_nothing_and_is_answered_alike,
    a_cancellation_before_the_payment_stops_what_the_payment_makes,
    a_refund_before_the_payment_is_withheld_from_what_the_payment_makes,
    a_dispatch_and_a_cancellation_have_one_winner,
    a_shipment_forgets_its_customer,
}

async fn an_order_is_shipped_in_parts_and_arrives(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let (laptop, mouse) = (shop.product("laptop", 10).await, shop.product("mouse", 10).await);
    let order_id = paid(&shop, &[(&laptop, 3), (&mouse, 2)], true).await;
    let made = of_order(&shop, &order_id).await;
    assert_eq!(made.len(), 1);
    assert_eq!((&made[0]["status"], &made[0]["method"]), (&json!("pending"), &json!("delivery")));
    assert_eq!((&made[0]["number"], &made[0]["ship_to"]["name"]), (&json!(1), &json!("Ada Lovelace")));
    assert_eq!(units(&made[0]), [("laptop".into(), 3), ("mouse".into(), 2)]);
    assert_eq!((&made[0]["carrier"], &made[0]["dispatched_at"]), (&Value::Null, &Value::Null));

    let first = id(&made[0]);
    let part = json!({"carrier": " DHL ", "tracking_number": "0034", "lines": [
        {"product_id": laptop, "quantity": 1}, {"product_id": mouse, "quantity": 2},
    ]});
    let sent = shop.post(&format!("/v1/shipments/{first}/dispatch"), &part).await.expect(200);
    assert_eq!((sent.text("/status"), sent.text("/carrier")), ("dispatched".into(), "DHL".into()));
    assert_eq!((sent.text("/dispatched_by"), sent.text("/tracking_number")), ("automation".into(), "0034".into()));
    assert_eq!(units(&sent.json()), [("laptop".into(), 1), ("mouse".into(), 2)]);
    let read = shop.get(&format!("/v1/shipments/{first}")).await.expect(200);
    assert_eq!((sent.json(), &sent.headers["etag"]), (read.json(), &read.headers["etag"]));

    let rest = of_order(&shop, &order_id).await.remove(0);
    assert_eq!((&rest["status"], &rest["ship_to"]), (&json!("pending"), &made[0]["ship_to"]));
    assert_eq!(units(&rest), [("laptop".into(), 2)]);
    dispatch(&shop, &id(&rest)).await.expect(200);
    for shipment in of_order(&shop, &order_id).await {
        let arrived = deliver(&shop, &id(&shipment)).await.expect(200);
        assert_eq!((arrived.text("/status"), arrived.text("/delivered_by")), ("delivered".into(), "automation".into()));
        let read = shop.get(&format!("/v1/shipments/{}", id(&shipment))).await.expect(200);
        assert_eq!((arrived.json(), &arrived.headers["etag"]), (read.json(), &read.headers["etag"]));
    }

    shop.settle().await;
    let left = published(&shop, ShipmentDispatched::TYPE, &order_id).await;
    let arrived = published(&shop, ShipmentDelivered::TYPE, &order_id).await;
    assert_eq!((left.len(), arrived.len()), (2, 2));
    let mut sums: Vec<_> = left.iter().chain(&arrived).flat_map(units).collect();
    sums.sort();
    let twice = |sku: &str, quantity: i64| vec![(sku.to_owned(), quantity); 2];
    assert_eq!(sums, [twice("laptop", 1), twice("laptop", 2), twice("mouse", 2)].concat());
    shop.stop().await;
}

async fn an_order_without_an_address_is_collected(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 10).await;
    let order_id = paid(&shop, &[(&product, 1)], false).await;
    let made = of_order(&shop, &order_id).await.remove(0);
    assert_eq!((&made["method"], &made["ship_to"]), (&json!("collection"), &Value::Null));
    let sent = shop.post(&format!("/v1/shipments/{}/dispatch", id(&made)), &json!({})).await.expect(200);
    assert_eq!((sent.text("/status"), &sent.json()["carrier"]), ("dispatched".into(), &Value::Null));
    deliver(&shop, &id(&made)).await.expect(200);
    shop.settle().await;
    let left = published(&shop, ShipmentDispatched::TYPE, &order_id).await;
    assert_eq!((&left[0]["carrier"], &left[0]["tracking_number"]), (&json!(""), &json!("")));
    shop.stop().await;
}

async fn a_shipment_is_sent_once_and_as_it_was_read(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 10).await;
    let order_id = paid(&shop, &[(&product, 2)], true).await;
    let path = format!("/v1/shipments/{}", id(&of_order(&shop, &order_id).await[0]));
    let read = shop.get(&path).await.expect(200);
    let part = json!({"carrier": "DHL", "tracking_number": "1", "lines": [{"product_id": product, "quantity": 1}]});
    let dispatch = |tag: &str, key: &str, body: &Value| {
        let call = shop.request(Method::POST, &format!("{path}/dispatch")).admin().json(body);
        call.header("if-match", tag).header("idempotency-key", key).send()
    };
    let deliver = |key: &str| {
        shop.request(Method::POST, &format!("{path}/deliver")).admin().header("idempotency-key", key).send()
    };
    let tag = read.headers["etag"].to_str().unwrap().to_owned();
    let stale = dispatch("\"stale\"", "a", &part).await.expect(412);
    assert_eq!(stale.text("/code"), "version_mismatch");
    let sent = dispatch(&tag, "a", &part).await.expect(200);
    let again = dispatch(&tag, "a", &part).await.expect(200);
    assert_eq!((&again.body, &again.headers["idempotency-replayed"]), (&sent.body, &"true".parse().unwrap()));
    let other = dispatch(&tag, "a", &json!({"carrier": "DHL", "tracking_number": "2"})).await.expect(422);
    assert_eq!(other.text("/code"), "idempotency_key_reused");
    let (arrived, repeated) = (deliver("b").await.expect(200), deliver("b").await.expect(200));
    assert_eq!(arrived.body, repeated.body);
    assert_eq!(of_order(&shop, &order_id).await.len(), 2);
    shop.settle().await;
    assert_eq!(published(&shop, ShipmentDispatched::TYPE, &order_id).await.len(), 1);
    assert_eq!(published(&shop, ShipmentDelivered::TYPE, &order_id).await.len(), 1);
    shop.stop().await;
}

async fn what_cannot_be_shipped_is_refused(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let (product, other) = (shop.product("123", 10).await, shop.product("other", 10).await);
    let order_id = paid(&shop, &[(&product, 2)], true).await;
    let shipment_id = id(&of_order(&shop, &order_id).await[0]);
    let path = format!("/v1/shipments/{shipment_id}/dispatch");
    let with = |lines: Value| json!({"carrier": "DHL", "tracking_number": "1", "lines": lines});
    let line = |product: &str, quantity: i64| json!({"product_id": product, "quantity": quantity});
    let long = "x".repeat(101);
    // (body, fields and codes)
    let invalid: [(Value, &[(&str, &str)]); 8] = [
        (json!({}), &[("carrier", "required"), ("tracking_number", "required")]),
        (json!({"carrier": "DHL"}), &[("tracking_number", "required")]),
        (json!({"carrier": " ", "tracking_number": "1"}), &[("carrier", "length")]),
        (json!({"carrier": "DHL", "tracking_number": long}), &[("tracking_number", "length")]),
        (with(json!([])), &[("lines", "length")]),
        (
            with(json!([line(&product, 0), line(&product, -1)])),
            &[("lines[0].quantity", "range"), ("lines[1].quantity", "range")],
        ),
        (with(json!([line(&product, 1), line(&other, 1)])), &[("lines[1].product_id", "not_in_shipment")]),
        (with(json!(vec![line(&product, 1); 101])), &[("lines", "length")]),
    ];
    for (body, expected) in invalid {
        let refused = shop.post(&path, &body).await.expect(422);
        assert_eq!((refused.text("/code"), errors(&refused)), ("invalid_body".into(), pairs(expected)), "{body}");
    }
    shop.post(&path, &json!({"carrier": "DHL", "tracking_number": "1", "weight": 3})).await.expect(422);

    let exceeding = shop.post(&path, &with(json!([line(&product, 2), line(&product, 1)]))).await.expect(409);
    assert_eq!(exceeding.text("/code"), "exceeds_shipment");
    assert_eq!(exceeding.json()["excess"], json!([{"product_id": product, "asked": 3, "there": 2}]));
    assert_eq!(deliver(&shop, &shipment_id).await.expect(409).text("/code"), "not_dispatched");
    let unknown = Uuid::from_u128(1).to_string();
    for refused in [dispatch(&shop, &unknown).await, deliver(&shop, &unknown).await] {
        let refused = refused.expect(404);
        assert_eq!(refused.text("/code"), "not_found");
        assert_eq!(refused.text("/detail"), "there is no such shipment: an order has one once it is paid");
    }
    let made = of_order(&shop, &order_id).await;
    assert_eq!((made.len(), &made[0]["status"]), (1, &json!("pending")), "a refusal changes nothing");

    dispatch(&shop, &shipment_id).await.expect(200);
    assert_eq!(dispatch(&shop, &shipment_id).await.expect(409).text("/code"), "already_dispatched");
    deliver(&shop, &shipment_id).await.expect(200);
    assert_eq!(dispatch(&shop, &shipment_id).await.expect(409).text("/code"), "already_dispatched");
    assert_eq!(deliver(&shop, &shipment_id).await.expect(409).text("/code"), "already_delivered");

    let unpaid = shop.order(&[(&product, 1)], None).await.text("/order_id");
    shop.settle().await;
    assert_eq!(of_order(&shop, &unpaid).await, Vec::<Value>::new(), "what is not paid is not there to be shipped");
    shop.stop().await;
}

async fn shipments_are_listed_by_order_and_status(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 100).await;
    let mut orders = Vec::new();
    for _ in 0..3 {
        orders.push(paid(&shop, &[(&product, 1)], true).await);
    }
    dispatch(&shop, &id(&of_order(&shop, &orders[1]).await[0])).await.expect(200);
    let orders_of = |items: Vec<Value>| -> Vec<String> {
        items.iter().map(|item| item["order_id"].as_str().unwrap().to_owned()).collect()
    };
    let list = async |query: &str| orders_of(shop.get(&format!("/v1/shipments{query}")).await.expect(200).items());
    let newest_first = [&orders[2], &orders[1], &orders[0]];
    assert_eq!(list("").await, newest_first.map(String::clone));
    assert_eq!(list("?status=pending").await, [orders[2].clone(), orders[0].clone()]);
    assert_eq!(list("?status=dispatched").await, [orders[1].clone()]);
    assert_eq!(list(&format!("?order_id={}&status=pending", orders[1])).await, Vec::<String>::new());
    let page = shop.get("/v1/shipments?status=pending&limit=1").await.expect(200);
    let next = page.text("/next");
    assert_eq!(list(&format!("?status=pending&limit=1&cursor={next}")).await, [orders[0].clone()]);
    let wrong = shop.get("/v1/shipments?status=lost").await.expect(400);
    assert_eq!(wrong.text("/code"), "invalid_query");
    shop.request(Method::GET, "/v1/shipments").send().await.expect(401);
    shop.stop().await;
}

async fn a_cancellation_stops_all_or_nothing_and_is_answered_alike(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 100).await;
    let whole = paid(&shop, &[(&product, 2)], true).await;
    let in_parts = paid(&shop, &[(&product, 2)], true).await;
    let first = id(&of_order(&shop, &in_parts).await[0]);
    let part = json!({"carrier": "DHL", "tracking_number": "1", "lines": [{"product_id": product, "quantity": 1}]});
    shop.post(&format!("/v1/shipments/{first}/dispatch"), &part).await.expect(200);
    let requests = [&whole, &in_parts, &whole, &in_parts].map(|order_id| cancellation(order_id));
    let shop = restart_emitting(shop, &requests).await;
    shop.settle().await;

    let stopped = of_order(&shop, &whole).await;
    assert_eq!((stopped.len(), &stopped[0]["status"]), (1, &json!("stopped")));
    for refused in [dispatch(&shop, &id(&stopped[0])).await, deliver(&shop, &id(&stopped[0])).await] {
        assert_eq!(refused.expect(409).text("/code"), "shipment_stopped");
    }
    let answers = published(&shop, ShipmentStopped::TYPE, &whole).await;
    let all = json!({"order_id": whole, "left": [],
        "stopped": [{"shipment_id": id(&stopped[0]), "lines": stopped[0]["lines"]}]});
    assert_eq!(answers, [all.clone(), all]);

    let going_on = of_order(&shop, &in_parts).await;
    assert_eq!((&going_on[0]["status"], &going_on[1]["status"]), (&json!("pending"), &json!("dispatched")));
    let answers = published(&shop, ShipmentStopped::TYPE, &in_parts).await;
    let left = json!({"order_id": in_parts, "stopped": [],
        "left": [{"shipment_id": first, "lines": going_on[1]["lines"]}]});
    assert_eq!(answers, [left.clone(), left]);
    dispatch(&shop, &id(&going_on[0])).await.expect(200);
    shop.stop().await;
}

async fn a_cancellation_before_the_payment_stops_what_the_payment_makes(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let order_id = Uuid::from_u128(7).to_string();
    let shop = restart_emitting(shop, &[cancellation(&order_id)]).await;
    shop.settle().await;
    let nothing = json!({"order_id": order_id, "stopped": [], "left": []});
    assert_eq!(published(&shop, ShipmentStopped::TYPE, &order_id).await, [nothing]);

    let paid = payment_of(&order_id);
    let shop = restart_emitting(shop, &[paid.clone(), paid]).await;
    shop.settle().await;
    let made = of_order(&shop, &order_id).await;
    assert_eq!((made.len(), &made[0]["status"]), (1, &json!("stopped")));
    assert_eq!(units(&made[0]), [("123".into(), 2)]);
    assert_eq!(dispatch(&shop, &id(&made[0])).await.expect(409).text("/code"), "shipment_stopped");
    shop.stop().await;
}

async fn a_refund_before_the_payment_is_withheld_from_what_the_payment_makes(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let orders = [7, 8, 9].map(|number| Uuid::from_u128(number).to_string());
    let refund = |order_id: &str, number: u128, quantity| PaymentRefunded {
        payment_id: Uuid::from_u128(2).into(),
        refund_id: Some(Uuid::from_u128(number).into()),
        order_id: order_id.parse().unwrap(),
        amount: Money::new(1_000, Currency::EUR),
        refunded_total: Some(Money::new(1_000, Currency::EUR)),
        restock: vec![ReservedLine { product_id: Uuid::from_u128(1).into(), quantity }],
        reason: None,
        of_cancellation: Some(false),
    };
    let [part, whole, cancelled] = &orders;
    // All of the second order, in two refunds; each is reported twice.
    let refunds = [refund(part, 1, 1), refund(whole, 2, 1), refund(whole, 3, 1), refund(cancelled, 4, 1)];
    let shop = restart_emitting(shop, &refunds).await;
    shop.settle().await;
    let shop = restart_emitting(shop, &refunds).await;
    shop.settle().await;
    let shop = restart_emitting(shop, &[cancellation(cancelled)]).await;
    shop.settle().await;
    for order_id in [part, whole] {
        assert_eq!(of_order(&shop, order_id).await, Vec::<Value>::new(), "nothing is there to be shipped");
    }
    let pending = shop.get("/v1/shipments?status=pending").await.expect(200).items();
    assert_eq!(pending, Vec::<Value>::new());

    let paid: Vec<OrderPaid> = orders.iter().map(|order_id| payment_of(order_id)).collect();
    let shop = restart_emitting(shop, &paid).await;
    shop.settle().await;
    let shipment = of_order(&shop, part).await.remove(0);
    assert_eq!((&shipment["status"], &shipment["number"]), (&json!("pending"), &json!(1)));
    assert_eq!((units(&shipment), &shipment["withheld"][0]["quantity"]), (vec![("123".into(), 1)], &json!(1)));
    let reduced = published(&shop, ShipmentReduced::TYPE, part).await;
    let expected = json!({"shipment_id": id(&shipment), "order_id": part, "lines": shipment["withheld"]});
    assert_eq!(reduced, [expected]);

    let shipment = of_order(&shop, whole).await.remove(0);
    assert_eq!((&shipment["status"], &shipment["withheld"][0]["quantity"]), (&json!("stopped"), &json!(2)));
    assert_eq!(dispatch(&shop, &id(&shipment)).await.expect(409).text("/code"), "shipment_stopped");

    let shipment = of_order(&shop, cancelled).await.remove(0);
    assert_eq!((&shipment["status"], units(&shipment)), (&json!("stopped"), vec![("123".into(), 2)]));
    assert_eq!(published(&shop, ShipmentReduced::TYPE, cancelled).await, Vec::<Value>::new());
    shop.stop().await;
}

async fn a_dispatch_and_a_cancellation_have_one_winner(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 1_000).await;
    let mut orders = Vec::new();
    for _ in 0..40 {
        orders.push(shop.order(&[(&product, 2)], Some("tok_ok")).await.text("/order_id"));
    }
    shop.settle().await;
    let mut shipments = Vec::new();
    for order_id in &orders {
        shipments.push(id(&of_order(&shop, order_id).await[0]));
    }
    let requests: Vec<_> = orders.iter().map(|order_id| cancellation(order_id)).collect();
    let shop = restart_emitting(shop, &requests).await;
    // Every second one in part, so that the rest could still be stopped if the guard failed.
    let part = json!({"lines": [{"product_id": product, "quantity": 1}]});
    let bodies = [json!({}), part];
    let paths: Vec<String> = shipments.iter().map(|id| format!("/v1/shipments/{id}/dispatch")).collect();
    // The last first, for the cancellations begin with the first.
    let racing = (0..).zip(&paths).collect::<Vec<(usize, _)>>().into_iter().rev();
    let mut sent = join_all(racing.map(|(at, path)| shop.post(path, &bodies[at % bodies.len()]))).await;
    sent.reverse();
    shop.settle().await;

    for (order_id, sent) in orders.iter().zip(sent) {
        let statuses: Vec<Value> = of_order(&shop, order_id).await.iter().map(|it| it["status"].clone()).collect();
        let answers = published(&shop, ShipmentStopped::TYPE, order_id).await;
        assert_eq!(answers.len(), 1);
        let [stopped, left] = ["stopped", "left"].map(|field| answers[0][field].as_array().unwrap().len());
        let dispatched = published(&shop, ShipmentDispatched::TYPE, order_id).await.len();
        if sent.status.is_success() {
            assert_eq!((stopped, left, dispatched), (0, 1, 1), "{order_id}");
            assert!(!statuses.contains(&json!("stopped")), "{order_id}: {statuses:?}");
        } else {
            assert_eq!(sent.expect(409).text("/code"), "shipment_stopped");
            assert_eq!((stopped, left, dispatched), (1, 0, 0), "{order_id}");
            assert_eq!(statuses, ["stopped"], "{order_id}");
        }
    }
    shop.stop().await;
}

async fn a_shipment_forgets_its_customer(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 10).await;
    let order_id = paid(&shop, &[(&product, 2)], true).await;
    dispatch(&shop, &id(&of_order(&shop, &order_id).await[0])).await.expect(200);
    let anonymized = OrderAnonymized { order_id: order_id.parse().unwrap(), version: 9 };
    let shop = restart_emitting(shop, &[anonymized]).await;
    shop.settle().await;
    let shipment = of_order(&shop, &order_id).await.remove(0);
    assert_eq!(shipment["ship_to"], json!({"name": "", "street": "", "city": "", "country": "GB"}));
    assert_eq!((&shipment["method"], units(&shipment)), (&json!("delivery"), vec![("123".into(), 2)]));
    shop.stop().await;
}

/// A paid order, of a guest who may want it sent.
async fn paid(shop: &TestShop, lines: &[(&str, i64)], is_sent: bool) -> String {
    let lines: Vec<Value> = lines.iter().map(|(id, units)| json!({"product_id": id, "quantity": units})).collect();
    let mut order = json!({"lines": lines, "email": "ada@example.com", "payment": {"token": "tok_ok"}});
    if is_sent {
        order["ship_to"] = json!({"name": "Ada Lovelace", "street": "12 St James's Square", "city": "London",
            "postal_code": "SW1Y 4JH", "country": "GB"});
    }
    let placed = shop.request(Method::POST, "/v1/orders").json(&order).send().await.expect(201);
    shop.settle().await;
    placed.text("/order_id")
}

async fn of_order(shop: &TestShop, order_id: &str) -> Vec<Value> {
    shop.get(&format!("/v1/shipments?order_id={order_id}")).await.expect(200).items()
}

async fn dispatch(shop: &TestShop, shipment_id: &str) -> TestResponse {
    let departure = json!({"carrier": "DHL", "tracking_number": "0034"});
    shop.post(&format!("/v1/shipments/{shipment_id}/dispatch"), &departure).await
}

async fn deliver(shop: &TestShop, shipment_id: &str) -> TestResponse {
    shop.request(Method::POST, &format!("/v1/shipments/{shipment_id}/deliver")).admin().send().await
}

/// The bodies of the events of a type about an order, oldest first.
async fn published(shop: &TestShop, event_type: &str, order_id: &str) -> Vec<Value> {
    let path = format!("/v1/events?type={event_type}&subject={order_id}&limit=100");
    let mut events = shop.get(&path).await.expect(200).items();
    events.reverse();
    events.iter().map(|event| event["data"].clone()).collect()
}

fn cancellation(order_id: &str) -> CancellationRequested {
    CancellationRequested { order_id: order_id.parse().unwrap(), number: 1, requested_by: "customer".to_owned() }
}

/// The payment of an order of two laptops, which its customer collects.
fn payment_of(order_id: &str) -> OrderPaid {
    let line = OrderLine {
        product_id: Uuid::from_u128(1).into(),
        sku: "123".to_owned(),
        name: "Laptop".to_owned(),
        quantity: 2,
        unit_price: Money::new(1_000, Currency::EUR),
    };
    OrderPaid {
        order_id: order_id.parse().unwrap(),
        number: 1,
        user_id: None,
        email: "ada@example.com".to_owned(),
        payment_id: Uuid::from_u128(2).into(),
        amount: Money::new(2_000, Currency::EUR),
        ship_to: None,
        lines: vec![line],
    }
}

/// The same shop, in which other services have emitted these events for shipping.
async fn restart_emitting<E: Event>(shop: TestShop, events: &[E]) -> TestShop {
    shop.restart_after(Setup::default(), async |store, clock| emit(store, clock, events, &["shipping"]).await).await
}

fn id(shipment: &Value) -> String {
    shipment["shipment_id"].as_str().unwrap().to_owned()
}

/// Stock keeping unit and quantity of each line.
fn units(of: &Value) -> Vec<(String, i64)> {
    let line = |line: &Value| (line["sku"].as_str().unwrap().to_owned(), line["quantity"].as_i64().unwrap());
    of["lines"].as_array().unwrap().iter().map(line).collect()
}

fn errors(refused: &TestResponse) -> Vec<(String, String)> {
    let json = refused.json();
    let text = |error: &Value, name: &str| error[name].as_str().unwrap().to_owned();
    let errors = json["errors"].as_array().unwrap();
    errors.iter().map(|error| (text(error, "field"), text(error, "code"))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(field, code)| ((*field).to_owned(), (*code).to_owned())).collect()
}
