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
