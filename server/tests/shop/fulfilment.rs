//! The life of an order after its payment: it leaves and arrives, is cancelled or comes back, and follows what changes
//! around it.

use axum::http::Method;
use events::CancellationRequested;
use futures_util::future::join_all;
use kernel::{Event, Lane, Uuid};
use serde_json::{Value, json};
use testkit::{Customer, PASSWORD, Setup, ShopLocation, TestResponse, TestShop, emit, on_each_broker, on_each_store};

on_each_store! {
    an_order_leaves_in_parts_and_arrives_and_its_customer_is_mailed_each_time,
    an_order_that_is_collected_needs_no_carrier,
    an_order_of_which_a_part_has_left_is_too_late_to_cancel,
    a_dispatch_that_comes_before_the_answer_lets_the_order_go_on,
    an_order_that_arrives_before_the_answer_is_delivered_and_its_customer_gets_both_mails,
    what_a_partial_refund_left_goes_back_when_the_order_is_cancelled,
    an_account_with_another_address_gets_the_mails_of_its_open_orders,
    a_changed_or_deleted_product_stays_as_it_was_ordered,
}

on_each_broker! {
    a_paid_order_is_cancelled_and_all_its_money_and_units_go_back,
    a_dispatch_and_a_cancellation_at_once_have_one_winner,
    a_delivered_order_comes_back_in_part_and_then_in_full,
    a_ban_cancels_what_is_unpaid_and_what_has_not_left,
}

/// Orders that are dispatched and cancelled at the same time.
const RACES: usize = 50;

/// Turns that a dispatch of a race waits longer than the one before it.
const TURNS: usize = 3;

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

/// An order that is paid.
async fn paid(shop: &TestShop, lines: &[(&str, i64)]) -> String {
    let order_id = shop.order(lines, Some("tok_ok")).await.text("/order_id");
    shop.settle().await;
    assert_eq!(shop.order_now(&order_id).await.text("/status"), "paid");
    order_id
}

async fn shipments(shop: &TestShop, order_id: &str) -> Vec<Value> {
    shop.get(&format!("/v1/shipments?order_id={order_id}")).await.expect(200).items()
}

/// The shipment that is still to be sent.
async fn pending(shop: &TestShop, order_id: &str) -> String {
    let shipments = shop.get(&format!("/v1/shipments?order_id={order_id}&status=pending")).await.expect(200).items();
    assert_eq!(shipments.len(), 1, "{shipments:?}");
    text(&shipments[0]["shipment_id"])
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn departure(tracking_number: &str) -> Value {
    json!({"carrier": "DHL", "tracking_number": tracking_number})
}

async fn dispatch(shop: &TestShop, shipment_id: &str) -> TestResponse {
    shop.post(&format!("/v1/shipments/{shipment_id}/dispatch"), &departure("T-1")).await
}

async fn deliver(shop: &TestShop, shipment_id: &str) -> TestResponse {
    shop.request(Method::POST, &format!("/v1/shipments/{shipment_id}/deliver")).admin().send().await
}

async fn cancel(shop: &TestShop, order_id: &str) -> TestResponse {
    shop.post(&format!("/v1/orders/{order_id}/cancel"), &json!({})).await
}

/// The one payment of an order.
async fn payment(shop: &TestShop, order_id: &str) -> Value {
    let payments = shop.get(&format!("/v1/payments?order_id={order_id}")).await.expect(200).items();
    assert_eq!(payments.len(), 1, "{payments:?}");
    payments[0].clone()
}

async fn refund(shop: &TestShop, order_id: &str, body: &Value) -> TestResponse {
    let payment_id = text(&payment(shop, order_id).await["payment_id"]);
    shop.post(&format!("/v1/payments/{payment_id}/refund"), body).await
}

fn euros(cents: i64) -> Value {
    json!({"amount": cents, "currency": "EUR"})
}

/// Status, money that came and money that went back, as the order shows them and as payments does.
#[track_caller]
fn expect_money(order: &TestResponse, payment: &Value, status: &str, captured: i64, refunded: i64) {
    let shown = json!({"status": status, "captured": euros(captured), "refunded": euros(refunded)});
    assert_eq!(order.json()["payment"], shown);
    assert_eq!((&payment["captured"], &payment["refunded"]), (&euros(captured), &euros(refunded)), "{payment}");
}

/// Mails about an order with their recipients, in alphabetical order.
async fn letters(shop: &TestShop, order_id: &str) -> Vec<(String, String)> {
    let mails = shop.get(&format!("/v1/mail?order_id={order_id}")).await.expect(200).items();
    let mut letters: Vec<_> = mails.iter().map(|mail| (text(&mail["template"]), text(&mail["to"]))).collect();
    letters.sort();
    letters
}

/// The statuses of an order's shipments, in alphabetical order.
fn statuses(shipments: &Value) -> Vec<&str> {
    let shipments = shipments.as_array().unwrap().iter();
    let mut statuses: Vec<&str> = shipments.map(|it| it["status"].as_str().unwrap()).collect();
    statuses.sort_unstable();
    statuses
}

async fn an_order_leaves_in_parts_and_arrives_and_its_customer_is_mailed_each_time(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let (one, other) = (shop.product("A", 10).await, shop.product("B", 10).await);
    let ship_to = json!({"name": "Ada", "street": "12 St James's Square", "city": "London", "country": "GB"});
    let lines = json!([{"product_id": one, "quantity": 3}, {"product_id": other, "quantity": 1}]);
    let order = json!({"lines": lines, "email": "ada@example.com", "ship_to": ship_to, "payment": {"token": "tok_ok"}});
    let order_id = shop.request(Method::POST, "/v1/orders").json(&order).send().await.expect(201).text("/order_id");
    shop.settle().await;
    let first = pending(&shop, &order_id).await;
    let mut part = departure("T-1");
    part["lines"] = json!([{"product_id": one, "quantity": 2}]);
    shop.post(&format!("/v1/shipments/{first}/dispatch"), &part).await.expect(200);
    shop.settle().await;
    let order = shop.order_now(&order_id).await;
    assert_eq!((order.text("/status").as_str(), statuses(&order.json()["shipments"])), ("paid", vec!["dispatched"]));
    let line = |product: &str, sku: &str, quantity: i64| json!({"product_id": product, "sku": sku, "name": sku, "quantity": quantity});
    assert_eq!(order.json()["shipments"][0]["lines"], json!([line(&one, "A", 2)]));
    assert_eq!(order.text("/shipments/0/tracking_number"), "T-1");
    assert_eq!(shop.mails(&order_id).await, ["confirmation", "dispatched"]);

    let second = pending(&shop, &order_id).await;
    shop.post(&format!("/v1/shipments/{second}/dispatch"), &departure("T-2")).await.expect(200);
    shop.settle().await;
    let order = shop.order_now(&order_id).await;
    assert_eq!(order.text("/status"), "shipped");
    let rest = order.json()["shipments"].as_array().unwrap().iter().find(|it| it["tracking_number"] == "T-2").cloned();
    assert_eq!(rest.unwrap()["lines"], json!([line(&one, "A", 1), line(&other, "B", 1)]));
    // The later one first.
    deliver(&shop, &second).await.expect(200);
    shop.settle().await;
    let order = shop.order_now(&order_id).await;
    let arrived = ("shipped", vec!["delivered", "dispatched"]);
    assert_eq!((order.text("/status").as_str(), statuses(&order.json()["shipments"])), arrived);
    deliver(&shop, &first).await.expect(200);
    shop.settle().await;
    let order = shop.order_now(&order_id).await;
    assert_eq!(order.text("/status"), "delivered");
    expect_money(&order, &payment(&shop, &order_id).await, "captured", 4_000, 0);
    assert_eq!(shop.mails(&order_id).await, ["confirmation", "delivered", "dispatched", "dispatched"]);
    let mails = shop.get(&format!("/v1/mail?order_id={order_id}")).await.expect(200).items();
    let mut tracked: Vec<&str> = Vec::new();
    for mail in mails.iter().filter(|mail| mail["template"] == "dispatched") {
        tracked.extend(["T-1", "T-2"].into_iter().filter(|number| mail["text"].as_str().unwrap().contains(number)));
    }
    tracked.sort_unstable();
    assert_eq!(tracked, ["T-1", "T-2"], "each mail has its tracking number");
    assert_eq!((shop.stock(&one).await, shop.stock(&other).await), ((7, 0), (9, 0)));
}

async fn an_order_that_is_collected_needs_no_carrier(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("A", 10).await;
    let order_id = paid(&shop, &[(&product, 1)]).await;
    let shipment = pending(&shop, &order_id).await;
    shop.post(&format!("/v1/shipments/{shipment}/dispatch"), &json!({})).await.expect(200);
    deliver(&shop, &shipment).await.expect(200);
    shop.settle().await;
    let order = shop.order_now(&order_id).await;
    assert_eq!(order.text("/status"), "delivered");
    assert_eq!(order.json()["shipments"][0].get("carrier"), None);
    assert_eq!(shop.mails(&order_id).await, ["confirmation", "delivered", "dispatched"]);
}

async fn a_paid_order_is_cancelled_and_all_its_money_and_units_go_back(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("A", 10).await;
    let placed = shop.order(&[(&product, 3)], Some("tok_ok")).await;
    let order_id = placed.text("/order_id");
    shop.settle().await;
    let shipment = pending(&shop, &order_id).await;
    let path = format!("/v1/orders/{order_id}/cancel");
    let by_guest = shop.request(Method::POST, &path).header("x-order-token", &placed.text("/access_token"));
    let answer = by_guest.json(&json!({})).send().await.expect(202);
    assert_eq!((answer.text("/status"), answer.text("/cancellation")), ("cancelling".into(), "requested".into()));

    shop.settle().await;
    let order = shop.order_now(&order_id).await;
    assert_eq!((order.text("/status"), order.text("/reason")), ("cancelled".into(), "cancelled".into()));
    let payment = payment(&shop, &order_id).await;
    expect_money(&order, &payment, "refunded", 3_000, 3_000);
    let refunds = payment["refunds"].as_array().unwrap();
    assert_eq!(refunds.len(), 1, "{payment}");
    assert_eq!((&refunds[0]["status"], &refunds[0]["reason"]), (&json!("succeeded"), &json!("order_cancelled")));
    assert_eq!(shop.stock(&product).await, (10, 0));
    assert_eq!(shop.mails(&order_id).await, ["cancelled", "confirmation"]);
    assert_eq!(cancel(&shop, &order_id).await.expect(200).text("/status"), "cancelled");
    assert_eq!(dispatch(&shop, &shipment).await.expect(409).text("/code"), "shipment_stopped");
    shop.settle().await;
    assert_eq!(shop.mails(&order_id).await, ["cancelled", "confirmation"], "nothing is done twice");
}

async fn an_order_of_which_a_part_has_left_is_too_late_to_cancel(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("A", 10).await;
    let order_id = paid(&shop, &[(&product, 3)]).await;
    let shipment = pending(&shop, &order_id).await;
    let part = json!({"lines": [{"product_id": product, "quantity": 1}]});
    shop.post(&format!("/v1/shipments/{shipment}/dispatch"), &part).await.expect(200);
    shop.settle().await;
    assert_eq!(cancel(&shop, &order_id).await.expect(409).text("/code"), "too_late");
    shop.settle().await;
    let order = shop.order_now(&order_id).await;
    assert_eq!((order.text("/status"), order.json().get("cancellation").cloned()), ("paid".into(), None));
    dispatch(&shop, &pending(&shop, &order_id).await).await.expect(200);
    shop.settle().await;
    assert_eq!(shop.order_now(&order_id).await.text("/status"), "shipped", "what was still there can leave");
}

/// A paid order that is to be cancelled, and of which shipping learns nothing.
async fn cancelling_without_an_answer(place: ShopLocation) -> (TestShop, String, String) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("A", 10).await;
    let order_id = paid(&shop, &[(&product, 2)]).await;
    let obstacle = MalformedRequest { key: order_id.parse().unwrap() };
    let shop = shop
        .restart_after(Setup::default(), async |store, clock| emit(store, clock, &[obstacle], &["shipping"]).await)
        .await;
    shop.settle().await;
    assert_eq!(cancel(&shop, &order_id).await.expect(202).text("/status"), "cancelling");
    shop.settle().await;
    (shop, product, order_id)
}

/// Removes the obstacle.
async fn let_shipping_answer(shop: &TestShop) {
    let letters = shop.get("/v1/dead-letters").await.expect(200).items();
    assert_eq!(letters.len(), 1, "{letters:?}");
    let discard = format!("/v1/dead-letters/{}/discard", text(&letters[0]["dead_letter_id"]));
    shop.request(Method::POST, &discard).admin().send().await.expect(200);
    shop.settle().await;
}

async fn a_dispatch_that_comes_before_the_answer_lets_the_order_go_on(place: ShopLocation) {
    let (shop, product, order_id) = cancelling_without_an_answer(place).await;
    let shipment = pending(&shop, &order_id).await;
    dispatch(&shop, &shipment).await.expect(200);
    shop.settle().await;
    let order = shop.order_now(&order_id).await;
    assert_eq!(order.text("/status"), "cancelling", "shipping has not answered");

    let_shipping_answer(&shop).await;
    let order = shop.order_now(&order_id).await;
    assert_eq!((order.text("/status"), order.text("/cancellation")), ("shipped".into(), "too_late".into()));
    expect_money(&order, &payment(&shop, &order_id).await, "captured", 2_000, 0);
    assert_eq!(shop.stock(&product).await, (8, 0));
    assert_eq!(shop.mails(&order_id).await, ["confirmation", "dispatched", "too_late_to_cancel"]);
    deliver(&shop, &shipment).await.expect(200);
    shop.settle().await;
    assert_eq!(shop.order_now(&order_id).await.text("/status"), "delivered");
}

async fn an_order_that_arrives_before_the_answer_is_delivered_and_its_customer_gets_both_mails(place: ShopLocation) {
    let (shop, product, order_id) = cancelling_without_an_answer(place).await;
    let shipment = pending(&shop, &order_id).await;
    dispatch(&shop, &shipment).await.expect(200);
    deliver(&shop, &shipment).await.expect(200);
    shop.settle().await;
    let_shipping_answer(&shop).await;
    let order = shop.order_now(&order_id).await;
    assert_eq!((order.text("/status"), order.text("/cancellation")), ("delivered".into(), "too_late".into()));
    assert_eq!(shop.stock(&product).await, (8, 0));
    assert_eq!(shop.mails(&order_id).await, ["confirmation", "delivered", "dispatched", "too_late_to_cancel"]);
}

async fn a_dispatch_and_a_cancellation_at_once_have_one_winner(place: ShopLocation) {
    let shop = &TestShop::start_on(place).await;
    let product = shop.product("A", 1_000).await;
    let lines = [(product.as_str(), 1)];
    let placed = join_all((0..RACES).map(|_| shop.order(&lines, Some("tok_ok")))).await;
    shop.settle().await;
    let orders: Vec<String> = placed.iter().map(|placed| placed.text("/order_id")).collect();
    let shipments_of = join_all(orders.iter().map(|order_id| pending(shop, order_id))).await;
    let race = (0..).zip(orders.iter().zip(&shipments_of)).map(|(round, (order_id, shipment_id))| async move {
        let dispatched = async {
            for _ in 0..round * TURNS {
                tokio::task::yield_now().await;
            }
            dispatch(shop, shipment_id).await
        };
        tokio::join!(dispatched, cancel(shop, order_id))
    });
    let answers = join_all(race).await;
    shop.settle().await;

    let mut shipped = 0;
    for (order_id, (dispatched, cancelled)) in orders.iter().zip(&answers) {
        let (order, payment) = (shop.order_now(order_id).await, payment(shop, order_id).await);
        let of_order = json!(shipments(shop, order_id).await);
        let mut mails = vec!["confirmation"];
        if dispatched.status == 200 {
            shipped += 1;
            mails.push("dispatched");
            assert_eq!((order.text("/status").as_str(), statuses(&of_order)), ("shipped", vec!["dispatched"]));
            expect_money(&order, &payment, "captured", 1_000, 0);
            if cancelled.status == 202 {
                assert_eq!(order.text("/cancellation"), "too_late");
                mails.push("too_late_to_cancel");
            } else {
                assert_eq!(cancelled.clone().expect(409).text("/code"), "too_late");
            }
        } else {
            mails.insert(0, "cancelled");
            assert_eq!(dispatched.clone().expect(409).text("/code"), "shipment_stopped");
            cancelled.clone().expect(202);
            assert_eq!((order.text("/status").as_str(), statuses(&of_order)), ("cancelled", vec!["stopped"]));
            expect_money(&order, &payment, "refunded", 1_000, 1_000);
        }
        let letters = letters(shop, order_id).await;
        assert_eq!(letters.iter().map(|(template, _)| template.as_str()).collect::<Vec<_>>(), mails);
    }
    eprintln!("{shipped} of {RACES} were dispatched");
    assert_eq!(shop.stock(&product).await, (1_000 - shipped, 0));
}

async fn a_delivered_order_comes_back_in_part_and_then_in_full(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("A", 10).await;
    let order_id = paid(&shop, &[(&product, 3)]).await;
    let shipment = pending(&shop, &order_id).await;
    dispatch(&shop, &shipment).await.expect(200);
    deliver(&shop, &shipment).await.expect(200);
    shop.settle().await;

    let restock = |quantity: i64| json!([{"product_id": product, "quantity": quantity}]);
    let part = json!({"amount": euros(1_000), "reason": "scratched", "restock": restock(1)});
    assert_eq!(refund(&shop, &order_id, &part).await.expect(202).text("/status"), "pending");
    shop.settle().await;
    let (order, paid) = (shop.order_now(&order_id).await, payment(&shop, &order_id).await);
    assert_eq!(order.text("/status"), "delivered");
    expect_money(&order, &paid, "partially_refunded", 3_000, 1_000);
    assert_eq!(
        (&paid["refunds"][0]["status"], &paid["refunds"][0]["reason"]),
        (&json!("succeeded"), &json!("scratched"))
    );
    assert_eq!(shop.stock(&product).await, (8, 0));
    assert_eq!(shop.mails(&order_id).await, ["confirmation", "delivered", "dispatched", "refunded"]);

    refund(&shop, &order_id, &json!({"restock": restock(2)})).await.expect(202);
    shop.settle().await;
    let (order, paid) = (shop.order_now(&order_id).await, payment(&shop, &order_id).await);
    assert_eq!(order.text("/status"), "refunded");
    expect_money(&order, &paid, "refunded", 3_000, 3_000);
    assert_eq!(shop.stock(&product).await, (10, 0));
    assert_eq!(shop.mails(&order_id).await, ["confirmation", "delivered", "dispatched", "refunded", "refunded"]);
    assert_eq!(refund(&shop, &order_id, &json!({})).await.expect(409).text("/code"), "exceeds_captured");
}

async fn what_a_partial_refund_left_goes_back_when_the_order_is_cancelled(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("A", 10).await;
    let order_id = paid(&shop, &[(&product, 3)]).await;
    let restock = json!([{"product_id": product, "quantity": 1}]);
    refund(&shop, &order_id, &json!({"amount": euros(1_200), "restock": restock})).await.expect(202);
    shop.settle().await;
    assert_eq!(shop.stock(&product).await, (8, 0));
    cancel(&shop, &order_id).await.expect(202);
    shop.settle().await;
    let (order, paid) = (shop.order_now(&order_id).await, payment(&shop, &order_id).await);
    assert_eq!(order.text("/status"), "cancelled");
    expect_money(&order, &paid, "refunded", 3_000, 3_000);
    let amounts: Vec<&Value> = paid["refunds"].as_array().unwrap().iter().map(|it| &it["amount"]["amount"]).collect();
    assert_eq!(amounts, [1_200, 1_800]);
    assert_eq!(shop.stock(&product).await, (10, 0), "no unit comes back twice");
    assert_eq!(shop.mails(&order_id).await, ["cancelled", "confirmation", "refunded"]);
}

/// An order of the customer: with a token if it is to be paid, with an address for its mails if one is sent.
async fn order(
    shop: &TestShop,
    customer: &Customer,
    product: &str,
    token: Option<&str>,
    email: Option<&str>,
) -> String {
    let mut order = json!({"lines": [{"product_id": product, "quantity": 2}]});
    if let Some(token) = token {
        order["payment"] = json!({"token": token});
    }
    if let Some(email) = email {
        order["email"] = json!(email);
    }
    let placed = customer.asks(shop, Method::POST, "/v1/orders").json(&order).send().await.expect(201);
    shop.settle().await;
    placed.text("/order_id")
}

async fn an_account_with_another_address_gets_the_mails_of_its_open_orders(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("A", 10).await;
    let ada = Customer::sign_up(&shop, "ada").await;
    let open = order(&shop, &ada, &product, Some("tok_ok"), None).await;
    let gift = order(&shop, &ada, &product, Some("tok_ok"), Some("grace@example.com")).await;
    let over = order(&shop, &ada, &product, Some("tok_declined"), None).await;
    let moved = json!({"email": "ada@example.org", "current_password": PASSWORD});
    let path = format!("/v1/users/{}", ada.user_id);
    ada.asks(&shop, Method::PATCH, &path).json(&moved).send().await.expect(200);
    shop.settle().await;
    for (order_id, email) in [(&open, "ada@example.org"), (&gift, "grace@example.com"), (&over, "ada@example.com")] {
        assert_eq!(shop.order_now(order_id).await.text("/email"), email);
    }
    for order_id in [&open, &gift] {
        dispatch(&shop, &pending(&shop, order_id).await).await.expect(200);
    }
    shop.settle().await;
    let letter = |template: &str, to: &str| (template.to_owned(), to.to_owned());
    let expected = [letter("confirmation", "ada@example.com"), letter("dispatched", "ada@example.org")];
    assert_eq!(letters(&shop, &open).await, expected);
    let expected = [letter("confirmation", "grace@example.com"), letter("dispatched", "grace@example.com")];
    assert_eq!(letters(&shop, &gift).await, expected);
}

async fn a_changed_or_deleted_product_stays_as_it_was_ordered(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("A", 10).await;
    let unpaid = shop.order(&[(&product, 2)], None).await.text("/order_id");
    let order_id = paid(&shop, &[(&product, 2)]).await;
    let path = format!("/v1/products/{product}");
    shop.patch(&path, &json!({"name": "Another thing", "price": euros(9_900)})).await.expect(200);
    shop.settle().await;
    shop.delete(&path).await.expect(204);
    shop.settle().await;
    shop.post(&format!("/v1/orders/{unpaid}/payment"), &json!({"token": "tok_ok"})).await.expect(202);
    shop.settle().await;

    for order_id in [&order_id, &unpaid] {
        let order = shop.order_now(order_id).await;
        assert_eq!((order.text("/status"), order.text("/lines/0/name")), ("paid".into(), "A".into()));
        assert_eq!((order.number("/lines/0/unit_price/amount"), order.number("/total/amount")), (1_000, 2_000));
        expect_money(&order, &payment(&shop, order_id).await, "captured", 2_000, 0);
        let shipment = pending(&shop, order_id).await;
        let shown = shop.get(&format!("/v1/shipments/{shipment}")).await.expect(200);
        assert_eq!((shown.text("/lines/0/name"), shown.text("/lines/0/sku")), ("A".into(), "A".into()));
        dispatch(&shop, &shipment).await.expect(200);
        deliver(&shop, &shipment).await.expect(200);
        shop.settle().await;
        assert_eq!(shop.order_now(order_id).await.text("/status"), "delivered");
    }
    let order = json!({"lines": [{"product_id": product, "quantity": 1}], "email": "ada@example.com"});
    assert_eq!(shop.post("/v1/orders", &order).await.expect(422).text("/code"), "product_unknown");
}

async fn a_ban_cancels_what_is_unpaid_and_what_has_not_left(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("A", 20).await;
    let (eve, ada) = (Customer::sign_up(&shop, "eve").await, Customer::sign_up(&shop, "ada").await);
    let unpaid = order(&shop, &eve, &product, None, None).await;
    let waiting = order(&shop, &eve, &product, Some("tok_ok"), None).await;
    let part_left = order(&shop, &eve, &product, Some("tok_ok"), None).await;
    let of_other = order(&shop, &ada, &product, Some("tok_ok"), None).await;
    let part = json!({"lines": [{"product_id": product, "quantity": 1}]});
    let shipment = pending(&shop, &part_left).await;
    shop.post(&format!("/v1/shipments/{shipment}/dispatch"), &part).await.expect(200);
    shop.settle().await;
    assert_eq!(shop.stock(&product).await, (14, 2));

    let ban = format!("/v1/users/{}/ban", eve.user_id);
    shop.post(&ban, &json!({"reason": "resells"})).await.expect(202);
    shop.settle().await;
    for order_id in [&unpaid, &waiting] {
        let order = shop.order_now(order_id).await;
        assert_eq!((order.text("/status"), order.text("/reason")), ("cancelled".into(), "account_banned".into()));
    }
    let order = shop.order_now(&waiting).await;
    expect_money(&order, &payment(&shop, &waiting).await, "refunded", 2_000, 2_000);
    assert_eq!(shop.mails(&waiting).await, ["cancelled", "confirmation"]);
    assert_eq!(shop.order_now(&part_left).await.text("/status"), "paid", "the rest of it may leave");
    assert_eq!(shop.order_now(&of_other).await.text("/status"), "paid");
    assert_eq!(shop.stock(&product).await, (16, 0));
    let refused = eve.asks(&shop, Method::POST, "/v1/orders").json(&json!({"lines": []})).send().await.expect(403);
    assert_eq!(refused.text("/code"), "banned");
}
