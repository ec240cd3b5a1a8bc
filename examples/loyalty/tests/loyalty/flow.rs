//! Points of a customer: given for what was paid, taken back with the money, seen by nobody else.

use axum::http::Method;
use serde_json::json;
use server::shop::Shop;
use testkit::{Customer, Setup, ShopLocation, TestShop};

testkit::on_each_store!(points_follow_payments_and_refunds);

fn setup() -> Setup {
    Setup { shop: Shop::tradepost().service(7301, |_| tradepost_loyalty::service()), ..Setup::default() }
}

async fn points_follow_payments_and_refunds(place: ShopLocation) {
    let shop = TestShop::start_on_with(place, setup()).await;
    let product = shop.product("123", 50).await;
    let (ada, ben) = (Customer::sign_up(&shop, "ada").await, Customer::sign_up(&shop, "ben").await);
    let order = |quantity: i64, token: &str| json!({"lines": [{"product_id": product, "quantity": quantity}], "payment": {"token": token}});
    let place = async |who: &Customer, quantity, token| {
        let placed = who.asks(&shop, Method::POST, "/v1/orders").json(&order(quantity, token)).send().await;
        placed.expect(201).text("/order_id")
    };
    let of = |who: &Customer| format!("/v1/loyalty/{}", who.user_id);
    let points =
        async |who: &Customer| who.asks(&shop, Method::GET, &of(who)).send().await.expect(200).number("/points");

    let paid = place(&ada, 4, "tok_ok").await;
    place(&ada, 9, "tok_declined").await;
    place(&ben, 1, "tok_ok").await;
    shop.order(&[(&product, 5)], Some("tok_ok")).await;
    shop.settle().await;
    assert_eq!((points(&ada).await, points(&ben).await), (40, 10));
    let all = shop.get("/v1/loyalty").await.expect(200).items();
    let expected = [json!({"user_id": ben.user_id, "points": 10}), json!({"user_id": ada.user_id, "points": 40})];
    assert_eq!(all, expected, "a guest has no points");
    let page = shop.get("/v1/loyalty?limit=1").await.expect(200);
    let next = shop.get(&format!("/v1/loyalty?limit=1&cursor={}", page.text("/next"))).await.expect(200);
    assert_eq!([page.items(), next.items()].concat(), expected);

    ben.asks(&shop, Method::GET, &of(&ada)).send().await.expect(404);
    shop.request(Method::GET, &of(&ada)).send().await.expect(401);
    ada.asks(&shop, Method::GET, "/v1/loyalty").send().await.expect(403);
    assert_eq!(shop.get(&of(&ada)).await.expect(200).number("/points"), 40);

    let payments = shop.get(&format!("/v1/payments?order_id={paid}")).await.expect(200).items();
    let refund = format!("/v1/payments/{}/refund", payments[0]["payment_id"].as_str().unwrap());
    let part = json!({"amount": {"amount": 1_050, "currency": "EUR"}});
    shop.post(&refund, &part).await.expect(202);
    shop.settle().await;
    assert_eq!(points(&ada).await, 30, "10.50 of 40.00 EUR are 10 full points of 40");
    // The rest goes back with the order.
    shop.post(&format!("/v1/orders/{paid}/cancel"), &serde_json::Value::Null).await.expect(202);
    shop.settle().await;
    assert_eq!((points(&ada).await, points(&ben).await), (0, 10));
    shop.stop().await;
}
