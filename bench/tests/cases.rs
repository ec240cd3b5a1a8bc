//! Every case still measures something, with a part of its work: what a number means is for `cargo xtask bench`.
//!
//! In the long form (`cargo xtask soak`) each is on servers of its own, as when it is measured, and has more work.

use std::process::Command;

use serde_json::Value;

/// Measures one part of so many of the work, in the short form or the long one.
fn measure(case: &[&str], (short, long): (u32, u32)) {
    let is_long = std::env::var_os("TRADEPOST_SOAK").is_some();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tradepost-bench"));
    command.args(case).arg("--part-of").arg(if is_long { long } else { short }.to_string());
    if !is_long {
        command.arg("--on-shared-servers");
    }
    let output = command.output().expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{case:?}: {said}");
    let result: Value = serde_json::from_slice(&output.stdout).expect("it prints JSON");
    assert!(result["per_s"].as_f64().is_some_and(|rate| rate > 0.0), "{result}");
}

#[test]
fn a_bare_client() {
    measure(&["bare", "--with-headers"], (100, 20));
    measure(&["bare", "--broker", "redis"], (100, 20));
}

#[test]
fn the_relay() {
    measure(&["relay"], (100, 20));
    measure(&["relay", "--broker", "redis"], (100, 20));
}

#[test]
fn from_the_commit_to_the_effect() {
    measure(&["events"], (20, 10));
    measure(&["paced"], (20, 10));
    measure(&["events", "--broker", "redis"], (20, 10));
}

#[test]
fn a_backlog() {
    measure(&["backlog"], (100, 20));
    measure(&["backlog", "--broker", "redis-everysec"], (100, 20));
}

#[test]
fn lanes() {
    measure(&["lanes"], (20, 10));
    measure(&["lanes", "--in-outbox"], (10, 4));
}

#[test]
fn bans() {
    measure(&["bans"], (50, 10));
    measure(&["bans", "--on-servers"], (50, 10));
}

#[test]
fn a_rebuild() {
    measure(&["rebuild"], (200, 20));
}

#[test]
fn webhooks() {
    measure(&["webhooks"], (50, 10));
    measure(&["webhooks", "--on-servers"], (50, 10));
    measure(&["beside-webhooks"], (100, 20));
}

#[test]
fn instances() {
    measure(&["instances", "2"], (10, 5));
}
