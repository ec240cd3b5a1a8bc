//! `cargo xtask test`: every check there is.

use std::process::ExitCode;

use anyhow::Result;

use crate::step::{self, cargo};
use crate::{check, runner};

/// Every check: formatting, lints, doc tests, tests.
///
/// Needs nothing but a Rust toolchain; cargo-nextest is used if it is installed.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Passed to the test runner: run only the tests whose names contain one of these.
    #[arg(last = true)]
    filters: Vec<String>,
}

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    check::steps()?;
    step::run(
        "doc tests",
        cargo(&["test", "--workspace", "--doc", "--quiet"]),
        "an example in a doc comment no longer compiles or no longer holds",
    )?;
    // Last, for CI reads the result from the runner's closing lines.
    step::run_last("tests", runner::tests(&args.filters))
}
