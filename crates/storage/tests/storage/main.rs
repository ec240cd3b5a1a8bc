//! The kit on real files: what a commit promises, and what is left after each way in which it can be cut short.

#![cfg(test)]

#[macro_use]
mod place;

mod backlog;
mod commits;
mod cuts;
mod durability;
mod held;
mod opening;
mod outbox;
mod shards;
mod snapshots;
mod support;
mod timers;
