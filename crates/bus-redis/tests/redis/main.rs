//! The adapter against real servers, each private to these tests, in good times and in bad ones.

mod checks;
#[cfg(feature = "tls")]
mod encrypted;
mod foreign_entries;
mod outages;
mod publishing;
mod streams;
mod suite;
mod support;
mod taking_over;
