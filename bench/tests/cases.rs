//! Every case still measures something, with a part of its work: what a number means is for `cargo xtask bench`.

use std::process::Command;

use serde_json::Value;

fn measure(arguments: &[&str]) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_tradepost-bench")).args(arguments).output().expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    let result: Value = serde_json::from_slice(&output.stdout).expect("it prints JSON");
    assert!(result["per_s"].as_f64().is_some_and(|rate| rate > 0.0), "{result}");
}

#[test]
fn a_bare_client() {
    measure(&["bare", "--with-headers", "--part-of", "20"]);
}

#[test]
fn the_relay() {
    measure(&["relay", "--part-of", "20"]);
}

#[test]
fn from_the_commit_to_the_effect() {
    measure(&["events", "--part-of", "10"]);
    measure(&["paced", "--part-of", "10"]);
}

#[test]
fn a_backlog() {
    measure(&["backlog", "--part-of", "20"]);
}

#[test]
fn lanes() {
    measure(&["lanes", "--part-of", "10"]);
    measure(&["lanes", "--in-outbox", "--part-of", "4"]);
}

#[test]
fn instances() {
    measure(&["instances", "2", "--part-of", "5"]);
}
