//! `tradepost`: the shop in one process, and the commands that look at it.

mod cli;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Failure};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .expect("nothing else has installed a provider before main");
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return Failure::failed(format!("the threads can't be started: {error}")).report(false),
    };
    let environment = server::config::Environment::of_process();
    let is_styled = cli::styled_stderr(&environment);
    match runtime.block_on(cli.run(&environment)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(is_styled),
    }
}
