//! Checks that everything which the settings name is present and correctly configured. It changes nothing.

use std::path::Path;

use kernel::{Clock, SignedDuration};
use service::AnyService;
use service::storage::{self, Inspection, Location, Server};

use super::broker;
use super::manifest::Manifest;
use super::provider::{LEDGER, LEDGER_OF};
use crate::config::{self, BrokerSetting};
use crate::shop::Shop;

/// The oldest PostgreSQL that has what the tables need.
const POSTGRES_MIN: u32 = 14;

/// Connections of a store in one process: one writes, two read.
const CONNECTIONS: i64 = 3;

/// A clock that is further ahead or behind makes timers late or early by as much.
const SKEW_MAX: SignedDuration = SignedDuration::from_secs(1);

/// Less free space fills up within hours of a busy shop.
const FREE_MIN: u64 = 1 << 30;

/// The status of one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// As required.
    Good,
    /// It works, and may not for long, or not as fast.
    Doubtful,
    /// A shop does not run, or does not keep its promises, before this is repaired.
    Bad,
}

/// One thing that was looked at.
#[derive(Clone, Debug)]
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// Its status.
    pub status: Status,
    /// The finding.
    pub found: String,
    /// The remedy, unless it is good.
    pub remedy: Option<String>,
}

impl Check {
    /// It is as required.
    pub fn good(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, status: Status::Good, found: found.into(), remedy: None }
    }

    /// It works, but.
    pub fn doubtful(name: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, status: Status::Doubtful, found: found.into(), remedy: Some(remedy.into()) }
    }

    /// It does not work.
    pub fn bad(name: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, status: Status::Bad, found: found.into(), remedy: Some(remedy.into()) }
    }
}

/// Looks at everything that the settings name. A program that joins a shop looks at what its own services need.
pub async fn doctor(shop: &Shop, settings: &config::Settings) -> anyhow::Result<Vec<Check>> {
    let mut services = shop.described();
    services.retain(|service| shop.is_own(service.name()));
    let broker = &settings.broker;
    let mut checks = Vec::new();
    match settings.location() {
        Location::Postgres(server) if server.is_apart() => {
            for service in &services {
                postgres(&mut checks, &server.of(service.name())?, std::slice::from_ref(service), broker).await;
            }
        }
        Location::Postgres(server) => postgres(&mut checks, &server, &services, broker).await,
        Location::Folder(store) => {
            sqlite(&mut checks, &store, &settings.data_dir, &services);
            if store != settings.data_dir {
                checks.push(disk(&store));
            }
        }
    }
    checks.push(disk(&settings.data_dir));
    let setup = broker::setup(shop.topology(), settings.shards, &Clock::system());
    broker::check(&mut checks, broker, setup).await;
    Ok(checks)
}

async fn postgres(checks: &mut Vec<Check>, server: &Server, services: &[Box<dyn AnyService>], broker: &BrokerSetting) {
    let clock = Clock::system();
    match server.inspect(|| clock.now()).await {
        Ok(seen) => {
            checks.push(version(&seen, server));
            checks.push(durability(&seen));
            checks.push(rights(&seen, services));
            checks.push(tables(&seen, services, broker));
            checks.push(connections(&seen, services));
            checks.push(skew(&seen));
        }
        Err(storage::Error::Unusable { store, detail }) => checks.push(Check::bad("store", store, detail)),
        Err(error) => {
            let remedy = "start it, or set another with --store or TRADEPOST_STORE";
            checks.push(Check::bad("store", error.to_string(), remedy));
        }
    }
}

fn version(seen: &Inspection, server: &Server) -> Check {
    let found = format!("PostgreSQL {}, {server}", seen.version);
    let major: Option<u32> = seen.version.split(['.', ' ']).next().and_then(|major| major.parse().ok());
    match major {
        Some(major) if major >= POSTGRES_MIN => Check::good("store", found),
        _ => Check::bad("store", found, format!("PostgreSQL {POSTGRES_MIN} or newer is needed")),
    }
}

fn durability(seen: &Inspection) -> Check {
    if seen.careless.is_empty() {
        return Check::good("durability", "an answered commit is on the disk");
    }
    let off = seen.careless.join(", ");
    let remedy = "set them to on in postgresql.conf and restart the server";
    Check::bad("durability", format!("off: {off}; a crash may lose what was answered"), remedy)
}

fn rights(seen: &Inspection, services: &[Box<dyn AnyService>]) -> Check {
    let ledger = services.iter().find(|service| service.name() == LEDGER_OF).map(|_| LEDGER);
    let mut needed = services.iter().map(|service| service.name()).chain(ledger);
    let has_all = needed.all(|name| seen.tables.keys().any(|(schema, _)| schema == name));
    if seen.may_create || has_all {
        return Check::good("rights", if seen.may_create { "schemas can be made" } else { "all schemas are there" });
    }
    let remedy =
        "run `grant create on database … to …` as the database's owner, or let the owner run `tradepost migrate`";
    Check::bad("rights", "the user can't make schemas", remedy)
}

fn tables(seen: &Inspection, services: &[Box<dyn AnyService>], broker: &BrokerSetting) -> Check {
    let (mut missing, mut newer) = (Vec::new(), Vec::new());
    for service in services {
        for (set, known) in [("kit", storage::kit_version()), (service.name(), service.migrations().newest())] {
            match seen.tables.get(&(service.name().to_owned(), set.to_owned())) {
                Some(found) if *found > known => newer.push(service.name()),
                Some(found) if *found == known => {}
                _ => missing.push(service.name()),
            }
        }
    }
    missing.dedup();
    newer.dedup();
    if !newer.is_empty() {
        let remedy = "use the version of Tradepost that wrote them, or a newer one";
        return Check::bad("schema", format!("newer than this program: {}", newer.join(", ")), remedy);
    }
    if !missing.is_empty() {
        let found = format!("not up to date: {}", missing.join(", "));
        return if broker.is_shared() {
            Check::bad("schema", found, "run `tradepost migrate`")
        } else {
            Check::doubtful("schema", found, "start the shop, which makes them")
        };
    }
    Check::good("schema", format!("up to date: {}", services.iter().map(|it| it.name()).collect::<Vec<_>>().join(", ")))
}

fn connections(seen: &Inspection, services: &[Box<dyn AnyService>]) -> Check {
    // The simulated provider's ledger is one more store.
    let ledgers = services.iter().filter(|service| service.name() == LEDGER_OF).count();
    let stores = i64::try_from(services.len() + ledgers).unwrap_or(i64::MAX);
    let needed = CONNECTIONS.saturating_mul(stores);
    let found = format!("{} at the most; one of each service uses {needed}", seen.max_connections);
    if seen.max_connections >= needed * 2 {
        return Check::good("connections", found);
    }
    let remedy = "raise max_connections in postgresql.conf: a rolling upgrade needs twice as many for a while";
    Check::doubtful("connections", found, remedy)
}

fn skew(seen: &Inspection) -> Check {
    let found = format!("the database's clock is {:#} from this machine's", seen.ahead.round_to_millis());
    if seen.ahead.abs() <= SKEW_MAX {
        return Check::good("clock", found);
    }
    let remedy = "run a time service such as chrony on both machines: timers are late or early by as much";
    Check::doubtful("clock", found, remedy)
}

/// Rounding for people.
trait Millis {
    fn round_to_millis(self) -> Self;
}

impl Millis for SignedDuration {
    fn round_to_millis(self) -> Self {
        let millis = i64::try_from(self.as_millis()).unwrap_or_default();
        Self::from_millis(millis)
    }
}

fn sqlite(checks: &mut Vec<Check>, store: &Path, data: &Path, services: &[Box<dyn AnyService>]) {
    let is_made = services.iter().any(|service| store.join(format!("{}.db", service.name())).exists());
    let more = if is_made { "" } else { ", which does not hold a store yet: the first start will make it" };
    let found = format!("SQLite in {}{more}", store.display());
    let location = Location::Folder(store.to_owned());
    let manifest = Manifest::read(data, &location, services);
    if let Err(error) = manifest.and_then(|manifest| manifest.refuse_missing(data, &location, services)) {
        checks.push(Check::bad("store", found, format!("{error:#}")));
        return;
    }
    // What isn't there is made, so the nearest folder that is there decides.
    let there = store.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("."));
    match tempfile_in(there) {
        Ok(()) => checks.push(Check::good("store", found)),
        Err(error) => {
            let remedy = format!("let this user write in {}, or choose another folder with --data", there.display());
            checks.push(Check::bad("store", format!("{found}: {error}"), remedy));
        }
    }
}

/// True if a file can be made there.
fn tempfile_in(folder: &Path) -> std::io::Result<()> {
    let path = folder.join(format!(".tradepost-doctor-{}", std::process::id()));
    std::fs::File::create_new(&path)?;
    std::fs::remove_file(&path)
}

fn disk(data: &Path) -> Check {
    let there = data.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("."));
    match rustix::fs::statvfs(there) {
        Ok(seen) => {
            let free = seen.f_bavail.saturating_mul(seen.f_frsize);
            let found = format!("{:.1} GiB free in {}", free as f64 / f64::from(1 << 30), there.display());
            if free >= FREE_MIN {
                return Check::good("disk", found);
            }
            Check::doubtful("disk", found, "make room: a full disk refuses orders until there is some")
        }
        Err(error) => Check::doubtful("disk", format!("{}: {error}", there.display()), "let this user look at it"),
    }
}
