//! Reviews in a whole shop: who may write one, what it changes, and what stays of it.

use axum::http::Method;
use events::{ProductReviewRemoved, ProductReviewed, ShipmentDelivered};
use futures_util::future::join_all;
use kernel::Event;
use serde_json::{Value, json};
use testkit::{Call, Customer, PASSWORD, ShopLocation, TestResponse, TestShop};

testkit::on_each_store! {
    a_product_is_reviewed_once_by_whom_it_was_delivered_to,
    a_review_is_changed_and_removed_by_its_author_alone,
    a_hidden_review_is_shown_to_admins_only_and_counts_no_longer,
    what_can_not_be_reviewed_is_refused,
    reviews_are_paged_newest_or_best_first,
    a_review_does_not_disturb_who_edits_the_product,
    a_rating_is_exact_whatever_happens_at_once,
    a_closed_account_leaves_its_rating_and_nothing_else,
    a_delivery_counts_once_and_needs_no_product,
}

/// The customer buys one unit of each, which are delivered.
async fn buy(shop: &TestShop, customer: &Customer, products: &[&str]) {
    let lines: Vec<Value> = products.iter().map(|id| json!({"product_id": id, "quantity": 1})).collect();
    let order = json!({"lines": lines, "payment": {"token": "tok_ok"}});
    let placed = customer.asks(shop, Method::POST, "/v1/orders").json(&order).send().await.expect(201);
    shop.settle().await;
    shop.deliver(&placed.text("/order_id")).await;
}

async fn review(shop: &TestShop, customer: &Customer, product: &str, rating: i64, comment: &str) -> TestResponse {
    let review = json!({"rating": rating, "comment": comment});
    customer.asks(shop, Method::POST, &reviews_of(product)).json(&review).send().await
}

fn reviews_of(product: &str) -> String {
    format!("/v1/products/{product}/reviews")
}

#[track_caller]
fn refused(answer: TestResponse, status: u16, code: &str) {
    assert_eq!(answer.expect(status).text("/code"), code);
}

fn tag(answer: &TestResponse) -> String {
    answer.headers["etag"].to_str().unwrap().to_owned()
}

async fn rating(shop: &TestShop, product: &str) -> Value {
    let read = shop.request(Method::GET, &format!("/v1/products/{product}")).send().await.expect(200);
    assert_eq!(read.number("/version"), 1, "a review is no change of the product");
    read.json()["rating"].clone()
}

fn rated(counts: [i64; 5], mean: &Value) -> Value {
    let [ones, twos, threes, fours, fives] = counts;
    let distribution = json!({"1": ones, "2": twos, "3": threes, "4": fours, "5": fives});
    json!({"count": counts.iter().sum::<i64>(), "mean": mean, "distribution": distribution})
}

/// The bodies of the events of this type, oldest first.
async fn emitted<E: Event>(shop: &TestShop) -> Vec<Value> {
    shop.settle().await;
    let found = shop.get(&format!("/v1/events?type={}&limit=100", E::TYPE)).await.expect(200).items();
    found.into_iter().rev().map(|mut event| event["data"].take()).collect()
}

async fn a_product_is_reviewed_once_by_whom_it_was_delivered_to(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let (laptop, mouse) = (shop.product("laptop", 10).await, shop.product("mouse", 10).await);
    let ada = Customer::sign_up(&shop, "ada").await;
    assert_eq!(rating(&shop, &laptop).await, rated([0; 5], &Value::Null));
    refused(review(&shop, &ada, &laptop, 5, "").await, 409, "not_delivered");

    buy(&shop, &ada, &[&laptop]).await;
    let keyed = async || {
        let call = ada.asks(&shop, Method::POST, &reviews_of(&laptop)).header("idempotency-key", "a-review");
        call.json(&json!({"rating": 4, "comment": "quiet"})).send().await.expect(201)
    };
    let (made, again) = (keyed().await, keyed().await);
    assert_eq!((made.body.clone(), again.headers["idempotency-replayed"].as_bytes()), (again.body, &b"true"[..]));
    assert_eq!((made.number("/rating"), made.text("/comment")), (4, "quiet".into()));
    assert_eq!(made.text("/user_id"), ada.user_id);
    refused(review(&shop, &ada, &laptop, 5, "").await, 409, "already_reviewed");
    refused(review(&shop, &ada, &mouse, 5, "").await, 409, "not_delivered");

    let read = ada.asks(&shop, Method::GET, made.headers["location"].to_str().unwrap()).send().await.expect(200);
    assert_eq!((read.json(), tag(&read)), (made.json(), tag(&made)));
    let shown = shop.request(Method::GET, &reviews_of(&laptop)).send().await.expect(200).items();
    assert_eq!((shown.len(), &shown[0]["comment"], &shown[0]["user_id"]), (1, &json!("quiet"), &Value::Null));
    assert_eq!(rating(&shop, &laptop).await, rated([0, 0, 0, 1, 0], &json!(4.0)));
    let listed = shop.get("/v1/products?sku=laptop").await.expect(200).items();
    assert_eq!(listed[0]["rating"], rated([0, 0, 0, 1, 0], &json!(4.0)));
    assert_eq!(rating(&shop, &mouse).await, rated([0; 5], &Value::Null));
    let events = emitted::<ProductReviewed>(&shop).await;
    assert_eq!(events.len(), 1);
    assert_eq!((&events[0]["user_id"], &events[0]["previous_rating"]), (&json!(ada.user_id), &Value::Null));
    shop.stop().await;
}

async fn a_review_is_changed_and_removed_by_its_author_alone(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 10).await;
    let (ada, eve) = (Customer::sign_up(&shop, "ada").await, Customer::sign_up(&shop, "eve").await);
    buy(&shop, &ada, &[&product]).await;
    let made = review(&shop, &ada, &product, 4, "quiet").await.expect(201);
    let path = made.headers["location"].to_str().unwrap().to_owned();
    let put = |who: &Customer, body: &Value| who.asks(&shop, Method::PUT, &path).json(body);

    let worse = json!({"rating": 2});
    refused(put(&eve, &worse).send().await, 404, "not_found");
    refused(eve.asks(&shop, Method::DELETE, &path).send().await, 404, "not_found");
    refused(shop.request(Method::PUT, &path).admin().json(&worse).send().await, 403, "forbidden");
    refused(shop.request(Method::PUT, &path).json(&worse).send().await, 401, "unauthenticated");
    let changed = put(&ada, &worse).header("if-match", &tag(&made)).send().await.expect(200);
    assert_eq!((changed.number("/rating"), changed.text("/comment")), (2, String::new()));
    refused(put(&ada, &worse).header("if-match", &tag(&made)).send().await, 412, "version_mismatch");
    put(&ada, &worse).header("if-match", &tag(&changed)).send().await.expect(200);
    assert_eq!(rating(&shop, &product).await, rated([0, 1, 0, 0, 0], &json!(2.0)));
    let events = emitted::<ProductReviewed>(&shop).await;
    assert_eq!(events.len(), 2, "what changes nothing emits nothing");
    assert_eq!((&events[1]["rating"], &events[1]["previous_rating"]), (&json!(2), &json!(4)));

    let remove = ada.asks(&shop, Method::DELETE, &path);
    refused(remove.header("if-match", &tag(&made)).send().await, 412, "version_mismatch");
    ada.asks(&shop, Method::DELETE, &path).send().await.expect(204);
    ada.asks(&shop, Method::DELETE, &path).send().await.expect(404);
    ada.asks(&shop, Method::GET, &path).send().await.expect(404);
    assert_eq!(rating(&shop, &product).await, rated([0; 5], &Value::Null));
    let another = review(&shop, &ada, &product, 5, "").await.expect(201).text("/review_id");
    shop.delete(&format!("{}/{another}", reviews_of(&product))).await.expect(204);
    let events = emitted::<ProductReviewRemoved>(&shop).await;
    assert_eq!(
        events.iter().map(|event| &event["hidden_by"]).collect::<Vec<_>>(),
        [&Value::Null, &json!("automation")]
    );
    shop.stop().await;
}

async fn a_hidden_review_is_shown_to_admins_only_and_counts_no_longer(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 10).await;
    let (ada, eve) = (Customer::sign_up(&shop, "ada").await, Customer::sign_up(&shop, "eve").await);
    buy(&shop, &ada, &[&product]).await;
    buy(&shop, &eve, &[&product]).await;
    let path = review(&shop, &ada, &product, 1, "rude").await.expect(201);
    let path = path.headers["location"].to_str().unwrap().to_owned();
    review(&shop, &eve, &product, 5, "").await.expect(201);
    assert_eq!(rating(&shop, &product).await, rated([1, 0, 0, 0, 1], &json!(3.0)));

    let hide = format!("{path}/hide");
    refused(ada.asks(&shop, Method::POST, &hide).json(&json!({"reason": "mine"})).send().await, 403, "forbidden");
    refused(shop.post(&hide, &json!({"reason": " "})).await, 422, "invalid_body");
    let hidden = shop.post(&hide, &json!({"reason": "insults"})).await.expect(200);
    assert_eq!((hidden.text("/hidden_by"), hidden.text("/hidden_reason")), ("automation".into(), "insults".into()));
    let again = shop.post(&hide, &json!({"reason": "another"})).await.expect(200);
    assert_eq!((again.json(), tag(&again)), (hidden.json(), tag(&hidden)));

    let count = async |call: Call<'_>| call.send().await.expect(200).items().len();
    assert_eq!(count(shop.request(Method::GET, &reviews_of(&product))).await, 1);
    assert_eq!(count(ada.asks(&shop, Method::GET, &reviews_of(&product))).await, 1);
    assert_eq!(count(shop.request(Method::GET, &reviews_of(&product)).admin()).await, 2);
    assert_eq!(shop.get(&format!("{}?sort=rating", reviews_of(&product))).await.expect(200).items().len(), 2);
    shop.request(Method::GET, &path).send().await.expect(404);
    assert_eq!(rating(&shop, &product).await, rated([0, 0, 0, 0, 1], &json!(5.0)));

    let better = json!({"rating": 5});
    refused(ada.asks(&shop, Method::PUT, &path).json(&better).send().await, 409, "review_hidden");
    refused(review(&shop, &ada, &product, 5, "").await, 409, "already_reviewed");
    ada.asks(&shop, Method::DELETE, &path).send().await.expect(204);
    refused(review(&shop, &ada, &product, 5, "").await, 409, "review_hidden");
    assert_eq!(rating(&shop, &product).await, rated([0, 0, 0, 0, 1], &json!(5.0)));
    let events = emitted::<ProductReviewRemoved>(&shop).await;
    assert_eq!((events.len(), &events[0]["hidden_by"]), (1, &json!("automation")));
    shop.stop().await;
}

async fn what_can_not_be_reviewed_is_refused(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let (product, other) = (shop.product("123", 10).await, shop.product("456", 10).await);
    let ada = Customer::sign_up(&shop, "ada").await;
    buy(&shop, &ada, &[&product, &other]).await;
    for (body, field) in [
        (json!({"rating": 0}), "rating"),
        (json!({"rating": 6}), "rating"),
        (json!({}), "rating"),
        (json!({"rating": 5, "comment": "a".repeat(2_001)}), "comment"),
        (json!({"rating": 5, "user_id": ada.user_id}), "user_id"),
    ] {
        let answer = ada.asks(&shop, Method::POST, &reviews_of(&product)).json(&body).send().await.expect(422);
        assert_eq!(answer.text("/errors/0/field"), field, "{body}");
    }
    let good = json!({"rating": 5, "comment": "é".repeat(2_000)});
    refused(shop.post(&reviews_of(&product), &good).await, 403, "forbidden");
    refused(shop.request(Method::POST, &reviews_of(&product)).json(&good).send().await, 401, "unauthenticated");
    refused(review(&shop, &ada, &ada.user_id, 5, "").await, 404, "not_found");
    let made = ada.asks(&shop, Method::POST, &reviews_of(&product)).json(&good).send().await.expect(201);
    let path = made.headers["location"].to_str().unwrap().to_owned();
    let elsewhere = path.replace(&product, &other);
    ada.asks(&shop, Method::PUT, &elsewhere).json(&good).send().await.expect(404);

    for deleted in [&product, &other] {
        shop.delete(&format!("/v1/products/{deleted}")).await.expect(204);
    }
    refused(review(&shop, &ada, &other, 5, "").await, 409, "product_deleted");
    let changed = ada.asks(&shop, Method::PUT, &path).json(&json!({"rating": 1}));
    refused(changed.send().await, 409, "product_deleted");
    shop.get(&reviews_of(&product)).await.expect(404);
    ada.asks(&shop, Method::DELETE, &path).send().await.expect(204);
    shop.stop().await;
}

async fn reviews_are_paged_newest_or_best_first(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 10).await;
    for (name, rating) in [("ada", 3), ("bob", 5), ("eve", 3), ("joe", 1), ("kim", 5)] {
        let customer = Customer::sign_up(&shop, name).await;
        buy(&shop, &customer, &[&product]).await;
        review(&shop, &customer, &product, rating, name).await.expect(201);
    }
    for (sort, expected) in [
        ("", ["kim", "joe", "eve", "bob", "ada"]),
        ("&sort=newest", ["kim", "joe", "eve", "bob", "ada"]),
        ("&sort=rating", ["kim", "bob", "eve", "ada", "joe"]),
    ] {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = format!("{}?limit=2{sort}{cursor}", reviews_of(&product));
            let page = shop.request(Method::GET, &page).send().await.expect(200);
            found.extend(page.items().into_iter().map(|review| review["comment"].as_str().unwrap().to_owned()));
            let next = page.json()["next"].as_str().map(str::to_owned);
            let Some(next) = next else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(found, expected, "{sort}");
    }
    let next = shop.get(&format!("{}?limit=2&sort=rating", reviews_of(&product))).await.expect(200).text("/next");
    let other = shop.get(&format!("{}?limit=2&cursor={next}", reviews_of(&product))).await;
    refused(other, 400, "invalid_cursor");
    refused(shop.get(&format!("{}?sort=worst", reviews_of(&product))).await, 400, "invalid_query");
    assert_eq!(rating(&shop, &product).await, rated([1, 0, 2, 0, 2], &json!(3.4)));
    shop.stop().await;
}

async fn a_review_does_not_disturb_who_edits_the_product(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = json!({"sku": "123", "name": "A", "price": {"amount": 1_000, "currency": "EUR"}, "stock": 1});
    let created = shop.post("/v1/products", &product).await.expect(201);
    let product = created.text("/product_id");
    let path = format!("/v1/products/{product}");
    shop.settle().await;
    let read = shop.get(&path).await.expect(200);
    assert_eq!(tag(&read), tag(&created));
    let ada = Customer::sign_up(&shop, "ada").await;
    buy(&shop, &ada, &[&product]).await;
    review(&shop, &ada, &product, 5, "").await.expect(201);

    let unchanged = |tag: &str| shop.request(Method::GET, &path).header("if-none-match", tag);
    let now = unchanged(&tag(&read)).send().await.expect(200);
    assert_eq!(now.number("/rating/count"), 1, "a new rating is sent");
    unchanged(&tag(&now)).send().await.expect(304);
    let rename = |name: &str, tag: &str| {
        shop.request(Method::PATCH, &path).admin().header("if-match", tag).json(&json!({"name": name}))
    };
    let renamed = rename("B", &tag(&created)).send().await.expect(200);
    assert_eq!((renamed.text("/name"), renamed.number("/rating/count")), ("B".into(), 1));
    assert_eq!(tag(&renamed), tag(&shop.get(&path).await.expect(200)));
    refused(rename("C", &tag(&read)).send().await, 412, "version_mismatch");
    refused(rename("C", &tag(&now)).send().await, 412, "version_mismatch");
    rename("C", &tag(&renamed)).send().await.expect(200);
    shop.stop().await;
}

async fn a_rating_is_exact_whatever_happens_at_once(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 100).await;
    let mut customers = Vec::new();
    for nth in 0..8 {
        let customer = Customer::sign_up(&shop, &format!("customer{nth}")).await;
        buy(&shop, &customer, &[&product]).await;
        customers.push(customer);
    }
    // Each writes twice at once, of which one is refused.
    let twice = (1..).zip(&customers).flat_map(|(nth, customer)| [(nth, customer); 2]);
    let written = join_all(twice.map(|(nth, customer)| review(&shop, customer, &product, nth % 5 + 1, ""))).await;
    let made: Vec<TestResponse> = written.into_iter().filter(|answer| answer.status.as_u16() != 409).collect();
    assert_eq!(made.len(), customers.len());
    assert_eq!(rating(&shop, &product).await, rated([1, 2, 2, 2, 1], &json!(3.0)));

    // At once, a third change theirs, a third remove theirs, and the rest are hidden.
    let paths: Vec<String> =
        made.into_iter().map(|made| made.expect(201).headers["location"].to_str().unwrap().to_owned()).collect();
    let shop_ref = &shop;
    let calls = paths.iter().zip(&customers).enumerate().map(|(nth, (path, customer))| async move {
        match nth % 3 {
            0 => customer.asks(shop_ref, Method::PUT, path).json(&json!({"rating": 5})).send().await,
            1 => customer.asks(shop_ref, Method::DELETE, path).send().await,
            _ => shop_ref.post(&format!("{path}/hide"), &json!({"reason": "test"})).await,
        }
    });
    for answer in join_all(calls).await {
        assert!(answer.status.is_success(), "{:?}", answer.json());
    }
    let shown = shop.request(Method::GET, &reviews_of(&product)).send().await.expect(200).items();
    let mut counts = [0; 5];
    for review in &shown {
        counts[usize::try_from(review["rating"].as_i64().unwrap()).unwrap() - 1] += 1;
    }
    assert_eq!(rating(&shop, &product).await["distribution"], rated(counts, &Value::Null)["distribution"]);
    shop.stop().await;
}

async fn a_closed_account_leaves_its_rating_and_nothing_else(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 10).await;
    let ada = Customer::sign_up(&shop, "ada").await;
    buy(&shop, &ada, &[&product]).await;
    let made = review(&shop, &ada, &product, 4, "I, Ada Lovelace, like it").await.expect(201);
    let close = json!({"current_password": PASSWORD});
    let account = format!("/v1/users/{}", ada.user_id);
    ada.asks(&shop, Method::DELETE, &account).json(&close).send().await.expect(204);
    shop.settle().await;

    assert_eq!(rating(&shop, &product).await, rated([0, 0, 0, 1, 0], &json!(4.0)));
    let left = shop.get(&reviews_of(&product)).await.expect(200).items().remove(0);
    assert_eq!(
        (&left["review_id"], &left["rating"], &left["comment"]),
        (&made.json()["review_id"], &json!(4), &json!(""))
    );
    assert_ne!(left["user_id"], json!(ada.user_id));
    shop.stop().await;
}

async fn a_delivery_counts_once_and_needs_no_product(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("123", 10).await;
    let ada = Customer::sign_up(&shop, "ada").await;
    let arrived = |user_id: Option<&str>| -> ShipmentDelivered {
        let line = |id: &str| json!({"product_id": id, "sku": "A", "name": "A", "quantity": 1});
        let event = json!({
            "shipment_id": "019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0a",
            "order_id": "019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0b",
            "user_id": user_id,
            "carrier": "",
            "tracking_number": "",
            "lines": [line(&product), line(&product), line("019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d")],
        });
        serde_json::from_value(event).unwrap()
    };
    let events = [arrived(None), arrived(Some(&ada.user_id)), arrived(Some(&ada.user_id))];
    let shop = shop.restart_with(&events, &["catalog"]).await;
    shop.settle().await;
    assert!(shop.get("/v1/dead-letters").await.expect(200).items().is_empty());
    review(&shop, &ada, &product, 5, "").await.expect(201);
    refused(review(&shop, &ada, &product, 5, "").await, 409, "already_reviewed");
    shop.stop().await;
}
