//! Mails to one address: so many an hour.

use std::net::TcpListener;
use std::time::Duration;

use axum::http::Method;
use notifications::settings::MAIL_LIMIT;
use serde_json::json;
use testkit::{Setup, ShopLocation, TestShop, on_each_store, unlimited};

on_each_store! {
    nobody_gets_more_mails_than_the_hour_allows_and_confirmations_wait,
    a_mail_that_could_not_be_sent_is_replaced_by_that_of_the_orders_end,
}

async fn order_for(shop: &TestShop, product: &str, email: &str, token: &str) {
    let order = json!({"lines": [{"product_id": product, "quantity": 1}], "email": email, "payment": {"token": token}});
    shop.request(Method::POST, "/v1/orders").json(&order).send().await.expect(201);
    shop.settle().await;
}

/// `(template, status)` of each mail to somebody, the oldest first.
async fn mails(shop: &TestShop, email: &str) -> Vec<(String, String)> {
    let mails = shop.get("/v1/mail?limit=100").await.expect(200).items();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let to = mails.iter().rev().filter(|mail| mail["to"] == email);
    to.map(|mail| (text(&mail["template"]), text(&mail["status"]))).collect()
}

async fn nobody_gets_more_mails_than_the_hour_allows_and_confirmations_wait(place: ShopLocation) {
    let services = unlimited().with(&MAIL_LIMIT, "2");
    let shop = TestShop::start_on_with(place, Setup { services, ..Setup::default() }).await;
    let product = shop.product("A", 100).await;
    for _ in 0..5 {
        order_for(&shop, &product, "victim@example.net", "tok_declined").await;
    }
    assert_eq!(mails(&shop, "victim@example.net").await.len(), 2, "what costs nothing to cause is dropped");
    order_for(&shop, &product, "ada@example.com", "tok_ok").await;
    assert_eq!(mails(&shop, "ada@example.com").await.len(), 1, "each address has its own hour");

    order_for(&shop, &product, "victim@example.net", "tok_ok").await;
    let held = |status: &str| ("confirmation".to_owned(), status.to_owned());
    assert_eq!(mails(&shop, "victim@example.net").await.last(), Some(&held("queued")));
    let metrics = String::from_utf8(shop.get("/metrics").await.expect(200).body.to_vec()).unwrap();
    for line in [
        "tradepost_mails_over_limit_total{template=\"payment_failed\",outcome=\"dropped\"} 3",
        "tradepost_mails_over_limit_total{template=\"confirmation\",outcome=\"held\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} is missing in {metrics}");
    }
    shop.advance(Duration::from_mins(30)).await;
    assert_eq!(mails(&shop, "victim@example.net").await.last(), Some(&held("captured")));
}

async fn a_mail_that_could_not_be_sent_is_replaced_by_that_of_the_orders_end(place: ShopLocation) {
    // A mail server that was there, and is not any more.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mailer = Mailer::from_url(Some(&format!("smtp://{address}")), "Shop <shop@localhost>").unwrap();
    let shop = TestShop::start_on_with(place, Setup { mailer, ..Setup::default() }).await;
    let product = shop.product("A", 100).await;
    let (email, queued) = ("ada@example.com", |template: &str| (template.to_owned(), "queued".to_owned()));
    order_for(&shop, &product, email, "tok_soft").await;
    assert_eq!(mails(&shop, email).await, [queued("payment_failed")], "the order waits for another payment");

    let order_id = shop.get("/v1/orders").await.expect(200).items()[0]["order_id"].as_str().unwrap().to_owned();
    shop.post(&format!("/v1/orders/{order_id}/cancel"), &json!({})).await.expect(200);
    shop.settle().await;
    let replaced = ("payment_failed".to_owned(), "failed".to_owned());
    assert_eq!(mails(&shop, email).await, [replaced.clone(), queued("cancelled")], "it waits no more");
    let first = &shop.get(&format!("/v1/mail?order_id={order_id}")).await.expect(200).items()[1];
    assert!(first["error"].as_str().unwrap().contains("replaced"), "{first}");
    shop.advance(Duration::from_mins(10)).await;
    assert_eq!(mails(&shop, email).await, [replaced, queued("cancelled")], "nothing tries to send it");
}
