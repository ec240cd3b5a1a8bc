//! The function that orders from suppliers, in the place of the shop's own replenishment.

use std::net::SocketAddr;
use std::process::Command;

use kernel::Clock;
use serde_json::{Value, json};
use service::Tasks;
use service::http::listener::{Bounds, serve};
use testkit::{ADMIN_TOKEN, Setup, ShopLocation, TestShop, unlimited};
use tokio::net::TcpListener;

use crate::process::{Message, Receiver, script};

/// The files that the listener may open: enough for a few requests.
const FILES: usize = 1_024;

/// A shop that sends webhooks to this machine, at the time of this machine, for receivers refuse what is old.
pub async fn shop_that_sends() -> TestShop {
    let services = unlimited().with(&webhooks::settings::ALLOW_LOOPBACK, "true");
    let now = Clock::system().now().to_string();
    TestShop::start_at(&now, ShopLocation::folder(), Setup { services, ..Setup::default() }).await
}

/// Serves a shop to other processes, until the tasks stop.
async fn listen(shop: &TestShop, tasks: &Tasks) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tasks.spawn(serve(listener, shop.router(), Bounds::with_files(FILES), &[], tasks.stop_token()));
    address
}

fn replenish(shop: SocketAddr) -> Command {
    let mut command = script("python3", "python/replenish.py");
    command.env("SHOP_URL", format!("http://{shop}")).env("SHOP_ADMIN_TOKEN", ADMIN_TOKEN).env("no_proxy", "*");
    command
}

/// A supplier that does not get orders by itself; answers with its id.
async fn supplier(shop: &TestShop, name: &str, product_id: &str, unit_cost: i64) -> String {
    let cost = json!({"amount": unit_cost, "currency": "EUR"});
    let products = json!([{"product_id": product_id, "unit_cost": cost, "order_quantity": 40}]);
    let email = format!("{name}@example.com");
    let supplier =
        json!({"name": name, "email": email, "lead_time_days": 2, "auto_replenish": false, "products": products});
    shop.post("/v1/suppliers", &supplier).await.expect(201).text("/supplier_id")
}

fn stock_low(product_id: &str) -> String {
    let data = json!({"product_id": product_id, "sku": "123", "name": "Laptop", "available": 1, "threshold": 5});
    json!({"specversion": "1.0", "type": "inventory.stock_low.v1", "data": data}).to_string()
}

async fn purchase_orders(shop: &TestShop) -> Vec<Value> {
    shop.get("/v1/purchase-orders").await.expect(200).items()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_about_low_stock_becomes_one_purchase_order_however_often_it_comes() {
    let (shop, tasks) = (TestShop::start().await, Tasks::new());
    let address = listen(&shop, &tasks).await;
    let (laptop, mouse) = (shop.product("123", 9).await, shop.product("456", 9).await);
    supplier(&shop, "dear", &laptop, 700).await;
    let cheap = supplier(&shop, "cheap", &laptop, 600).await;
    let low = Message::signed("msg_1", 0).of(&stock_low(&laptop));

    let function = Receiver::start(replenish(address));
    assert_eq!((function.send(&low), function.send(&low)), (204, 204));
    let said = function.line();
    assert!(said.starts_with("ordered 40 of 123: "), "{said}");
    assert_eq!(function.send(&Message::signed("msg_2", 0)), 204, "an event of another type");
    assert_eq!(function.send(&Message::signed("msg_3", 0).of(&stock_low(&mouse))), 204);
    assert_eq!(function.line(), "nobody delivers 123");
    drop(function);

    // It has forgotten what it handled, and the shop has not.
    let function = Receiver::start(replenish(address));
    assert_eq!((function.send(&low), function.line()), (204, said));
    let orders = purchase_orders(&shop).await;
    assert_eq!(orders.len(), 1, "{orders:?}");
    assert_eq!((orders[0]["supplier_id"].as_str(), &orders[0]["lines"][0]["quantity"]), (Some(&*cheap), &json!(40)));

    // While the shop is down, an event is not handled, so that it is sent again.
    let nobody = SocketAddr::from(([127, 0, 0, 1], test_servers::free_port()));
    assert_eq!(Receiver::start(replenish(nobody)).send(&low), 500);
    drop(function);
    shop.stop().await;
    tasks.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_that_brings_stock_low_becomes_a_purchase_order_of_the_function() {
    let shop = shop_that_sends().await;
    let tasks = Tasks::new();
    let address = listen(&shop, &tasks).await;
    let product = json!({"sku": "123", "name": "Laptop", "price": {"amount": 1_000, "currency": "EUR"}, "stock": 9, "low_stock_threshold": 5});
    let laptop = shop.post("/v1/products", &product).await.expect(201).text("/product_id");
    shop.settle().await;
    supplier(&shop, "paper", &laptop, 600).await;
    let port = test_servers::free_port();
    let endpoint = json!({"url": format!("http://127.0.0.1:{port}/"), "event_types": ["inventory.stock_low.v1"]});
    let secret = shop.post("/v1/webhooks", &endpoint).await.expect(201).text("/secret");
    let function = Receiver::start_with(replenish(address), &secret, port);

    shop.order(&[(&laptop, 6)], Some("tok_ok")).await;
    shop.settle().await;
    assert!(function.line().starts_with("ordered 40 of 123: "));
    let orders = purchase_orders(&shop).await;
    assert_eq!((orders.len(), &orders[0]["lines"][0]["quantity"]), (1, &json!(40)), "{orders:?}");
    drop(function);
    shop.stop().await;
    tasks.cancel();
}
