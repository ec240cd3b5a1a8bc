//! Developer commands, so that one word runs the same thing here and in CI: `cargo xtask --help`.
//!
//! One file a command. The rules of the house are tests: see `tests/house/`.

mod bench;
mod bless;
mod check;
mod new_service;
mod runner;
mod screenshots;
mod servers;
mod soak;
mod step;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Developer commands of Tradepost.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Test(test::Args),
    Soak(soak::Args),
    Check(check::Args),
    Bless(bless::Args),
    Bench(bench::Args),
    NewService(new_service::Args),
    Screenshots(screenshots::Args),
}

fn main() -> ExitCode {
    let verdict = match Cli::parse().command {
        Command::Test(args) => test::run(args),
        Command::Soak(args) => soak::run(args),
        Command::Check(args) => check::run(args),
        Command::Bless(args) => bless::run(args),
        Command::Bench(args) => bench::run(args),
        Command::NewService(args) => new_service::run(args),
        Command::Screenshots(args) => screenshots::run(args),
    };
    // Not returned as an error: with RUST_BACKTRACE set, a backtrace would bury what to do.
    verdict.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
