//! `cargo xtask check`: what needs no test run.

use std::process::ExitCode;

use anyhow::Result;

use crate::step::{self, cargo};

/// Formatting and lints.
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(Args {}: Args) -> Result<ExitCode> {
    steps()?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn steps() -> Result<()> {
    step::run("formatting", cargo(&["fmt", "--all", "--check"]), "run `cargo fmt --all`")?;
    step::run(
        "lints",
        cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
        "mend what is reported above (`cargo clippy --fix` mends some), \
         or say #[expect(…, reason = \"…\")] where the lint is wrong",
    )
}
