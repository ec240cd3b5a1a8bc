//! `cargo xtask soak`: the tests whose long forms take too long for each change.

use std::process::ExitCode;

use anyhow::Result;

use crate::check::EVERYTHING;
use crate::servers::SharedServers;
use crate::{runner, servers, step};

/// The variable by which tests know that they run in their long forms.
const SOAK: &str = "TRADEPOST_SOAK";

/// The test binaries that have long forms.
const LONG: [&str; 7] = [
    "--test=crash",
    "--test=cases",
    "--test=new_service",
    "--test=storage",
    "--test=rabbitmq",
    "--test=redis",
    "--test=shop",
];

/// The long forms of tests, for hours if asked.
///
/// The same tests as in `cargo xtask test`, with more rounds of kills (20, or TRADEPOST_CRASH_ROUNDS), every kind of hit
/// on every service, outages of minutes instead of seconds, a cut at every byte, all cases of the benchmark, all tests of
/// the services that `cargo xtask new-service` writes, and flows of the shop on RabbitMQ too.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    filters: runner::Filters,
}

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    servers::find_or_install()?;
    let servers = SharedServers::start()?;
    let mut tests = runner::tests(&[&EVERYTHING[..], &LONG].concat(), &args.filters.names);
    // Its own limit on the time of a test: `.config/nextest.toml`.
    tests.env(SOAK, "1").env("NEXTEST_PROFILE", "soak");
    step::run_last("soak", servers.used_by(tests))
}
