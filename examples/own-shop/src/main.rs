//! `own-shop`: the same commands as `tradepost`, for a shop with one more service.

use std::process::ExitCode;

fn main() -> ExitCode {
    server::main(&tradepost_own_shop::shop())
}
