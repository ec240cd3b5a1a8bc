//! The test runner: cargo-nextest if it is installed, `cargo test` otherwise.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use crate::step::cargo;

/// Runs the tests of some packages, those that match a filter if there is one. Doc tests are not among them.
pub(crate) fn tests(of: &[&str], filters: &[impl AsRef<OsStr>]) -> Command {
    let mut command = if nextest_is_installed() {
        cargo(&[&["nextest", "run"], of].concat())
    } else {
        cargo(&[&["test", "--lib", "--bins", "--tests", "--no-fail-fast"], of, &["--"]].concat())
    };
    command.args(filters);
    command
}

fn nextest_is_installed() -> bool {
    let asked = cargo(&["nextest", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}
