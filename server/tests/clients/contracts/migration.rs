//! A role moves from a service of others to the shop and back, while orders come, as the guide says it.

use serde_json::Value;
use test_servers::Vhost;

use super::peer::Others;
use super::shop::{Contract, Shop};

const ORDERS: usize = 100;

#[test]
fn a_role_moves_to_the_shop_and_back_and_each_order_counts_once() {
    let vhost = Vhost::create();
    let others = Others::in_python(&vhost.url());
    let place = |part: usize| {
        let order = format!(
            r#"{{"message":"Order completed","order":{{"orderId":{part}00{{n}},"email":"ada@example.com",
            "itemName":"Notebook A5","itemCategory":"office","status":"completed"}}}}"#
        );
        let (count, key) = (ORDERS.to_string(), "orders.inventoryupdate");
        others.run(&["publish", "orders_exchange", "direct", "true", key, &count, &order]);
    };
    let old_inventory = || {
        let (count, key, queue) = (ORDERS.to_string(), "orders.inventoryupdate", "orders_inventory_update_queue");
        others.start(&["serve", "orders_exchange", "direct", "true", key, queue, &count])
    };
    let contract = || Contract::own("direct").with_ids();

    // The old service alone.
    let mut old = old_inventory();
    place(1);
    assert_eq!(old.lines(ORDERS).len(), ORDERS);
    old.wait();

    // Beside it, without a role: its queue keeps what comes meanwhile.
    let shop = Shop::start(&contract().of_none(), Some(&vhost.url()));
    shop.until_connected();
    let before = shop.stock_of("465");
    place(2);
    assert_eq!((&shop.status()["messages"]["in.taken"], shop.stock_of("465")), (&Value::Null, before));

    // With the role.
    let shop = shop.with(&contract().of("inventory"), &vhost.url());
    shop.until_stock_of("465", before - 100);
    shop.until("all are counted", |status| status["messages"]["in.taken"] == 100);

    // Back again.
    let shop = shop.with(&contract().of_none(), &vhost.url());
    place(3);
    let mut old = old_inventory();
    assert_eq!(old.lines(ORDERS).len(), ORDERS);
    old.wait();
    assert_eq!(shop.stock_of("465"), before - 100);
    assert_eq!(shop.status()["parked"], 0);
}
