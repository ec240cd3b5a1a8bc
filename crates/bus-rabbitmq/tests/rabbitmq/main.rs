//! The adapter against real brokers, each private to these tests, in good times and in bad ones.

mod checks;
#[cfg(feature = "tls")]
mod encrypted;
mod late;
mod outages;
mod publishing;
mod strangers;
mod suite;
mod support;
mod topology;
