//! `cargo xtask test`: every check there is.

use std::process::ExitCode;

use anyhow::Result;

use crate::check::EVERYTHING;
use crate::servers::SharedServers;
use crate::step::{self, cargo};
use crate::{check, runner, servers};

/// Every check: formatting, lints, doc tests, tests.
///
/// Needs a Rust toolchain, PostgreSQL, RabbitMQ and promtool, which it installs where apt-get may; cargo-nextest is
/// used if it is installed. The long forms of some tests are in `cargo xtask soak`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    filters: runner::Filters,
}

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    servers::find_or_install()?;
    check::steps()?;
    step::run(
        "doc tests",
        cargo(&[&["test"], &EVERYTHING[..], &["--doc", "--quiet"]].concat()),
        "an example in a doc comment no longer compiles or no longer holds",
    )?;
    let servers = SharedServers::start()?;
    // Last, for CI reads the result from the runner's closing lines.
    step::run_last("tests", servers.used_by(runner::tests(&EVERYTHING, &args.filters.names)))
}
