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

/// The console, which has no store and is none of the above.
pub const CONSOLE: &str = "console";

/// The port of each service, and of the console, where it runs in a process of its own. Ports stay with their names:
/// configurations rely on them, and the gaps are kept for services to come.
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

/// The port of one of them.
pub fn port_of(name: &str) -> Option<u16> {
    PORTS.iter().find(|(known, _)| *known == name).map(|(_, port)| *port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_has_a_port_of_its_own() {
        let services = crate::app::described().unwrap();
        let mut names: Vec<&str> = services.iter().map(|service| service.name()).chain([CONSOLE]).collect();
        names.sort_unstable();
        let mut listed = PORTS.map(|(name, _)| name);
        listed.sort_unstable();
        assert_eq!(names, listed);
        assert!(PORTS.is_sorted_by(|(_, port), (_, next)| port < next), "no two have the same");
        assert_eq!((port_of("payments"), port_of("nobody")), (Some(7085), None));
    }
}
