//! The services as a console asks them.

use std::collections::BTreeMap;

use anyhow::Context;
use console::{Address, Peer};
use service::Operator;

use crate::shop::Shop;

/// All services: those of this process are asked in it, the others at the addresses of the settings.
pub fn peers(
    shop: &Shop,
    addresses: &BTreeMap<&'static str, Address>,
    admin_token: Option<&str>,
    local: &[Operator],
) -> anyhow::Result<Vec<Peer>> {
    let peer = |name| match local.iter().find(|operator| operator.service() == name) {
        Some(operator) => Ok(Peer::here(operator.clone())),
        None => elsewhere(addresses, admin_token, name),
    };
    shop.services().map(peer).collect()
}

fn elsewhere(
    addresses: &BTreeMap<&'static str, Address>,
    admin_token: Option<&str>,
    name: &'static str,
) -> anyhow::Result<Peer> {
    let token = admin_token.context(
        "the console asks services in other processes and needs the admin token that they take: \
         set TRADEPOST_ADMIN_TOKEN or TRADEPOST_ADMIN_TOKEN_FILE, the same for all processes",
    )?;
    let address = addresses.get(name).expect("the settings have an address for each service").clone();
    Ok(Peer::elsewhere(name, address, token))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Flags, load};

    #[test]
    fn services_in_other_processes_are_asked_only_with_an_admin_token() {
        // The only test of this process that makes clients.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tradepost.toml");
        std::fs::write(&path, "").unwrap();
        let settings =
            load(&Shop::tradepost(), &Flags::default(), Some(&path), &Environment::default()).unwrap().settings;
        let refused = peers(&Shop::tradepost(), &settings.peers, None, &[]).unwrap_err().to_string();
        assert!(refused.contains("TRADEPOST_ADMIN_TOKEN"), "{refused}");

        let token = Some("a-token-that-is-longer-than-32-characters");
        let peers = peers(&Shop::tradepost(), &settings.peers, token, &[]).unwrap();
        assert!(peers.iter().map(Peer::service).eq(Shop::tradepost().services()));
        assert!(peers.iter().all(Peer::is_elsewhere));
    }
}
