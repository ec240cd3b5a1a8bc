//! Services of others, in Python, that speak with a shop by its contracts, and façades that are called as theirs were.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use test_servers::{PATIENCE, Vhost, free_port};

use crate::{ADMIN_TOKEN, here, packages, succeed};

/// The waits between two looks at something.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

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
fn orders_of_others_leave_the_stock_and_garbage_is_parked() {
    let vhost = Vhost::create();
    let shop = Shop::start(&Contract::own("fanout").of("product"), Some(&vhost));
    shop.until_connected();
    let publish = ["publish", "order_exchange", "fanout", "false", "", "3"];
    peer(&vhost, &[&publish[..], &["123", "nope", "\u{fffd}{}"]].concat());
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
    let shop = Shop::start(&Contract::own("fanout").of("order"), Some(&vhost));
    shop.until_connected();
    let mut listener = Peer::start(&vhost, &["listen", "order_exchange", "fanout", "false", "", "3"]);
    assert_eq!(call("POST", shop.ports[0], "/create_order", None).0, 201);
    assert_eq!(
        call("POST", shop.ports[0], "/create_order", Some(&json!({ "product_id": "456", "quantity": 2 }))).0,
        201
    );
    let mut received = listener.lines(3);
    received.sort();
    assert_eq!(received, ["123", "456", "456"]);
    // The stock is the peer's, which has the role: what it orders from itself is none of ours.
    peer(&vhost, &["publish", "order_exchange", "fanout", "false", "", "1", "123"]);
    shop.until("all is sent", |status| status["waiting"] == 0 && status["messages"]["out.sent"] == 3);
    assert_eq!(shop.status()["messages"]["in.taken"], Value::Null);
}

#[test]
fn an_order_is_published_for_both_services_of_a_direct_exchange() {
    let vhost = Vhost::create();
    let mut mailer = Peer::start(&vhost, &["work", "orders_email_service_queue", "1"]);
    let shop = Shop::start(&Contract::own("direct").of("order"), Some(&vhost));
    shop.until_connected();
    // The queue of the mailer is its own, and so is its binding.
    let mut listener =
        Peer::start(&vhost, &["listen", "orders_exchange", "direct", "true", "orders.emailnotification", "1"]);
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
    let shop = Shop::start(&Contract::own("queues").of("order"), Some(&vhost));
    shop.until_connected();
    let put = |queue: &str, body: &str| peer(&vhost, &["put", queue, body]);
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
    let began = Instant::now();
    while shop.api("GET", "/v1/users?email=marie@example.com")["items"][0]["username"] != "marie" {
        assert!(began.elapsed() < PATIENCE, "the account of others is not known");
        std::thread::sleep(LOOK_AGAIN);
    }

    // An order of the shop names the product by the id of its owner.
    // The demo has orders of its own, which come first.
    let mut listener = Peer::start(&vhost, &["work", "order_events", "1000"]);
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
    let shop = Shop::start(&Contract::own("topic").of_all("orders\", \"users"), Some(&vhost));
    shop.until_connected();
    let product = r#"{"type":"ProductUpdated","payload":{"productId":"12345","name":"Updated Product","sku":"PROD-123",
        "quantity":100,"price":29.99},"timestamp":"2026-11-30T12:00:00.000Z"}"#;
    peer(&vhost, &["publish", "varu.events", "topic", "true", "inventory.product.updated", "1", product]);
    shop.until_stock_of("PROD-123", 100);
    let made = shop.api("GET", "/v1/products?sku=PROD-123")["items"][0].clone();
    assert_eq!(made["price"]["amount"], 2_999);

    let mut listener = Peer::start(&vhost, &["listen", "varu.events", "topic", "true", "orders.order.created", "1000"]);
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
    // With an identity, so that each message counts once, whenever the kill comes.
    let shop = Shop::start(&Contract::own("direct").of("inventory").with_ids(), Some(&vhost));
    shop.until_connected();
    let (count, key) = (ORDERS.to_string(), "orders.inventoryupdate");
    let order = r#"{"message":"Order completed","order":{"orderId":{n},"email":"ada@example.com",
        "itemName":"Notebook A5","itemCategory":"office","status":"completed"}}"#;
    let mut publisher =
        Peer::start_quiet(&vhost, &["publish", "orders_exchange", "direct", "true", key, &count, order]);
    shop.until("some are taken", |status| status["messages"]["in.taken"].as_i64().is_some_and(|taken| taken >= 20));
    let shop = shop.restarted(&[vhost.url().as_str()]);
    publisher.wait();
    shop.until_stock_of("465", 500 - ORDERS);
    // Nothing follows that was taken twice.
    std::thread::sleep(Duration::from_millis(500));
    shop.until_stock_of("465", 500 - ORDERS);
}

/// A contract of the program with ports that nobody has.
struct Contract {
    name: &'static str,
    text: String,
    ports: Vec<u16>,
}

impl Contract {
    fn own(name: &'static str) -> Self {
        let mut text = succeed(Command::new(env!("CARGO_BIN_EXE_tradepost")).args(["contracts", "export", name]));
        let mut ports = Vec::new();
        // A busy machine may take longer than a customer waits.
        text = text.replace("wait   = \"2s\"", "wait   = \"30s\"");
        for known in ["5002", "5001", "3002"] {
            let line = format!("port   = {known}");
            if text.contains(&line) {
                let port = free_port();
                text = text.replace(&line, &format!("port   = {port}"));
                ports.push(port);
            }
        }
        Self { name, text, ports }
    }

    /// The same with the number of an order as the identity of its message.
    fn with_ids(self) -> Self {
        let text = self.text.replacen("to    =", "id    = '.order.orderId'\nto    =", 1);
        assert_ne!(text, self.text);
        Self { text, ..self }
    }

    /// The same with one role that is ours.
    fn of(self, role: &str) -> Self {
        self.of_all(role)
    }

    /// The same with some roles that are ours, as a file has them between quotes.
    fn of_all(self, role: &str) -> Self {
        let text = self.text.replacen("\nmatch ", &format!("\nours   = [\"{role}\"]\nmatch "), 1);
        assert_ne!(text, self.text);
        Self { text, ..self }
    }
}

/// A demo shop in a process of its own, ended with the test.
struct Shop {
    process: Child,
    url: String,
    contract: String,
    ports: Vec<u16>,
    folder: TempDir,
}

impl Shop {
    fn start(contract: &Contract, broker: Option<&Vhost>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(format!("{}.toml", contract.name));
        std::fs::write(&file, &contract.text).unwrap();
        let contract_argument = named(&file, broker.map(Vhost::url).as_deref());
        let (process, url) = spawn(folder.path(), &contract_argument);
        Self { process, url, contract: contract.name.to_owned(), ports: contract.ports.clone(), folder }
    }

    /// Killed and started again.
    fn restarted(mut self, broker: &[&str]) -> Self {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        let file = self.folder.path().join(format!("{}.toml", self.contract));
        (self.process, self.url) = spawn(self.folder.path(), &named(&file, broker.first().copied()));
        self
    }

    fn status(&self) -> Value {
        self.api("GET", "/v1/contracts")["items"][0].clone()
    }

    #[track_caller]
    fn until(&self, what: &str, is_so: impl Fn(&Value) -> bool) {
        let began = Instant::now();
        loop {
            let status = self.status();
            if is_so(&status) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "not so: {what}: {status}");
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    fn until_connected(&self) {
        self.until("the broker is connected", |status| status["connected"] == true);
    }

    #[track_caller]
    fn until_stock_of(&self, sku: &str, units: i64) {
        let began = Instant::now();
        loop {
            let stock = self.api("GET", "/v1/stock?limit=100");
            let level = stock["items"].as_array().unwrap().iter().find(|level| level["sku"] == sku).cloned();
            if level.as_ref().is_some_and(|level| level["available"] == units) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{sku} has not {units}: {level:?}");
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    #[track_caller]
    fn until_logged(&self, line: &str) {
        let log = self.folder.path().join("log");
        let began = Instant::now();
        while !std::fs::read_to_string(&log).unwrap().contains(line) {
            assert!(began.elapsed() < PATIENCE, "not logged: {line}");
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    fn api(&self, method: &str, path: &str) -> Value {
        request(method, &self.url, path, None).1
    }

    fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        request("POST", &self.url, path, Some(body).filter(|body| !body.is_null()))
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn named(file: &Path, broker: Option<&str>) -> String {
    let file = file.display();
    broker.map_or_else(|| file.to_string(), |broker| format!("{file}={broker}"))
}

fn spawn(folder: &Path, contract: &str) -> (Child, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tradepost"));
    command.args(["up", "--demo", "--port", "0", "--contract", contract]).env_remove("TRADEPOST_BLESS");
    command.current_dir(folder).stdin(Stdio::null()).stderr(Stdio::piped());
    let mut process = command.env("TRADEPOST_ADMIN_TOKEN", ADMIN_TOKEN).spawn().unwrap();
    let mut log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).unwrap();
    let lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
    let (sender, ready) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in lines {
            if let Some((_, url)) = line.split_once("ready ") {
                let _ = sender.send(url.trim().to_owned());
            }
            writeln!(log, "{line}").unwrap();
        }
    });
    let url = ready.recv_timeout(PATIENCE).expect("a shop says when it is ready");
    (process, url)
}

#[track_caller]
fn until_stock(port: u16, sku: &str, units: i64) {
    let began = Instant::now();
    loop {
        let (_, products) = call("GET", port, "/products", None);
        if products[sku]["stock"] == units {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{sku} has not {units}: {products}");
        std::thread::sleep(LOOK_AGAIN);
    }
}

fn call(method: &str, port: u16, path: &str, body: Option<&Value>) -> (u16, Value) {
    request(method, &format!("http://127.0.0.1:{port}"), path, body)
}

/// By curl, as people try such routes.
fn request(method: &str, url: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--max-time", "60", "--request", method]);
    curl.args(["--write-out", "\n%{http_code}", "--header", &format!("Authorization: Bearer {ADMIN_TOKEN}")]);
    if let Some(body) = body {
        curl.args(["--header", "Content-Type: application/json", "--data", &body.to_string()]);
    }
    let printed = succeed(curl.arg(format!("{url}{path}")));
    let (body, status) = printed.trim_end().rsplit_once('\n').unwrap_or(("", printed.trim()));
    (status.trim().parse().unwrap(), serde_json::from_str(body).unwrap_or_default())
}

/// A service of others, ended with the test.
struct Peer {
    process: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Peer {
    /// One that has said that it is ready.
    fn start(vhost: &Vhost, arguments: &[&str]) -> Self {
        let mut peer = Self::start_quiet(vhost, arguments);
        assert_eq!(peer.lines(1), ["ready"]);
        peer
    }

    fn start_quiet(vhost: &Vhost, arguments: &[&str]) -> Self {
        let mut process = script(vhost, arguments).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, output }
    }

    fn lines(&mut self, count: usize) -> Vec<String> {
        let lines = (0..count).map(|_| {
            let mut line = String::new();
            self.output.read_line(&mut line).unwrap();
            line.trim_end().to_owned()
        });
        lines.collect()
    }

    fn wait(&mut self) {
        assert!(self.process.wait().unwrap().success());
    }

    fn stop(&mut self) {
        let _ = self.process.kill();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stop();
        let _ = self.process.wait();
    }
}

fn peer(vhost: &Vhost, arguments: &[&str]) {
    succeed(&mut script(vhost, arguments));
}

fn script(vhost: &Vhost, arguments: &[&str]) -> Command {
    let mut python = packages().python();
    python.arg(here().join("peers.py")).args(arguments).env("BROKER_URL", vhost.url());
    python
}
