//! The adapter against real brokers, each private to these tests, in good times and in bad ones.

mod checks;
mod earlier;
#[cfg(feature = "tls")]
mod encrypted;
mod foreign_messages;
mod on_demand;
mod outages;
mod publishing;
mod suite;
mod support;
mod topology;
