//! Roles and connections of PostgreSQL.

use server::shop::Shop;

use super::Part;

/// Connections of one store in one process: one writes, two read.
const OF_A_STORE: usize = 3;

/// Migrations at once that the role has room for: one works, each of the others waits on one connection.
const MIGRATIONS: usize = 10;

/// Processes of each service: three, and as many again during a rolling upgrade.
const PROCESSES: usize = 6;

/// Connections for people and for the server's own reserve.
const SPARE: usize = 20;

pub fn parts(shop: &Shop) -> Vec<Part> {
    let names: Vec<&str> = shop.services().collect();
    let text = format!("services=\"{}\"\nmigrate_connections={}\n", names.join(" "), migrate_connections(shop));
    vec![Part::new("deploy/postgres/roles.sh", "services", text)]
}

/// The services' stores and the ledger of the simulated provider.
fn stores(shop: &Shop) -> usize {
    shop.services().count() + 1
}

/// The limit of the migrating role, with a tenth to spare.
pub fn migrate_connections(shop: &Shop) -> usize {
    let needed = OF_A_STORE * stores(shop) + MIGRATIONS;
    (needed + needed.div_ceil(10)).next_multiple_of(5)
}

/// The limit of the server.
pub fn connections_max(shop: &Shop) -> usize {
    (PROCESSES * OF_A_STORE * stores(shop) + migrate_connections(shop) + SPARE).next_multiple_of(50)
}
