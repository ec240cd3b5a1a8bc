//! `cargo xtask test`: every check there is.

use std::process::{Command, ExitCode};

use anyhow::Result;

use test_servers::{Options, POSTGRES_VARIABLE, RABBITMQ_VARIABLE, RabbitMq};

use crate::step::{self, cargo};
use crate::{check, runner, servers};

/// The tests that are there only with TLS.
const TLS_TESTS: &str = "encrypted::";

/// Every check: formatting, lints, doc tests, tests.
///
/// Needs a Rust toolchain, PostgreSQL, RabbitMQ and promtool, which it installs where apt-get may; cargo-nextest is
/// used if it is installed.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Passed to the test runner: run only the tests whose names contain one of these.
    #[arg(last = true)]
    filters: Vec<String>,
}

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    servers::find_or_install()?;
    check::steps()?;
    step::run(
        "doc tests",
        cargo(&["test", "--workspace", "--doc", "--quiet"]),
        "an example in a doc comment no longer compiles or no longer holds",
    )?;
    // One server of each kind for all tests that only want a place of their own on it: they end with this process.
    let (postgres, rabbitmq) = (Options::shared().start()?, RabbitMq::try_start()?);
    let with_servers = |mut tests: Command| {
        tests.env(POSTGRES_VARIABLE, postgres.url("postgres")).env(RABBITMQ_VARIABLE, rabbitmq.shared());
        tests
    };
    if args.filters.is_empty() {
        step::run(
            "tests of TLS for RabbitMQ",
            with_servers(runner::tests(
                &["--package", check::RABBITMQ, "--features", check::RABBITMQ_TLS],
                &[TLS_TESTS],
            )),
            "see above",
        )?;
    }
    // Last, for CI reads the result from the runner's closing lines.
    step::run_last("tests", with_servers(runner::tests(&["--workspace"], &args.filters)))
}
