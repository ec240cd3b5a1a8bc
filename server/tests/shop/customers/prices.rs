//! The price that is shown is the price that is charged, or a refusal.

use axum::http::Method;
use events::{ProductUpdated, UserProfileUpdated};
use orders::settings::CURRENCY;
use serde_json::{Value, json};
use testkit::{Setup, ShopLocation, TestResponse, TestShop, emit, on_each_store, unlimited};

on_each_store! {
    an_order_at_another_total_than_was_shown_is_refused_with_the_one_of_now,
    what_was_answered_holds_for_the_next_order,
    a_product_with_a_change_that_can_not_be_handled_is_not_sold,
    an_account_with_a_change_that_can_not_be_handled_must_send_an_address,
    a_shop_does_not_start_in_another_currency_than_its_products,
}

malformed!(MalformedProduct like ProductUpdated);
malformed!(MalformedProfile like UserProfileUpdated);

async fn order(shop: &TestShop, product: &str, expected_total: &Value) -> TestResponse {
    let lines = json!([{"product_id": product, "quantity": 2}]);
    let order = json!({"lines": lines, "email": "ada@example.com", "expected_total": expected_total});
    shop.request(Method::POST, "/v1/orders").json(&order).send().await
}

/// Discards the only dead letter.
async fn discard_dead_letter(shop: &TestShop) {
    let letters = shop.get("/v1/dead-letters").await.expect(200).items();
    assert_eq!(letters.len(), 1, "{letters:?}");
    let path = format!("/v1/dead-letters/{}/discard", letters[0]["dead_letter_id"].as_str().unwrap());
    shop.post(&path, &json!({})).await.expect(200);
    shop.settle().await;
}

async fn an_order_at_another_total_than_was_shown_is_refused_with_the_one_of_now(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("A", 10).await;
    let euros = |amount: i64| json!({"amount": amount, "currency": "EUR"});
    assert_eq!(order(&shop, &product, &euros(2_000)).await.expect(201).number("/total/amount"), 2_000);
    shop.patch(&format!("/v1/products/{product}"), &json!({"price": euros(1_500)})).await.expect(200);
    shop.settle().await;

    let in_dollars = json!({"amount": 3_000, "currency": "USD"});
    for shown in [euros(2_000), euros(3_001), in_dollars] {
        let refused = order(&shop, &product, &shown).await.expect(409);
        assert_eq!((refused.text("/code").as_str(), &refused.json()["total"]), ("price_changed", &euros(3_000)));
    }
    shop.settle().await;
    assert_eq!(shop.stock(&product).await, (10, 2), "a refused order holds nothing");
    assert_eq!(order(&shop, &product, &euros(3_000)).await.expect(201).number("/total/amount"), 3_000);
    order(&shop, &product, &Value::Null).await.expect(201);
}

/// Without any wait for events between the change and the order.
async fn what_was_answered_holds_for_the_next_order(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let made = json!({"sku": "A", "name": "A", "price": {"amount": 1_000, "currency": "EUR"}, "stock": 1_000});
    let product = shop.post("/v1/products", &made).await.expect(201).text("/product_id");
    let account = json!({"username": "ada", "email": "ada@example.com", "password": "correct horse battery"});
    let user_id = shop.post("/v1/users", &account).await.expect(201).text("/user_id");
    let token = shop.post("/v1/sessions", &account_session()).await.expect(201).text("/access_token");
    for n in 1..=10 {
        let (amount, email) = (1_000 + n, format!("ada{n}@example.com"));
        let price = json!({"price": {"amount": amount, "currency": "EUR"}});
        shop.patch(&format!("/v1/products/{product}"), &price).await.expect(200);
        shop.patch(&format!("/v1/users/{user_id}"), &json!({"email": email})).await.expect(200);
        let order = json!({"lines": [{"product_id": product, "quantity": 1}]});
        let order = shop.request(Method::POST, "/v1/orders").bearer(&token).json(&order).send().await.expect(201);
        assert_eq!(order.number("/total/amount"), amount);
        assert_eq!(shop.order_now(&order.text("/order_id")).await.text("/email"), email);
    }
    shop.delete(&format!("/v1/products/{product}")).await.expect(204);
    order(&shop, &product, &Value::Null).await.expect(422);
}

async fn a_product_with_a_change_that_can_not_be_handled_is_not_sold(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let (product, other) = (shop.product("A", 10).await, shop.product("B", 10).await);
    let change = MalformedProduct { key: product.parse().unwrap() };
    let shop = shop
        .restart_after(Setup::default(), async |store, clock| emit(store, clock, &[change], &["orders"]).await)
        .await;
    shop.settle().await;

    let refused = order(&shop, &product, &Value::Null).await.expect(409);
    let field = refused.text("/errors/0/field");
    assert_eq!((refused.text("/code").as_str(), field.as_str()), ("product_changing", "lines[0].product_id"));
    order(&shop, &other, &Value::Null).await.expect(201);
    discard_dead_letter(&shop).await;
    order(&shop, &product, &Value::Null).await.expect(201);
}

async fn an_account_with_a_change_that_can_not_be_handled_must_send_an_address(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("A", 10).await;
    let account = json!({"username": "ada", "email": "ada@example.com", "password": "correct horse battery"});
    let user_id = shop.post("/v1/users", &account).await.expect(201).text("/user_id");
    let token = shop.post("/v1/sessions", &account_session()).await.expect(201).text("/access_token");
    let change = MalformedProfile { key: user_id.parse().unwrap() };
    let shop = shop
        .restart_after(Setup::default(), async |store, clock| emit(store, clock, &[change], &["orders"]).await)
        .await;
    shop.settle().await;

    let orders = async |body: &Value| shop.request(Method::POST, "/v1/orders").bearer(&token).json(body).send().await;
    let lines = json!([{"product_id": product, "quantity": 1}]);
    let refused = orders(&json!({"lines": lines})).await.expect(422);
    assert_eq!(refused.text("/errors/0/field"), "email", "the address that is known may be a former one");
    orders(&json!({"lines": lines, "email": "ada@new.example"})).await.expect(201);
    discard_dead_letter(&shop).await;
    orders(&json!({"lines": lines})).await.expect(201);
}

fn account_session() -> Value {
    json!({"email": "ada@example.com", "password": "correct horse battery"})
}

async fn a_shop_does_not_start_in_another_currency_than_its_products(place: ShopLocation) {
    let in_currency = |code: &str| {
        let services = unlimited().with(&CURRENCY, code);
        Setup { services, ..Setup::default() }
    };
    let shop = TestShop::start_on(place).await;
    let product = shop.product("A", 10).await;
    shop.delete(&format!("/v1/products/{product}")).await.expect(204);
    shop.settle().await;
    let shop = shop.restart(in_currency("USD")).await;
    let in_dollars = json!({"sku": "B", "name": "B", "price": {"amount": 1, "currency": "USD"}, "stock": 1});
    shop.post("/v1/products", &in_dollars).await.expect(201);
    shop.settle().await;

    let refused = shop.refuses_to_restart(in_currency("EUR")).await;
    assert!(refused.contains("set the currency to USD"), "{refused}");
}
