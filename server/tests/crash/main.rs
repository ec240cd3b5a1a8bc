//! Crashes and starts of the process: `kill -9` under load, clients that hang up, stops, and starts that are refused.
//!
//! These tests run the binary itself, on loopback and a temporary folder. Start with `kills.rs`.
//! `books.rs` and `ends.rs` say what must be true afterwards, whatever happened.

mod archive;
mod backups;
mod books;
mod catch_up;
mod catch_up_embedded;
mod clerks;
mod client;
mod disks;
mod ends;
mod extent;
mod fleet;
mod foreign_messages;
mod fulfilment;
mod hang_ups;
mod instances;
mod journal;
mod kills;
mod least_rights;
mod load;
mod missing_stores;
#[path = "../shop/numbers.rs"]
mod numbers;
mod one_process;
mod outages;
mod process;
mod queues;
mod receiver;
mod redis_outages;
mod refusals;
mod rng;
mod selling;
mod severed_starts;
mod shop;
mod split;
mod split_outages;
mod stops;
mod supplies;
mod watch;
