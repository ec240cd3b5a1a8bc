//! The broker port, which carries events from one service to the others.
//!
//! [`Broker`] is the trait that a broker implements, [`Message`] an event in transit, and [`Embedded`] the broker that
//! needs no server. [`cloud_events`] writes and reads the attributes of a message, [`Adapter`] is one entry of the list
//! of brokers that a shop can use, [`remote`] what adapters of brokers on a server share, and [`conformance`] is the suite
//! that every broker must pass.
//!
//! Not here: storage, SQL, business, retries or dead letters. Those are in the stores of emitter and consumer.
//!
//! Start with [`Broker`] and [`Subscription`]; the cases of `conformance` state their promises as sentences.
//!
//! **Invariant:** only [`PublishResult::Stored`] means that an event has left. Everything else means: publish it again.
//!
//! **Invariant:** a body is never decoded or encoded here: its bytes arrive as they were sent.

mod adapter;
pub mod cloud_events;
pub mod conformance;
mod embedded;
mod error;
mod gathered;
mod message;
mod port;
pub mod remote;
mod topology;

pub use adapter::{Adapter, Finding, Setup, scheme_of};
pub use embedded::{Embedded, EmbeddedAdapter};
pub use error::{AdapterError, Error};
pub use gathered::Gathered;
pub use message::{Delivery, Message, Tag};
pub use port::{
    Broker, Destination, Guarantees, Health, PublishResult, Publishing, Settlement, Subscribing, Subscription, Wanted,
};
pub use topology::Topology;
