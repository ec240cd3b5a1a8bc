//! The services of Tradepost. A new one is one line here.

use std::sync::Arc;

use notifications::Mailer;
use payments::Provider;
use service::AnyService;

/// What services reach outside of Tradepost through.
pub struct Outside {
    /// Who takes the money.
    pub provider: Arc<dyn Provider>,
    /// Who carries the mail.
    pub mailer: Mailer,
}

/// The service that gathers from the others, and has nothing of its own.
pub const CONSOLE: &str = "console";

/// The services, and the port on which each listens where it runs alone.
pub const PORTS: [(&str, u16); 7] = [
    ("users", 7081),
    ("catalog", 7082),
    ("orders", 7083),
    ("inventory", 7084),
    ("payments", 7085),
    ("notifications", 7088),
    (CONSOLE, 7093),
];

/// The names that `serve` takes.
pub fn names() -> impl Iterator<Item = &'static str> {
    PORTS.into_iter().map(|(name, _)| name)
}

/// The port on which a service listens where it runs alone.
pub fn port_of(service: &str) -> Option<u16> {
    PORTS.into_iter().find(|(name, _)| *name == service).map(|(_, port)| port)
}

/// All services that have a store, events and reactions.
pub fn all(outside: Outside) -> Vec<Box<dyn AnyService>> {
    vec![
        Box::new(users::service()),
        Box::new(catalog::service()),
        Box::new(inventory::service()),
        Box::new(orders::service()),
        Box::new(payments::service(outside.provider)),
        Box::new(notifications::service(outside.mailer)),
    ]
}
