//! The kit on real files: what a commit promises, and what is left after each way in which it can be cut short.

#![cfg(test)]

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
