//! The first steps of a newcomer: the real program, its demo shop and its commands.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

/// The time that the program may take to print a line: far beyond what it ever takes.
const DEADLINE: Duration = Duration::from_mins(1);

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
        let mut command = tradepost(&["up", "--demo", "--port", "0"], folder.path());
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let (lines, said) = mpsc::channel();
        let stderr = process.stderr.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ = lines.send(line);
            }
        });
        let after = |mark: &str| loop {
            let line = said.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("it never said {mark:?}"));
            if let Some((_, rest)) = line.split_once(mark) {
                break rest.trim().to_owned();
            }
        };
        let url = after("ready ");
        let token = after("export TRADEPOST_ADMIN_TOKEN=");
        Self { process, url, token, folder }
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

    let stock = demo.json(&["stock", "list"]);
    let laptop = stock["items"].as_array().unwrap().iter().find(|it| it["sku"] == "123").unwrap();
    assert_eq!((&laptop["on_hand"], &laptop["reserved"]), (&Value::from(9), &Value::from(0)));

    let mails = demo.run(&["mail", "list"]);
    assert!(mails.contains("Welcome to Tradepost") && mails.contains("is confirmed"), "{mails}");

    let orders = demo.json(&["orders", "list"]);
    let order_id = orders["items"][0]["order_id"].as_str().unwrap();
    assert!(demo.run(&["orders", "show", order_id]).contains("paid"));
    let too_late = demo.command(&["orders", "cancel", order_id]).output().unwrap();
    assert_eq!(too_late.status.code(), Some(5), "a paid order can't be cancelled: conflict");
    demo.run(&["dlq", "list"]);
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
    let deadline = std::time::Instant::now() + DEADLINE;
    loop {
        demo.run(&["orders", "place", "465=1", "--email", "ada@example.com", "--token", "tok_ok"]);
        let shown: Vec<String> = std::iter::from_fn(|| said.recv_timeout(Duration::from_secs(1)).ok()).collect();
        if shown.iter().any(|line| line.contains("orders.order_paid.v1")) {
            let event: Value = serde_json::from_str(&shown[0]).unwrap();
            assert!(event["event_id"].is_string(), "{event}");
            break;
        }
        assert!(std::time::Instant::now() < deadline, "the tail shows nothing");
    }
    let _ = tail.kill();
    let _ = tail.wait();
}
