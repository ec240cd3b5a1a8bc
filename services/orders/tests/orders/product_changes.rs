//! Changes of a product: the newest fact counts, in whatever order and however often they arrive.

use events::{Event, ProductCreated, ProductDeleted, ProductId, ProductUpdated};
use kernel::{Currency, Money, Version};
use serde_json::{Value, json};
use service::storage::Batch;
use testkit::{Setup, ShopLocation, TestShop, on_each_store};

use crate::permutations::arrivals;
use crate::stores::Store;

on_each_store! {
    a_product_ends_in_its_newest_state_whatever_arrives_when,
}

/// The prices of the versions, in cents.
const PRICES: [i64; 3] = [1_000, 1_200, 900];

/// The `at`th thing that happened to a product.
fn emit(product_id: ProductId, at: usize) -> Batch {
    let (sku, description) = (product_id.to_string(), String::new());
    let (name, version) = (format!("Thing {at}"), i64::try_from(at).unwrap() + 1);
    let price = Money::new(PRICES.get(at).copied().unwrap_or_default(), Currency::EUR);
    let (category, low_stock_threshold, changed) = (None, 0, vec!["name".to_owned(), "price".to_owned()]);
    let batch = Batch::new();
    match at {
        0 => {
            let initial_stock = 10;
            let event = ProductCreated {
                product_id,
                sku,
                name,
                description,
                category,
                price,
                initial_stock,
                low_stock_threshold,
                version,
            };
            batch.emit(Version::FIRST, &event)
        }
        1 | 2 => {
            let event = ProductUpdated {
                product_id,
                sku,
                name,
                description,
                category,
                price,
                low_stock_threshold,
                changed,
                version,
            };
            batch.emit(Version::FIRST, &event)
        }
        _ => batch.emit(Version::FIRST, &ProductDeleted { product_id, sku, version }),
    }
}

/// The answer to an order of it at a total that it never had.
async fn offer(shop: &TestShop, product_id: ProductId) -> Value {
    let lines = json!([{"product_id": product_id, "quantity": 1}]);
    let shown = json!({"amount": 1, "currency": "EUR"});
    let order = json!({"lines": lines, "email": "ada@example.com", "expected_total": shown});
    let answer = shop.post("/v1/orders", &order).await.json();
    json!({"code": answer["code"], "total": answer["total"]["amount"]})
}

async fn a_product_ends_in_its_newest_state_whatever_arrives_when(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let mut products = Vec::new();
    let shop = shop
        .restart_after(Setup::default(), async |store, clock| {
            let ids = kernel::Ids::new(clock.clone());
            let types = [ProductCreated::TYPE, ProductUpdated::TYPE, ProductDeleted::TYPE];
            let catalog = Store::open("catalog", store, clock, &types).await;
            for facts in [3, 4] {
                for order in arrivals(facts) {
                    let product_id: ProductId = ids.next();
                    catalog.commit(order.iter().map(|at| emit(product_id, *at))).await;
                    products.push((product_id, facts, order));
                }
            }
            catalog.close().await;
        })
        .await;
    shop.settle().await;
    for (product_id, facts, order) in &products {
        let expected = match facts {
            3 => json!({"code": "price_changed", "total": PRICES[2]}),
            _ => json!({"code": "product_unknown", "total": null}),
        };
        assert_eq!(offer(&shop, *product_id).await, expected, "{order:?}");
    }
    // The name too.
    let (named, ..) = products.iter().find(|(_, facts, order)| *facts == 3 && order.last() == Some(&0)).unwrap();
    let lines = json!([{"product_id": named, "quantity": 1}]);
    let placed = shop.post("/v1/orders", &json!({"lines": lines, "email": "ada@example.com"})).await.expect(201);
    assert_eq!(placed.text("/lines/0/name"), "Thing 2");
}
