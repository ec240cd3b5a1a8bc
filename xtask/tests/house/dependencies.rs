//! The rules of dependency.

use std::collections::HashSet;
use std::process::Command;

use serde_json::Value;

use crate::{hold, tree};

/// A member of the workspace.
pub struct Package {
    pub name: String,
    /// Its folder, from the root: `crates/kernel`.
    pub folder: String,
    /// Its dependencies: the name of the package, and its name in code.
    pub dependencies: Vec<(String, String)>,
}

/// Every member of the workspace. Dev-dependencies are left out: tests may use what they like.
pub fn packages() -> Vec<Package> {
    let mut cargo = Command::new("cargo");
    cargo.args(["metadata", "--format-version", "1", "--no-deps", "--offline"]).current_dir(tree::root());
    let output = cargo.output().expect("cargo is on PATH");
    assert!(output.status.success(), "cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let root = text(&metadata["workspace_root"]);
    list(&metadata["packages"]).iter().map(|package| read(package, root)).collect()
}

fn read(package: &Value, root: &str) -> Package {
    let manifest = text(&package["manifest_path"]).strip_prefix(root).expect("members lie below the root");
    let folder = manifest.trim_start_matches('/').trim_end_matches("/Cargo.toml").to_owned();
    let dependencies = list(&package["dependencies"]).iter().filter(|dependency| dependency["kind"] != "dev");
    let named = dependencies.map(|dependency| {
        let name = text(&dependency["name"]);
        (name.to_owned(), dependency["rename"].as_str().unwrap_or(name).replace('-', "_"))
    });
    Package { name: text(&package["name"]).to_owned(), folder, dependencies: named.collect() }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a string, by the format of cargo metadata")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list, by the format of cargo metadata")
}

/// The members of the workspace that a folder's package may be built from; `None` is any.
fn allowed(folder: &str) -> Option<&'static [&'static str]> {
    match folder {
        "crates/kernel" | "crates/test-servers" => Some(&[]),
        "xtask" => Some(&["tradepost-test-servers"]),
        "crates/events" | "crates/storage" | "crates/bus" => Some(&["tradepost-kernel"]),
        "crates/http" => Some(&["tradepost-kernel", "tradepost-storage"]),
        "crates/service" => {
            Some(&["tradepost-kernel", "tradepost-events", "tradepost-storage", "tradepost-bus", "tradepost-http"])
        }
        // The bench puts services together as the server does, and compares the adapter with its own client.
        "crates/testkit" | "server" | "bench" => None,
        "crates/storage-tests" | "crates/service-tests" => Some(&[]),
        "crates/broker-tests" => Some(&["tradepost-kernel", "tradepost-bus", "tradepost-test-servers"]),
        // Programs of users.
        _ if folder.starts_with("examples/") => None,
        _ if folder.starts_with("crates/bus-") => Some(&["tradepost-kernel", "tradepost-bus"]),
        _ if folder.starts_with("services/") || folder == tree::SAMPLE => {
            Some(&["tradepost-kernel", "tradepost-events", "tradepost-service"])
        }
        _ => panic!("{folder} is new: say in {} what its package may depend on", file!()),
    }
}

#[test]
fn dependencies_point_one_way() {
    let packages = packages();
    let members: HashSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let mut broken = Vec::new();
    for package in &packages {
        let Some(allowed) = allowed(&package.folder) else { continue };
        for (name, _) in &package.dependencies {
            if members.contains(name.as_str()) && !allowed.contains(&name.as_str()) {
                broken.push(format!("{}/Cargo.toml depends on {name}", package.folder));
            }
        }
    }
    hold(
        "kernel ← events ← bus ← bus-*; kernel ← storage ← http ← service; only `service` joins storage and bus; \
         a service sees kernel, events and service, never another service; only `server` and `bench` name adapters; \
         test-servers knows nothing of Tradepost.",
        &broken,
    );
}

#[test]
fn a_package_is_named_after_its_folder() {
    let misnamed = packages().into_iter().filter(|package| {
        let expected = match package.folder.as_str() {
            "server" => "tradepost".to_owned(),
            "xtask" => "xtask".to_owned(),
            folder => format!("tradepost-{}", folder.rsplit('/').next().unwrap_or(folder)),
        };
        package.name != expected
    });
    let broken: Vec<String> = misnamed.map(|package| format!("{}: {}", package.folder, package.name)).collect();
    hold("A folder's package is `tradepost-<folder>`, the binary's `tradepost`.", &broken);
}

#[test]
fn some_libraries_have_one_home() {
    let homes: [(&str, &[&str]); 7] = [
        ("anyhow", &["server", "xtask", "crates/testkit", "bench", "examples/redis-patterns"]),
        ("rusqlite", &["crates/storage"]),
        ("lapin", &["crates/bus-rabbitmq", "bench", "services/bridge"]),
        ("redis", &["crates/bus-redis", "bench", "services/bridge"]),
        ("opentelemetry", &["server"]),
        ("opentelemetry_sdk", &["server"]),
        ("opentelemetry-otlp", &["server"]),
    ];
    let mut broken = Vec::new();
    for package in packages() {
        for (library, homes) in homes {
            let uses_it = package.dependencies.iter().any(|(name, _)| name == library);
            if uses_it && !homes.contains(&package.folder.as_str()) {
                broken.push(format!("{}/Cargo.toml depends on {library}", package.folder));
            }
        }
    }
    hold(
        "Errors are typed outside `server`, `xtask`, `bench`, examples and tests (no anyhow); only the storage kit opens \
         databases, only its adapter speaks to a broker (and the bench, its baseline, and the bridge, to those of others), only `server` knows how \
         spans are sent.",
        &broken,
    );
}

#[test]
fn every_package_has_the_lints_of_the_workspace() {
    let inherits = "[lints]\nworkspace = true";
    let manifests = tree::files().into_iter().filter(|file| file.path.ends_with("/Cargo.toml"));
    let broken: Vec<String> = manifests.filter(|file| !file.text.contains(inherits)).map(|file| file.path).collect();
    hold("Each Cargo.toml says `[lints] workspace = true`, or no lint applies to the package.", &broken);
}

#[test]
fn examples_run_and_libraries_without_any_are_not_searched_for_them() {
    let files = tree::files();
    let is_example = |line: &str| line.trim_start().starts_with("/// ```") || line.trim_start().starts_with("//! ```");
    let mut broken = Vec::new();
    for Package { folder, .. } in packages() {
        let inside = |file: &&tree::File| file.path.starts_with(&format!("{folder}/src/")) && file.is_rust();
        let mut sources = files.iter().filter(inside);
        let is_library = files.iter().any(|file| file.path == format!("{folder}/src/lib.rs"));
        let has_examples = sources.any(|file| file.text.lines().any(is_example));
        let manifest = files.iter().find(|file| file.path == format!("{folder}/Cargo.toml"));
        let is_searched = manifest.is_some_and(|file| !file.text.contains("doctest = false"));
        if is_library && has_examples != is_searched {
            broken.push(format!("{folder}/Cargo.toml: examples {has_examples}, searched for them {is_searched}"));
        }
    }
    hold(
        "A library has `doctest = false` below `[lib]` if its documentation has no example, and only then: to search one \
         takes as long as to compile it.",
        &broken,
    );
}

#[test]
fn the_program_is_stripped() {
    let text = std::fs::read_to_string(tree::root().join("Cargo.toml")).expect("the workspace has a manifest");
    let manifest: toml::Table = text.parse().expect("Cargo reads it");
    let release = &manifest["profile"]["release"];
    let is_of_the_program = |package: &&String| package.split('@').next() == Some("tradepost");
    let packages = release.get("package").and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::keys);
    let mut broken: Vec<String> = packages.filter(is_of_the_program).cloned().collect();
    if release.get("strip").and_then(toml::Value::as_str) != Some("symbols") {
        broken.push("profile.release".to_owned());
    }
    hold(
        "`profile.release` has `strip = \"symbols\"`, and the program's package no profile of its own: Cargo leaves the \
         symbols in such a program, 10 MiB of them.",
        &broken,
    );
}
