//! Orders and stock of elsewhere in a whole shop: what leaves, what is mirrored, and what is decided once.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use events::bridge::{ExternalLine, MESSAGE};
use events::{
    Event, ExternalOrderPlaced, ExternalOrderSettled, ExternalProductChanged, ExternalStockChanged, InventoryUpdated,
    StockLow,
};
use kernel::Uuid;
use serde_json::{Value, json};
use testkit::{ShopLocation, TestShop};

testkit::on_each_store! {
    units_of_an_order_of_elsewhere_leave_at_once_or_not_at_all,
    a_level_is_what_its_owner_says_and_orders_that_wait_come_first,
}

/// The same shop, after inventory has got these.
async fn after<E: Event>(shop: TestShop, events: Vec<E>) -> TestShop {
    let shop = shop.restart_with(&events, &["inventory"]).await;
    shop.settle().await;
    assert_eq!(shop.get("/v1/dead-letters").await.expect(200).items(), [Value::Null; 0]);
    shop
}

/// The bodies of the events of this type, oldest first.
async fn emitted<E: Event>(shop: &TestShop) -> Vec<Value> {
    let found = shop.get(&format!("/v1/events?type={}&limit=100", E::TYPE)).await.expect(200).items();
    found.into_iter().rev().map(|mut event| event["data"].take()).collect()
}

fn placed(id: u128, lines: &[(&str, i64)]) -> ExternalOrderPlaced {
    let line = |(product, quantity): &(&str, i64)| ExternalLine {
        product_id: product.parse().unwrap(),
        quantity: *quantity,
        unit_price: None,
    };
    ExternalOrderPlaced {
        order_id: Uuid::from_u128(id).into(),
        contract: "erp".to_owned(),
        via: MESSAGE.to_owned(),
        foreign_id: None,
        user_id: None,
        email: None,
        lines: lines.iter().map(line).collect(),
    }
}

async fn units_of_an_order_of_elsewhere_leave_at_once_or_not_at_all(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let (laptop, mouse) = (shop.product("laptop", 10).await, shop.product("mouse", 10).await);
    shop.order(&[(&laptop, 4)], None).await.expect(201);
    shop.settle().await;
    let orders = vec![
        placed(1, &[(&laptop, 2), (&mouse, 3)]),
        placed(2, &[(&laptop, 5), (&mouse, 1)]),
        // Reported again, and not decided again.
        placed(1, &[(&laptop, 2), (&mouse, 3)]),
    ];
    let shop = after(shop, orders.clone()).await;
    assert_eq!((shop.stock(&laptop).await, shop.stock(&mouse).await), ((8, 4), (7, 0)));
    let shop = after(shop, orders).await;
    assert_eq!((shop.stock(&laptop).await, shop.stock(&mouse).await), ((8, 4), (7, 0)));

    let mut settled = emitted::<ExternalOrderSettled>(&shop).await;
    settled.sort_by_key(|event| event["order_id"].to_string());
    let id = |id: u128| Uuid::from_u128(id).to_string();
    let lines = json!([{"product_id": laptop, "quantity": 2}, {"product_id": mouse, "quantity": 3}]);
    assert_eq!(settled.len(), 2);
    assert_eq!(settled[0], json!({"order_id": id(1), "contract": "erp", "lines": lines}));
    let shortages = json!([{"product_id": laptop, "requested": 5, "available": 4}]);
    assert_eq!(settled[1], json!({"order_id": id(2), "contract": "erp", "lines": [], "shortages": shortages}));
    let updates = emitted::<InventoryUpdated>(&shop).await;
    assert_eq!(updates.iter().filter(|update| update["reason"] == "external_order").count(), 2, "one for each product");
    shop.stop().await;
}

fn stock(product: &str, on_hand: i64) -> ExternalStockChanged {
    ExternalStockChanged {
        product_id: product.parse().unwrap(),
        contract: "erp".to_owned(),
        via: MESSAGE.to_owned(),
        foreign_id: None,
        on_hand,
    }
}

async fn a_level_is_what_its_owner_says_and_orders_that_wait_come_first(place: ShopLocation) {
    let shop = TestShop::start_on(place).await;
    let laptop = shop.product("laptop", 5).await;
    let shop = after(shop, vec![stock(&laptop, 9)]).await;
    assert_eq!(shop.stock(&laptop).await, (9, 0));
    shop.order(&[(&laptop, 2)], None).await.expect(201);
    shop.settle().await;
    let low = emitted::<StockLow>(&shop).await.len();

    let changed = |stock, is_deleted| ExternalProductChanged {
        product_id: laptop.parse().unwrap(),
        contract: "erp".to_owned(),
        via: MESSAGE.to_owned(),
        foreign_id: None,
        sku: None,
        name: None,
        price: None,
        stock,
        is_deleted,
    };
    // Nothing is said of the stock, or the product goes and its stock with it.
    let shop = after(shop, vec![changed(None, false), changed(Some(7), true)]).await;
    assert_eq!(shop.stock(&laptop).await, (9, 2));
    // Of a product that is unknown, the catalogue says what it begins with.
    let unknown = ExternalProductChanged { product_id: Uuid::from_u128(7).into(), ..changed(Some(7), false) };
    let shop = after(shop, vec![changed(Some(1), false), unknown]).await;
    assert_eq!(shop.stock(&laptop).await, (2, 2), "two are held");
    assert_eq!(emitted::<StockLow>(&shop).await.len(), low + 1);

    let waits = json!({"lines": [{"product_id": laptop, "quantity": 3}], "email": "ada@example.com",
        "wait_for_stock": true});
    let waiting = shop.post("/v1/orders", &waits).await.expect(201).text("/order_id");
    shop.settle().await;
    assert_eq!(shop.order_now(&waiting).await.text("/status"), "backordered");
    let shop = after(shop, vec![stock(&laptop, 10)]).await;
    assert_eq!(
        (shop.order_now(&waiting).await.text("/status"), shop.stock(&laptop).await),
        ("reserved".into(), (10, 5))
    );
    let updates = emitted::<InventoryUpdated>(&shop).await;
    assert_eq!(updates.iter().filter(|update| update["reason"] == "external_stock").count(), 3);
    shop.stop().await;
}
