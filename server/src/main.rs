//! `tradepost`: the shop in one process, and the commands that look at it.

use std::process::ExitCode;

use server::shop::Shop;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    server::main(&Shop::tradepost())
}
