//! The first steps of a newcomer: the real program, its demo shop and its commands.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;

/// The time that the program may take to print a line: far beyond what it ever takes.
const DEADLINE: Duration = Duration::from_mins(5);

/// The orders of the demo, each by its status and that of its payment.
const DEMO_STATES: [&str; 11] = [
    "cancelled failed",
    "cancelled none",
    "cancelled refunded",
    "delivered captured",
    "paid captured",
    "paid captured",
    "refunded refunded",
    "rejected none",
    "reserved none",
    "shipped captured",
    "shipped partially_refunded",
];

/// A demo shop in a process of its own, ended with the test.
struct Demo {
    process: Child,
    url: String,
    token: String,
    folder: tempfile::TempDir,
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn tradepost(arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tradepost"));
    command.args(arguments).current_dir(folder).env("NO_COLOR", "1").stdin(Stdio::null());
    command.env_remove("TRADEPOST_BLESS");
    command
}

impl Demo {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (process, said) = spawn(folder.path());
        let url = after(&said, "ready ");
        let token = after(&said, "export TRADEPOST_ADMIN_TOKEN=");
        Self { process, url, token, folder }
    }

    /// Ends at any moment, and starts again.
    fn start_again(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        let (process, said) = spawn(self.folder.path());
        self.process = process;
        self.url = after(&said, "ready ");
    }

    /// Waits for the orders that the demo makes in the background.
    fn has_its_orders(&self) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let orders = self.json(&["orders", "list", "--limit", "50"])["items"].take();
            let orders: Vec<Value> = serde_json::from_value(orders).unwrap();
            let reviews = self.json(&["reviews", "list", "461"])["items"].as_array().unwrap().len();
            let state = |order: &Value| format!("{} {}", text(&order["status"]), text(&order["payment"]["status"]));
            let mut states: Vec<String> = orders.iter().map(state).collect();
            states.sort_unstable();
            let is_whole = states == DEMO_STATES;
            if is_whole && reviews == 2 {
                return;
            }
            assert!(Instant::now() < deadline, "{reviews} reviews, and the orders are {states:#?}");
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = tradepost(arguments, self.folder.path());
        command.env("TRADEPOST_URL", &self.url).env("TRADEPOST_ADMIN_TOKEN", &self.token);
        command
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> String {
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
        assert!(status.success(), "{arguments:?} ended with {status}:\n{stdout}{stderr}");
        stdout
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        let text = self.run(&[arguments, &["--json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"))
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// Starts it; its lines on stderr.
fn spawn(folder: &Path) -> (Child, mpsc::Receiver<String>) {
    let mut command = tradepost(&["up", "--demo", "--port", "0"], folder);
    let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
    let (lines, said) = mpsc::channel();
    let stderr = process.stderr.take().unwrap();
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let _ = lines.send(line);
        }
    });
    (process, said)
}

/// The rest of the next line that has this mark.
fn after(said: &mpsc::Receiver<String>, mark: &str) -> String {
    loop {
        let line = said.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("it never said {mark:?}"));
        if let Some((_, rest)) = line.split_once(mark) {
            break rest.trim().to_owned();
        }
    }
}

#[test]
fn the_first_commands_do_what_the_readme_says() {
    let demo = Demo::start();
    assert!(demo.folder.path().join("tradepost-data").is_dir(), "all data is in one folder");

    let products = demo.run(&["products", "list"]);
    assert!(products.contains("Laptop") && products.contains("Mouse"), "{products}");

    let watched =
        demo.run(&["orders", "place", "123=1", "456=2", "--email", "ada@example.com", "--token", "tok_ok", "--watch"]);
    for step in ["OrderPlaced", "StockReserved", "PaymentCaptured", "OrderPaid", "is paid"] {
        assert!(watched.contains(step), "no {step} in\n{watched}");
    }
    let number = watched.lines().next().unwrap().strip_prefix("order  ").unwrap();

    assert_eq!(laptops(&demo), (9, 0));

    let mails = demo.run(&["mail", "list", "--limit", "100"]);
    assert!(mails.contains("Welcome to Tradepost"), "{mails}");
    assert!(mails.contains(&format!("Order {number} is confirmed")), "{mails}");

    assert!(demo.run(&["orders", "show", number]).contains("paid"));
    assert_eq!(demo.run(&["orders", "cancel", number]), format!("order {number} is cancelling\n"));
    let watched = demo.run(&["orders", "watch", number]);
    let end = format!("refunded 1358.80 EUR\norder {number} is cancelled (cancelled)\n");
    assert!(watched.ends_with(&end), "{watched}");
    assert_eq!(laptops(&demo), (10, 0), "what was sold is back");
    demo.run(&["dlq", "list"]);
}

/// Laptops on hand, and those of them that orders hold.
fn laptops(demo: &Demo) -> (i64, i64) {
    let stock = demo.json(&["stock", "list"]);
    let laptop = stock["items"].as_array().unwrap().iter().find(|it| it["sku"] == "123").unwrap();
    (laptop["on_hand"].as_i64().unwrap(), laptop["reserved"].as_i64().unwrap())
}

#[test]
fn the_demo_has_orders_in_every_state_and_makes_them_once() {
    let mut demo = Demo::start();
    // It answers once its token is kept. Some of the orders are made before the end, and the rest after.
    demo.run(&["users", "list"]);
    demo.start_again();
    demo.has_its_orders();
    assert_eq!(demo.json(&["reviews", "list", "457"])["items"].as_array().unwrap().len(), 1);
    assert_eq!(demo.json(&["users", "list"])["items"].as_array().unwrap().len(), 2);
    assert_eq!(demo.json(&["suppliers", "list"])["items"].as_array().unwrap().len(), 2);
    assert_eq!(demo.run(&["dlq", "list"]), "");

    demo.start_again();
    let placed = demo.run(&["orders", "place", "465=1", "--email", "ada@example.com", "--token", "tok_ok", "--watch"]);
    assert!(placed.contains("is paid"), "{placed}");
    // What the demo makes again at this start, it makes meanwhile.
    for _ in 0..20 {
        assert_eq!(
            demo.json(&["orders", "list", "--limit", "50"])["items"].as_array().unwrap().len(),
            DEMO_STATES.len() + 1
        );
    }
}

#[test]
fn stock_of_the_demo_that_runs_low_is_filled_up_by_itself() {
    let demo = Demo::start();
    let deadline = Instant::now() + DEADLINE;
    // The suppliers may be made after the start.
    while demo.json(&["suppliers", "list"])["items"].as_array().unwrap().len() < 2 {
        assert!(Instant::now() < deadline, "there are no suppliers");
    }
    demo.run(&["orders", "place", "123=6", "--email", "ada@example.com", "--token", "tok_ok", "--watch"]);
    while laptops(&demo) != (14, 0) {
        assert!(Instant::now() < deadline, "{}", demo.run(&["purchase-orders", "list"]));
        std::thread::sleep(Duration::from_millis(500));
    }
    let orders = demo.json(&["purchase-orders", "list"])["items"].take();
    assert_eq!((orders.as_array().unwrap().len(), text(&orders[0]["status"])), (1, "received"));
    assert!(demo.run(&["mail", "list", "--limit", "5"]).contains("orders@simulated.example"));
}

#[test]
fn events_are_shown_as_they_happen() {
    let demo = Demo::start();
    let mut tail = demo.command(&["events", "tail", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let stdout = tail.stdout.take().unwrap();
    let (lines, said) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let _ = lines.send(line);
        }
    });
    // The tail begins some time after its command: orders are placed until it shows one to its end.
    let deadline = Instant::now() + DEADLINE;
    loop {
        demo.run(&["orders", "place", "465=1", "--email", "ada@example.com", "--token", "tok_ok"]);
        let shown: Vec<String> = std::iter::from_fn(|| said.recv_timeout(Duration::from_secs(1)).ok()).collect();
        if shown.iter().any(|line| line.contains("orders.order_paid.v1")) {
            let event: Value = serde_json::from_str(&shown[0]).unwrap();
            assert!(event["event_id"].is_string(), "{event}");
            break;
        }
        assert!(Instant::now() < deadline, "the tail shows nothing");
    }
    let _ = tail.kill();
    let _ = tail.wait();
}
