//! HTTP as all services speak it: connections, problems, bodies, pages, callers, and bounds on load.
//!
//! Not here: a service's context, events, or a broker. What a request carries travels in its extensions:
//! [`Shell::identify`] puts the request's id and the client's address there, [`Policy`] the [`Caller`](auth::Caller).
//!
//! Start with [`Shell`] (the layers around all routes), then [`Policy`] and [`Routes`] (who may call a route),
//! [`Problem`] (every refusal), `overload` (what happens when more is asked than can be done) and `listener`.
//!
//! **Invariants**
//! - No route without a policy, no error without a problem document.
//! - No client can make the process hold more than a bounded amount of memory, connections or time.
//! - A request with an `Idempotency-Key` is carried out once, and its answer shares a transaction with its effect.

mod accounts;
mod address;
mod body;
mod conditions;
mod cors;
mod declared;
mod describe;
mod host;
mod keyring;
mod object_token;
mod page;
mod policy;
mod problem;
mod refusal;
mod request;
mod request_id;
#[doc(hidden)]
pub mod routes_macro;
mod shared_document;
mod shell;
mod signatures;
mod strict_objects;
mod wording;

pub mod auth;
pub mod idempotency;
pub mod listener;
pub mod overload;
pub mod token;

pub use accounts::Accounts;
pub use address::{BadNetwork, ClientAddress, Network};
pub use body::{BODY_BYTES_MAX, Body, PathId, QueryOf};
pub use conditions::{IfMatch, IfNoneMatch, Tagged, tagged_by};
pub use cors::{BadOrigin, Origin};
pub use keyring::Keyring;
pub use object_token::ObjectToken;
pub use overload::OPERATOR_PATH;
pub use page::{Listing, Page};
pub use policy::{Policy, Routes};
pub use problem::{FieldError, Fields, Problem, ProblemBody, present};
pub use request::{RequestInfo, TraceContext, traceparent};
pub use request_id::current_request_id;
pub use shared_document::SharedDocument;
pub use shell::Shell;
