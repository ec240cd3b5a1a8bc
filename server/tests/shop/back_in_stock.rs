//! Mails to those who asked for a product that was sold out.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};
use testkit::{Customer, PASSWORD, ShopLocation, TestResponse, TestShop, on_each_broker, on_each_store};

on_each_store! {
    units_that_an_order_waits_for_are_no_stock,
    a_product_in_stock_or_not_for_sale_is_refused,
    the_link_of_a_mail_ends_all_requests_of_its_address,
    requests_end_with_their_product_their_account_and_their_time,
    an_address_waits_for_so_many_products,
    many_requests_are_all_answered,
    bad_requests_name_what_is_wrong,
}

on_each_broker! {
    each_request_is_answered_by_one_mail_when_there_are_units_again,
}

async fn ask(shop: &TestShop, product: &str, email: &str) -> TestResponse {
    let path = format!("/v1/products/{product}/back-in-stock");
    shop.request(Method::POST, &path).json(&json!({"email": email})).send().await
}

async fn adjust(shop: &TestShop, product: &str, units: i64) {
    let adjustment = json!({"delta": units, "reason": "count"});
    shop.post(&format!("/v1/stock/{product}/adjustments"), &adjustment).await.expect(201);
    shop.settle().await;
}

async fn mails_to(shop: &TestShop, email: &str) -> Vec<Value> {
    let mut mails = Vec::new();
    let mut path = "/v1/mail?limit=100".to_owned();
    loop {
        let page = shop.get(&path).await.expect(200);
        mails.extend(page.items());
        let Some(next) = page.json()["next"].as_str().map(str::to_owned) else { break };
        path = format!("/v1/mail?limit=100&cursor={next}");
    }
    mails.retain(|mail| mail["to"] == email && mail["template"] == "back_in_stock");
    mails
}

async fn stop(shop: &TestShop, token: &str) -> TestResponse {
    shop.request(Method::POST, "/v1/back-in-stock/stop").json(&json!({"token": token})).send().await
}

fn token_of(mail: &Value) -> String {
    let text = mail["text"].as_str().unwrap();
    let (_, token) = text.split_once("http://127.0.0.1:8080/back-in-stock/stop#token=").unwrap();
    token.split_whitespace().next().unwrap().to_owned()
}

async fn each_request_is_answered_by_one_mail_when_there_are_units_again(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let (laptop, mouse) = (shop.product("laptop", 1).await, shop.product("mouse", 0).await);
    let order_id = shop.order(&[(&laptop, 1)], None).await.text("/order_id");
    shop.settle().await;
    for (product, email) in [(&laptop, "ada@example.com"), (&laptop, "ADA@example.com"), (&mouse, "ada@example.com")] {
        ask(&shop, product, email).await.expect(202);
    }
    ask(&shop, &laptop, "grace@example.com").await.expect(202);
    shop.settle().await;
    assert!(mails_to(&shop, "ada@example.com").await.is_empty());

    shop.post(&format!("/v1/orders/{order_id}/cancel"), &json!({})).await.expect(200);
    shop.settle().await;
    let mails = mails_to(&shop, "ada@example.com").await;
    assert_eq!(mails.len(), 1);
    let text = mails[0]["text"].as_str().unwrap();
    assert!(text.starts_with("laptop is in stock again") && text.contains(&format!("/products/{laptop}")), "{text}");
    assert_eq!(mails_to(&shop, "grace@example.com").await.len(), 1);

    adjust(&shop, &laptop, -1).await;
    adjust(&shop, &laptop, 3).await;
    assert_eq!(mails_to(&shop, "ada@example.com").await.len(), 1, "one mail for each request");
    adjust(&shop, &laptop, -3).await;
    ask(&shop, &laptop, "ada@example.com").await.expect(202);
    adjust(&shop, &laptop, 1).await;
    assert_eq!(mails_to(&shop, "ada@example.com").await.len(), 2);
}

async fn units_that_an_order_waits_for_are_no_stock(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 0).await;
    let order = json!({"lines": [{"product_id": product, "quantity": 2}], "email": "eve@example.com",
        "payment": {"token": "tok_ok"}, "wait_for_stock": true});
    shop.post("/v1/orders", &order).await.expect(201);
    ask(&shop, &product, "ada@example.com").await.expect(202);
    shop.settle().await;
    adjust(&shop, &product, 2).await;
    assert!(mails_to(&shop, "ada@example.com").await.is_empty());
    adjust(&shop, &product, 1).await;
    assert_eq!(mails_to(&shop, "ada@example.com").await.len(), 1);
}

async fn a_product_in_stock_or_not_for_sale_is_refused(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 1).await;
    assert_eq!(ask(&shop, &product, "ada@example.com").await.expect(409).text("/code"), "in_stock");
    shop.delete(&format!("/v1/products/{product}")).await.expect(204);
    shop.settle().await;
    for unknown in [product.as_str(), "019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d"] {
        assert_eq!(ask(&shop, unknown, "ada@example.com").await.expect(404).text("/code"), "not_found");
    }
}

async fn the_link_of_a_mail_ends_all_requests_of_its_address(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let (laptop, mouse) = (shop.product("laptop", 0).await, shop.product("mouse", 0).await);
    for (product, email) in [(&laptop, "ada@example.com"), (&mouse, "Ada@example.com"), (&mouse, "grace@example.com")] {
        ask(&shop, product, email).await.expect(202);
    }
    adjust(&shop, &laptop, 1).await;
    let token = token_of(&mails_to(&shop, "ada@example.com").await[0]);
    for bad in [&token[1..], "x", &format!("{token}A")] {
        assert_eq!(stop(&shop, bad).await.expect(400).text("/code"), "invalid_link");
    }
    stop(&shop, &token).await.expect(204);
    stop(&shop, &token).await.expect(204);
    adjust(&shop, &mouse, 1).await;
    assert!(mails_to(&shop, "Ada@example.com").await.is_empty());
    assert_eq!(mails_to(&shop, "grace@example.com").await.len(), 1);
    shop.advance(Duration::from_hours(31 * 24)).await;
    stop(&shop, &token).await.expect(400);
    assert!(mails_to(&shop, "ada@example.com").await.is_empty(), "the mail goes with its link");
}

async fn requests_end_with_their_product_their_account_and_their_time(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let (gone, product) = (shop.product("gone", 0).await, shop.product("123", 0).await);
    let eve = Customer::sign_up(&shop, "eve").await;
    ask(&shop, &gone, "ada@example.com").await.expect(202);
    ask(&shop, &product, "eve@example.com").await.expect(202);
    ask(&shop, &product, "grace@example.com").await.expect(202);
    shop.delete(&format!("/v1/products/{gone}")).await.expect(204);
    let (path, password) = (format!("/v1/users/{}", eve.user_id), json!({"current_password": PASSWORD}));
    eve.asks(&shop, Method::DELETE, &path).json(&password).send().await.expect(204);
    shop.settle().await;
    adjust(&shop, &product, 1).await;
    assert_eq!(mails_to(&shop, "grace@example.com").await.len(), 1);
    for email in ["ada@example.com", "eve@example.com"] {
        assert!(mails_to(&shop, email).await.is_empty(), "{email}");
    }
    adjust(&shop, &product, -1).await;
    ask(&shop, &product, "grace@example.com").await.expect(202);
    shop.advance(Duration::from_hours(181 * 24)).await;
    adjust(&shop, &product, 1).await;
    assert!(mails_to(&shop, "grace@example.com").await.is_empty());
}

async fn an_address_waits_for_so_many_products(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    for n in 0..20 {
        let product = shop.product(&format!("sku-{n}"), 0).await;
        ask(&shop, &product, "ada@example.com").await.expect(202);
    }
    let product = shop.product("one-more", 0).await;
    let refused = ask(&shop, &product, "ada@example.com").await.expect(409);
    assert_eq!(refused.text("/code"), "too_many_requests_open");
    ask(&shop, &product, "grace@example.com").await.expect(202);
}

async fn many_requests_are_all_answered(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 0).await;
    for n in 0..250 {
        ask(&shop, &product, &format!("guest-{n}@example.com")).await.expect(202);
    }
    adjust(&shop, &product, 1).await;
    for n in [0, 99, 100, 249] {
        assert_eq!(mails_to(&shop, &format!("guest-{n}@example.com")).await.len(), 1, "{n}");
    }
}

async fn bad_requests_name_what_is_wrong(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 0).await;
    let path = format!("/v1/products/{product}/back-in-stock");
    for (path, body, field) in [
        (path.as_str(), json!({"email": "ada"}), "email"),
        (path.as_str(), json!({"email": "a@b.c\r\nBcc: x@y.z"}), "email"),
        (path.as_str(), json!({}), "email"),
        (path.as_str(), json!({"email": "ada@example.com", "name": "Ada"}), "name"),
        ("/v1/back-in-stock/stop", json!({"token": ""}), "token"),
        ("/v1/back-in-stock/stop", json!({"token": "x".repeat(101)}), "token"),
        ("/v1/back-in-stock/stop", json!({}), "token"),
    ] {
        let refused = shop.request(Method::POST, path).json(&body).send().await.expect(422);
        assert_eq!((refused.text("/code"), refused.text("/errors/0/field")), ("invalid_body".into(), field.into()));
    }
    shop.request(Method::POST, &path)
        .bytes(b"{".to_vec())
        .header("content-type", "application/json")
        .send()
        .await
        .expect(400);
    let order = json!({"lines": [{"product_id": product, "quantity": 1}], "email": "ada@example.com",
        "wait_for_stock": "yes"});
    let refused = shop.request(Method::POST, "/v1/orders").json(&order).send().await.expect(400);
    assert_eq!(refused.text("/code"), "malformed_body");
}
