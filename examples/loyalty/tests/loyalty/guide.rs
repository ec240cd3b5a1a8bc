//! The commands of the guide, as a reader runs them.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use server::app::{self, MissingStores, RunOptions, Scope};
use server::config::{self, Environment, Flags};
use server::shop::Shop;
use test_servers::free_port;
use testkit::{ADMIN_TOKEN, SHARDS};

use crate::process::{Process, ask, run};
use crate::running_shop::Servers;

/// The time that the demo may take to make its orders.
const PATIENCE: Duration = Duration::from_mins(5);

/// The program of the guide, up to its arguments.
const LOYALTY: &str = "cargo run -p tradepost-loyalty -- ";

/// The way in which the guide asks, up to the address.
const CURL: &str = "curl -H \"Authorization: Bearer $TRADEPOST_ADMIN_TOKEN\" http://127.0.0.1:7301";

/// A section of the guide.
pub fn text_of_the_guide(section: &str) -> String {
    let guide = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/how-to/extend.md")).unwrap();
    let (_, rest) = guide.split_once(&format!("\n## {section}\n")).unwrap();
    rest.split_once("\n## ").map_or(rest, |(text, _)| text).to_owned()
}

/// The command lines in a section of the guide.
fn commands(section: &str) -> Vec<String> {
    let text = text_of_the_guide(section);
    let blocks = text.split("```sh\n").skip(1).map(|block| block.split_once("```").unwrap().0);
    blocks.flat_map(str::lines).map(str::to_owned).collect()
}

#[test]
fn the_commands_of_the_guide_join_a_shop() {
    let servers = Servers::start();
    let folder = tempfile::tempdir().unwrap();
    let (mut exported, mut shop, mut process) = (BTreeSet::new(), None::<Up>, None);
    let port = free_port();
    for line in commands("A consumer outside") {
        if let Some(export) = line.strip_prefix("export ") {
            exported.insert(export.split_once('=').unwrap().0.to_owned());
        } else if line == "cargo run -- up --demo" {
            shop = Some(up(&servers, folder.path()));
        } else if let Some(arguments) = line.strip_prefix(LOYALTY) {
            let arguments: Vec<&str> = arguments.split(' ').collect();
            let mut command = servers.loyalty(&shop.as_ref().expect("there is a shop to join").url, &arguments);
            command.env("TRADEPOST_PORT", port.to_string());
            if arguments[0] == "serve" {
                let started = Process::spawn(command);
                started.says("ready ");
                process = Some(started);
            } else {
                let (code, said) = run(command);
                assert_eq!(code, Some(0), "{line}: {said}");
            }
        } else if let Some(path) = line.strip_prefix(CURL) {
            assert!(process.is_some(), "nobody serves {path}");
            until_there_are_points(&format!("http://127.0.0.1:{port}{path}"));
        } else {
            panic!("the guide has a command that this test does not know: {line}");
        }
    }
    let needed = ["TRADEPOST_ADMIN_TOKEN", "TRADEPOST_BROKER", "TRADEPOST_STORE"];
    assert!(exported.iter().eq(needed), "{exported:?}");
    drop(process);
    shop.unwrap().stop();
}

/// A shop that runs in this process, as `tradepost up --demo`.
struct Up {
    url: String,
    thread: JoinHandle<()>,
}

impl Up {
    /// Asks it to stop, as a service manager asks a process: only the shop listens for the signal.
    fn stop(self) {
        let id = std::process::id().to_string();
        let asked = Command::new("sh").args(["-c", "kill -TERM \"$0\"", &id]).status().unwrap();
        assert!(asked.success());
        self.thread.join().unwrap();
    }
}

/// Starts it and waits until it serves.
fn up(servers: &Servers, folder: &Path) -> Up {
    let (port, file, token) = (free_port(), folder.join("tradepost.toml"), folder.join("token"));
    fs::write(&token, ADMIN_TOKEN).unwrap();
    let token = token.display().to_string();
    fs::write(&file, format!("admin_token_file = {token:?}\nlog = \"error\"\nshards = {SHARDS}\n")).unwrap();
    let flags = Flags {
        data_dir: Some(folder.join("data").display().to_string()),
        store: Some(servers.database.url()),
        broker: Some(servers.vhost.url()),
        port: Some(port.to_string()),
        contracts: None,
        listen: None,
    };
    let settings = config::load(&Shop::tradepost(), &flags, Some(&file), &Environment::default()).unwrap().settings;
    let scope = Scope::Whole { data: settings.data_dir.clone() };
    let options = RunOptions { scope, demo: true, missing_stores: MissingStores::Refuse };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let thread = std::thread::spawn(move || runtime.block_on(app::run(Shop::tradepost(), settings, options)).unwrap());
    let url = format!("http://127.0.0.1:{port}");
    until("the shop listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    // Who connects before it serves waits for it.
    assert_eq!(ask("GET", &format!("{url}/readyz"), &Value::Null).0, 200);
    Up { url, thread }
}

/// Waits for the points of both customers of the demo, whose orders are made after its start: one got all money back.
fn until_there_are_points(url: &str) {
    until("customers of the demo have points", || {
        let (status, answer) = ask("GET", url, &Value::Null);
        assert_eq!(status, 200, "{answer}");
        let points = answer["items"].as_array().unwrap().iter().map(|it| it["points"].as_i64().unwrap());
        let (some, none): (Vec<i64>, Vec<i64>) = points.partition(|points| *points > 0);
        (some.len(), none) == (1, vec![0])
    });
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "it never came to pass that {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
