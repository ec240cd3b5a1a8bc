//! The service in a whole shop.

use server::shop::Shop;
use testkit::{Setup, ShopLocation, TestShop};

testkit::on_each_store!(an_order_that_was_paid_is_listed);

async fn an_order_that_was_paid_is_listed(place: ShopLocation) {
    let shop = TestShop::start_on_with(place, setup()).await;
    let product = shop.product("123", 5).await;
    let paid = shop.order(&[(&product, 1)], Some("tok_ok")).await.text("/order_id");
    shop.order(&[(&product, 1)], Some("tok_declined")).await;
    shop.settle().await;
    let listed = shop.get("/v1/sample").await.expect(200).items();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["order_id"], paid.as_str());
    shop.stop().await;
}

// From here on the sample alone, for it stands in no shop.

fn setup() -> Setup {
    Setup { shop: Shop::tradepost().service(7999, |_| tradepost_sample::service()), ..Setup::default() }
}
