//! The program that a shop is: its command line, run to the end.

use std::process::ExitCode;

use crate::cli::{self, Failure};
use crate::config::Environment;
use crate::shop::Shop;

/// Does what the command line of this process asks for, for a shop.
pub fn main(shop: &Shop) -> ExitCode {
    let cli = match cli::parse(shop) {
        Ok(cli) => cli,
        Err(ended) => return ended,
    };
    rustls::crypto::ring::default_provider()
        .install_default()
        .expect("nothing else has installed a provider before main");
    let environment = Environment::of_process();
    let form = cli.form(&environment);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return Failure::failed(format!("the threads can't be started: {error}")).report(form),
    };
    match runtime.block_on(cli.run(shop, &environment)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(form),
    }
}
