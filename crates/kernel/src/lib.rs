//! The words that every other crate speaks: typed ids, money, time, causes, events, envelopes and page cursors.
//!
//! Not here: async, I/O, SQL, HTTP, or anything that only one service needs.
//!
//! Start with [`Money`] and [`Clock`]; [`Cause`] explains why a commit may happen at all,
//! [`Event`] is a fact that a commit may publish to the others.
//!
//! **Invariant:** nothing in this crate reads a clock, makes an id or draws a random number except through
//! [`Clock`] and [`Ids`] values that were handed in.

mod cause;
mod clock;
mod currency;
mod cursor;
pub mod email;
mod envelope;
mod event;
mod id;
mod ids;
mod log_limit;
mod money;
mod named;
mod panics;
mod role;
mod shards;
mod suggestion;
pub mod text;
mod version;

pub use cause::{Cause, DeliveryCause, Keyed, Origin, RequestCause, TimerCause, TraceParent};
pub use clock::{Clock, MockClock};
pub use currency::{Currency, InvalidCurrency};
pub use cursor::{BadCursor, Cursor};
pub use envelope::Envelope;
pub use event::{Event, Lane};
pub use id::{BadId, Id, Kind};
pub use ids::{
    DeadLetterId, DeadLetterKind, EventId, EventKind, Ids, KeyId, KeyKind, RequestId, RequestKind, Secret, SessionId,
    SessionKind, UserId, UserKind, first_id_at, made_at,
};
pub use jiff::tz::TimeZone;
pub use jiff::{SignedDuration, Timestamp};
pub use log_limit::LogLimit;
pub use money::{InvalidMoney, Money};
pub use panics::panic_text;
pub use role::ADMIN_ROLE;
pub use shards::{Shards, fnv1a};
pub use suggestion::suggestion;
pub use uuid::Uuid;
pub use version::Version;

/// For what [`named!`] writes.
#[doc(hidden)]
pub use utoipa;
