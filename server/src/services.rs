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
