//! Foreign tools: a validator and clients that are used as they were made read the API's description, and libraries of
//! receivers verify webhooks.
//!
//! `docs/openapi.json` is what they read; `generated.rs` holds it to the code.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod contracts;
mod dashboard;

use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use test_servers::packages::{Packages, run};

const ADMIN_TOKEN: &str = "an-admin-token-for-tests-only-0123456789";

/// The packages in the versions that `tools/` names. `cargo xtask test` has installed them already.
fn packages() -> Packages {
    Packages::find_or_install(&here().join("tools"), &root().join("target/client-tools"))
        .unwrap_or_else(|error| panic!("the tools that read the description can't be installed: {error}"))
}

#[test]
fn the_description_is_valid() {
    succeed(
        packages().python().args(["-m", "openapi_spec_validator", "--validation-errors", "all"]).arg(description()),
    );
}

#[test]
fn the_descriptions_of_events_are_valid() {
    let (packages, work) = (packages(), tempfile::tempdir().unwrap());
    symlink(packages.node_modules(), work.path().join("node_modules")).unwrap();
    let script = work.path().join("check_asyncapi.mjs");
    std::fs::copy(here().join("check_asyncapi.mjs"), &script).unwrap();
    let contracts = std::fs::read_dir(root().join("docs/asyncapi")).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<PathBuf> = contracts.chain([root().join("docs/asyncapi.json")]).collect();
    let printed = succeed(Command::new("node").arg(script).args(&files));
    assert_eq!(printed.lines().count(), files.len(), "{printed}");
}

#[test]
fn a_client_made_for_python_places_an_order() {
    let (packages, work) = (packages(), tempfile::tempdir().unwrap());
    let mut generate = packages.python();
    generate.args(["-m", "openapi_python_client", "generate", "--meta", "none", "--fail-on-warning", "--config"]);
    generate.arg(here().join("tools/client.yml")).arg("--path").arg(description());
    succeed(generate.args(["--output-path", "tradepost_client"]).current_dir(work.path()));

    let shop = Shop::start();
    std::fs::copy(here().join("place_order.py"), work.path().join("place_order.py")).unwrap();
    let printed = succeed(shop.known_to(packages.python().arg("place_order.py")).current_dir(work.path()));
    assert!(printed.starts_with("order "), "{printed}");
}

#[test]
fn a_client_made_for_typescript_places_an_order() {
    let (packages, work) = (packages(), tempfile::tempdir().unwrap());
    symlink(packages.node_modules(), work.path().join("node_modules")).unwrap();
    for (from, to) in [("place_order.ts", "place_order.ts"), ("tools/package.json", "package.json")] {
        std::fs::copy(here().join(from), work.path().join(to)).unwrap();
    }
    let mut generate = packages.node_program("openapi-typescript");
    succeed(generate.arg(description()).args(["--output", "schema.d.ts"]).current_dir(work.path()));
    let mut compile = packages.node_program("tsc");
    compile.args(["--strict", "--skipLibCheck", "--target", "es2022", "--module", "esnext"]);
    succeed(compile.args(["--moduleResolution", "bundler", "place_order.ts"]).current_dir(work.path()));

    let shop = Shop::start();
    let printed = succeed(shop.known_to(Command::new("node").arg("place_order.js")).current_dir(work.path()));
    assert!(printed.starts_with("order "), "{printed}");
}

#[test]
fn the_official_library_for_python_verifies_webhooks() {
    let shop = Shop::start();
    let printed = succeed(shop.known_to(packages().python().arg(here().join("receive_webhook.py"))));
    assert!(printed.starts_with("verified "), "{printed}");
}

#[test]
fn the_official_library_for_javascript_verifies_webhooks() {
    let (packages, work) = (packages(), tempfile::tempdir().unwrap());
    symlink(packages.node_modules(), work.path().join("node_modules")).unwrap();
    std::fs::copy(here().join("receive_webhook.mjs"), work.path().join("receive_webhook.mjs")).unwrap();
    let shop = Shop::start();
    let printed = succeed(shop.known_to(Command::new("node").arg("receive_webhook.mjs")).current_dir(work.path()));
    assert!(printed.starts_with("verified "), "{printed}");
}

/// A demo shop in a process of its own, ended with the test.
struct Shop {
    process: Child,
    url: String,
    folder: Option<tempfile::TempDir>,
}

impl Shop {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::start_in(folder.path()).keeping(folder)
    }

    /// The same, in a folder that may have one already.
    fn start_in(folder: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tradepost"));
        command.args(["up", "--demo", "--port", "0"]).env_remove("TRADEPOST_BLESS");
        command.current_dir(folder).stdin(Stdio::null());
        // Receivers of webhooks are on this machine.
        command.env("TRADEPOST_WEBHOOKS_ALLOW_LOOPBACK", "true");
        let mut process = command.env("TRADEPOST_ADMIN_TOKEN", ADMIN_TOKEN).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
        let url = lines.find_map(|line| Some(line.split_once("ready ")?.1.trim().to_owned()));
        // What it logs is read on, or a full pipe would hold it up.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, url: url.expect("a shop says when it is ready"), folder: None }
    }

    /// The same; the folder goes with it.
    fn keeping(self, folder: tempfile::TempDir) -> Self {
        let mut shop = self;
        shop.folder = Some(folder);
        shop
    }

    fn url(&self) -> &str {
        &self.url
    }

    /// The id of an order that the demo's stock was too small for.
    fn rejected_order(&self) -> String {
        let mut list = Command::new(env!("CARGO_BIN_EXE_tradepost"));
        list.args(["orders", "list", "--status", "rejected", "--json"]).env("TRADEPOST_URL", &self.url);
        let printed = succeed(list.env("TRADEPOST_ADMIN_TOKEN", ADMIN_TOKEN));
        let listed: serde_json::Value = serde_json::from_str(&printed).unwrap();
        listed["items"][0]["order_id"].as_str().unwrap().to_owned()
    }

    fn known_to<'a>(&self, client: &'a mut Command) -> &'a mut Command {
        client.env("SHOP_URL", &self.url).env("SHOP_ADMIN_TOKEN", ADMIN_TOKEN)
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[track_caller]
fn succeed(command: &mut Command) -> String {
    run(command).unwrap_or_else(|error| panic!("{error}"))
}

fn description() -> PathBuf {
    root().join("docs/openapi.json")
}

fn here() -> PathBuf {
    root().join("server/tests/clients")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("server is a folder of the repository")
}
