//! The services as a console asks them.

use anyhow::Context;
use console::Peer;
use service::Operator;

use crate::config::{Secret, Settings};
use crate::services::{CONSOLE, PORTS};

/// All services: those of this process are asked in it, the others at the addresses of the settings.
pub fn peers(settings: &Settings, local: &[Operator]) -> anyhow::Result<Vec<Peer>> {
    let services = PORTS.iter().map(|(name, _)| *name).filter(|name| *name != CONSOLE);
    let peer = |name| match local.iter().find(|operator| operator.service() == name) {
        Some(operator) => Ok(Peer::here(operator.clone())),
        None => elsewhere(settings, name),
    };
    services.map(peer).collect()
}

fn elsewhere(settings: &Settings, name: &'static str) -> anyhow::Result<Peer> {
    let token = settings.admin_token.as_ref().map(Secret::reveal).context(
        "the console asks services in other processes and needs the admin token that they take: \
         set TRADEPOST_ADMIN_TOKEN or TRADEPOST_ADMIN_TOKEN_FILE, the same for all processes",
    )?;
    let address = settings.peers.get(name).expect("the settings have an address for each service").clone();
    Ok(Peer::elsewhere(name, address, token))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Flags, load};

    #[test]
    fn services_in_other_processes_are_asked_only_with_an_admin_token() {
        // The only test of this process that makes clients.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tradepost.toml");
        std::fs::write(&path, "").unwrap();
        let mut settings = load(&Flags::default(), Some(&path), &Environment::default()).unwrap().settings;
        let refused = peers(&settings, &[]).unwrap_err().to_string();
        assert!(refused.contains("TRADEPOST_ADMIN_TOKEN"), "{refused}");

        std::fs::write(folder.path().join("token"), "a-token-that-is-longer-than-32-characters").unwrap();
        std::fs::write(&path, format!("admin_token_file = \"{}\"", folder.path().join("token").display())).unwrap();
        settings = load(&Flags::default(), Some(&path), &Environment::default()).unwrap().settings;
        let peers = peers(&settings, &[]).unwrap();
        let names: Vec<&str> = peers.iter().map(Peer::service).collect();
        assert_eq!(names, ["users", "catalog", "orders", "inventory", "payments", "notifications"]);
        assert!(peers.iter().all(Peer::is_elsewhere));
    }
}
