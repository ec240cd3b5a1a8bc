//! `loyalty`: joins a running shop with one more service.

use std::process::ExitCode;

fn main() -> ExitCode {
    server::main(&tradepost_loyalty::shop())
}
