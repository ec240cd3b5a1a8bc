//! The reason why money did not go back, as the order shows it to admins.

use axum::http::Method;
use events::{Event, PaymentRefunded, RefundFailed};
use kernel::{Clock, Currency, Ids, Money, Version};
use serde_json::{Value, json};
use service::storage::Batch;
use testkit::{Setup, ShopLocation, TestResponse, TestShop, on_each_store};

use super::published;
use crate::stores::Store;

on_each_store! {
    a_failed_refund_shows_its_reason_to_admins_until_the_money_is_back,
}

/// The fact that payments publish about a refund, to be published once more or for the first time.
#[derive(Clone)]
enum Outcome {
    Failed(RefundFailed),
    Refunded(PaymentRefunded),
}

impl Outcome {
    fn emit(&self) -> Batch {
        match self {
            Self::Failed(event) => Batch::new().emit(Version::FIRST, event),
            Self::Refunded(event) => Batch::new().emit(Version::FIRST, event),
        }
    }
}

/// The same shop, in which payments has published these.
async fn publishing(shop: TestShop, outcomes: &[Outcome]) -> TestShop {
    let shop = shop
        .restart_after(Setup::default(), async |store, clock| {
            let types = [RefundFailed::TYPE, PaymentRefunded::TYPE];
            let payments = Store::open("payments", store, clock, &types).await;
            payments.commit(outcomes.iter().map(Outcome::emit)).await;
            payments.close().await;
        })
        .await;
    shop.settle().await;
    shop
}

async fn refund(shop: &TestShop, payment_id: &str, cents: i64) {
    let part = json!({"amount": {"amount": cents, "currency": "EUR"}});
    shop.post(&format!("/v1/payments/{payment_id}/refund"), &part).await.expect(202);
    shop.settle().await;
}

fn shown(order: &TestResponse) -> (Value, i64, Value) {
    let payment = order.json()["payment"].clone();
    (payment["status"].clone(), payment["refunded"]["amount"].as_i64().unwrap(), payment["error"].clone())
}

async fn a_failed_refund_shows_its_reason_to_admins_until_the_money_is_back(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("A", 10).await;
    let placed = shop.order(&[(&product, 3)], Some("tok_refund_fails")).await;
    let (order_id, token) = (placed.text("/order_id"), placed.text("/access_token"));
    shop.settle().await;
    let payments = shop.get(&format!("/v1/payments?order_id={order_id}")).await.expect(200).items();
    let payment_id = super::text(&payments[0]["payment_id"]);
    assert_eq!(shown(&shop.order_now(&order_id).await), (json!("captured"), 0, Value::Null));

    refund(&shop, &payment_id, 1_000).await;
    let closed = json!("the card was closed");
    assert_eq!(shown(&shop.order_now(&order_id).await), (json!("captured"), 0, closed.clone()));
    let path = format!("/v1/orders/{order_id}");
    let of_guest = shop.request(Method::GET, &path).header("x-order-token", &token).send().await.expect(200);
    assert_eq!(shown(&of_guest), (json!("captured"), 0, Value::Null), "a customer is shown no internal reason");
    let listed = shop.get("/v1/orders").await.expect(200).items();
    assert_eq!(listed[0]["payment"]["error"], closed);

    let failed: RefundFailed =
        serde_json::from_value(published(&shop, RefundFailed::TYPE, &order_id).await.remove(0)).unwrap();
    let later = Ids::new(Clock::mock("2026-01-01T13:00:00Z".parse().unwrap()).0);
    let euros = |cents| Money::new(cents, Currency::EUR);
    let (payment_id, of_order) = (failed.payment_id, failed.order_id);
    let back = |cents: i64, total: i64| {
        Outcome::Refunded(PaymentRefunded {
            payment_id,
            refund_id: Some(later.next()),
            order_id: of_order,
            amount: euros(cents),
            refunded_total: Some(euros(total)),
            restock: Vec::new(),
            reason: None,
            of_cancellation: None,
        })
    };
    let (half, rest) = (back(500, 500), back(500, 1_000));
    let again =
        Outcome::Failed(RefundFailed { refund_id: later.next(), error: "no account".to_owned(), ..failed.clone() });
    let failed = Outcome::Failed(failed);

    // The same once more, and less than it was to give back.
    let shop = publishing(shop, &[failed.clone(), half.clone()]).await;
    assert_eq!(shown(&shop.order_now(&order_id).await), (json!("partially_refunded"), 500, closed));
    let shop = publishing(shop, &[rest.clone(), failed.clone(), half.clone()]).await;
    assert_eq!(shown(&shop.order_now(&order_id).await), (json!("partially_refunded"), 1_000, Value::Null));
    let shop = publishing(shop, &[again.clone(), failed.clone(), rest]).await;
    assert_eq!(shown(&shop.order_now(&order_id).await), (json!("partially_refunded"), 1_000, json!("no account")));
    let shop = publishing(shop, &[back(2_000, 3_000), again, failed, half]).await;
    assert_eq!(shown(&shop.order_now(&order_id).await), (json!("refunded"), 3_000, Value::Null));
    assert_eq!(shop.get("/v1/dead-letters").await.expect(200).items(), [Value::Null; 0]);
}
