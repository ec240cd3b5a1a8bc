//! Every command line that a file has is one that the binary takes.

use std::process::Command;

use serde_json::Value;

use crate::files::{self, compose_services, kubernetes, strings};

/// The place of each command line, and its words after `tradepost`.
fn command_lines() -> Vec<(String, Vec<String>)> {
    let mut lines = Vec::new();
    for (name, service) in compose_services() {
        if service["image"] == "tradepost:local" {
            lines.push((format!("compose.yaml, {name}"), strings(&service["command"])));
        }
    }
    for kind in ["Deployment", "Job"] {
        for workload in kubernetes(kind) {
            let container = &workload["spec"]["template"]["spec"]["containers"][0];
            if container["name"] == "tradepost" {
                lines.push((
                    format!("Kubernetes, {kind} {}", workload["metadata"]["name"]),
                    strings(&container["args"]),
                ));
            }
        }
    }
    let dockerfile = files::text("Dockerfile");
    for line in dockerfile.lines().filter(|line| line.contains("CMD [")) {
        let words: Value = serde_json::from_str(&line[line.find('[').unwrap()..]).unwrap();
        let words = strings(&words).into_iter().skip_while(|word| word == "tradepost").collect();
        lines.push((format!("Dockerfile, {line}"), words));
    }
    for file in files::all().into_iter().filter(|file| file.starts_with("docs/")) {
        lines.extend(of_guide(&files::text(&file)).into_iter().map(|words| (file.clone(), words)));
    }
    lines
}

/// The commands in the fenced blocks of a guide.
fn of_guide(text: &str) -> Vec<Vec<String>> {
    let blocks = text.split("```").skip(1).step_by(2);
    let commands = blocks.flat_map(str::lines).filter_map(|line| line.trim_start().strip_prefix("tradepost "));
    commands
        .map(|command| {
            let words = command.split_whitespace().take_while(|word| !word.starts_with('#'));
            words.map(|word| for_placeholder(word).to_owned()).collect()
        })
        .collect()
}

/// A value where a guide leaves one to its reader.
fn for_placeholder(word: &str) -> &str {
    match word {
        "ID" => "019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d",
        "SERVICE" => "orders",
        word => word,
    }
}

#[test]
fn every_command_line_is_one_that_the_binary_takes() {
    let lines = command_lines();
    assert!(lines.len() > 15, "they are found: {lines:?}");
    let mut refused = Vec::new();
    for (place, words) in lines {
        // What stands before `--help` is read as it would be without it.
        let mut command = Command::new(env!("CARGO_BIN_EXE_tradepost"));
        let output = command.args(&words).arg("--help").output().unwrap();
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            refused.push(format!(
                "{place}: tradepost {}: {}",
                words.join(" "),
                said.lines().next().unwrap_or_default()
            ));
        }
    }
    assert!(refused.is_empty(), "the binary refuses:\n{}", refused.join("\n"));
}

/// Cargo reads the manifests of all members, also of those that the image does not need.
#[test]
fn the_image_is_built_from_all_that_the_workspace_has() {
    let (workspace, ignored) = (files::text("Cargo.toml"), files::text(".dockerignore"));
    let members = workspace.split_once("members = [").unwrap().1.split_once(']').unwrap().0;
    let folders = members.split('"').skip(1).step_by(2).map(|member| member.split('/').next().unwrap());
    let sent: Vec<&str> = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect();
    let missing: Vec<&str> = folders.chain(["Cargo.toml", "Cargo.lock"]).filter(|it| !sent.contains(it)).collect();
    assert!(missing.is_empty(), ".dockerignore keeps {missing:?} out");
}
