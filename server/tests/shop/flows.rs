//! Whole flows through HTTP: several services, only events between them.

use std::time::Duration;

use axum::http::Method;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use testkit::{ShopLocation, TestShop, on_each_store};

on_each_store! {
    a_paid_order_sells_its_units_and_confirms_once,
    an_order_beyond_the_stock_is_rejected_and_touches_nothing,
    a_declined_order_is_cancelled_released_once_and_mailed_once,
    a_soft_decline_takes_another_token_while_the_reservation_lasts,
    a_charge_whose_answer_was_lost_is_looked_up_and_never_repeated,
    an_unpaid_reservation_expires_and_frees_its_units,
    money_that_arrives_too_late_goes_back,
    a_race_of_cancelling_and_paying_has_one_winner,
    a_hot_product_is_sold_to_the_last_unit_and_no_further,
    the_story_of_an_order_says_what_happened_why_and_who_handled_it,
    only_who_holds_its_token_sees_an_order,
    a_changed_product_is_ordered_at_its_new_price_and_a_deleted_one_not_at_all,
    stock_is_corrected_but_never_below_what_is_held,
    a_registered_user_is_welcomed_once,
    what_was_under_way_goes_on_after_a_restart,
    order_numbers_go_on_after_a_restart,
}

/// A moment after which a reservation of the default length is over.
const AFTER_RESERVATION: Duration = Duration::from_secs(15 * 60 + 1);

async fn a_paid_order_sells_its_units_and_confirms_once(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 10).await;
    let placed = shop.order(&[(&product, 3)], Some("tok_ok")).await;
    assert_eq!(placed.text("/status"), "placed");
    assert_eq!(placed.number("/total/amount"), 3_000);
    let order_id = placed.text("/order_id");
    assert_eq!(placed.headers["location"], format!("/v1/orders/{order_id}"));

    shop.settle().await;
    let order = shop.order_now(&order_id).await;
    assert_eq!((order.text("/status"), order.text("/payment/status")), ("paid".into(), "captured".into()));
    assert_eq!(shop.stock(&product).await, (7, 0));
    assert_eq!(shop.mails(&order_id).await, ["confirmation"]);
}

async fn an_order_beyond_the_stock_is_rejected_and_touches_nothing(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let (rare, plenty) = (shop.product("rare", 1).await, shop.product("plenty", 100).await);
    let order_id = shop.order(&[(&plenty, 5), (&rare, 2)], Some("tok_ok")).await.text("/order_id");
    shop.settle().await;
    let order = shop.order_now(&order_id).await;
    assert_eq!((order.text("/status"), order.text("/reason")), ("rejected".into(), "out_of_stock".into()));
    assert_eq!(shop.stock(&rare).await, (1, 0));
    assert_eq!(shop.stock(&plenty).await, (100, 0));
    assert_eq!(shop.mails(&order_id).await, ["rejection"]);
    assert!(payments(&shop, &order_id).await.is_empty());
}

async fn a_declined_order_is_cancelled_released_once_and_mailed_once(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 10).await;
    let order_id = shop.order(&[(&product, 4)], Some("tok_declined")).await.text("/order_id");
    shop.settle().await;
    let order = shop.order_now(&order_id).await;
    assert_eq!((order.text("/status"), order.text("/reason")), ("cancelled".into(), "payment_failed".into()));
    assert_eq!(shop.stock(&product).await, (10, 0));
    assert_eq!(shop.mails(&order_id).await, ["payment_failed"]);
    let released =
        story(&shop, &order_id).await.iter().filter(|step| step["type"] == "orders.order_cancelled.v1").count();
    assert_eq!(released, 1);
}

async fn a_soft_decline_takes_another_token_while_the_reservation_lasts(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 10).await;
    let order_id = shop.order(&[(&product, 1)], Some("tok_soft")).await.text("/order_id");
    shop.settle().await;
    let order = shop.order_now(&order_id).await;
    assert_eq!((order.text("/status"), order.text("/payment/status")), ("reserved".into(), "failed".into()));
    assert_eq!(shop.stock(&product).await, (10, 1));

    shop.post(&format!("/v1/orders/{order_id}/payment"), &json!({"token": "tok_ok"})).await.expect(202);
    shop.settle().await;
    assert_eq!(shop.order_now(&order_id).await.text("/status"), "paid");
    assert_eq!(shop.stock(&product).await, (9, 0));
    let again = shop.post(&format!("/v1/orders/{order_id}/payment"), &json!({"token": "tok_ok"})).await.expect(409);
    assert_eq!(again.text("/code"), "not_payable");
    assert_eq!(again.text("/detail"), "the order is paid and cannot be paid again");
}

async fn a_charge_whose_answer_was_lost_is_looked_up_and_never_repeated(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 10).await;
    let order_id = shop.order(&[(&product, 1)], Some("tok_timeout")).await.text("/order_id");
    shop.settle().await;
    shop.advance(Duration::from_mins(5)).await;
    assert_eq!(shop.order_now(&order_id).await.text("/status"), "paid");
    let payments = payments(&shop, &order_id).await;
    assert_eq!(payments.len(), 1);
    assert_eq!((&payments[0]["status"], &payments[0]["looked_up"]), (&json!("captured"), &json!(true)));
}

async fn an_unpaid_reservation_expires_and_frees_its_units(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 10).await;
    let order_id = shop.order(&[(&product, 2)], None).await.text("/order_id");
    shop.settle().await;
    assert_eq!(shop.order_now(&order_id).await.text("/status"), "reserved");
    shop.advance(Duration::from_mins(14)).await;
    assert_eq!(shop.order_now(&order_id).await.text("/status"), "reserved");
    shop.advance(AFTER_RESERVATION).await;
    let order = shop.order_now(&order_id).await;
    assert_eq!((order.text("/status"), order.text("/reason")), ("cancelled".into(), "expired".into()));
    assert_eq!(shop.stock(&product).await, (10, 0));
    assert_eq!(shop.mails(&order_id).await, ["cancelled"]);
}

async fn money_that_arrives_too_late_goes_back(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 10).await;
    let order_id = shop.order(&[(&product, 2)], Some("tok_slow")).await.text("/order_id");
    while payments(&shop, &order_id).await.first().is_none_or(|payment| payment["status"] != "charging") {
        tokio::task::yield_now().await;
    }
    shop.post(&format!("/v1/orders/{order_id}/cancel"), &json!({})).await.expect(200);
    shop.settle().await;
    let order = shop.order_now(&order_id).await;
    assert_eq!((order.text("/status"), order.text("/payment/status")), ("cancelled".into(), "refunded".into()));
    assert_eq!(payments(&shop, &order_id).await[0]["status"], "refunded");
    assert_eq!(shop.stock(&product).await, (10, 0));
    assert_eq!(shop.mails(&order_id).await, ["cancelled"]);
}

async fn a_race_of_cancelling_and_paying_has_one_winner(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 1_000).await;
    let mut ids = Vec::new();
    for round in 0..60 {
        let order_id = shop.order(&[(&product, 1)], Some("tok_ok")).await.text("/order_id");
        for _ in 0..round * 3 {
            tokio::task::yield_now().await;
        }
        let answer = shop.post(&format!("/v1/orders/{order_id}/cancel"), &json!({})).await;
        ids.push((order_id, answer.status.as_u16()));
    }
    shop.settle().await;
    let mut paid = 0;
    for (order_id, cancelled) in ids {
        let order = shop.order_now(&order_id).await;
        let is_kept = |payment: &Value| payment["status"] == "captured";
        match cancelled {
            // Before it was paid, at once; and after it, which is confirmed already: nothing has left.
            200 | 202 => {
                let mails: &[&str] = if cancelled == 200 { &["cancelled"] } else { &["cancelled", "confirmation"] };
                assert_eq!(order.text("/status"), "cancelled");
                assert!(!payments(&shop, &order_id).await.iter().any(is_kept));
                assert_eq!(shop.mails(&order_id).await, mails);
            }
            _ => {
                assert_eq!(order.text("/status"), "paid");
                paid += 1;
            }
        }
    }
    assert_eq!(shop.stock(&product).await, (1_000 - paid, 0));
}

async fn a_hot_product_is_sold_to_the_last_unit_and_no_further(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("hot", 100).await;
    let lines = [(product.as_str(), 1)];
    let orders = (0..400).map(|_| shop.order(&lines, Some("tok_ok")));
    // All come from one address, which may have so many requests open.
    let placed: Vec<_> = futures_util::stream::iter(orders).buffer_unordered(100).collect().await;
    shop.settle().await;
    let (mut paid, mut rejected) = (0, 0);
    for answer in placed {
        match shop.order_now(&answer.text("/order_id")).await.text("/status").as_str() {
            "paid" => paid += 1,
            "rejected" => rejected += 1,
            other => panic!("an order of a hot product rests at {other}"),
        }
    }
    assert_eq!((paid, rejected), (100, 300));
    assert_eq!(shop.stock(&product).await, (0, 0));
}

async fn the_story_of_an_order_says_what_happened_why_and_who_handled_it(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 10).await;
    let placed = shop.order(&[(&product, 1)], Some("tok_ok")).await;
    shop.settle().await;
    let steps = story(&shop, &placed.text("/order_id")).await;
    let types: Vec<&str> = steps.iter().filter_map(|step| step["type"].as_str()).collect();
    assert_eq!(
        types,
        [
            "orders.order_placed.v1",
            "inventory.stock_reserved.v1",
            "orders.payment_requested.v1",
            "payments.payment_captured.v1",
            "orders.order_paid.v1",
        ]
    );
    for pair in steps.windows(2) {
        assert_eq!(pair[1]["caused_by"], pair[0]["event_id"], "each step names the one that caused it");
        assert_eq!(pair[1]["correlation_id"], pair[0]["correlation_id"]);
    }
    for step in &steps {
        for delivery in step["deliveries"].as_array().unwrap() {
            assert_eq!((&delivery["status"], &delivery["attempts"]), (&json!("done"), &json!(1)), "{step}");
        }
    }
    assert_eq!(steps[2]["data"]["token"], "[redacted]");
    let consumers: Vec<&Value> = steps[4]["deliveries"].as_array().unwrap().iter().map(|it| &it["consumer"]).collect();
    for consumer in ["inventory", "notifications"] {
        assert!(consumers.contains(&&json!(consumer)), "{consumer} handled it: {consumers:?}");
    }
}

async fn only_who_holds_its_token_sees_an_order(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 10).await;
    let (mine, other) = (shop.order(&[(&product, 1)], None).await, shop.order(&[(&product, 1)], None).await);
    shop.settle().await;
    let id = mine.text("/order_id");
    for path in [format!("/v1/orders/{id}"), format!("/v1/orders/{id}/events")] {
        let with = |token: String| shop.request(Method::GET, &path).header("x-order-token", &token).send();
        with(mine.text("/access_token")).await.expect(200);
        with(other.text("/access_token")).await.expect(404);
        shop.request(Method::GET, &path).send().await.expect(404);
        shop.request(Method::GET, &path).header("authorization", "Bearer wrong").send().await.expect(401);
    }
    let token = mine.text("/access_token");
    let listed = shop.request(Method::GET, "/v1/orders").header("x-order-token", &token).send().await.expect(200);
    assert_eq!(listed.items().len(), 1);
    shop.request(Method::GET, "/v1/orders").send().await.expect(401);
}

async fn a_changed_product_is_ordered_at_its_new_price_and_a_deleted_one_not_at_all(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 10).await;
    let before = shop.order(&[(&product, 1)], None).await.text("/order_id");
    let change = json!({"price": {"amount": 2_500, "currency": "EUR"}});
    shop.patch(&format!("/v1/products/{product}"), &change).await.expect(200);
    shop.settle().await;
    assert_eq!(shop.order(&[(&product, 2)], None).await.number("/total/amount"), 5_000);
    assert_eq!(shop.order_now(&before).await.number("/total/amount"), 1_000, "a placed order keeps its price");

    shop.delete(&format!("/v1/products/{product}")).await.expect(204);
    shop.settle().await;
    let order = json!({"lines": [{"product_id": product, "quantity": 1}], "email": "ada@example.com"});
    let refused = shop.post("/v1/orders", &order).await.expect(422);
    assert_eq!(
        (refused.text("/code"), refused.text("/errors/0/field")),
        ("product_unknown".into(), "lines[0].product_id".into(),)
    );
}

async fn stock_is_corrected_but_never_below_what_is_held(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 5).await;
    shop.order(&[(&product, 4)], None).await;
    shop.settle().await;
    let path = format!("/v1/stock/{product}/adjustments");
    let refused = shop.post(&path, &json!({"delta": -2, "reason": "breakage"})).await.expect(409);
    assert_eq!(refused.text("/code"), "below_zero");
    for reason in ["break\u{202e}age", "breakage\nof units", ""] {
        let refused = shop.post(&path, &json!({"delta": -1, "reason": reason})).await.expect(422);
        assert_eq!(refused.text("/errors/0/field"), "reason", "it is one line: {reason:?}");
    }
    let level = shop.post(&path, &json!({"delta": -1, "reason": "breakage"})).await.expect(201);
    assert_eq!((level.number("/on_hand"), level.number("/reserved"), level.number("/available")), (4, 4, 0));
    shop.settle().await;
    let shown = shop.get(&format!("/v1/products/{product}")).await.expect(200);
    assert_eq!(shown.json()["in_stock"], json!(false));
}

async fn a_registered_user_is_welcomed_once(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let user = json!({"username": "ada", "email": "ada@example.com", "password": "correct horse battery"});
    shop.post("/v1/users", &user).await.expect(201);
    shop.settle().await;
    let again = json!({"username": "ADA", "email": "other@example.com", "password": "correct horse battery"});
    assert_eq!(shop.post("/v1/users", &again).await.expect(409).text("/code"), "username_taken");
    let mails = shop.get("/v1/mail").await.expect(200).items();
    assert_eq!(mails.len(), 1);
    assert_eq!((&mails[0]["template"], &mails[0]["to"]), (&json!("welcome"), &json!("ada@example.com")));
}

async fn what_was_under_way_goes_on_after_a_restart(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 50).await;
    let mut ids = Vec::new();
    for _ in 0..30 {
        ids.push(shop.order(&[(&product, 1)], Some("tok_ok")).await.text("/order_id"));
    }
    let shop = shop.restart(testkit::Setup::default()).await;
    shop.settle().await;
    for order_id in ids {
        assert_eq!(shop.order_now(&order_id).await.text("/status"), "paid");
        assert_eq!(shop.mails(&order_id).await, ["confirmation"]);
    }
    assert_eq!(shop.stock(&product).await, (20, 0));
}

async fn order_numbers_go_on_after_a_restart(place: ShopLocation) {
    let mut shop = TestShop::start_on(place).await;
    let product = shop.product("123", 50).await;
    for number in 1..4 {
        let order = shop.order(&[(&product, 1)], None).await;
        assert_eq!(order.number("/number"), number);
        shop = shop.restart(testkit::Setup::default()).await;
    }
    // Nothing was given out, so there is nothing to return but the same.
    let shop = shop.restart(testkit::Setup::default()).await;
    assert_eq!(shop.order(&[(&product, 1)], None).await.number("/number"), 4);
}

async fn payments(shop: &TestShop, order_id: &str) -> Vec<Value> {
    shop.get(&format!("/v1/payments?order_id={order_id}")).await.expect(200).items()
}

async fn story(shop: &TestShop, order_id: &str) -> Vec<Value> {
    shop.get(&format!("/v1/orders/{order_id}/events")).await.expect(200).items()
}
