//! Products and stock: what is asked, and what is shown.

use serde_json::{Value, json};

use crate::shop::{ID, Shop, TOKEN, page, product};

#[test]
fn a_list_follows_its_pages_up_to_the_limit() {
    let many = |count| Value::Array(vec![product(); count]);
    let shop = Shop::open()
        .on("GET /v1/products?q=lap&limit=100", page(many(100), Some("c1")))
        .on("GET /v1/products?q=lap&limit=2&cursor=c1", page(many(2), Some("c2")));
    let ran = shop.as_guest(&["products", "list", "lap", "--limit", "102"]);
    assert_eq!(ran.stderr, "there are more than these 102: --limit shows more\n");
    let text = ran.succeeds();
    assert_eq!(text.lines().count(), 103);
    assert_eq!(text.lines().next(), Some("SKU  NAME          PRICE  IN STOCK  CATEGORY"));
    assert_eq!(text.lines().last(), Some("123  Laptop  1299.00 EUR  yes"));
    let json: Value =
        serde_json::from_str(&shop.as_guest(&["--json", "products", "list", "lap", "--limit", "102"]).succeeds())
            .unwrap();
    assert_eq!((json["items"].as_array().unwrap().len(), &json["next"]), (102, &json!("c2")));
}

#[test]
fn a_product_is_added_and_found_by_its_sku() {
    let shop = Shop::open()
        .on("GET /v1/currency", json!({"code": "EUR", "decimals": 2}))
        .on("POST /v1/products", product())
        .on("GET /v1/products?sku=123&limit=1", page(json!([product()]), None))
        .on(&format!("GET /v1/products/{ID}"), product());
    let added = ["products", "add", "--sku", "123", "--name", "Laptop", "--price", "1299.00", "--stock", "10"];
    shop.as_admin(&added).succeeds();
    let asked = &shop.asked()[1];
    let price = json!({"amount": 129_900, "currency": "EUR"});
    assert_eq!(asked.body, json!({"sku": "123", "name": "Laptop", "price": price, "stock": 10}));
    assert_eq!(asked.authorization, Some(format!("Bearer {TOKEN}")));
    let text = shop.as_guest(&["products", "show", "123"]).succeeds();
    assert_eq!(
        text,
        format!("sku       123\nname      Laptop\nid        {ID}\nprice     1299.00 EUR\nin stock  yes\n")
    );
}

#[test]
fn a_price_without_a_currency_is_in_the_shops() {
    let shop =
        Shop::open().on("GET /v1/currency", json!({"code": "JPY", "decimals": 0})).on("POST /v1/products", product());
    let add =
        |price| shop.as_admin(&["products", "add", "--sku", "1", "--name", "Tea", "--stock", "1", "--price", price]);
    add("500").succeeds();
    assert_eq!(shop.asked()[1].body["price"], json!({"amount": 500, "currency": "JPY"}));
    add("1.500 KWD").succeeds();
    assert_eq!(shop.asked()[2].body["price"], json!({"amount": 1500, "currency": "KWD"}));
    let refused = add("5.00").fails(2);
    assert!(refused.contains("the shop sells in JPY"), "{refused}");
}

#[test]
fn an_unknown_sku_shows_what_is_similar() {
    let shop = Shop::open()
        // An earlier server does not know the parameter, and answers with any product.
        .on("GET /v1/products?sku=12&limit=1", page(json!([product()]), None))
        .on("GET /v1/products?q=12&limit=5", page(json!([product()]), None));
    let error = shop.as_guest(&["orders", "place", "12=1", "--email", "ada@example.com"]).fails(4);
    assert!(error.starts_with("error: there is no product with the sku 12\n  similar: 123 Laptop\nhelp: "), "{error}");
}

#[test]
fn a_sku_that_looks_like_an_id_is_a_sku() {
    let sku = "d41d8cd98f00b204e9800998ecf8427e";
    let mut found = product();
    found["sku"] = json!(sku);
    let shop = Shop::open()
        .on(&format!("GET /v1/products?sku={sku}&limit=1"), page(json!([found]), None))
        .on(&format!("GET /v1/products/{ID}"), found);
    assert!(shop.as_guest(&["products", "show", sku]).succeeds().contains(sku));
}

#[test]
fn a_product_is_changed_and_taken_off_sale() {
    let path = format!("/v1/products/{ID}");
    let shop = Shop::open()
        .on("GET /v1/products?sku=123&limit=1", page(json!([product()]), None))
        .on(&format!("PATCH {path}"), product())
        .answering(&format!("DELETE {path}"), (204, "text/plain", String::new()));
    shop.as_admin(&["products", "update", "123", "--name", "Desk", "--no-category"]).succeeds();
    assert_eq!(shop.asked()[1].body, json!({"name": "Desk", "category": null}));
    shop.as_admin(&["products", "update", "123"]).fails(2);
    let text = shop.as_admin(&["products", "delete", "123"]).succeeds();
    assert_eq!(text, format!("product {ID} is no longer for sale\n"));
    let json: Value =
        serde_json::from_str(&shop.as_admin(&["--json", "products", "delete", "123"]).succeeds()).unwrap();
    assert_eq!(json, json!({"product_id": ID}));
    shop.as_guest(&["products", "delete", "123"]).fails(3);
}

#[test]
fn stock_is_listed_and_adjusted() {
    let level = json!({"product_id": ID, "sku": "123", "on_hand": 8, "reserved": 1, "available": 7,
        "low_stock_threshold": 5});
    let shop = Shop::open()
        .on("GET /v1/stock?limit=20", page(json!([level]), None))
        .on(&format!("GET /v1/products?sku={ID}&limit=1"), page(json!([]), None))
        .on(&format!("POST /v1/stock/{ID}/adjustments"), level);
    let expected = "SKU  ON HAND  RESERVED  AVAILABLE  LOW AT\n123        8         1          7       5\n";
    assert_eq!(shop.as_admin(&["stock", "list"]).succeeds(), expected);
    assert_eq!(shop.as_admin(&["stock", "adjust", ID, "-2", "--reason", "broken"]).succeeds(), expected);
    assert_eq!(shop.asked()[2].body, json!({"delta": -2, "reason": "broken"}));
}
