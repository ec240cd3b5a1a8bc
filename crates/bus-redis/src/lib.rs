//! The broker port on Redis Streams (Redis 6.2 or newer, or Valkey; no cluster).
//!
//! [`Redis`] is the broker. Each consumer has a stream for each lane and shard, from which an entry is removed when it is
//! settled. Each lane has a connection to publish and one to receive, and each subscription one on which it waits.
//! [`Redis::declare`] makes streams and routes; [`Redis::check`] reports a defect in one line; [`Durability`] says what
//! the server's settings promise.
//!
//! Not here: retries, dead letters, and which event has left. Those are in the stores of emitter and consumer.
//!
//! Start with `broker.rs`; `layout.rs` says which keys there are, `lua/` what is done with them, `wire.rs` what a message
//! looks like in a stream.
//!
//! **Invariant:** a publish is stored only if Redis answered that all streams have it, and then all have it or none.
//!
//! **Invariant:** one subscription holds a stream. What it takes, it takes only while it holds it, and whoever holds the
//! stream next receives everything that is not settled first.
//!
//! **Invariant:** every call of the broker has a deadline, and no queue between here and there is without a bound.
//!
//! **Invariant:** foreign entries break nothing: what is no message of Tradepost is delivered with its defect.
//!
//! **Invariant:** no password is ever printed.

mod adapter;
mod address;
mod broker;
mod connection;
mod error;
mod layout;
mod leases;
mod preflight;
mod publisher;
mod reader;
mod reconnecting;
mod scripts;
mod server_info;
mod shared;
mod subscription;
mod wire;

pub use adapter::Adapter;
pub use broker::{Options, Redis};
pub use error::{ConfigError, ReachError, Unusable};
pub use server_info::{Durability, ServerInfo};
