//! The process: the services that run, the broker that carries their events, the settings, the command line.
//!
//! [`shop::Shop`] is the list of services and brokers, `app` starts and stops them, `config` reads the settings, and
//! [`main`] is the whole program for a shop, also for one with a service of your own:
//!
//! ```no_run
//! # fn reviews() -> service::Service { unimplemented!() }
//! fn main() -> std::process::ExitCode {
//!     server::main(&server::shop::Shop::tradepost().service(7099, |_| reviews()))
//! }
//! ```
//!
//! Not here: business.

// The command line names this crate as any program would.
extern crate self as server;

pub mod app;
mod cli;
pub mod config;
mod program;
pub mod shop;

pub use program::main;
