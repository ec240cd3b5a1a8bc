//! `cargo xtask check`: what needs no test run.

use std::process::ExitCode;

use anyhow::Result;

use crate::step::{self, cargo};

/// The features that are tested: all, so with TLS for RabbitMQ and Redis, which the default build leaves out.
pub(crate) const EVERYTHING: [&str; 2] = ["--workspace", "--all-features"];

/// Formatting and lints.
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(Args {}: Args) -> Result<ExitCode> {
    steps()?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn steps() -> Result<()> {
    step::run("formatting", cargo(&["fmt", "--all", "--check"]), "run `cargo fmt --all`")?;
    lints("lints", &[&EVERYTHING[..], &["--all-targets"]].concat())?;
    // The program as `cargo build` makes it: the packages that know the features.
    lints(
        "lints of the default build",
        &["--package=tradepost", "--package=tradepost-bus-rabbitmq", "--package=tradepost-bus-redis"],
    )
}

fn lints(name: &str, of: &[&str]) -> Result<()> {
    step::run(
        name,
        cargo(&[&["clippy"], of, &["--", "-D", "warnings"]].concat()),
        "repair what is reported above (`cargo clippy --fix` repairs some), \
         or say #[expect(…, reason = \"…\")] where the lint is wrong",
    )
}
