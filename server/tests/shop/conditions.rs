//! `ETag` and the conditions that name it: a change that was decided on something older is refused, not made unseen.

use axum::http::Method;
use serde_json::{Value, json};
use testkit::{Call, ShopLocation, TestResponse, TestShop, on_each_store};

on_each_store! {
    of_two_admins_who_read_one_product_the_second_is_refused,
    a_change_of_an_account_needs_the_account_as_it_is,
    stock_and_orders_are_changed_only_as_they_were_read,
    what_has_not_changed_is_not_sent_again,
    a_condition_that_can_not_be_read_is_refused,
}

fn tag(answer: &TestResponse) -> String {
    answer.headers["etag"].to_str().unwrap().to_owned()
}

fn change<'a>(shop: &'a TestShop, method: Method, path: &str, tag: &str) -> Call<'a> {
    shop.request(method, path).admin().header("if-match", tag)
}

#[track_caller]
fn refused(answer: TestResponse) {
    assert_eq!(answer.expect(412).text("/code"), "version_mismatch");
}

async fn of_two_admins_who_read_one_product_the_second_is_refused(on: ShopLocation) {
    let shop = TestShop::start_on(on).await;
    let path = format!("/v1/products/{}", shop.product("123", 10).await);
    let read = tag(&shop.get(&path).await.expect(200));
    let price = |amount: i64| json!({"price": {"amount": amount, "currency": "EUR"}});

    let changed = change(&shop, Method::PATCH, &path, &read).json(&price(1_500)).send().await.expect(200);
    refused(change(&shop, Method::PATCH, &path, &read).json(&price(1_200)).send().await);
    refused(change(&shop, Method::DELETE, &path, &read).send().await);
    let now = shop.get(&path).await.expect(200);
    assert_eq!((now.number("/price/amount"), tag(&now)), (1_500, tag(&changed)));

    // A weak tag proves nothing, one of several is enough, and a star takes what there is.
    refused(change(&shop, Method::PATCH, &path, &format!("W/{}", tag(&now))).json(&price(1_200)).send().await);
    let one_of_them = format!("\"other\", {}", tag(&now));
    change(&shop, Method::PATCH, &path, &one_of_them).json(&price(1_200)).send().await.expect(200);
    change(&shop, Method::DELETE, &path, "*").send().await.expect(204);
    change(&shop, Method::DELETE, &path, "*").send().await.expect(404);
    shop.stop().await;
}

async fn a_change_of_an_account_needs_the_account_as_it_is(on: ShopLocation) {
    let shop = TestShop::start_on(on).await;
    let account = json!({"username": "ada", "email": "ada@example.com", "password": "correct horse battery"});
    let user_id = shop.post("/v1/users", &account).await.expect(201).text("/user_id");
    let path = format!("/v1/users/{user_id}");
    let read = tag(&shop.get(&path).await.expect(200));
    let name = |name: &str| json!({"username": name});
    change(&shop, Method::PATCH, &path, &read).json(&name("ada_l")).send().await.expect(200);
    refused(change(&shop, Method::PATCH, &path, &read).json(&name("lovelace")).send().await);
    assert_eq!(shop.get(&path).await.expect(200).text("/username"), "ada_l");
    shop.stop().await;
}

async fn stock_and_orders_are_changed_only_as_they_were_read(on: ShopLocation) {
    let shop = TestShop::start_on(on).await;
    let product = shop.product("123", 10).await;
    let stock = format!("/v1/stock/{product}");
    let counted = tag(&shop.get(&stock).await.expect(200));
    let order = shop.order(&[(&product, 1)], None).await.text("/order_id");
    let order = format!("/v1/orders/{order}");
    let placed = tag(&shop.get(&order).await.expect(200));
    shop.settle().await;

    let correction = json!({"delta": -1, "reason": "count"});
    let adjustments = format!("{stock}/adjustments");
    refused(change(&shop, Method::POST, &adjustments, &counted).json(&correction).send().await);
    let counted = tag(&shop.get(&stock).await.expect(200));
    let adjusted = change(&shop, Method::POST, &adjustments, &counted).json(&correction).send().await.expect(201);
    assert_eq!(tag(&adjusted), tag(&shop.get(&stock).await.expect(200)));

    let cancel = format!("{order}/cancel");
    refused(change(&shop, Method::POST, &cancel, &placed).send().await);
    let pay = json!({"token": "tok_ok"});
    refused(change(&shop, Method::POST, &format!("{order}/payment"), &placed).json(&pay).send().await);
    let reserved = tag(&shop.get(&order).await.expect(200));
    let cancelled = change(&shop, Method::POST, &cancel, &reserved).send().await.expect(200);
    assert_eq!(cancelled.text("/status"), "cancelled");
    shop.settle().await;
    shop.stop().await;
}

async fn what_has_not_changed_is_not_sent_again(on: ShopLocation) {
    let shop = TestShop::start_on(on).await;
    let product = shop.product("123", 1).await;
    let path = format!("/v1/products/{product}");
    let read = tag(&shop.get(&path).await.expect(200));
    for method in [Method::GET, Method::HEAD] {
        for sent in [read.clone(), format!("W/{read}"), "*".to_owned()] {
            let again = shop.request(method.clone(), &path).header("if-none-match", &sent).send().await.expect(304);
            assert_eq!((tag(&again), again.body.len()), (read.clone(), 0));
        }
    }
    // A sale changes nothing that an admin wrote, but what a reader sees.
    shop.order(&[(&product, 1)], Some("tok_ok")).await;
    shop.settle().await;
    let sold = shop.request(Method::GET, &path).header("if-none-match", &read).send().await.expect(200);
    assert_eq!(sold.json()["in_stock"], json!(false));
    assert_ne!(tag(&sold), read);
    shop.stop().await;
}

async fn a_condition_that_can_not_be_read_is_refused(on: ShopLocation) {
    let shop = TestShop::start_on(on).await;
    let path = format!("/v1/products/{}", shop.product("123", 1).await);
    let rename = json!({"name": "Another"});
    for malformed in ["1", "\"1", "", "*, \"1\"", "\"1\" \"2\""] {
        let answer = change(&shop, Method::PATCH, &path, malformed).json(&rename).send().await.expect(400);
        assert_eq!(answer.text("/code"), "invalid_condition", "{malformed}");
    }
    for (header, value) in [("if-none-match", "*"), ("if-unmodified-since", "Thu, 01 Jan 2026 00:00:00 GMT")] {
        let call = shop.request(Method::PATCH, &path).admin().header(header, value).json(&rename);
        assert_eq!(call.send().await.expect(400).text("/code"), "condition_not_supported", "{header}");
    }
    let product: Value = shop.get(&path).await.expect(200).json();
    assert_eq!((&product["name"], &product["version"]), (&json!("123"), &json!(1)));
    shop.stop().await;
}
