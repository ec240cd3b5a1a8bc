//! The dead letters of all services, as admin asks for them.
//!
//! An alert that deliveries fail must not depend on a delivery, so admin asks: the process that runs it says how, for
//! services don't know one another.

use futures_util::future::BoxFuture;

/// The dead letters of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceDeadLetters {
    /// The consumer that has them.
    pub service: &'static str,
    /// Number of dead letters.
    pub count: i64,
    /// The type of the newest one's event, if there is any.
    pub newest: Option<String>,
}

/// Somebody who can ask the services for their dead letters.
pub trait DeadLetters: Send + Sync {
    /// Asks all services at once. One that can't be asked is left out.
    fn ask(&self) -> BoxFuture<'_, Vec<ServiceDeadLetters>>;
}
