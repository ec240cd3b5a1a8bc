//! The broker port on RabbitMQ (3.10 or newer).
//!
//! [`RabbitMq`] is the broker: four connections that are made again when they break. Each lane has one to publish and one
//! to receive, for a broker reads a connection in its order, and one whose memory or disk is full holds up everything on a
//! connection that has published.
//! [`RabbitMq::declare`] makes exchange, queues and bindings; [`RabbitMq::check`] reports a defect in one line.
//!
//! Not here: retries, dead letters, and which event has left. Those are in the stores of emitter and consumer.
//!
//! Start with `broker.rs`; `layout.rs` says which queues there are, `wire.rs` what a message looks like on them.
//!
//! **Invariant:** a publish is stored only if the broker confirmed it, and returned it only if no consumer always
//! receives its type.
//!
//! **Invariant:** every call of the broker has a deadline, and no queue between here and there is without a bound.
//!
//! **Invariant:** foreign messages break nothing: what is no message of Tradepost is delivered with its defect.
//!
//! **Invariant:** no password is ever printed.

mod adapter;
mod address;
mod broker;
mod declare;
mod earlier;
mod error;
mod greeting;
mod layout;
mod preflight;
mod publisher;
mod reconnecting;
mod subscription;
mod wire;

pub use adapter::Adapter;
pub use broker::{Options, RabbitMq};
pub use error::{ConfigError, ReachError, Unusable};
pub use preflight::ServerInfo;
