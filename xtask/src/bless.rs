//! `cargo xtask bless`: writes generated files anew.

use std::process::ExitCode;

use anyhow::Result;

use crate::check::EVERYTHING;
use crate::{runner, step};

/// The part of a test's name that marks it as verifying a generated file.
const TEST_NAME_PART: &str = "up_to_date";

/// Writes every generated file anew: catalogue, API description, and the parts of the deployment files and documents
/// that repeat the services.
///
/// A generated file is checked in, and a test holds it to the code it comes from.
/// Such a test has `up_to_date` in its name, and when TRADEPOST_BLESS is 1 in its environment,
/// it writes the file instead of comparing it.
/// This command runs those tests so; `git diff` then shows what changed.
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(Args {}: Args) -> Result<ExitCode> {
    let mut tests = runner::tests(&EVERYTHING, &[TEST_NAME_PART]);
    tests.env("TRADEPOST_BLESS", "1");
    step::run_last("bless", tests)
}
