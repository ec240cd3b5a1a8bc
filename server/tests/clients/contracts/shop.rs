//! A shop that speaks a contract, in a process of its own.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use test_servers::{PATIENCE, free_port};

use crate::{ADMIN_TOKEN, succeed};

/// The waits between two looks at something.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A contract of the program with ports that nobody has.
pub(super) struct Contract {
    name: &'static str,
    text: String,
    ports: Vec<u16>,
}

impl Contract {
    pub fn own(name: &'static str) -> Self {
        let mut text = succeed(Command::new(env!("CARGO_BIN_EXE_tradepost")).args(["contracts", "export", name]));
        let mut ports = Vec::new();
        // A busy machine may take longer than a customer waits.
        text = text.replace("wait   = \"2s\"", "wait   = \"30s\"");
        for known in ["5002", "5001", "3002", "8081", "8082", "8083"] {
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
    pub fn with_ids(self) -> Self {
        let text = self.text.replacen("to    =", "id    = '.order.orderId'\nto    =", 1);
        assert_ne!(text, self.text);
        Self { text, ..self }
    }

    /// The same with one role that is ours.
    pub fn of(self, role: &str) -> Self {
        self.of_all(role)
    }

    /// The same with no role that is ours.
    pub fn of_none(self) -> Self {
        let text = self.text.replacen("\nmatch ", "\nours   = []\nmatch ", 1);
        assert_ne!(text, self.text);
        Self { text, ..self }
    }

    /// The same with some roles that are ours, as a file has them between quotes.
    pub fn of_all(self, role: &str) -> Self {
        let text = self.text.replacen("\nmatch ", &format!("\nours   = [\"{role}\"]\nmatch "), 1);
        assert_ne!(text, self.text);
        Self { text, ..self }
    }
}

/// A demo shop in a process of its own, ended with the test.
pub(super) struct Shop {
    process: Child,
    url: String,
    contract: String,
    pub ports: Vec<u16>,
    folder: TempDir,
}

impl Shop {
    pub fn start(contract: &Contract, broker: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(format!("{}.toml", contract.name));
        std::fs::write(&file, &contract.text).unwrap();
        let contract_argument = named(&file, broker);
        let (process, url) = spawn(folder.path(), &contract_argument);
        Self { process, url, contract: contract.name.to_owned(), ports: contract.ports.clone(), folder }
    }

    /// Killed and started again.
    pub fn restarted(mut self, broker: &[&str]) -> Self {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        let file = self.folder.path().join(format!("{}.toml", self.contract));
        (self.process, self.url) = spawn(self.folder.path(), &named(&file, broker.first().copied()));
        self
    }

    /// Stopped as a person stops it, and started again with its file changed.
    pub fn with(mut self, contract: &Contract, broker: &str) -> Self {
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        assert!(self.process.wait().unwrap().success());
        let file = self.folder.path().join(format!("{}.toml", self.contract));
        std::fs::write(&file, &contract.text).unwrap();
        (self.process, self.url) = spawn(self.folder.path(), &named(&file, Some(broker)));
        self
    }

    pub fn status(&self) -> Value {
        self.api("GET", "/v1/contracts")["items"][0].clone()
    }

    #[track_caller]
    pub fn until(&self, what: &str, is_so: impl Fn(&Value) -> bool) {
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

    pub fn until_connected(&self) {
        self.until("the broker is connected", |status| status["connected"] == true);
    }

    #[track_caller]
    pub fn until_stock_of(&self, sku: &str, units: i64) {
        let began = Instant::now();
        while self.stock_of(sku) != units {
            assert!(began.elapsed() < PATIENCE, "{sku} has {} units, not {units}", self.stock_of(sku));
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// The units that can be sold; -1 of a product that nobody knows.
    pub fn stock_of(&self, sku: &str) -> i64 {
        let stock = self.api("GET", "/v1/stock?limit=100");
        let level = stock["items"].as_array().unwrap().iter().find(|level| level["sku"] == sku);
        level.and_then(|level| level["available"].as_i64()).unwrap_or(-1)
    }

    #[track_caller]
    pub fn until_account(&self, email: &str, username: &str) {
        let began = Instant::now();
        while self.api("GET", &format!("/v1/users?email={email}"))["items"][0]["username"] != username {
            assert!(began.elapsed() < PATIENCE, "the account of others is not known");
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    #[track_caller]
    pub fn until_logged(&self, line: &str) {
        let log = self.folder.path().join("log");
        let began = Instant::now();
        while !std::fs::read_to_string(&log).unwrap().contains(line) {
            assert!(began.elapsed() < PATIENCE, "not logged: {line}");
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    pub fn api(&self, method: &str, path: &str) -> Value {
        request(ADMIN_TOKEN, method, &self.url, path, None).1
    }

    pub fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        request(ADMIN_TOKEN, "POST", &self.url, path, Some(body).filter(|body| !body.is_null()))
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
pub(super) fn until_stock(port: u16, sku: &str, units: i64) {
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

pub(super) fn call(method: &str, port: u16, path: &str, body: Option<&Value>) -> (u16, Value) {
    call_as(ADMIN_TOKEN, method, port, path, body)
}

pub(super) fn call_as(token: &str, method: &str, port: u16, path: &str, body: Option<&Value>) -> (u16, Value) {
    request(token, method, &format!("http://127.0.0.1:{port}"), path, body)
}

/// By curl, as people try such routes.
fn request(token: &str, method: &str, url: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--max-time", "60", "--request", method]);
    curl.args(["--write-out", "\n%{http_code}", "--header", &format!("Authorization: Bearer {token}")]);
    if let Some(body) = body {
        curl.args(["--header", "Content-Type: application/json", "--data", &body.to_string()]);
    }
    let printed = succeed(curl.arg(format!("{url}{path}")));
    let (body, status) = printed.trim_end().rsplit_once('\n').unwrap_or(("", printed.trim()));
    (status.trim().parse().unwrap(), serde_json::from_str(body).unwrap_or_default())
}
