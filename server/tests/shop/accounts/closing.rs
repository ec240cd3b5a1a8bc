//! A closed account: what of its person goes, and what stays.

use std::time::Duration;

use axum::http::Method;
use serde_json::json;
use testkit::{ShopLocation, TestShop, on_each_store};

use super::{PASSWORD, refresh, sign_in, sign_up, try_sign_in};

on_each_store! {
    a_closed_account_leaves_its_orders_and_nothing_of_its_person,
}

async fn a_closed_account_leaves_its_orders_and_nothing_of_its_person(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("A", 10).await;
    let ada = sign_up(&shop, "ada").await;
    let tokens = sign_in(&shop, "ada").await;
    let ship_to = json!({"name": "Ada Lovelace", "street": "12 St James", "city": "London", "state": "Greater London",
        "country": "GB"});
    let order = json!({"lines": [{"product_id": product, "quantity": 2}], "ship_to": ship_to,
        "payment": {"token": "tok_ok"}});
    let place = async |order: &serde_json::Value| {
        shop.request(Method::POST, "/v1/orders").bearer(&tokens.access).json(order).send().await
    };
    let delivered = place(&order).await.expect(201).text("/order_id");
    let open = place(&order).await.expect(201).text("/order_id");
    shop.settle().await;
    shop.deliver(&delivered).await;

    let close = async |body: &serde_json::Value| {
        let call = shop.request(Method::DELETE, &format!("/v1/users/{ada}")).bearer(&tokens.access);
        call.json(body).send().await
    };
    assert_eq!(close(&json!({})).await.expect(403).text("/code"), "password_required");
    assert_eq!(close(&json!({"current_password": "battery"})).await.expect(403).text("/code"), "wrong_password");
    close(&json!({"current_password": PASSWORD})).await.expect(204);
    shop.settle().await;
    shop.get(&format!("/v1/users/{ada}")).await.expect(404);
    try_sign_in(&shop, "ada@example.com", PASSWORD).await.expect(401);
    refresh(&shop, &tokens.refresh).await.expect(401);
    let mut with_address = order.clone();
    with_address["email"] = json!("ada@example.com");
    for order in [&order, &with_address] {
        assert_eq!(place(order).await.expect(403).text("/code"), "account_closed");
    }
    sign_up(&shop, "ada").await;

    assert_eq!(shop.order_now(&delivered).await.text("/email"), "ada@example.com", "its mails may be in flight");
    shop.advance(Duration::from_hours(25)).await;
    let kept = shop.order_now(&delivered).await.json();
    assert_eq!(
        (&kept["email"], &kept["status"], &kept["total"]["amount"]),
        (&json!(""), &json!("delivered"), &json!(2_000))
    );
    let awaited = shop.order_now(&open).await;
    assert_eq!(awaited.text("/ship_to/city"), "London", "a parcel needs its address");
    shop.deliver(&open).await;
    shop.advance(Duration::from_hours(25)).await;
    assert_eq!(shop.order_now(&open).await.text("/email"), "");
    assert_eq!(kept["ship_to"]["country"], "GB");
    let mails = shop.get("/v1/mail?limit=100").await.expect(200).items();
    let templates: Vec<&str> = mails.iter().filter_map(|mail| mail["template"].as_str()).collect();
    assert_eq!(templates, ["welcome"], "of the new account with the same address");
    let payments = shop.get("/v1/payments").await.expect(200);
    for shown in [kept.to_string(), payments.json().to_string()] {
        for personal in ["ada@example.com", "Ada", "St James", "London"] {
            assert!(!shown.contains(personal), "{personal} is left in {shown}");
        }
    }
}
