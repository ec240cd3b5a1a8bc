//! The test runner: cargo-nextest if it is installed, `cargo test` otherwise.

use std::ffi::OsStr;
use std::num::NonZero;
use std::process::{Command, Stdio};
use std::thread::available_parallelism;

use crate::step::cargo;

/// Tests beyond the number of cores that run at once: most tests wait for servers and processes now and then, and those
/// of the group `waiting` (`.config/nextest.toml`) most of the time.
const MORE_THAN_CORES: usize = 5;

/// The choice of tests.
#[derive(clap::Args)]
pub(crate) struct Filters {
    /// Passed to the test runner: run only the tests whose names contain one of these.
    #[arg(last = true)]
    pub names: Vec<String>,
}

/// Runs the tests of some packages, those that match a filter if there is one. Doc tests are not among them.
pub(crate) fn tests(of: &[&str], filters: &[impl AsRef<OsStr>]) -> Command {
    let mut command = if nextest_is_installed() {
        let threads = available_parallelism().map_or(1, NonZero::get) + MORE_THAN_CORES;
        cargo(&[&["nextest", "run", "--test-threads", &threads.to_string()], of].concat())
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
