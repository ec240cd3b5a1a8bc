//! Products that are kept elsewhere, in a whole shop: made, changed, deleted, and parked if a rule says no.

use events::bridge::MESSAGE;
use events::{ExternalProductChanged, ProductCreated, ProductDeleted, ProductUpdated};
use kernel::{Currency, Money, Uuid};
use testkit::{ShopLocation, TestResponse, TestShop};

testkit::on_each_store! {
    a_product_of_elsewhere_is_made_changed_and_deleted,
    a_product_of_elsewhere_that_breaks_a_rule_is_parked,
}

fn said(id: u128) -> ExternalProductChanged {
    ExternalProductChanged {
        product_id: Uuid::from_u128(id).into(),
        contract: "erp".to_owned(),
        via: MESSAGE.to_owned(),
        foreign_id: Some(format!("A-{id}")),
        sku: None,
        name: None,
        price: None,
        stock: None,
        is_deleted: false,
    }
}

/// The same shop, after catalogue and inventory have got these.
async fn after(shop: TestShop, events: Vec<ExternalProductChanged>) -> TestShop {
    let shop = shop.restart_with(&events, &["catalog", "inventory"]).await;
    shop.settle().await;
    shop
}

fn shown(product: &TestResponse) -> (String, String, i64, i64) {
    let (price, version) = (product.number("/price/amount"), product.number("/version"));
    (product.text("/sku"), product.text("/name"), price, version)
}

async fn a_product_of_elsewhere_is_made_changed_and_deleted(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let id = Uuid::from_u128(1).to_string();
    let path = format!("/v1/products/{id}");
    let shop = after(shop, vec![ExternalProductChanged { stock: Some(7), ..said(1) }]).await;
    let product = shop.get(&path).await.expect(200);
    assert_eq!(shown(&product), ("A-1".into(), "A-1".into(), 0, 1));
    assert_eq!((shop.stock(&id).await, product.json()["in_stock"].as_bool()), ((7, 0), Some(true)));

    let price = Some(Money::new(500, Currency::EUR));
    let named = ExternalProductChanged { name: Some("Laptop".to_owned()), price, stock: Some(3), ..said(1) };
    // Said again, it changes nothing.
    let shop = after(shop, vec![named.clone(), named, said(1)]).await;
    assert_eq!(shown(&shop.get(&path).await.expect(200)), ("A-1".into(), "Laptop".into(), 500, 2));
    assert_eq!(shop.stock(&id).await, (3, 0));

    let deleted = ExternalProductChanged { is_deleted: true, ..said(1) };
    let shop = after(shop, vec![deleted.clone(), deleted.clone(), said(1)]).await;
    shop.get(&path).await.expect(404);
    let never = ExternalProductChanged { product_id: Uuid::from_u128(2).into(), ..deleted };
    let shop = after(shop, vec![never]).await;
    assert_eq!(shop.emitted::<ProductCreated>(Uuid::from_u128(1)).await, 1);
    assert_eq!(shop.emitted::<ProductUpdated>(Uuid::from_u128(1)).await, 1);
    assert_eq!(shop.emitted::<ProductDeleted>(Uuid::from_u128(1)).await, 1);
    assert_eq!(
        shop.emitted::<ProductCreated>(Uuid::from_u128(2)).await
            + shop.emitted::<ProductDeleted>(Uuid::from_u128(2)).await,
        0
    );
    assert!(shop.reasons().await.is_empty());
    shop.stop().await;
}

async fn a_product_of_elsewhere_that_breaks_a_rule_is_parked(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let laptop = shop.product("laptop", 1).await;
    let price = |amount, currency: &str| Some(Money::new(amount, currency.parse().unwrap()));
    let bad = vec![
        ExternalProductChanged { sku: Some("laptop".to_owned()), ..said(1) },
        ExternalProductChanged { foreign_id: Some("A 2".to_owned()), ..said(2) },
        ExternalProductChanged { foreign_id: None, ..said(3) },
        ExternalProductChanged { price: price(1, "USD"), ..said(4) },
        ExternalProductChanged { name: Some("two\nlines".to_owned()), ..said(5) },
        ExternalProductChanged { stock: Some(2_000_000_000), ..said(6) },
        // Of one that is known.
        ExternalProductChanged { product_id: laptop.parse().unwrap(), price: price(0, "EUR"), ..said(7) },
    ];
    let shop = after(shop, bad).await;
    let price_rule = "price: wanted 1 to 1000000000000 minor units of EUR, the shop's one currency";
    let taken = format!("product {} can't have the sku laptop: product {laptop} has it", Uuid::from_u128(1));
    let mut expected = vec![
        "name: wanted 1 to 200 characters on a single line",
        "neither a sku nor a foreign id was said, which could stand for it",
        price_rule,
        price_rule,
        &taken,
        "sku: wanted 1 to 64 letters A to Z and a to z, digits, `.`, `_` and `-`",
        "stock: wanted at most 1000000000 units",
        "2000000000 units of a product on hand: at most 1000000000 can be",
    ];
    expected.sort_unstable();
    assert_eq!(shop.reasons().await, expected);
    shop.stop().await;
}
