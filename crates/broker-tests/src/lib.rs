//! Tests of a broker's adapter that need its server to fail, the same for every broker.
//!
//! The conformance suite (`bus::conformance`) asks what a broker does while it is there; [`outages`] asks what its adapter
//! does when the server comes late, is killed or held, or when a connection is cut. [`steps`] are the steps of these tests
//! and of those that only one adapter has.
//!
//! Not here: anything that one server does alone, such as an alarm or a full memory.
//!
//! **Invariant:** nothing here names a broker but the servers in `server.rs`.

pub mod outages;
mod server;
pub mod steps;

pub use server::Server;
