//! HTTP as all services speak it: problems, bodies, pages, callers, and the shell around their routes.

pub mod auth;
mod body;
mod page;
mod problem;
mod request;
pub mod shell;

pub use body::{Body, PathId, QueryOf};
pub use page::{Listing, Page};
pub use problem::{FieldError, Fields, Problem, ProblemBody};
pub use request::RequestInfo;
