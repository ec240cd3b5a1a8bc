//! Orders that were placed elsewhere: recorded, settled by the stock alone, and refused what only this shop's own may.

use std::time::Duration;

use events::bridge::{ExternalLine, MESSAGE};
use events::inventory::ReservedLine;
use events::{Event, ExternalOrderPlaced, ExternalOrderSettled, OrderPaid, OrderPlaced, OrderUpdated, ProductId};
use kernel::{Currency, Money, Uuid};
use serde_json::{Value, json};
use testkit::{ShopLocation, TestShop, on_each_store};

use super::published;

on_each_store! {
    an_order_of_elsewhere_is_recorded_and_settled_by_the_stock,
    an_order_of_elsewhere_may_be_settled_before_it_is_recorded,
}

fn placed(id: u128, product: &str, quantity: i64, email: Option<&str>) -> ExternalOrderPlaced {
    let unit_price = email.map(|_| Money::new(700, Currency::EUR));
    ExternalOrderPlaced {
        order_id: Uuid::from_u128(id).into(),
        contract: "erp".to_owned(),
        via: MESSAGE.to_owned(),
        foreign_id: email.map(|_| format!("SO-{id}")),
        user_id: None,
        email: email.map(str::to_owned),
        lines: vec![ExternalLine { product_id: product.parse().unwrap(), quantity, unit_price }],
    }
}

async fn an_order_of_elsewhere_is_recorded_and_settled_by_the_stock(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("A", 3).await;
    let [paid, rejected] = [1, 2].map(|id| Uuid::from_u128(id).to_string());
    let orders = vec![placed(1, &product, 2, None), placed(2, &product, 2, Some("ada@example.com"))];
    let twice: Vec<_> = orders.iter().chain(&orders).cloned().collect();
    let shop = shop.restart_with(&twice, &["inventory", "orders"]).await;
    // What is settled before it is recorded is tried again.
    shop.advance(Duration::from_secs(10)).await;
    let order = shop.order_now(&paid).await;
    assert_eq!((order.text("/status"), order.text("/payment/status")), ("paid".into(), "none".into()));
    assert_eq!((order.text("/email"), order.text("/lines/0/sku")), (String::new(), "A".into()));
    assert_eq!(order.json()["external"], json!({"contract": "erp"}));
    let short = shop.order_now(&rejected).await;
    assert_eq!((short.text("/status"), short.text("/reason")), ("rejected".into(), "out_of_stock".into()));
    assert_eq!((short.text("/email"), short.number("/total/amount")), ("ada@example.com".into(), 1_400));
    assert_eq!(short.json()["external"], json!({"contract": "erp", "foreign_id": "SO-2"}));
    assert_eq!(short.number("/number"), order.number("/number") + 1);
    let own = shop.order(&[(&product, 1)], None).await.expect(201).text("/order_id");
    assert_eq!(shop.order_now(&own).await.json()["external"], Value::Null);

    for id in [&paid, &rejected] {
        assert_eq!(published(&shop, OrderUpdated::TYPE, id).await.len(), 1);
        assert!(published(&shop, OrderPlaced::TYPE, id).await.is_empty());
        assert!(published(&shop, OrderPaid::TYPE, id).await.is_empty());
        assert_eq!(shop.mails(id).await, [""; 0]);
        let cancelled = shop.post(&format!("/v1/orders/{id}/cancel"), &json!({})).await;
        assert_eq!(cancelled.expect(409).text("/code"), "settled_elsewhere");
        let payment = shop.post(&format!("/v1/orders/{id}/payment"), &json!({"token": "tok_ok"})).await;
        assert_eq!(payment.expect(409).text("/code"), "settled_elsewhere");
    }
    // Reported again, much later: nothing follows, and nothing was waiting.
    let shop = shop.restart_with(&orders, &["inventory", "orders"]).await;
    shop.advance(Duration::from_hours(24 * 40)).await;
    assert_eq!(shop.order_now(&paid).await.json(), order.json());
    assert_eq!(shop.order_now(&rejected).await.json(), short.json());
    assert_eq!(shop.get("/v1/dead-letters").await.expect(200).items(), [Value::Null; 0]);
    shop.stop().await;
}

async fn an_order_of_elsewhere_may_be_settled_before_it_is_recorded(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("A", 3).await;
    let product_id: ProductId = product.parse().unwrap();
    let order = placed(1, &product, 2, None);
    let settled = ExternalOrderSettled {
        order_id: order.order_id,
        contract: order.contract.clone(),
        lines: vec![ReservedLine { product_id, quantity: 2 }],
        shortages: Vec::new(),
    };
    let shop = shop.restart_with(&[settled], &["orders"]).await;
    shop.settle().await;
    shop.get(&format!("/v1/orders/{}", order.order_id)).await.expect(404);
    let order_id = order.order_id.to_string();
    let shop = shop.restart_with(&[order], &["orders"]).await;
    // It is recorded before the other is tried again.
    shop.settle().await;
    shop.advance(Duration::from_hours(1)).await;
    assert_eq!(shop.order_now(&order_id).await.text("/status"), "paid");
    assert_eq!(shop.get("/v1/dead-letters").await.expect(200).items(), [Value::Null; 0]);
    shop.stop().await;
}
