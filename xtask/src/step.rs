//! One step of a command: a heading, what a program prints, the time it took.

use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

/// The beginnings of the variables with which cargo describes to a program the package that it is of.
const OF_THIS_PACKAGE: [&str; 2] = ["CARGO_PKG_", "CARGO_MANIFEST_"];

/// A call of cargo that never waits for someone to type.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.args(args).stdin(Stdio::null());
    // The build of ring looks at them: those of `cargo xtask` would have it built anew, and all that depends on it, after
    // each call of cargo by hand.
    for (name, _) in std::env::vars_os() {
        if OF_THIS_PACKAGE.iter().any(|prefix| name.as_encoded_bytes().starts_with(prefix.as_bytes())) {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// Runs it to its end; `remedy` is the advice for a developer when it fails.
pub(crate) fn run(name: &str, command: Command, remedy: &str) -> Result<()> {
    let line = announce(name, &command);
    let began = Instant::now();
    let passed = status(command, &line)?.success();
    ensure!(passed, "{name} failed: {remedy}");
    eprintln!("    {name}: passed in {:.1} s", began.elapsed().as_secs_f64());
    Ok(())
}

/// Runs it to its end and answers with its verdict. Prints nothing afterwards: the program's closing lines stay last.
pub(crate) fn run_last(name: &str, command: Command) -> Result<ExitCode> {
    let line = announce(name, &command);
    Ok(if status(command, &line)?.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn announce(name: &str, command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    eprintln!("==> {name}: {line}");
    line
}

fn status(mut command: Command, line: &str) -> Result<ExitStatus> {
    command.status().with_context(|| format!("`{line}` did not start: is its program installed and on PATH?"))
}
