//! The broker port: how events travel from one service to the others.
//!
//! [`Broker`] is what a broker has to offer, [`Message`] what travels, [`Embedded`] the broker that needs no server,
//! [`cloud_events`] how its attributes are written and read, [`Adapter`] one entry of the list of brokers that a shop
//! can use, [`conformance`] the suite that every broker must pass.
//!
//! Not here: storage, SQL, business, retries or dead letters. Those are in the stores of emitter and consumer.
//!
//! Start with [`Broker`] and [`Subscription`]; `conformance` says in sentences what they have to keep.
//!
//! **Invariant:** only [`Outcome::Stored`] says that an event has left. Everything else means: publish it again.
//!
//! **Invariant:** a body is never decoded or encoded here: its bytes arrive as they were sent.

mod adapter;
pub mod cloud_events;
pub mod conformance;
mod embedded;
mod gathered;
mod message;
mod port;
mod topology;

pub use adapter::{Adapter, AdapterError, Finding, Setup, scheme_of};
pub use embedded::{Embedded, EmbeddedAdapter};
pub use gathered::Gathered;
pub use message::{Delivery, Message, Tag};
pub use port::{Broker, Destination, Error, Guarantees, Health, Outcome, Settlement, Subscribing, Subscription};
pub use topology::Topology;
