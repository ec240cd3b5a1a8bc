//! Orders that wait for stock: they are served in the order in which they were placed, before new ones.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};
use testkit::{ShopLocation, TestShop, on_each_broker, on_each_store};

on_each_store! {
    an_order_waits_for_units_and_is_paid_when_they_come,
    a_new_order_does_not_overtake_one_that_waits,
    what_a_cancelled_or_refunded_order_gives_back_goes_to_those_that_wait,
    an_order_waits_only_so_long,
    an_order_without_a_token_asks_for_one_when_its_units_have_come,
    more_orders_than_one_commit_serves_are_all_served,
    a_tag_of_an_order_that_waits_does_not_depend_on_its_place,
    a_banned_customer_waits_no_more,
    waiting_orders_hold_no_more_units_than_unpaid_ones_may,
}

on_each_broker! {
    orders_are_served_in_turn_one_unit_at_a_time,
    an_order_that_is_cancelled_leaves_its_place_and_its_units_to_the_next,
    orders_that_wait_for_a_deleted_product_are_rejected,
}

/// Places an order that waits for stock, and settles; answers with its id.
async fn wait(shop: &TestShop, lines: &[(&str, i64)], token: Option<&str>) -> String {
    let order_id = place(shop, lines, token).await;
    shop.settle().await;
    order_id
}

async fn place(shop: &TestShop, lines: &[(&str, i64)], token: Option<&str>) -> String {
    let lines: Vec<Value> =
        lines.iter().map(|(id, quantity)| json!({"product_id": id, "quantity": quantity})).collect();
    let mut order = json!({"lines": lines, "email": "ada@example.com", "wait_for_stock": true});
    if let Some(token) = token {
        order["payment"] = json!({"token": token});
    }
    shop.post("/v1/orders", &order).await.expect(201).text("/order_id")
}

async fn units_come(shop: &TestShop, product: &str, units: i64) {
    let adjustment = json!({"delta": units, "reason": "delivery"});
    shop.post(&format!("/v1/stock/{product}/adjustments"), &adjustment).await.expect(201);
    shop.settle().await;
}

async fn status(shop: &TestShop, order_id: &str) -> String {
    shop.order_now(order_id).await.text("/status")
}

async fn statuses<const N: usize>(shop: &TestShop, orders: [&String; N]) -> [String; N] {
    let mut statuses = [const { String::new() }; N];
    for (at, order_id) in orders.into_iter().enumerate() {
        statuses[at] = status(shop, order_id).await;
    }
    statuses
}

async fn position(shop: &TestShop, order_id: &str) -> i64 {
    shop.order_now(order_id).await.number("/waiting/position")
}

async fn cancel(shop: &TestShop, order_id: &str) {
    shop.post(&format!("/v1/orders/{order_id}/cancel"), &json!({})).await.expect(200);
    shop.settle().await;
}

async fn an_order_waits_for_units_and_is_paid_when_they_come(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let (rare, plenty) = (shop.product("rare", 1).await, shop.product("plenty", 10).await);
    let order_id = wait(&shop, &[(&rare, 3), (&plenty, 2)], Some("tok_ok")).await;
    assert_eq!((status(&shop, &order_id).await, position(&shop, &order_id).await), ("backordered".to_owned(), 1));
    assert_eq!(shop.order_now(&order_id).await.text("/payment/status"), "none");
    assert_eq!((shop.stock(&rare).await, shop.stock(&plenty).await), ((1, 1), (10, 2)), "it holds what there is");
    assert_eq!(shop.mails(&order_id).await, ["backordered"]);
    let listed = shop.get("/v1/orders?status=backordered").await.expect(200).items();
    assert_eq!(listed.len(), 1);

    units_come(&shop, &rare, 1).await;
    assert_eq!(status(&shop, &order_id).await, "backordered");
    units_come(&shop, &rare, 2).await;
    let order = shop.order_now(&order_id).await;
    assert_eq!(order.text("/status"), "paid");
    assert!(order.json().pointer("/waiting").is_none());
    assert_eq!((shop.stock(&rare).await, shop.stock(&plenty).await), ((1, 0), (8, 0)));
    assert_eq!(shop.mails(&order_id).await, ["backordered", "confirmation"]);
}

async fn orders_are_served_in_turn_one_unit_at_a_time(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 0).await;
    let mut waiting = Vec::new();
    for _ in 0..3 {
        waiting.push(wait(&shop, &[(&product, 1)], Some("tok_ok")).await);
    }
    let [first, second, third] = &waiting[..] else { panic!("three orders") };
    for (at, order_id) in (1..).zip(&waiting) {
        assert_eq!(position(&shop, order_id).await, at);
    }
    units_come(&shop, &product, 1).await;
    assert_eq!(statuses(&shop, [first, second, third]).await, ["paid", "backordered", "backordered"]);
    assert_eq!((position(&shop, second).await, position(&shop, third).await), (1, 2));
    units_come(&shop, &product, 1).await;
    assert_eq!(statuses(&shop, [first, second, third]).await, ["paid", "paid", "backordered"]);
    units_come(&shop, &product, 2).await;
    assert_eq!(statuses(&shop, [first, second, third]).await, ["paid", "paid", "paid"]);
    assert_eq!(shop.stock(&product).await, (1, 0));
}

async fn a_new_order_does_not_overtake_one_that_waits(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 1).await;
    let first = wait(&shop, &[(&product, 3)], Some("tok_ok")).await;
    units_come(&shop, &product, 1).await;
    assert_eq!(shop.stock(&product).await, (2, 2));
    let new = shop.order(&[(&product, 1)], Some("tok_ok")).await.text("/order_id");
    let small = wait(&shop, &[(&product, 1)], Some("tok_ok")).await;
    assert_eq!(statuses(&shop, [&first, &new, &small]).await, ["backordered", "rejected", "backordered"]);
    units_come(&shop, &product, 1).await;
    assert_eq!(statuses(&shop, [&first, &small]).await, ["paid", "backordered"]);
    units_come(&shop, &product, 3).await;
    let new = shop.order(&[(&product, 2)], Some("tok_ok")).await.text("/order_id");
    shop.settle().await;
    assert_eq!(statuses(&shop, [&small, &new]).await, ["paid", "paid"], "what nobody waits for is for new orders");
}

async fn an_order_that_is_cancelled_leaves_its_place_and_its_units_to_the_next(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let (product, other) = (shop.product("123", 2).await, shop.product("456", 0).await);
    let first = wait(&shop, &[(&product, 2), (&other, 1)], Some("tok_ok")).await;
    let second = wait(&shop, &[(&product, 1)], Some("tok_ok")).await;
    let third = wait(&shop, &[(&product, 2)], Some("tok_ok")).await;
    assert_eq!(position(&shop, &third).await, 2, "the first waits for the other product only");
    cancel(&shop, &first).await;
    assert_eq!(statuses(&shop, [&first, &second, &third]).await, ["cancelled", "paid", "backordered"]);
    assert_eq!((shop.stock(&product).await, shop.stock(&other).await), ((1, 1), (0, 0)));
    assert_eq!(position(&shop, &third).await, 1);
    assert_eq!(shop.mails(&first).await, ["backordered", "cancelled"]);
    cancel(&shop, &third).await;
    assert_eq!(shop.stock(&product).await, (1, 0));
    units_come(&shop, &other, 1).await;
    assert_eq!(shop.stock(&other).await, (1, 0), "nobody waits for it any more");
}

async fn what_a_cancelled_or_refunded_order_gives_back_goes_to_those_that_wait(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 3).await;
    let reserved = shop.order(&[(&product, 1)], None).await.text("/order_id");
    let paid = shop.order(&[(&product, 1)], Some("tok_ok")).await.text("/order_id");
    let refunded = shop.order(&[(&product, 1)], Some("tok_ok")).await.text("/order_id");
    shop.settle().await;
    let mut waiting = Vec::new();
    for _ in 0..3 {
        waiting.push(wait(&shop, &[(&product, 1)], Some("tok_ok")).await);
    }
    let [first, second, third] = &waiting[..] else { panic!("three orders") };
    cancel(&shop, &reserved).await;
    assert_eq!(statuses(&shop, [first, second, third]).await, ["paid", "backordered", "backordered"]);
    shop.post(&format!("/v1/orders/{paid}/cancel"), &json!({})).await.expect(202);
    shop.settle().await;
    assert_eq!(statuses(&shop, [first, second, third]).await, ["paid", "paid", "backordered"]);
    let payments = shop.get(&format!("/v1/payments?order_id={refunded}")).await.expect(200).items();
    let refund = json!({"restock": [{"product_id": product, "quantity": 1}]});
    let path = format!("/v1/payments/{}/refund", payments[0]["payment_id"].as_str().unwrap());
    shop.post(&path, &refund).await.expect(202);
    shop.settle().await;
    assert_eq!(statuses(&shop, [first, second, third]).await, ["paid", "paid", "paid"]);
    assert_eq!(shop.stock(&product).await, (0, 0));
}

async fn orders_that_wait_for_a_deleted_product_are_rejected(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let (gone, other) = (shop.product("gone", 1).await, shop.product("other", 1).await);
    let both = wait(&shop, &[(&gone, 2), (&other, 1)], Some("tok_ok")).await;
    let next = wait(&shop, &[(&other, 1)], Some("tok_ok")).await;
    assert_eq!(statuses(&shop, [&both, &next]).await, ["backordered", "backordered"]);
    shop.delete(&format!("/v1/products/{gone}")).await.expect(204);
    shop.settle().await;
    let order = shop.order_now(&both).await;
    assert_eq!((order.text("/status"), order.text("/reason")), ("rejected".into(), "out_of_stock".into()));
    assert_eq!(status(&shop, &next).await, "paid", "what it held goes on");
    assert_eq!(shop.stock(&gone).await, (1, 0));
    assert_eq!(shop.mails(&both).await, ["backordered", "rejection"]);
}

async fn an_order_waits_only_so_long(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 1).await;
    let order_id = wait(&shop, &[(&product, 2)], Some("tok_ok")).await;
    shop.advance(Duration::from_hours(30 * 24 - 1)).await;
    assert_eq!(status(&shop, &order_id).await, "backordered");
    shop.advance(Duration::from_hours(2)).await;
    let order = shop.order_now(&order_id).await;
    assert_eq!((order.text("/status"), order.text("/reason")), ("cancelled".into(), "not_in_stock".into()));
    assert_eq!(shop.stock(&product).await, (1, 0));
    assert_eq!(shop.mails(&order_id).await, ["backordered", "cancelled"]);
}

async fn an_order_without_a_token_asks_for_one_when_its_units_have_come(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 0).await;
    let paid = wait(&shop, &[(&product, 1)], None).await;
    let expired = wait(&shop, &[(&product, 1)], None).await;
    // Longer than a reservation lasts: that begins when the units are there.
    shop.advance(Duration::from_hours(24)).await;
    units_come(&shop, &product, 2).await;
    assert_eq!(statuses(&shop, [&paid, &expired]).await, ["reserved", "reserved"]);
    assert_eq!(shop.mails(&paid).await, ["backordered", "payment_due"]);
    shop.post(&format!("/v1/orders/{paid}/payment"), &json!({"token": "tok_ok"})).await.expect(202);
    shop.settle().await;
    shop.advance(Duration::from_mins(16)).await;
    assert_eq!(statuses(&shop, [&paid, &expired]).await, ["paid", "cancelled"]);
    assert_eq!(shop.order_now(&expired).await.text("/reason"), "expired");
    assert_eq!(shop.stock(&product).await, (1, 0));
}

async fn more_orders_than_one_commit_serves_are_all_served(location: ShopLocation) {
    const ORDERS: i64 = 450;
    let shop = TestShop::start_on(location).await;
    let product = shop.product("123", 0).await;
    for _ in 0..ORDERS {
        place(&shop, &[(&product, 1)], Some("tok_ok")).await;
    }
    shop.settle().await;
    units_come(&shop, &product, ORDERS - 200).await;
    assert_eq!(shop.stock(&product).await, (0, 0));
    shop.delete(&format!("/v1/products/{product}")).await.expect(204);
    shop.settle().await;
    let count = async |status: &str| {
        let first = shop.get(&format!("/v1/orders?status={status}&limit=100")).await.expect(200);
        let mut found = first.items().len();
        let mut next = first.json()["next"].as_str().map(str::to_owned);
        while let Some(cursor) = next {
            let page = shop.get(&format!("/v1/orders?status={status}&limit=100&cursor={cursor}")).await.expect(200);
            found += page.items().len();
            next = page.json()["next"].as_str().map(str::to_owned);
        }
        found
    };
    assert_eq!((count("paid").await, count("rejected").await, count("backordered").await), (250, 200, 0));
}

async fn a_tag_of_an_order_that_waits_does_not_depend_on_its_place(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 0).await;
    let first = wait(&shop, &[(&product, 1)], Some("tok_ok")).await;
    let second = wait(&shop, &[(&product, 1)], Some("tok_ok")).await;
    let tag = |answer: &testkit::TestResponse| answer.headers["etag"].to_str().unwrap().to_owned();
    let read = shop.order_now(&second).await;
    assert_eq!(read.number("/waiting/position"), 2);
    cancel(&shop, &first).await;
    let again = shop.order_now(&second).await;
    assert_eq!(again.number("/waiting/position"), 1);
    assert_ne!(tag(&read), tag(&again), "what is shown changed");
    let path = format!("/v1/orders/{second}/cancel");
    let send = async |tag: &str| shop.request(Method::POST, &path).admin().header("if-match", tag).send().await;
    send("\"another\"").await.expect(412);
    send(&tag(&read)).await.expect(200);
}

async fn a_banned_customer_waits_no_more(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 1).await;
    let eve = testkit::Customer::sign_up(&shop, "eve").await;
    let order = json!({"lines": [{"product_id": product, "quantity": 2}], "wait_for_stock": true});
    let order_id = eve.asks(&shop, Method::POST, "/v1/orders").json(&order).send().await.expect(201).text("/order_id");
    shop.settle().await;
    assert_eq!(status(&shop, &order_id).await, "backordered");
    shop.post(&format!("/v1/users/{}/ban", eve.user_id), &json!({"reason": "chargebacks"})).await.expect(202);
    shop.settle().await;
    let order = shop.order_now(&order_id).await;
    assert_eq!((order.text("/status"), order.text("/reason")), ("cancelled".into(), "account_banned".into()));
    assert_eq!(shop.stock(&product).await, (1, 0));
}

/// A token is tried only when the units have come, so it does not prove that the order will be paid.
async fn waiting_orders_hold_no_more_units_than_unpaid_ones_may(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 90).await;
    let order = |quantity: i64, waits: bool| {
        json!({"lines": [{"product_id": product, "quantity": quantity}], "email": "eve@example.com",
            "payment": {"token": "tok_ok"}, "wait_for_stock": waits})
    };
    let send = async |order: Value| shop.request(Method::POST, "/v1/orders").json(&order).send().await;
    let order_id = send(order(95, true)).await.expect(201).text("/order_id");
    shop.settle().await;
    assert_eq!(status(&shop, &order_id).await, "backordered");
    assert_eq!(send(order(6, true)).await.expect(429).text("/code"), "unpaid_limit");
    send(order(6, false)).await.expect(201);
    units_come(&shop, &product, 5).await;
    send(order(6, true)).await.expect(201);
}
