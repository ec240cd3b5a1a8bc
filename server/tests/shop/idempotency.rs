//! `Idempotency-Key`: repeated however and whenever, one key is one effect and one answer.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use axum::http::Method;
use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::{Call, Setup, ShopLocation, TestResponse, TestShop, on_each_store};

on_each_store! {
    a_repeated_request_gets_the_same_answer_and_places_nothing_also_after_a_restart,
    another_request_under_a_used_key_is_refused,
    of_fifty_at_once_one_places_the_order,
    a_refused_request_leaves_its_key_unused,
    a_key_is_its_senders_own,
    a_key_is_new_after_a_day,
    who_hangs_up_at_any_moment_and_repeats_has_one_order,
    a_delivery_that_is_booked_twice_counts_once,
    whatever_a_post_changes_it_changes_once_under_one_key,
    a_kept_answer_is_for_those_who_may_read_the_order,
}

const HOUR: Duration = Duration::from_hours(1);

fn order(product: &str, email: &str) -> Value {
    json!({"lines": [{"product_id": product, "quantity": 1}], "email": email, "payment": {"token": "tok_ok"}})
}

fn place<'a>(shop: &'a TestShop, key: &str, body: &Value) -> Call<'a> {
    shop.request(Method::POST, "/v1/orders").header("idempotency-key", key).json(body)
}

fn is_repeated(answer: &TestResponse) -> bool {
    answer.headers.get("idempotency-replayed").is_some_and(|value| value == "true")
}

#[track_caller]
fn assert_same(repeated: &TestResponse, first: &TestResponse) {
    assert!(is_repeated(repeated) && !is_repeated(first));
    assert_eq!((repeated.status, &repeated.body), (first.status, &first.body));
    for name in ["location", "content-type", "content-length"] {
        assert_eq!(repeated.headers.get(name), first.headers.get(name), "{name}");
    }
}

async fn orders(shop: &TestShop) -> usize {
    shop.get("/v1/orders?limit=100").await.expect(200).items().len()
}

async fn a_repeated_request_gets_the_same_answer_and_places_nothing_also_after_a_restart(on: ShopLocation) {
    let shop = TestShop::start_on(on).await;
    let product = shop.product("123", 10).await;
    let body = order(&product, "ada@example.com");
    let first = place(&shop, "k-1", &body).send().await.expect(201);
    assert_same(&place(&shop, "k-1", &body).send().await, &first);
    shop.settle().await;

    let shop = shop.restart(Setup::default()).await;
    // The answer is that of the first time, whatever happened to the order and to the product.
    shop.delete(&format!("/v1/products/{product}")).await.expect(204);
    shop.settle().await;
    let repeated = place(&shop, "k-1", &body).send().await;
    assert_same(&repeated, &first);
    let token = repeated.text("/access_token");
    let path = repeated.headers["location"].to_str().unwrap().to_owned();
    let read = shop.request(Method::GET, &path).header("x-order-token", &token).send().await.expect(200);
    assert_eq!(read.text("/status"), "paid");
    shop.settle().await;
    assert_eq!(orders(&shop).await, 1);
    shop.stop().await;
}

async fn another_request_under_a_used_key_is_refused(on: ShopLocation) {
    let shop = TestShop::start_on(on).await;
    let product = shop.product("123", 10).await;
    let mut body = order(&product, "ada@example.com");
    place(&shop, "k", &body).send().await.expect(201);
    body["lines"][0]["quantity"] = json!(2);
    let refused = place(&shop, "k", &body).send().await.expect(422);
    assert_eq!(refused.text("/code"), "idempotency_key_reused");
    assert_eq!(orders(&shop).await, 1);

    let (longest, too_long) = ("k".repeat(255), "k".repeat(256));
    for key in [too_long.as_str(), "", "two words", "k\t"] {
        let refused = place(&shop, key, &body).send().await.expect(400);
        assert_eq!(refused.text("/code"), "invalid_idempotency_key", "{key:?}");
    }
    assert_eq!(orders(&shop).await, 1);
    place(&shop, &longest, &body).send().await.expect(201);
    shop.settle().await;
    shop.stop().await;
}

async fn of_fifty_at_once_one_places_the_order(on: ShopLocation) {
    let shop = TestShop::start_on(on).await;
    let product = shop.product("123", 100).await;
    let body = order(&product, "ada@example.com");
    let answers = join_all((0..50).map(|_| place(&shop, "k", &body).send())).await;
    let (placed, refused): (Vec<TestResponse>, Vec<TestResponse>) =
        answers.into_iter().partition(|answer| answer.status == 201);
    for answer in refused {
        assert_eq!(answer.expect(409).text("/code"), "idempotency_key_in_flight");
    }
    let (repeated, first): (Vec<TestResponse>, Vec<TestResponse>) = placed.into_iter().partition(is_repeated);
    assert_eq!(first.len(), 1);
    assert!(repeated.iter().all(|answer| answer.body == first[0].body));
    assert_same(&place(&shop, "k", &body).send().await, &first[0]);
    shop.settle().await;
    assert_eq!(orders(&shop).await, 1);
    assert_eq!(shop.stock(&product).await, (99, 0));
    shop.stop().await;
}

async fn a_refused_request_leaves_its_key_unused(on: ShopLocation) {
    let shop = TestShop::start_on(on).await;
    let product = shop.product("123", 10).await;
    let unknown = order("019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d", "ada@example.com");
    for _ in 0..2 {
        let refused = place(&shop, "k", &unknown).send().await.expect(422);
        assert_eq!(refused.text("/code"), "product_unknown");
    }
    let placed = place(&shop, "k", &order(&product, "ada@example.com")).send().await.expect(201);
    assert!(!is_repeated(&placed));
    shop.settle().await;
    shop.stop().await;
}

async fn a_key_is_its_senders_own(on: ShopLocation) {
    let shop = TestShop::start_on(on).await;
    let product = shop.product("123", 10).await;
    let account = json!({"username": "ada", "email": "ada@example.com", "password": "correct horse"});
    shop.post("/v1/users", &account).await.expect(201);
    let signed_in = shop.post("/v1/sessions", &json!({"email": "ada@example.com", "password": "correct horse"})).await;
    let access = signed_in.expect(201).text("/access_token");

    let (ada, eve) = (order(&product, "ada@example.com"), order(&product, "eve@example.com"));
    // One body from three senders under one key, and the same key of another guest.
    let calls = [
        place(&shop, "k", &ada),
        place(&shop, "k", &ada).admin(),
        place(&shop, "k", &ada).bearer(&access),
        place(&shop, "k", &eve),
    ];
    for call in calls {
        assert!(!is_repeated(&call.send().await.expect(201)));
    }
    assert!(is_repeated(&place(&shop, "k", &ada).admin().send().await.expect(201)));
    assert!(is_repeated(&place(&shop, "k", &ada).bearer(&access).send().await.expect(201)));
    shop.settle().await;
    assert_eq!(orders(&shop).await, 4);
    // The case of a guest's address makes no other guest: it is the same key, with another body.
    place(&shop, "k", &order(&product, "Eve@example.com")).send().await.expect(422);
    shop.stop().await;
}

async fn a_key_is_new_after_a_day(on: ShopLocation) {
    let shop = TestShop::start_on(on).await;
    let product = shop.product("123", 10).await;
    let body = order(&product, "ada@example.com");
    let first = place(&shop, "k", &body).send().await.expect(201);
    shop.advance(23 * HOUR).await;
    assert_same(&place(&shop, "k", &body).send().await, &first);
    shop.advance(2 * HOUR).await;
    let second = place(&shop, "k", &body).send().await.expect(201);
    assert!(!is_repeated(&second));
    assert_ne!(second.text("/order_id"), first.text("/order_id"));
    shop.settle().await;
    assert_eq!(orders(&shop).await, 2);
    shop.stop().await;
}

async fn a_delivery_that_is_booked_twice_counts_once(on: ShopLocation) {
    let shop = TestShop::start_on(on).await;
    let product = shop.product("123", 10).await;
    let path = format!("/v1/stock/{product}/adjustments");
    let delivery = json!({"delta": 5, "reason": "delivery 4711"});
    let book = |body: &Value| shop.request(Method::POST, &path).admin().header("idempotency-key", "4711").json(body);
    let first = book(&delivery).send().await.expect(201);
    assert_same(&book(&delivery).send().await, &first);
    let other = book(&json!({"delta": 6, "reason": "delivery 4711"})).send().await.expect(422);
    assert_eq!(other.text("/code"), "idempotency_key_reused");
    shop.settle().await;
    assert_eq!(shop.stock(&product).await, (15, 0));
    let shop = shop.restart(Setup::default()).await;
    let path = format!("/v1/stock/{product}/adjustments");
    let again =
        shop.request(Method::POST, &path).admin().header("idempotency-key", "4711").json(&delivery).send().await;
    assert_same(&again, &first);
    assert_eq!(shop.stock(&product).await, (15, 0));
    shop.stop().await;
}

async fn whatever_a_post_changes_it_changes_once_under_one_key(on: ShopLocation) {
    let shop = TestShop::start_on(on).await;
    let keyed = |path: &str| shop.request(Method::POST, path).admin().header("idempotency-key", "k");
    let mouse = json!({"sku": "456", "name": "Mouse", "price": {"amount": 1_000, "currency": "EUR"}, "stock": 9});
    let made = keyed("/v1/products").json(&mouse).send().await.expect(201);
    assert_same(&keyed("/v1/products").json(&mouse).send().await, &made);
    shop.settle().await;
    let product = made.text("/product_id");

    let paid = shop.order(&[(&product, 1)], None).await.text("/order_id");
    let cancelled = shop.order(&[(&product, 1)], None).await.text("/order_id");
    shop.settle().await;
    let pay = format!("/v1/orders/{paid}/payment");
    let token = json!({"token": "tok_ok"});
    let accepted = keyed(&pay).header("idempotency-key", "k").json(&token).send().await;
    assert_eq!(accepted.expect(400).text("/code"), "invalid_idempotency_key", "one key is one");
    let pay_once = || shop.request(Method::POST, &pay).admin().header("idempotency-key", "pay").json(&token);
    let accepted = pay_once().send().await.expect(202);
    shop.settle().await;
    // By now another payment would be refused.
    assert_same(&pay_once().send().await, &accepted);
    let cancel = format!("/v1/orders/{cancelled}/cancel");
    let cancel_once = || shop.request(Method::POST, &cancel).admin().header("idempotency-key", "cancel");
    let ended = cancel_once().send().await.expect(200);
    assert_same(&cancel_once().send().await, &ended);
    shop.settle().await;
    assert_eq!(shop.stock(&product).await, (8, 0));
    assert_eq!(shop.get("/v1/payments").await.expect(200).items().len(), 1);
    shop.stop().await;
}

async fn a_kept_answer_is_for_those_who_may_read_the_order(on: ShopLocation) {
    let shop = TestShop::start_on(on).await;
    let product = shop.product("123", 10).await;
    let order = shop.order(&[(&product, 1)], None).await;
    shop.settle().await;
    let path = format!("/v1/orders/{}/cancel", order.text("/order_id"));
    let cancel = |token: &str| {
        shop.request(Method::POST, &path).header("x-order-token", token).header("idempotency-key", "k").send()
    };
    let first = cancel(&order.text("/access_token")).await.expect(200);
    assert_same(&cancel(&order.text("/access_token")).await, &first);
    cancel("another").await.expect(404);
    shop.settle().await;
    shop.stop().await;
}

async fn who_hangs_up_at_any_moment_and_repeats_has_one_order(on: ShopLocation) {
    const ROUNDS: usize = 40;
    let shop = TestShop::start_on(on).await;
    let product = shop.product("123", 1_000).await;
    let body = order(&product, "ada@example.com");
    for polls in 0..ROUNDS {
        let key = format!("k-{polls}");
        {
            let mut call = pin!(place(&shop, &key, &body).send());
            for _ in 0..polls {
                if poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx).is_ready())).await {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        // What the first may still commit comes before or after: either way one of the two finds the other's key.
        let answer = place(&shop, &key, &body).send().await.expect(201);
        let again = place(&shop, &key, &body).send().await.expect(201);
        assert!(is_repeated(&again));
        assert_eq!(again.body, answer.body, "after {polls} polls");
    }
    shop.settle().await;
    assert_eq!(orders(&shop).await, ROUNDS);
    shop.stop().await;
}
