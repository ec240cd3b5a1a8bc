//! Money back: in full and in part, at once and in doubt, and never more than was captured.

use std::time::Duration;

use axum::http::Method;
use events::{OrderCancelled, PaymentRefunded, RefundFailed};
use kernel::Event;
use serde_json::{Value, json};
use testkit::{Setup, ShopLocation, TestResponse, TestShop, emit, on_each_store};

on_each_store! {
    all_of_a_payment_goes_back_and_is_published_once,
    parts_go_back_until_nothing_is_left,
    of_two_admins_at_once_only_one_gets_money_that_is_there_once,
    what_a_refund_that_waits_for_its_answer_holds_is_not_there_for_another,
    a_refused_refund_says_why_and_its_money_is_free_again,
    a_repeated_request_gives_back_once,
    a_refund_that_was_decided_on_an_older_payment_is_refused,
    what_can_not_be_refunded_is_refused_by_name,
    a_unit_comes_back_once,
    a_payment_has_a_bounded_number_of_refunds,
    a_cancelled_order_gets_back_what_no_refund_holds,
    a_late_part_of_a_cancelled_order_is_never_given_twice,
}

/// An order of two products at 10.00 EUR that was paid.
struct Paid {
    order_id: String,
    payment_id: String,
    product_id: String,
}

async fn paid(shop: &TestShop, token: &str) -> Paid {
    let product_id = shop.product(token, 10).await;
    let order_id = shop.order(&[(&product_id, 2)], Some(token)).await.text("/order_id");
    shop.settle().await;
    let payments = shop.get(&format!("/v1/payments?order_id={order_id}")).await.expect(200).items();
    let payment_id = payments[0]["payment_id"].as_str().unwrap().to_owned();
    Paid { order_id, payment_id, product_id }
}

fn euros(cents: i64) -> Value {
    json!({"amount": cents, "currency": "EUR"})
}

async fn refund(shop: &TestShop, paid: &Paid, body: Value) -> TestResponse {
    shop.post(&format!("/v1/payments/{}/refund", paid.payment_id), &body).await
}

async fn payment(shop: &TestShop, paid: &Paid) -> TestResponse {
    shop.get(&format!("/v1/payments/{}", paid.payment_id)).await.expect(200)
}

/// Waits for what is in flight, and for what is tried again later.
async fn end(shop: &TestShop) {
    shop.settle().await;
    shop.advance(Duration::from_mins(5)).await;
}

/// `(status, refunded)` of a payment, and `(amount, status)` of its refunds.
async fn money(shop: &TestShop, paid: &Paid) -> (String, i64, Vec<(i64, String)>) {
    let payment = payment(shop, paid).await;
    let refunds = payment.json()["refunds"].as_array().unwrap().clone();
    let shown =
        |refund: &Value| (refund["amount"]["amount"].as_i64().unwrap(), refund["status"].as_str().unwrap().to_owned());
    (payment.text("/status"), payment.number("/refunded/amount"), refunds.iter().map(shown).collect())
}

async fn published<E: Event>(shop: &TestShop, paid: &Paid) -> Vec<Value> {
    let events = shop.get(&format!("/v1/events?type={}&limit=100", E::TYPE)).await.expect(200).items();
    let bodies = events.into_iter().map(|event| event["data"].clone());
    bodies.filter(|body| body["payment_id"] == paid.payment_id.as_str()).collect()
}

fn succeeded(amount: i64) -> (i64, String) {
    (amount, "succeeded".to_owned())
}

async fn all_of_a_payment_goes_back_and_is_published_once(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let paid = paid(&shop, "tok_ok").await;
    let before = payment(&shop, &paid).await;
    assert_eq!(before.json()["captured"], euros(2_000));
    assert_eq!((&before.json()["refunded"], &before.json()["refunds"]), (&euros(0), &json!([])));

    let body = json!({"reason": "one came damaged", "restock": [{"product_id": paid.product_id, "quantity": 1}]});
    let pending = refund(&shop, &paid, body.clone()).await.expect(202);
    assert_eq!((pending.text("/status"), pending.number("/amount/amount")), ("pending".into(), 2_000));
    assert_eq!(pending.text("/requested_by"), "automation");
    assert_eq!(pending.json()["restock"], body["restock"]);
    end(&shop).await;

    let after = payment(&shop, &paid).await;
    assert_eq!((after.text("/status"), after.number("/refunded/amount")), ("refunded".into(), 2_000));
    assert_eq!(after.text("/refunds/0/status"), "succeeded");
    assert_eq!(after.text("/refunds/0/reason"), "one came damaged");
    let listed = shop.get(&format!("/v1/payments?order_id={}", paid.order_id)).await.expect(200).items();
    assert_eq!(listed, [after.json()]);
    let events = published::<PaymentRefunded>(&shop, &paid).await;
    let expected = json!({
        "payment_id": paid.payment_id, "refund_id": pending.text("/refund_id"), "order_id": paid.order_id,
        "amount": euros(2_000), "refunded_total": euros(2_000), "restock": body["restock"],
        "reason": "one came damaged", "of_cancellation": false,
    });
    assert_eq!(events, [expected]);
    let nothing_left = refund(&shop, &paid, json!({})).await.expect(409);
    assert_eq!(nothing_left.text("/code"), "exceeds_captured");
    shop.stop().await;
}

async fn parts_go_back_until_nothing_is_left(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let paid = paid(&shop, "tok_ok").await;
    refund(&shop, &paid, json!({"amount": euros(500)})).await.expect(202);
    end(&shop).await;
    assert_eq!(money(&shop, &paid).await, ("captured".into(), 500, vec![succeeded(500)]));

    let above = refund(&shop, &paid, json!({"amount": euros(1_501)})).await.expect(409);
    assert_eq!(above.text("/code"), "exceeds_captured");
    assert!(above.text("/detail").contains("15.00 EUR"), "{}", above.text("/detail"));

    // Two at once, which are decided at once.
    for amount in [700, 800] {
        refund(&shop, &paid, json!({"amount": euros(amount)})).await.expect(202);
    }
    end(&shop).await;
    let all = vec![succeeded(500), succeeded(700), succeeded(800)];
    assert_eq!(money(&shop, &paid).await, ("refunded".into(), 2_000, all));
    let totals: Vec<i64> = published::<PaymentRefunded>(&shop, &paid)
        .await
        .iter()
        .map(|event| event["refunded_total"]["amount"].as_i64().unwrap())
        .collect();
    assert_eq!((totals.len(), totals.iter().max()), (3, Some(&2_000)));
    shop.stop().await;
}

async fn of_two_admins_at_once_only_one_gets_money_that_is_there_once(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let paid = paid(&shop, "tok_refund_timeout").await;
    let wanted = || refund(&shop, &paid, json!({"amount": euros(1_200)}));
    let answers = tokio::join!(wanted(), wanted());
    let mut statuses = [answers.0.status.as_u16(), answers.1.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [202, 409]);
    // The first one's answer is lost; until it is known, its money is held.
    assert_eq!(wanted().await.expect(409).text("/code"), "exceeds_captured");
    refund(&shop, &paid, json!({"amount": euros(800)})).await.expect(202);
    assert_eq!(refund(&shop, &paid, json!({"amount": euros(1)})).await.expect(409).text("/code"), "exceeds_captured");
    end(&shop).await;
    assert_eq!(money(&shop, &paid).await, ("refunded".into(), 2_000, vec![succeeded(1_200), succeeded(800)]));
    assert_eq!(published::<PaymentRefunded>(&shop, &paid).await.len(), 2);
    let metrics = String::from_utf8(shop.get("/metrics").await.expect(200).body.to_vec()).unwrap();
    let looked_up = metrics.lines().find(|line| line.starts_with("tradepost_refunds_looked_up_total"));
    assert!(looked_up.is_some_and(|line| line.ends_with(" 2")), "{looked_up:?}");
    shop.stop().await;
}

async fn what_a_refund_that_waits_for_its_answer_holds_is_not_there_for_another(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let paid = paid(&shop, "tok_refund_slow").await;
    refund(&shop, &paid, json!({})).await.expect(202);
    let (status, refunded, refunds) = money(&shop, &paid).await;
    assert_eq!((status.as_str(), refunded, refunds), ("refunding", 0, vec![(2_000, "pending".to_owned())]));
    let another = refund(&shop, &paid, json!({"amount": euros(1)})).await.expect(409);
    assert_eq!(another.text("/code"), "exceeds_captured");
    end(&shop).await;
    assert_eq!(money(&shop, &paid).await, ("refunded".into(), 2_000, vec![succeeded(2_000)]));
    shop.stop().await;
}

async fn a_refused_refund_says_why_and_its_money_is_free_again(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let paid = paid(&shop, "tok_refund_fails").await;
    let restock = json!([{"product_id": paid.product_id, "quantity": 2}]);
    let failing = refund(&shop, &paid, json!({"restock": restock})).await.expect(202);
    end(&shop).await;
    let after = payment(&shop, &paid).await;
    assert_eq!((after.text("/status"), after.number("/refunded/amount")), ("captured".into(), 0));
    assert_eq!(after.text("/refunds/0/status"), "failed");
    assert_eq!(after.text("/refunds/0/error"), "the card was closed");
    let failed = published::<RefundFailed>(&shop, &paid).await;
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["refund_id"], failing.text("/refund_id").as_str());
    assert_eq!(failed[0]["error"], "the card was closed");
    assert_eq!(published::<PaymentRefunded>(&shop, &paid).await, [Value::Null; 0]);
    refund(&shop, &paid, json!({"amount": euros(2_000), "restock": restock})).await.expect(202);
    end(&shop).await;
    assert_eq!(published::<RefundFailed>(&shop, &paid).await.len(), 2);
    shop.stop().await;
}

async fn a_repeated_request_gives_back_once(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let paid = paid(&shop, "tok_ok").await;
    let path = format!("/v1/payments/{}/refund", paid.payment_id);
    let send = async |amount: i64| {
        let call = shop.request(Method::POST, &path).admin().header("idempotency-key", "refund-1");
        call.json(&json!({"amount": euros(amount)})).send().await
    };
    let first = send(500).await.expect(202);
    let again = send(500).await.expect(202);
    assert_eq!((again.headers["idempotency-replayed"].as_bytes(), again.body), (&b"true"[..], first.body.clone()));
    end(&shop).await;
    assert_eq!(send(500).await.expect(202).body, first.body, "as it was answered, though it is done by now");
    assert_eq!(send(600).await.expect(422).text("/code"), "idempotency_key_reused");
    assert_eq!(money(&shop, &paid).await, ("captured".into(), 500, vec![succeeded(500)]));
    shop.stop().await;
}

async fn a_refund_that_was_decided_on_an_older_payment_is_refused(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let paid = paid(&shop, "tok_ok").await;
    let read = payment(&shop, &paid).await.headers["etag"].to_str().unwrap().to_owned();
    let path = format!("/v1/payments/{}/refund", paid.payment_id);
    let send = async |tag: &str| {
        let call = shop.request(Method::POST, &path).admin().header("if-match", tag);
        call.json(&json!({"amount": euros(500)})).send().await
    };
    send(&read).await.expect(202);
    assert_eq!(send(&read).await.expect(412).text("/code"), "version_mismatch");
    end(&shop).await;
    assert_eq!(send(&read).await.expect(412).text("/code"), "version_mismatch");
    let now = payment(&shop, &paid).await.headers["etag"].to_str().unwrap().to_owned();
    send(&now).await.expect(202);
    end(&shop).await;
    assert_eq!(money(&shop, &paid).await.1, 1_000);
    shop.stop().await;
}

async fn what_can_not_be_refunded_is_refused_by_name(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let (paying, other) = (paid(&shop, "tok_ok").await, paid(&shop, "tok_slow").await);
    let declined = paid(&shop, "tok_declined").await;
    let restock = |product: &str, quantity: i64| json!({"restock": [{"product_id": product, "quantity": quantity}]});
    let twice = json!({"product_id": paying.product_id, "quantity": 1});

    // (body, code, field)
    let invalid = [
        (json!({"amount": euros(0)}), "nothing", "amount.amount"),
        (json!({"amount": euros(-1)}), "negative", "amount.amount"),
        (json!({"amount": {"amount": 1, "currency": "USD"}}), "currency_mismatch", "amount.currency"),
        (json!({"reason": ""}), "length", "reason"),
        (json!({"reason": "a".repeat(201)}), "length", "reason"),
        (json!({"reason": "two\nlines"}), "line", "reason"),
        (restock(&other.product_id, 1), "not_in_order", "restock[0].product_id"),
        (restock(&paying.product_id, 0), "range", "restock[0].quantity"),
        (json!({"restock": [twice.clone(), twice]}), "duplicate", "restock[1].product_id"),
        (json!({"total": 1}), "unknown_field", "total"),
    ];
    for (body, code, field) in invalid {
        let answer = refund(&shop, &paying, body.clone()).await.expect(422);
        let error = &answer.json()["errors"][0];
        assert_eq!((&error["code"], &error["field"]), (&json!(code), &json!(field)), "{body}");
    }

    // (payment, body, code)
    let conflicts = [
        (&paying, json!({"amount": euros(2_001)}), "exceeds_captured"),
        (&paying, json!({"amount": euros(i64::MAX)}), "exceeds_captured"),
        (&paying, json!({"order_id": other.order_id}), "payment_of_another_order"),
        (&paying, restock(&paying.product_id, 3), "exceeds_ordered"),
        (&declined, json!({}), "not_captured"),
    ];
    for (paid, body, code) in conflicts {
        assert_eq!(refund(&shop, paid, body.clone()).await.expect(409).text("/code"), code, "{body}");
    }
    let unknown = format!("/v1/payments/{}", paying.order_id);
    assert_eq!(shop.post(&format!("{unknown}/refund"), &json!({})).await.expect(404).text("/code"), "not_found");
    shop.get(&unknown).await.expect(404);
    let path = format!("/v1/payments/{}/refund", paying.payment_id);
    shop.request(Method::POST, &path).json(&json!({})).send().await.expect(401);

    shop.settle().await;
    assert_eq!(money(&shop, &paying).await, ("captured".into(), 0, Vec::new()));
    let named = json!({"order_id": paying.order_id, "amount": euros(1)});
    refund(&shop, &paying, named).await.expect(202);
    shop.stop().await;
}

async fn a_unit_comes_back_once(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let paid = paid(&shop, "tok_ok").await;
    let with =
        |quantity: i64| json!({"amount": euros(1), "restock": [{"product_id": paid.product_id, "quantity": quantity}]});
    refund(&shop, &paid, with(1)).await.expect(202);
    let above = refund(&shop, &paid, with(2)).await.expect(409);
    assert_eq!(above.text("/code"), "exceeds_ordered");
    assert!(above.text("/detail").starts_with("1 units"), "{}", above.text("/detail"));
    end(&shop).await;
    refund(&shop, &paid, with(1)).await.expect(202);
    assert_eq!(refund(&shop, &paid, with(1)).await.expect(409).text("/code"), "exceeds_ordered");
    end(&shop).await;
    shop.stop().await;
}

/// Asks again as long as the payment is busy, as a client does: the provider's answers change it too, and may be in
/// between each time.
async fn refund_of_a_cent(shop: &TestShop, paid: &Paid) -> TestResponse {
    loop {
        let answer = refund(shop, paid, json!({"amount": euros(1)})).await;
        if answer.status.as_u16() != 503 {
            return answer;
        }
    }
}

async fn a_payment_has_a_bounded_number_of_refunds(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let paid = paid(&shop, "tok_ok").await;
    for _ in 0..100 {
        refund_of_a_cent(&shop, &paid).await.expect(202);
    }
    let one_more = refund_of_a_cent(&shop, &paid).await.expect(409);
    assert_eq!(one_more.text("/code"), "too_many_refunds");
    end(&shop).await;
    let (status, refunded, refunds) = money(&shop, &paid).await;
    assert_eq!((status.as_str(), refunded, refunds.len()), ("captured", 100, 100));
    shop.stop().await;
}

/// Stops the shop and starts it again; its order is cancelled then, for what payments know.
async fn cancelled(shop: TestShop, paid: &Paid) -> TestShop {
    let event = OrderCancelled {
        order_id: paid.order_id.parse().unwrap(),
        number: 1,
        email: "ada@example.com".to_owned(),
        reason: "cancelled".to_owned(),
        payment_id: None,
        error: None,
        cancelled_by: None,
        lines: Vec::new(),
        was_paid: true,
    };
    shop.restart_after(Setup::default(), async |store, clock| emit(store, clock, &[event], &["payments"]).await).await
}

async fn a_cancelled_order_gets_back_what_no_refund_holds(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let paid = paid(&shop, "tok_refund_timeout").await;
    refund(&shop, &paid, json!({"amount": euros(500)})).await.expect(202);
    end(&shop).await;
    let shop = cancelled(shop, &paid).await;
    end(&shop).await;
    let all = ("refunded".to_owned(), 2_000, vec![succeeded(500), succeeded(1_500)]);
    assert_eq!(money(&shop, &paid).await, all);
    let refunds = payment(&shop, &paid).await;
    assert_eq!(refunds.text("/refunds/1/reason"), "order_cancelled");
    assert_eq!(refunds.text("/refunds/1/requested_by"), "orders");

    let shop = cancelled(shop, &paid).await;
    end(&shop).await;
    assert_eq!(money(&shop, &paid).await, all);
    assert_eq!(published::<PaymentRefunded>(&shop, &paid).await.len(), 2);
    shop.stop().await;
}

async fn a_late_part_of_a_cancelled_order_is_never_given_twice(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let paid = paid(&shop, "tok_refund_fails").await;
    let shop = cancelled(shop, &paid).await;
    end(&shop).await;
    let failed = (2_000, "failed".to_owned());
    assert_eq!(money(&shop, &paid).await, ("captured".into(), 0, vec![failed.clone()]));
    // What was refused for good stays so, however often the cancellation is emitted.
    let shop = cancelled(shop, &paid).await;
    end(&shop).await;
    assert_eq!(money(&shop, &paid).await, ("captured".into(), 0, vec![failed]));
    assert_eq!(published::<RefundFailed>(&shop, &paid).await.len(), 1);
    let restock = json!({"restock": [{"product_id": paid.product_id, "quantity": 1}]});
    let by_itself = refund(&shop, &paid, restock).await.expect(409);
    assert_eq!(by_itself.text("/code"), "exceeds_ordered", "the inventory puts a cancelled order's units back");
    shop.stop().await;
}
