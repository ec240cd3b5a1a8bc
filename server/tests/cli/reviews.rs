//! Reviews.

use serde_json::{Value, json};

use crate::shop::{ID, Shop, page, product};

fn review(rating: i64, comment: &str) -> Value {
    json!({"review_id": ID, "product_id": ID, "rating": rating, "comment": comment,
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"})
}

#[test]
fn reviews_are_listed_and_one_is_hidden() {
    let mut hidden = review(1, "rude");
    hidden["hidden_by"] = json!("automation");
    hidden["hidden_reason"] = json!("an insult");
    let path = format!("/v1/products/{ID}/reviews");
    let shop = Shop::open()
        .on("GET /v1/products?sku=123&limit=1", page(json!([product()]), None))
        .on(&format!("GET {path}?limit=20"), page(json!([review(5, "good\u{1b}[2J"), hidden]), None))
        .on(&format!("GET {path}?sort=rating&limit=1"), page(json!([review(5, "good")]), None))
        .on(&format!("POST {path}/{ID}/hide"), hidden);
    let good = format!("{ID}       5  2026-01-01T00:00:00Z  good");
    let rude = format!("{ID}       1  2026-01-01T00:00:00Z  rude\n  hidden by automation: an insult\n");
    let listed = shop.as_guest(&["reviews", "list", "123"]).succeeds();
    assert!(listed.ends_with(&format!("{good}\\u{{1b}}[2J\n{rude}")), "{listed}");
    let best = shop.as_guest(&["reviews", "list", "123", "--sort", "rating", "--limit", "1"]).succeeds();
    assert!(best.ends_with(&format!("{good}\n")), "{best}");
    let shown = shop.as_admin(&["reviews", "hide", "123", ID, "--reason", "an insult"]).succeeds();
    assert!(shown.ends_with(&rude), "{shown}");
    assert_eq!(shop.asked().last().unwrap().body, json!({"reason": "an insult"}));
}

#[test]
fn a_review_is_hidden_by_the_admin_and_only_if_it_is_there() {
    let shop = Shop::open().on("GET /v1/products?sku=123&limit=1", page(json!([product()]), None)).refusing(
        &format!("POST /v1/products/{ID}/reviews/{ID}/hide"),
        404,
        "not_found",
        "there is no such review",
    );
    shop.as_admin(&["reviews", "hide", "123", ID, "--reason", "x"]).fails(4);
    shop.as_admin(&["reviews", "hide", "123", ID]).fails(2);
    shop.as_guest(&["reviews", "hide", "123", ID, "--reason", "x"]).fails(3);
}

#[test]
fn a_product_is_shown_with_its_rating() {
    let mut rated = product();
    rated["rating"] = json!({"count": 3, "mean": 3.67, "distribution": {"1": 0, "2": 1, "3": 0, "4": 1, "5": 1}});
    let shop = Shop::open()
        .on("GET /v1/products?sku=123&limit=1", page(json!([rated]), None))
        .on(&format!("GET /v1/products/{ID}"), rated);
    let text = shop.as_guest(&["products", "show", "123"]).succeeds();
    assert!(
        text.contains("\nrating    3.67 of 5 (3 reviews)\n") || text.ends_with("3.67 of 5 (3 reviews)\n"),
        "{text}"
    );
}
