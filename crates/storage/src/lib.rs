//! The storage kit: writes are data.
//!
//! A service describes a write as a [`Batch`]: statements, guards, events, timers. Only [`Db::commit`] executes it,
//! together with the rows of its [`Cause`](kernel::Cause), in one transaction; waiting batches share one.
//! Reads are [`Db::query`].
//!
//! Not here: an ORM, a query builder, transactions that are handed around, brokers, HTTP.
//!
//! Two engines run the same batches: SQLite, one file for each service, and PostgreSQL, one schema for each.
//!
//! Start with [`Batch`], then [`statements!`], then `sqlite::writer` and `postgres::group` for how a commit runs.
//!
//! **Invariants**
//! - No event without its change, no change without its cause's row: they share a transaction.
//! - A row that exists changes only under the version that was read ([`Change`]), by a newer fact ([`Upsert`]), or by a sum
//!   that grows ([`Add`]).
//! - A commit that was answered `Ok` is on the disk.
//! - Nothing in SQL makes a time, an id or a random number.

mod addition;
mod batch;
mod commit;
mod db;
mod envelope;
mod error;
mod kit;
mod lifecycle;
mod migrate;
mod postgres;
mod rebuild;
mod row;
mod sqlite;
mod statement;
mod tokens;
mod value;
mod wake_ups;

pub mod accounts;
pub mod archive;
pub mod backlog;
pub mod bindings;
pub mod decisions;
pub mod held;
pub mod idempotency;
pub mod inbox;
pub mod outbox;
pub mod published_keys;
pub mod shards;
pub mod subscriptions;
pub mod timers;

pub use addition::Add;
pub use batch::Batch;
pub use db::{Committed, Db, Location, Options};
pub use error::Error;
pub use migrate::{KIT, Migration, Migrations, kit_version};
pub use postgres::{BadUrl, Inspection, Server, Turn};
pub use rebuild::Rebuild;
pub use row::Row;
pub use sqlite::Snapshots;
#[cfg(feature = "test-support")]
pub use sqlite::load_dump;
pub use statement::{Change, Claim, Column, Insert, Query, Registered, Upsert};
pub use value::{Found, FromValue, Type, Value};
pub use wake_ups::TimerWakeUp;
