//! Words in any case and normal form, addresses of any country.

use std::collections::HashMap;

use axum::http::Method;
use events::ProductId;
use kernel::{Cause, Clock, Ids, RequestCause, Shards, Uuid, Version};
use serde_json::{Value, json};
use storage::{Batch, Change, Db, Location, Options, params};
use testkit::{Setup, ShopLocation, TestShop, on_each_store};

on_each_store! {
    a_product_is_found_in_any_case_and_normal_form,
    products_of_an_earlier_version_are_found_like_new_ones,
    an_address_needs_no_postal_code_and_may_have_a_state,
    an_order_may_be_mailed_to_a_domain_in_any_script,
}

async fn named(shop: &TestShop, sku: &str, name: &str) -> String {
    let product = json!({"sku": sku, "name": name, "price": {"amount": 1_000, "currency": "EUR"}, "stock": 10,
        "category": "Crème"});
    shop.post("/v1/products", &product).await.expect(201).text("/product_id")
}

/// The skus that a query finds, in order.
async fn found(shop: &TestShop, parameter: &str, text: &str) -> Vec<String> {
    let encoded: Vec<String> = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let encoded = encoded.concat();
    let items = shop.get(&format!("/v1/products?{parameter}={encoded}")).await.expect(200).items();
    let mut skus: Vec<String> = items.iter().map(|item| item["sku"].as_str().unwrap().to_owned()).collect();
    skus.sort();
    skus
}

async fn a_product_is_found_in_any_case_and_normal_form(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    for (sku, name) in [
        ("LAMP", "Λάμπας"),
        ("ROAD", "Straße"),
        ("CITY", "İstanbul"),
        ("NFC", "Crème fraîche"),
        ("NFD", "Cre\u{300}me bru\u{302}le\u{301}e"),
    ] {
        named(&shop, sku, name).await;
    }
    for (query, skus) in [
        ("ΛΆΜΠΑΣ", &["LAMP"][..]),
        ("STRASSE", &["ROAD"]),
        ("istanbul", &["CITY"]),
        (" crème ", &["NFC", "NFD"]),
        ("CRE\u{300}ME", &["NFC", "NFD"]),
        ("fraîche road", &[]),
    ] {
        assert_eq!(found(&shop, "q", query).await, skus, "{query}");
    }
    assert_eq!(found(&shop, "category", "Cre\u{300}me ").await.len(), 5);
    shop.get("/v1/products?q=a%E2%80%AEb").await.expect(400);
}

async fn products_of_an_earlier_version_are_found_like_new_ones(place: ShopLocation) {
    static AS_BEFORE: Change = Change::new(
        "AS_BEFORE",
        "update products set search_text = $1, search_form = 0 where product_id = $2 and version = $3",
    );
    let shop = TestShop::start_on(place).await;
    let product = named(&shop, "ROAD", "Straße").await;
    let shop = shop
        .restart_after(Setup::default(), async |location: Location, clock: Clock| {
            let db = catalog_store(location, &clock).await;
            let product_id: ProductId = product.parse().unwrap();
            let batch = Batch::new().change(&AS_BEFORE, Version::FIRST, params!["straße\nroad\n", product_id]);
            let request = RequestCause { request_id: Uuid::from_u128(1).into(), traceparent: None, keyed: None };
            db.commit(batch, Cause::Request(request)).await.unwrap();
            db.close().await;
        })
        .await;
    assert_eq!(found(&shop, "q", "STRASSE").await, ["ROAD"]);
    let now = shop.get(&format!("/v1/products/{product}")).await.expect(200);
    assert_eq!(now.number("/version"), 1, "the product is what it was");
}

async fn catalog_store(location: Location, clock: &Clock) -> Db {
    let described = server::shop::Shop::tradepost().described();
    let catalog = described.iter().find(|service| service.name() == "catalog").unwrap();
    let options = Options {
        service: "catalog",
        location,
        migrations: catalog.migrations(),
        destinations: HashMap::new(),
        shards: Shards::DEFAULT,
        outbox_cap: 1,
        clock: clock.clone(),
        ids: Ids::new(clock.clone()),
    };
    Db::open(options).await.unwrap()
}

/// Places an order that is paid; answers with its mail's text.
async fn mail_of(shop: &TestShop, order: &Value) -> Value {
    let placed = shop.request(Method::POST, "/v1/orders").json(order).send().await.expect(201).text("/order_id");
    shop.settle().await;
    shop.get(&format!("/v1/mail?order_id={placed}")).await.expect(200).items()[0].clone()
}

async fn an_address_needs_no_postal_code_and_may_have_a_state(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("A", 10).await;
    let order = |ship_to: Value| {
        json!({"lines": [{"product_id": product, "quantity": 1}], "email": "ada@example.com",
            "payment": {"token": "tok_ok"}, "ship_to": ship_to})
    };
    let hong_kong = json!({"name": "Chan Tai Man", "street": "150 Kennedy Road", "city": "Wan Chai",
        "country": "Hong Kong"});
    let mut empty = hong_kong.clone();
    empty["postal_code"] = json!("");
    for ship_to in [hong_kong, empty] {
        let text = mail_of(&shop, &order(ship_to)).await["text"].as_str().unwrap().to_owned();
        assert!(text.contains("\n  150 Kennedy Road\n  Wan Chai\n  Hong Kong\n"), "{text}");
    }
    let texas = json!({"name": "Ada", "street": "1 Main Street", "city": "Austin", "postal_code": "78701",
        "state": "Texas", "country": "US"});
    let text = mail_of(&shop, &order(texas)).await["text"].as_str().unwrap().to_owned();
    assert!(text.contains("\n  78701 Austin\n  Texas\n  US\n"), "{text}");
}

async fn an_order_may_be_mailed_to_a_domain_in_any_script(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let product = shop.product("A", 10).await;
    let order = json!({"lines": [{"product_id": product, "quantity": 1}], "email": "ada@müller.de",
        "payment": {"token": "tok_ok"}});
    assert_eq!(mail_of(&shop, &order).await["to"], "ada@müller.de");
}
