//! The kit on real files: what a commit promises, and what is left after each way in which it can be cut short.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[macro_use]
mod store_location;

mod accounts;
mod additions;
mod backlog;
mod commits;
mod durability;
mod held;
mod lost_connections;
mod many_rows;
mod opening;
mod outbox;
mod shards;
mod snapshots;
mod support;
mod timers;
