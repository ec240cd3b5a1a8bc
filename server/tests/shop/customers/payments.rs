//! Payments that come to nothing: declined as often as is allowed, or voided before anybody asked the provider.

use events::{OrderCancelled, PaymentId, PaymentRequested, PaymentVoided};
use kernel::Event;
use orders::settings::PAYMENT_ATTEMPTS;
use serde_json::{Value, json};
use testkit::{Setup, ShopLocation, TestShop, emit, on_each_store, unlimited};

on_each_store! {
    an_order_ends_with_the_last_declined_payment_that_it_may_have,
    a_payment_that_was_abandoned_is_voided_and_its_order_says_so,
}

malformed!(MalformedEnd like OrderCancelled);

async fn an_order_ends_with_the_last_declined_payment_that_it_may_have(place: ShopLocation) {
    let services = unlimited().with(&PAYMENT_ATTEMPTS, "3");
    let shop = TestShop::start_on_with(place, Setup { services, ..Setup::default() }).await;
    let product = shop.product("A", 10).await;
    let order_id = shop.order(&[(&product, 2)], Some("tok_soft")).await.text("/order_id");
    let path = format!("/v1/orders/{order_id}/payment");
    for _ in 0..2 {
        shop.settle().await;
        let order = shop.order_now(&order_id).await;
        assert_eq!((order.text("/status"), order.text("/payment/status")), ("reserved".into(), "failed".into()));
        assert_eq!(order.text("/payment/error"), "the card has not enough funds");
        shop.post(&path, &json!({"token": "tok_soft"})).await.expect(202);
    }
    shop.settle().await;
    let order = shop.order_now(&order_id).await;
    assert_eq!((order.text("/status"), order.text("/reason")), ("cancelled".into(), "too_many_attempts".into()));
    assert_eq!(shop.post(&path, &json!({"token": "tok_ok"})).await.expect(409).text("/code"), "too_many_attempts");
    assert_eq!(shop.stock(&product).await, (10, 0));
    assert_eq!(shop.mails(&order_id).await, ["payment_failed"; 3], "one for each decline, and the last is the end's");
    let mails = shop.get(&format!("/v1/mail?order_id={order_id}")).await.expect(200).items();
    let ended: Vec<bool> = mails.iter().map(|mail| mail["text"].as_str().unwrap().contains("cancelled")).collect();
    assert_eq!(ended, [true, false, false], "newest first");
}

async fn a_payment_that_was_abandoned_is_voided_and_its_order_says_so(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("A", 10).await;
    let order_id = shop.order(&[(&product, 1)], None).await.text("/order_id");
    // Reserved, so that paying asks payments at once.
    shop.settle().await;
    // Payments handles nothing about the order while this is parked, so the provider is not asked.
    let obstacle = MalformedEnd { key: order_id.parse().unwrap() };
    let shop = shop
        .restart_after(Setup::default(), async |store, clock| emit(store, clock, &[obstacle], &["payments"]).await)
        .await;
    let path = format!("/v1/orders/{order_id}");
    let paying = shop.post(&format!("{path}/payment"), &json!({"token": "tok_ok"})).await.expect(202);
    assert_eq!(paying.text("/payment/status"), "requested");
    let cancelled = shop.post(&format!("{path}/cancel"), &Value::Null).await.expect(200);
    assert_eq!(
        (cancelled.text("/status"), cancelled.text("/payment/status")),
        ("cancelled".into(), "requested".into())
    );
    shop.settle().await;
    let story = shop.get(&format!("{path}/events")).await.expect(200).items();
    let asked = story.iter().find(|event| event["type"] == PaymentRequested::TYPE).unwrap();
    let payment_id: PaymentId = asked["data"]["payment_id"].as_str().unwrap().parse().unwrap();

    let voided = PaymentVoided { payment_id, order_id: order_id.parse().unwrap() };
    let shop = shop
        .restart_after(Setup::default(), async |store, clock| emit(store, clock, &[voided], &["orders"]).await)
        .await;
    shop.settle().await;
    let order = shop.order_now(&order_id).await;
    assert_eq!((order.text("/status"), order.text("/payment/status")), ("cancelled".into(), "voided".into()));
    assert_eq!(shop.mails(&order_id).await, ["cancelled"]);
}
