//! Services of others, in Python, that speak with a shop by its contracts, and façades that are called as theirs were.

mod migration;
mod peer;
mod pubsub;
mod shop;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use test_servers::{PATIENCE, Vhost};

use peer::Others;
use shop::{Contract, LOOK_AGAIN, Shop, call, call_as, until_stock};

#[test]
fn the_routes_of_a_fan_out_answer_as_documented() {
    let shop = Shop::start(&Contract::own("fanout"), None);
    let (orders, products) = (shop.ports[0], shop.ports[1]);
    let (status, made) = call("POST", orders, "/create_order", None);
    assert_eq!((status, made), (201, json!({ "message": "Order created and message sent!" })));
    until_stock(products, "123", 9);
    let (_, listed) = call("GET", products, "/products", None);
    assert_eq!(listed["123"], json!({ "name": "Laptop", "stock": 9 }));

    // More than there are: the stock ends at zero, never below.
    for _ in 0..12 {
        assert_eq!(call("POST", orders, "/create_order", Some(&json!({ "product_id": "123", "quantity": 1 }))).0, 201);
    }
    until_stock(products, "123", 0);
    let (status, refused) = call("POST", orders, "/create_order", Some(&json!({ "product_id": "999" })));
    assert_eq!((status, refused), (400, json!({ "error": "unknown_product" })));
    let (status, refused) = call("POST", orders, "/create_order", Some(&json!({ "quantity": -1 })));
    assert_eq!(status, 400, "{refused}");
    assert_eq!(call("GET", orders, "/nosuch", None).0, 404);
    assert_eq!(call("GET", orders, "/create_order", None).0, 405);
    for line in [
        " [x] PRODUCT: Received order for product: 123",
        "Stock for product 123 reduced. New stock: 9",
        " [x] NOTIFICATION: 'Sending email' for purchased product: 123",
        "Product 123 is out of stock: 1 wanted, 0 there",
    ] {
        shop.until_logged(line);
    }
    let shop = shop.restarted(&[]);
    until_stock(products, "123", 0);
    // Without a broker nobody takes messages, so none wait.
    assert_eq!(shop.status()["waiting"], 0);
}

#[test]
fn the_route_of_a_direct_exchange_waits_for_the_stock() {
    let shop = Shop::start(&Contract::own("direct"), None);
    let order = |item: &str| json!({ "email": "ada@example.com", "itemName": item, "itemCategory": "computers" });
    for expected in (0..10).map(|_| 201).chain([409]) {
        let (status, answer) = call("POST", shop.ports[0], "/order", Some(&order("Laptop")));
        assert_eq!(status, expected, "{answer}");
        if status == 201 {
            assert_eq!(answer["message"], "Order created successfully");
            let made = &answer["order"];
            assert!(made["orderId"].is_i64(), "{made}");
            assert_eq!((&made["itemName"], &made["status"]), (&json!("Laptop"), &json!("completed")));
        } else {
            assert_eq!(answer, json!({ "error": "Out of stock" }));
        }
    }
    for bad in [json!({ "email": "ada@example.com" }), json!([]), json!("x"), order("")] {
        let (status, answer) = call("POST", shop.ports[0], "/order", Some(&bad));
        assert_eq!((status, answer), (400, json!({ "error": "Invalid order data" })), "{bad}");
    }
    assert_eq!(call("POST", shop.ports[0], "/order", None).0, 400);
    assert_eq!(call("POST", shop.ports[0], "/order", Some(&order("Unicorn"))).0, 409);
}

#[test]
fn the_routes_of_work_queues_answer_as_documented() {
    let shop = Shop::start(&Contract::own("queues"), None);
    let [users, products, orders] = shop.ports[..] else { panic!("there are three ports") };
    for port in [users, products, orders] {
        assert_eq!(call("GET", port, "/health", None), (200, json!({ "status": "ok" })));
    }

    let marie = json!({ "username": "marie", "email": "marie@example.com", "password": "correct horse battery" });
    let (status, made) = call_as("", "POST", users, "/register", Some(&marie));
    assert_eq!((status, &made["username"]), (201, &json!("marie")), "{made}");
    let (id, keys) = (made["id"].clone(), made.as_object().unwrap().keys().cloned().collect::<Vec<_>>());
    assert_eq!(keys, ["email", "id", "username"]);
    assert_eq!(call_as("", "POST", users, "/register", Some(&marie)).0, 409);
    let login = json!({ "email": "marie@example.com", "password": "correct horse battery" });
    let (status, signed_in) = call_as("", "POST", users, "/login", Some(&login));
    assert_eq!(status, 200, "{signed_in}");
    let wrong = json!({ "email": "marie@example.com", "password": "correct horse bakery" });
    assert_eq!(call_as("", "POST", users, "/login", Some(&wrong)).0, 401);
    let token = signed_in["token"].as_str().unwrap();
    let (status, changed) = call_as(token, "PUT", users, "/profile", Some(&json!({ "username": "marie2" })));
    assert_eq!((status, changed), (200, json!({ "id": id, "username": "marie2", "email": "marie@example.com" })));
    assert_eq!(call_as("nobody", "PUT", users, "/profile", Some(&json!({ "username": "x" }))).0, 401);
    let (status, one) = call("GET", users, &format!("/users/{}", id.as_str().unwrap()), None);
    assert_eq!((status, &one["username"]), (200, &json!("marie2")));
    let (_, all) = call("GET", users, "/users", None);
    assert!(all.as_array().unwrap().contains(&one), "{all}");

    let (status, made) =
        call("POST", products, "/products", Some(&json!({ "name": "classic 350", "price": 13200, "stock": 150 })));
    assert_eq!(status, 201, "{made}");
    let path = format!("/products/{}", made["id"].as_str().unwrap());
    until_shown(products, &path, &made);
    let (status, changed) = call("PUT", products, &path, Some(&json!({ "price": 14000, "stock": 100 })));
    let expected = json!({ "id": made["id"], "name": "classic 350", "price": 14000, "stock": 100 });
    assert_eq!((status, &changed), (200, &expected));
    until_shown(products, &path, &expected);
    assert_eq!(call("PUT", products, &path, Some(&json!({ "name": "classic 360" }))).0, 200);
    let renamed = json!({ "id": made["id"], "name": "classic 360", "price": 14000, "stock": 100 });
    until_shown(products, &path, &renamed);
    assert_eq!(call("POST", products, "/products", Some(&json!({ "name": "x", "price": -1 }))).0, 422);

    let order = json!({ "user_id": id, "product_id": made["id"], "quantity": 10 });
    let (status, placed) = call("POST", orders, "/orders", Some(&order));
    assert_eq!(status, 201, "{placed}");
    assert_eq!((&placed["status"], &placed["total_price"]), (&json!("Placed"), &json!(140_000)));
    let (status, shown) = call("GET", orders, &format!("/orders/{}", placed["id"].as_str().unwrap()), None);
    assert_eq!((status, &shown["quantity"], &shown["total_price"]), (200, &json!(10), &json!(140_000)), "{shown}");
    let (_, all) = call("GET", orders, "/orders", None);
    assert!(all.as_array().unwrap().iter().any(|order| order["id"] == placed["id"]), "{all}");
    let many = json!({ "user_id": id, "product_id": made["id"], "quantity": 91 });
    assert_eq!(call("POST", orders, "/orders", Some(&many)), (409, json!({ "error": "not enough stock" })));
    let none = json!({ "user_id": id, "product_id": id, "quantity": 1 });
    assert_eq!(call("POST", orders, "/orders", Some(&none)), (404, json!({ "error": "product not found" })));

    assert_eq!(call("DELETE", products, &path, None).0, 200);
    let began = Instant::now();
    while call("GET", products, &path, None).0 != 404 {
        assert!(began.elapsed() < PATIENCE, "the product is still shown");
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// Waits until a route shows this, which follows from an event.
#[track_caller]
fn until_shown(port: u16, path: &str, expected: &Value) {
    let began = Instant::now();
    loop {
        let shown = call("GET", port, path, None);
        if (shown.0, &shown.1) == (200, expected) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{path} shows {shown:?}, not {expected}");
        std::thread::sleep(LOOK_AGAIN);
    }
}

#[test]
fn orders_of_others_leave_the_stock_and_garbage_is_parked() {
    let vhost = Vhost::create();
    let others = Others::in_python(&vhost.url());
    let shop = Shop::start(&Contract::own("fanout").of("product"), Some(&vhost.url()));
    shop.until_connected();
    let publish = ["publish", "order_exchange", "fanout", "false", "", "3"];
    others.run(&[&publish[..], &["123", "nope", "\u{fffd}{}"]].concat());
    shop.until_stock_of("123", 7);
    shop.until("the garbage is parked", |status| status["parked"] == 6);
    let parked = shop.api("GET", "/v1/contracts/parked");
    let reasons: Vec<&str> =
        parked["items"].as_array().unwrap().iter().map(|it| it["reason"].as_str().unwrap()).collect();
    assert!(reasons.contains(&"there is no product with the id nope"), "{reasons:?}");

    // A product that others meant comes, and the message is taken after all.
    let product = json!({ "sku": "nope", "name": "Nope", "price": { "amount": 1, "currency": "EUR" }, "stock": 5 });
    shop.post("/v1/products", &product);
    let item = parked["items"].as_array().unwrap().iter().find(|it| it["body"] == "nope").unwrap();
    let path = format!("/v1/contracts/parked/{}/retry", item["parked_id"].as_str().unwrap());
    let began = Instant::now();
    while shop.post(&path, &Value::Null).0 != 204 {
        assert!(began.elapsed() < PATIENCE, "it is still refused");
        std::thread::sleep(LOOK_AGAIN);
    }
    shop.until_stock_of("nope", 4);
    assert_eq!(shop.post(&path, &Value::Null).0, 404);
}

#[test]
fn others_receive_orders_and_do_not_get_their_own_back() {
    let vhost = Vhost::create();
    let others = Others::in_node(&vhost.url());
    let shop = Shop::start(&Contract::own("fanout").of("order"), Some(&vhost.url()));
    shop.until_connected();
    let mut listener = others.start(&["listen", "order_exchange", "fanout", "false", "", "3"]);
    assert_eq!(call("POST", shop.ports[0], "/create_order", None).0, 201);
    assert_eq!(
        call("POST", shop.ports[0], "/create_order", Some(&json!({ "product_id": "456", "quantity": 2 }))).0,
        201
    );
    let mut received = listener.lines(3);
    received.sort();
    assert_eq!(received, ["123", "456", "456"]);
    // The stock is the peer's, which has the role: what it orders from itself is none of ours.
    others.run(&["publish", "order_exchange", "fanout", "false", "", "1", "123"]);
    shop.until("all is sent", |status| status["waiting"] == 0 && status["messages"]["out.sent"] == 3);
    assert_eq!(shop.status()["messages"]["in.taken"], Value::Null);
}

#[test]
fn an_order_is_published_for_both_services_of_a_direct_exchange() {
    let vhost = Vhost::create();
    let others = Others::in_node(&vhost.url());
    let mut mailer = others.start(&["work", "orders_email_service_queue", "1"]);
    let shop = Shop::start(&Contract::own("direct").of("order"), Some(&vhost.url()));
    shop.until_connected();
    // The queue of the mailer is its own, and so is its binding.
    let mut listener = others.start(&["listen", "orders_exchange", "direct", "true", "orders.emailnotification", "1"]);
    let order = json!({ "email": "ada@example.com", "itemName": "Mouse", "itemCategory": "accessories" });
    let (status, answer) = call("POST", shop.ports[0], "/order", Some(&order));
    assert_eq!(status, 201, "{answer}");
    let received: Value = serde_json::from_str(&listener.lines(1)[0]).unwrap();
    let expected = json!({ "message": "Order completed", "order": answer["order"] });
    assert_eq!(received, expected);
    mailer.stop();
}

#[test]
fn products_and_users_of_others_are_known_by_the_next_message() {
    let vhost = Vhost::create();
    let others = Others::in_python(&vhost.url());
    let shop = Shop::start(&Contract::own("queues").of("order"), Some(&vhost.url()));
    shop.until_connected();
    let put = |queue: &str, body: &str| others.run(&["put", queue, body]);
    let id = "795a75e9-6d06-47c6-b868-4e2ac104adb6";
    let product = |kind: &str, rest: &str| format!(r#"{{"type":"{kind}","data":{{"product_id":"{id}",{rest}}}}}"#);
    put("product_events", &product("ProductCreated", r#""name":"classic 350","price":13200,"stock":150"#));
    put("product_events", &product("ProductUpdated", r#""name":"classic 350","price":14000,"stock":100"#));
    put("product_events", &product("InventoryUpdated", r#""stock":90"#));
    shop.until_stock_of(id, 90);
    let made = shop.api("GET", &format!("/v1/products?sku={id}"))["items"][0].clone();
    assert_eq!((&made["name"], &made["price"]["amount"]), (&json!("classic 350"), &json!(14_000)));
    let user = r#"{"type":"UserRegistered","data":{"user_id":"b091999c-319d-4e88-b9d7-d98505064a56","username":"marie",
        "email":"marie@example.com"}}"#;
    put("user_events", user);
    shop.until_account("marie@example.com", "marie");

    // An order of the shop names the product by the id of its owner.
    // The demo has orders of its own, which come first.
    let mut listener = others.start(&["work", "order_events", "1000"]);
    let order = json!({ "lines": [{ "product_id": made["product_id"], "quantity": 10 }], "email": "ada@example.com" });
    assert_eq!(shop.post("/v1/orders", &order).0, 201);
    let received = loop {
        let received: Value = serde_json::from_str(&listener.lines(1)[0]).unwrap();
        if received["data"]["product_id"] == id {
            break received;
        }
    };
    assert_eq!((&received["type"], &received["data"]["quantity"]), (&json!("OrderPlaced"), &json!(10)));
}

#[test]
fn prices_of_a_topic_are_exact_both_ways() {
    let vhost = Vhost::create();
    let others = Others::in_node(&vhost.url());
    let shop = Shop::start(&Contract::own("topic").of_all("orders\", \"users"), Some(&vhost.url()));
    shop.until_connected();
    let product = r#"{"type":"ProductUpdated","payload":{"productId":"12345","name":"Updated Product","sku":"PROD-123",
        "quantity":100,"price":29.99},"timestamp":"2026-11-30T12:00:00.000Z"}"#;
    others.run(&["publish", "varu.events", "topic", "true", "inventory.product.updated", "1", product]);
    shop.until_stock_of("PROD-123", 100);
    let made = shop.api("GET", "/v1/products?sku=PROD-123")["items"][0].clone();
    assert_eq!(made["price"]["amount"], 2_999);

    let mut listener = others.start(&["listen", "varu.events", "topic", "true", "orders.order.created", "1000"]);
    let order = json!({ "lines": [{ "product_id": made["product_id"], "quantity": 3 }], "email": "ada@example.com" });
    assert_eq!(shop.post("/v1/orders", &order).0, 201);
    let line = listener.lines(1).remove(0);
    assert!(
        line.contains(r#""items":[{"productId":"12345","quantity":3,"price":29.99}],"totalAmount":89.97"#),
        "{line}"
    );
}

#[test]
fn a_kill_loses_and_doubles_no_message_of_others() {
    const ORDERS: i64 = 400;
    let vhost = Vhost::create();
    let others = Others::in_python(&vhost.url());
    // With an identity, so that each message counts once, whenever the kill comes.
    let shop = Shop::start(&Contract::own("direct").of("inventory").with_ids(), Some(&vhost.url()));
    shop.until_connected();
    let (count, key) = (ORDERS.to_string(), "orders.inventoryupdate");
    let order = r#"{"message":"Order completed","order":{"orderId":{n},"email":"ada@example.com",
        "itemName":"Notebook A5","itemCategory":"office","status":"completed"}}"#;
    let mut publisher = others.start_quiet(&["publish", "orders_exchange", "direct", "true", key, &count, order]);
    shop.until("some are taken", |status| status["messages"]["in.taken"].as_i64().is_some_and(|taken| taken >= 20));
    let shop = shop.restarted(&[vhost.url().as_str()]);
    publisher.wait();
    shop.until_stock_of("465", 500 - ORDERS);
    // Nothing follows that was taken twice.
    std::thread::sleep(Duration::from_millis(500));
    shop.until_stock_of("465", 500 - ORDERS);
}
