//! `compose.yaml` and the script that makes its secrets.

use server::shop::Shop;

use super::{CONSOLE, Part, host, postgres};

const FILE: &str = "compose.yaml";

pub fn parts(shop: &Shop) -> Vec<Part> {
    let services = || shop.ports().filter(|(name, _)| *name != CONSOLE);
    let secret = |name: &str| format!("  {name}: {{ file: ./deploy/secrets/{name} }}");
    let owners = || ["migrate"].into_iter().chain(shop.services());
    vec![
        Part::each(FILE, "healthy", shop.names(), |name| {
            format!("      {}: {{ condition: service_healthy }}", host(name))
        }),
        Part::new(FILE, "services", services().map(|(name, port)| service(shop, name, port)).collect()),
        Part::new(FILE, "peers", peers(shop)),
        Part::new(FILE, "connections", format!("      - -cmax_connections={}\n", postgres::connections_max(shop))),
        Part::each(FILE, "stores", owners(), |name| format!("      - store_{name}")),
        Part::each(FILE, "secrets", owners(), |name| {
            format!("{}\n{}", secret(&format!("store_{name}")), secret(&format!("broker_{name}")))
        }),
        Part::new("deploy/secrets.sh", "names", format!("names=\"{}\"\n", owners().collect::<Vec<_>>().join(" "))),
    ]
}

/// The addresses of all services, for those that ask them.
fn peers(shop: &Shop) -> String {
    let services = shop.ports().filter(|(name, _)| *name != CONSOLE);
    let variable = |(name, port): (&str, u16)| {
        format!("      TRADEPOST_PEERS_{}: http://{}:{port}\n", name.to_uppercase(), host(name))
    };
    services.map(variable).collect()
}

fn service(shop: &Shop, name: &str, port: u16) -> String {
    let host = host(name);
    let peers = if name == admin::NAME { peers(shop) } else { String::new() };
    format!(
        "
  {host}:
    <<: *service
    command: [serve, {name}]
    environment:
      TRADEPOST_PORT: {port}
      TRADEPOST_STORE_FILE: /run/secrets/store_{name}
      TRADEPOST_BROKER_FILE: /run/secrets/broker_{name}
      TRADEPOST_ADMIN_TOKEN_FILE: /run/secrets/admin_token
      TRADEPOST_TRUSTED_PROXIES: 10.89.7.0/24
{peers}    secrets: [admin_token, store_{name}, broker_{name}]
"
    )
}
