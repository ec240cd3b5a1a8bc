//! Orders belong to customers: who placed an order has it on every route, and to anyone else it is not there.

use std::collections::HashMap;

use axum::http::Method;
use kernel::{Cause, Clock, Ids, RequestCause, Shards, Version};
use serde_json::{Value, json};
use storage::{Batch, Change, Db, Location, Options, params};
use testkit::{Call, Customer, PASSWORD, Setup, ShopLocation, TestResponse, TestShop, on_each_store};

on_each_store! {
    an_order_is_its_customers_on_every_route_and_not_there_for_anyone_else,
    a_guests_order_stays_the_guests_whoever_has_signed_in,
    a_customer_lists_own_orders_by_status_and_page,
    an_order_without_an_address_goes_to_that_of_the_account,
    an_account_that_orders_does_not_know_must_send_an_address,
}

async fn order(shop: &TestShop, customer: &Customer, body: &Value) -> TestResponse {
    customer.asks(shop, Method::POST, "/v1/orders").json(body).send().await
}

/// The ids of what the customer lists, newest first.
async fn list(shop: &TestShop, customer: &Customer, query: &str) -> Vec<String> {
    ids(&customer.asks(shop, Method::GET, &format!("/v1/orders{query}")).send().await.expect(200))
}

static FORGET_ACCOUNT: Change = Change::new("FORGET_ACCOUNT", "delete from users where version = $1");

/// Takes the one account from what orders knows: as for whoever registered before orders listened.
async fn forget_account(store: Location, clock: Clock) {
    let orders = server::shop::Shop::tradepost().described().into_iter().find(|it| it.name() == "orders").unwrap();
    let ids = Ids::new(clock.clone());
    let db = Db::open(Options {
        service: "orders",
        location: store,
        migrations: orders.migrations(),
        destinations: HashMap::new(),
        shards: Shards::DEFAULT,
        outbox_cap: 1,
        clock,
        ids: ids.clone(),
    })
    .await
    .unwrap();
    let cause = Cause::Request(RequestCause { request_id: ids.next(), traceparent: None, keyed: None });
    db.commit(Batch::new().change(&FORGET_ACCOUNT, Version::FIRST, params![]), cause).await.unwrap();
    db.close().await;
}

fn ids(listed: &TestResponse) -> Vec<String> {
    listed.items().iter().map(|order| order["order_id"].as_str().unwrap().to_owned()).collect()
}

fn one_of(product: &str) -> Value {
    json!({"lines": [{"product_id": product, "quantity": 1}]})
}

/// Every route of one order, with a body where it takes one, and what its owner is answered, in this order.
fn routes(order_id: &str) -> [(Method, String, Option<Value>, u16); 4] {
    let order = format!("/v1/orders/{order_id}");
    [
        (Method::GET, order.clone(), None, 200),
        (Method::GET, format!("{order}/events"), None, 200),
        (Method::POST, format!("{order}/payment"), Some(json!({"token": "tok_soft"})), 202),
        (Method::POST, format!("{order}/cancel"), None, 200),
    ]
}

/// Goes through every route of an order; `None` expects the answers of its owner.
async fn try_all<'a>(order_id: &str, refusal: Option<u16>, ask: impl Fn(Method, &str) -> Call<'a>) {
    for (method, path, body, granted) in routes(order_id) {
        let call = ask(method.clone(), &path);
        let call = if let Some(body) = body { call.json(&body) } else { call };
        let answer = call.send().await;
        let seen = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status.as_u16(), refusal.unwrap_or(granted), "{method} {path}: {seen}");
        if refusal == Some(404) {
            assert_eq!(answer.text("/code"), "not_found");
            assert!(!seen.contains("@example.com"), "{method} {path} names the customer: {seen}");
        }
    }
}

async fn an_order_is_its_customers_on_every_route_and_not_there_for_anyone_else(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 10).await;
    let (ada, bob) = (Customer::sign_up(&shop, "ada").await, Customer::sign_up(&shop, "bob").await);
    let guests = shop.order(&[(&product, 1)], None).await;
    let placed = order(&shop, &ada, &one_of(&product)).await.expect(201);
    let order_id = placed.text("/order_id");
    assert_eq!(placed.json().get("access_token"), None, "the account opens the order");
    shop.settle().await;

    let missing = bob.asks(&shop, Method::GET, "/v1/orders/019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d").send().await;
    let refused = bob.asks(&shop, Method::GET, &format!("/v1/orders/{order_id}")).send().await.expect(404);
    assert_eq!(refused.text("/detail"), missing.expect(404).text("/detail"), "both look as if there were none");

    try_all(&order_id, Some(404), |method, path| bob.asks(&shop, method, path)).await;
    try_all(&order_id, Some(404), |method, path| shop.request(method, path)).await;
    let other_token = guests.text("/access_token");
    try_all(&order_id, Some(404), |method, path| shop.request(method, path).header("x-order-token", &other_token))
        .await;
    try_all(&order_id, Some(404), |method, path| bob.asks(&shop, method, path).header("x-order-token", "")).await;
    let forged = format!("Bearer {}x", ada.access_token);
    try_all(&order_id, Some(401), |method, path| shop.request(method, path).header("authorization", &forged)).await;
    assert_eq!(shop.order_now(&order_id).await.text("/status"), "reserved", "what was refused changed nothing");

    let story = ada.asks(&shop, Method::GET, &format!("/v1/orders/{order_id}/events")).send().await.expect(200);
    assert_eq!(story.items()[0]["data"]["user_id"], ada.user_id);
    try_all(&order_id, None, |method, path| ada.asks(&shop, method, path)).await;
    shop.settle().await;
    assert_eq!(shop.order_now(&order_id).await.text("/status"), "cancelled");

    assert_eq!(list(&shop, &ada, "").await, [order_id.as_str()]);
    assert!(list(&shop, &bob, "").await.is_empty());
    assert_eq!(ids(&shop.get("/v1/orders").await), [order_id, guests.text("/order_id")], "the admin lists all");
    shop.request(Method::GET, "/v1/orders").send().await.expect(401);
}

async fn a_guests_order_stays_the_guests_whoever_has_signed_in(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 10).await;
    let ada = Customer::sign_up(&shop, "ada").await;
    // The guest's address is that of Ada's account: an address proves nothing.
    let placed = shop.order(&[(&product, 1)], None).await;
    let (order_id, token) = (placed.text("/order_id"), placed.text("/access_token"));
    shop.settle().await;
    try_all(&order_id, Some(404), |method, path| ada.asks(&shop, method, path)).await;
    assert!(list(&shop, &ada, "").await.is_empty());

    let path = format!("/v1/orders/{order_id}");
    let holds = ada.asks(&shop, Method::GET, &path).header("x-order-token", &token).send().await;
    holds.expect(200);
    try_all(&order_id, None, |method, path| shop.request(method, path).header("x-order-token", &token)).await;
    let listed = shop.request(Method::GET, "/v1/orders").header("x-order-token", &token).send().await.expect(200);
    assert_eq!(ids(&listed), [order_id]);
    let none_paid = shop.request(Method::GET, "/v1/orders?status=paid").header("x-order-token", &token).send().await;
    assert!(none_paid.expect(200).items().is_empty());
    for (query, token) in [("", "nonsense"), ("?status=paid", ""), ("?number=1", "nonsense")] {
        let listed =
            shop.request(Method::GET, &format!("/v1/orders{query}")).header("x-order-token", token).send().await;
        assert_eq!(listed.expect(401).text("/code"), "unauthenticated");
    }
    shop.request(Method::GET, "/v1/orders?number=1").send().await.expect(401);

    let by_admin = json!({"lines": one_of(&product)["lines"], "email": "eve@example.com"});
    let placed = shop.post("/v1/orders", &by_admin).await.expect(201);
    assert!(!placed.text("/access_token").is_empty(), "what the admin places for a guest is that guest's");
    assert_eq!(shop.post("/v1/orders", &one_of(&product)).await.expect(422).text("/errors/0/field"), "email");
}

async fn a_customer_lists_own_orders_by_status_and_page(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 10).await;
    let (ada, bob) = (Customer::sign_up(&shop, "ada").await, Customer::sign_up(&shop, "bob").await);
    let mut mine = Vec::new();
    for _ in 0..3 {
        mine.insert(0, order(&shop, &ada, &one_of(&product)).await.expect(201).text("/order_id"));
        order(&shop, &bob, &one_of(&product)).await.expect(201);
    }
    shop.settle().await;
    let cancel = format!("/v1/orders/{}/cancel", mine[1]);
    ada.asks(&shop, Method::POST, &cancel).send().await.expect(200);
    assert_eq!(list(&shop, &ada, "?status=cancelled").await, mine[1..2]);
    assert!(list(&shop, &bob, "?status=cancelled").await.is_empty());

    let first = ada.asks(&shop, Method::GET, "/v1/orders?limit=2").send().await.expect(200);
    assert_eq!(ids(&first), mine[..2]);
    assert_eq!(list(&shop, &ada, &format!("?limit=2&cursor={}", first.text("/next"))).await, mine[2..]);
    // A cursor says where to go on, not whose orders.
    let bobs = list(&shop, &bob, &format!("?cursor={}", first.text("/next"))).await;
    assert!(bobs.iter().all(|order_id| !mine.contains(order_id)));
}

async fn an_order_without_an_address_goes_to_that_of_the_account(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 10).await;
    let ada = Customer::sign_up(&shop, "ada").await;
    let first = order(&shop, &ada, &one_of(&product)).await.expect(201).text("/order_id");
    let mut sent = one_of(&product);
    sent["email"] = json!("gift@example.com");
    let gift = order(&shop, &ada, &sent).await.expect(201).text("/order_id");

    let moved = json!({"email": "ada.lovelace@example.com", "current_password": PASSWORD});
    ada.asks(&shop, Method::PATCH, &format!("/v1/users/{}", ada.user_id)).json(&moved).send().await.expect(200);
    shop.settle().await;
    let second = order(&shop, &ada, &one_of(&product)).await.expect(201).text("/order_id");
    // The open one follows the account, and one with an address of its own keeps that.
    let now = "ada.lovelace@example.com";
    for (order_id, email) in [(first, now), (gift, "gift@example.com"), (second, now)] {
        assert_eq!(shop.order_now(&order_id).await.text("/email"), email);
    }
}

async fn an_account_that_orders_does_not_know_must_send_an_address(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 10).await;
    Customer::sign_up(&shop, "ada").await;
    let shop = shop.restart_after(Setup::default(), forget_account).await;
    let access_token = Customer::sign_in(&shop, "ada@example.com").await;
    shop.settle().await;

    let asks = || {
        let authorization = format!("Bearer {access_token}");
        shop.request(Method::POST, "/v1/orders").header("authorization", &authorization)
    };
    let refused = asks().json(&one_of(&product)).send().await.expect(422);
    assert_eq!((refused.text("/code"), refused.text("/errors/0/field")), ("invalid_body".into(), "email".into()));
    assert!(refused.text("/errors/0/detail").contains("send it along"), "it says what to do");
    let mut sent = one_of(&product);
    sent["email"] = json!("ada@example.com");
    asks().json(&sent).send().await.expect(201);
}
