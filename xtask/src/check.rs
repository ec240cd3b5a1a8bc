//! `cargo xtask check`: what needs no test run.

use std::process::ExitCode;

use anyhow::Result;

use crate::step::{self, cargo};

/// The adapter for RabbitMQ.
pub(crate) const RABBITMQ: &str = "tradepost-bus-rabbitmq";

/// What [`RABBITMQ`] leaves out unless it is asked for.
pub(crate) const RABBITMQ_TLS: &str = "tradepost-bus-rabbitmq/tls";

/// Formatting and lints.
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(Args {}: Args) -> Result<ExitCode> {
    steps()?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn steps() -> Result<()> {
    step::run("formatting", cargo(&["fmt", "--all", "--check"]), "run `cargo fmt --all`")?;
    lints("lints", &["--workspace"])?;
    lints("lints with TLS for RabbitMQ", &["--package", "tradepost", "--package", RABBITMQ, "--features", RABBITMQ_TLS])
}

fn lints(name: &str, of: &[&str]) -> Result<()> {
    step::run(
        name,
        cargo(&[&["clippy", "--all-targets"], of, &["--", "-D", "warnings"]].concat()),
        "mend what is reported above (`cargo clippy --fix` mends some), \
         or say #[expect(…, reason = \"…\")] where the lint is wrong",
    )
}
