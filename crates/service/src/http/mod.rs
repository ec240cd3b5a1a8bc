//! HTTP as all services speak it: problems, bodies, pages, callers, and the shell around their routes.

mod address;
pub mod auth;
mod body;
mod capacity;
mod crowd;
pub mod idempotency;
mod keyring;
pub mod limit;
pub mod listener;
mod objects;
mod page;
mod policy;
mod problem;
mod query;
mod request;
pub mod shell;
pub mod token;
mod trace;

pub use address::{BadNetwork, ClientAddress, Network};
pub use body::{Body, PathId, QueryOf};
pub use capacity::Capacity;
pub use keyring::Keyring;
pub use page::{Listing, Page};
pub use policy::{Policy, Routes};
pub use problem::{FieldError, Fields, Problem, ProblemBody};
pub use request::RequestInfo;
