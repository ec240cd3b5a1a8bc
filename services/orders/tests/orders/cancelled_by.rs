//! The one who cancelled an order: admins see who it was, and customers only that they did it themselves.

use axum::http::Method;
use events::{Event, OrderCancelled};
use serde_json::{Value, json};
use testkit::{Call, Customer, ShopLocation, TestResponse, TestShop, on_each_store};

use super::{order, published};

on_each_store! {
    a_cancelled_order_says_by_whom_to_those_who_may_know,
    a_guest_who_cancels_sees_that_it_was_them,
}

async fn send(call: Call<'_>) -> TestResponse {
    let answer = call.json(&json!({})).send().await;
    assert!(matches!(answer.status.as_u16(), 200 | 202), "{:?}", answer.json());
    answer
}

/// `cancelled_by` of an answer; null if it is left out.
fn cancelled_by(answer: &TestResponse) -> Value {
    answer.json()["cancelled_by"].clone()
}

async fn a_cancelled_order_says_by_whom_to_those_who_may_know(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("A", 20).await;
    let (ada, grace) = (Customer::sign_up(&shop, "ada").await, Customer::sign_up(&shop, "grace").await);
    shop.post(&format!("/v1/users/{}/roles", grace.user_id), &json!({"roles": ["admin"]})).await.expect(200);
    shop.settle().await;
    for token in [None, Some("tok_ok")] {
        // (who cancels, as it is kept, as the customer sees it)
        let by_admin = (None, "automation".to_owned(), Value::Null);
        let by_account = (Some(&grace), grace.user_id.clone(), Value::Null);
        let by_customer = (Some(&ada), "customer".to_owned(), json!("customer"));
        for (who, kept, seen) in [by_admin, by_account, by_customer] {
            let order_id = order(&shop, &ada, &product, token).await;
            let path = format!("/v1/orders/{order_id}");
            let ask = |method, path: &str| match who {
                None => shop.request(method, path).admin(),
                Some(customer) => customer.asks(&shop, method, path),
            };
            // The tag of what they read, which differs by who reads.
            let tag = ask(Method::GET, &path).send().await.expect(200).headers["etag"].clone();
            let cancel = ask(Method::POST, &format!("{path}/cancel")).header("if-match", tag.to_str().unwrap());
            let is_customer = kept == "customer";
            let of_answer = if is_customer { &seen } else { &json!(kept) };
            assert_eq!(&cancelled_by(&send(cancel).await), of_answer);
            shop.settle().await;

            assert_eq!(shop.order_now(&order_id).await.text("/status"), "cancelled");
            assert_eq!(cancelled_by(&shop.order_now(&order_id).await), json!(kept));
            assert_eq!(cancelled_by(&grace.asks(&shop, Method::GET, &path).send().await.expect(200)), json!(kept));
            assert_eq!(cancelled_by(&ada.asks(&shop, Method::GET, &path).send().await.expect(200)), seen);
            let listed = ada.asks(&shop, Method::GET, "/v1/orders").send().await.expect(200).items();
            assert_eq!((&listed[0]["order_id"], &listed[0]["cancelled_by"]), (&json!(order_id), &seen));
            let events = published(&shop, OrderCancelled::TYPE, &order_id).await;
            let said: Vec<_> = events.iter().map(|event| (&event["cancelled_by"], &event["was_paid"])).collect();
            assert_eq!(said, [(&json!(kept), &json!(token.is_some()))]);
        }
    }
    // In the name of the account while it had the role.
    let own = order(&shop, &grace, &product, None).await;
    let path = format!("/v1/orders/{own}");
    assert_eq!(
        cancelled_by(&send(grace.asks(&shop, Method::POST, &format!("{path}/cancel"))).await),
        json!(grace.user_id)
    );
    // Another account has it from now on.
    shop.post(&format!("/v1/users/{}/roles", ada.user_id), &json!({"roles": ["admin"]})).await.expect(200);
    shop.post(&format!("/v1/users/{}/roles", grace.user_id), &json!({"roles": []})).await.expect(200);
    shop.settle().await;
    assert_eq!(cancelled_by(&grace.asks(&shop, Method::GET, &path).send().await.expect(200)), json!("customer"));
}

async fn a_guest_who_cancels_sees_that_it_was_them(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("A", 20).await;
    for (by_guest, seen) in [(true, json!("customer")), (false, Value::Null)] {
        let placed = shop.order(&[(&product, 1)], None).await;
        let path = format!("/v1/orders/{}", placed.text("/order_id"));
        let token = placed.text("/access_token");
        let cancel = shop.request(Method::POST, &format!("{path}/cancel"));
        send(if by_guest { cancel.header("x-order-token", &token) } else { cancel.admin() }).await;
        let read = shop.request(Method::GET, &path).header("x-order-token", &token).send().await.expect(200);
        assert_eq!(cancelled_by(&read), seen);
    }
    let expired = shop.order(&[(&product, 1)], None).await.text("/order_id");
    shop.settle().await;
    shop.advance(std::time::Duration::from_mins(16)).await;
    let order = shop.order_now(&expired).await;
    assert_eq!((order.text("/reason"), cancelled_by(&order)), ("expired".into(), Value::Null), "nobody wished it");
}
