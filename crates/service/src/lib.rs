//! The parts of a service: routes, reactions, timers, and the machinery that runs them.
//!
//! A service's `lib.rs` describes itself as a [`Service`]; [`Running`] opens its store and starts its relays,
//! consumers and timers. Handlers see a [`Ctx`], read through its `db`, decide, and [`commit`](CtxParts::commit).
//!
//! Not here: business, SQL of a service, a particular broker, or HTTP itself, which is the crate `http`.
//!
//! Start with [`Service`] and [`Ctx`]; then `runner` (how a delivery is handled) and `relay` (how an event leaves).
//!
//! **Invariants**
//! - Only this crate joins storage and bus.
//! - A delivery is settled only after its effect, its retry or its dead letter is in the consumer's store.
//! - A pointer leaves the outbox only when the destination has the event.
//! - A failing delivery holds back its own key in its own lane, and nothing else.

mod accounts;
mod backoff;
mod cannot_start;
mod catching_up;
mod ctx;
mod definition;
mod failure;
mod history;
mod keys;
mod membership;
mod on_account_changed;
mod on_demand;
mod on_signing_key_published;
mod reaction;
mod relay;
mod request_span;
mod running;
mod selection;
mod tasks;
mod timers;
mod watch_backlog;

pub mod catch_up;
pub mod operator;
pub mod runner;
pub mod setting;
pub mod shell;
pub mod telemetry;
pub mod traces;

pub use backoff::Backoff;
pub use cannot_start::CannotStart;
pub use catching_up::CatchingUp;
pub use ctx::{Ctx, CtxParts, Settings, decide};
pub use definition::Service;
pub use failure::Failure;
pub use history::History;
pub use http;
pub use on_demand::{BindError, OnDemand, narrow};
pub use operator::{Activity, DeliveryStatus, Operator};
pub use reaction::{Delivery, causes};
pub use running::{AnyService, Running, Runtime};
pub use selection::Selection;
pub use storage;
pub use storage::Committed;
pub use tasks::Tasks;
pub use timers::{Timer, TimerKind, ends, holds};
pub use traces::Tracer;
