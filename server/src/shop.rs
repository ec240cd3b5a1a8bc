//! The shop as one value: its services, their ports, and the brokers that can carry its events.
//!
//! Everything that starts, migrates, inspects, lists, generates or tests takes a [`Shop`]. A new service and a new
//! broker are one line in [`Shop::tradepost`]; a program of one's own adds its service to the same value and hands it
//! to [`crate::main`], with the shop's services in it, or [joined](Shop::joined) to a shop that other programs run.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use admin::DeadLetters;
use bus::{Adapter, EmbeddedAdapter, Topology};
use payments::Provider;
use service::AnyService;
use service::setting::{AnySetting, Values};

use crate::app::dead_letters::AskedDeadLetters;
use crate::app::provider::Absent;

/// The console, which has no store and is no service in the sense of the others.
pub const CONSOLE: &str = "console";

/// The port of the console where it runs in a process of its own.
const CONSOLE_PORT: u16 = 7093;

/// Settings of services, and the systems outside of Tradepost that they use.
#[derive(Clone)]
pub struct Outside {
    /// The payment provider.
    pub provider: Arc<dyn Provider>,
    /// The settings of the services.
    pub settings: Values,
    /// The dead letters of all services of the shop.
    pub dead_letters: Arc<dyn DeadLetters>,
}

impl Outside {
    /// Nothing that answers, for services that are only described.
    fn absent() -> Self {
        Self {
            provider: Arc::new(Absent),
            settings: Values::default(),
            dead_letters: Arc::new(AskedDeadLetters::default()),
        }
    }
}

/// Makes a service.
type Constructor = dyn Fn(&Outside) -> Box<dyn AnyService> + Send + Sync;

/// A service of a shop.
#[derive(Clone)]
pub struct Entry {
    name: &'static str,
    port: u16,
    settings: &'static [&'static dyn AnySetting],
    make: Arc<Constructor>,
    /// True if other programs run it.
    is_neighbour: bool,
}

/// The services of a shop and the brokers that it can use.
#[derive(Clone, Debug)]
pub struct Shop {
    services: Vec<Entry>,
    brokers: Vec<&'static dyn Adapter>,
}

impl Shop {
    /// Tradepost: a new service or a new broker is one line here.
    ///
    /// Ports stay with their names, for configurations rely on them.
    pub fn tradepost() -> Self {
        Self::new()
            .service(7081, |outside| users::service(&outside.settings))
            .service(7082, |outside| catalog::service(&outside.settings))
            .service(7083, |outside| orders::service(&outside.settings))
            .service(7084, |_| inventory::service())
            .service(7085, |outside| payments::service(outside.provider.clone()))
            .service(7086, |_| shipping::service())
            .service(7087, |outside| suppliers::service(&outside.settings))
            .service(7088, |outside| notifications::service(&outside.settings))
            .service(7089, |outside| analytics::service(&outside.settings))
            .service(7090, |outside| admin::service(&outside.settings, outside.dead_letters.clone()))
            .service(7091, |outside| webhooks::service(&outside.settings))
            .service(7092, |outside| bridge::service(&outside.settings))
            .broker(&EmbeddedAdapter)
            .broker(&bus_rabbitmq::Adapter)
            .broker(&bus_redis::Adapter)
    }

    /// No services and no brokers.
    pub fn new() -> Self {
        Self { services: Vec::new(), brokers: Vec::new() }
    }

    /// Adds a service, with the port on which it listens where it runs in a process of its own.
    ///
    /// # Panics
    ///
    /// The name and the port of each service must be its own, and a setting of several services has one default.
    #[must_use]
    pub fn service<S: AnyService + 'static>(
        mut self,
        port: u16,
        make: impl Fn(&Outside) -> S + Send + Sync + 'static,
    ) -> Self {
        let described = make(&Outside::absent());
        let (name, settings) = (described.name(), described.settings());
        assert!(self.port_of(name).is_none(), "two services of the shop are called {name}");
        assert!(self.ports().all(|(_, taken)| taken != port), "{name} has a port that another service has: {port}");
        for setting in settings {
            let same = self.settings().find(|known| known.name() == setting.name());
            let default = same.map_or(setting.default(), AnySetting::default);
            assert_eq!(default, setting.default(), "{name} declares {} with a default of its own", setting.name());
        }
        let make = Arc::new(move |outside: &Outside| Box::new(make(outside)) as Box<dyn AnyService>);
        self.services.push(Entry { name, port, settings, make, is_neighbour: false });
        self
    }

    /// Joins the shop that these services are: other programs run them. The program migrates and runs what is added from
    /// here on. Of its neighbours it reads the archives, when `migrate` copies the history of the events to which its own
    /// services react, and a console of it asks all of them.
    #[must_use]
    pub fn joined(mut self) -> Self {
        self.services.iter_mut().for_each(|entry| entry.is_neighbour = true);
        self
    }

    /// Adds a broker. The first is the one that a shop uses unless its settings name another.
    #[must_use]
    pub fn broker(mut self, adapter: &'static dyn Adapter) -> Self {
        self.brokers.push(adapter);
        self
    }

    /// The brokers.
    pub fn brokers(&self) -> &[&'static dyn Adapter] {
        &self.brokers
    }

    /// The services, made to run.
    pub fn make(&self, outside: &Outside) -> Vec<Box<dyn AnyService>> {
        self.services.iter().map(|entry| (entry.make)(outside)).collect()
    }

    /// The services as they are described, for what needs no process.
    pub fn described(&self) -> Vec<Box<dyn AnyService>> {
        self.make(&Outside::absent())
    }

    /// The services with these settings, for what builds their tables and calls nothing outside.
    pub fn configured(&self, settings: &Values) -> Vec<Box<dyn AnyService>> {
        self.make(&Outside { settings: settings.clone(), ..Outside::absent() })
    }

    /// The consumers that this program runs, and the event types to which each reacts.
    pub fn topology(&self) -> Topology {
        self.topology_of(&self.described())
    }

    /// The same, of services that are made.
    pub fn topology_of(&self, services: &[Box<dyn AnyService>]) -> Topology {
        let own = services.iter().filter(|service| self.is_own(service.name()));
        own.fold(Topology::new(), |topology, service| {
            let on_demand = service.on_demand().into_iter().flat_map(|it| it.types().iter().copied());
            topology.consumer(service.name(), service.subscriptions()).on_demand(service.name(), on_demand)
        })
    }

    /// The names of the services, which have a store each.
    pub fn services(&self) -> impl Iterator<Item = &'static str> {
        self.services.iter().map(|entry| entry.name)
    }

    /// The names of the services that this program runs: all, unless it joins a shop.
    pub fn own_services(&self) -> impl Iterator<Item = &'static str> {
        self.services().filter(|name| self.is_own(name))
    }

    /// True if other programs run some of the services.
    pub fn is_joining(&self) -> bool {
        self.services.iter().any(|entry| entry.is_neighbour)
    }

    /// True for a service that this program runs.
    pub(crate) fn is_own(&self, name: &str) -> bool {
        self.services.iter().any(|entry| entry.name == name && !entry.is_neighbour)
    }

    /// The settings that the services declare, each once.
    pub fn settings(&self) -> impl Iterator<Item = &'static dyn AnySetting> {
        let mut names = HashSet::new();
        let all = self.services.iter().flat_map(|entry| entry.settings.iter().copied());
        all.filter(move |setting| names.insert(setting.name()))
    }

    /// Everything that `serve` can run: the services of this program and the console.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.own_services().chain([CONSOLE])
    }

    /// The port of each service, and of the console.
    pub fn ports(&self) -> impl Iterator<Item = (&'static str, u16)> {
        self.services.iter().map(|entry| (entry.name, entry.port)).chain([(CONSOLE, CONSOLE_PORT)])
    }

    /// The port of one of them.
    pub fn port_of(&self, name: &str) -> Option<u16> {
        self.ports().find(|(known, _)| *known == name).map(|(_, port)| port)
    }
}

impl Default for Shop {
    fn default() -> Self {
        Self::tradepost()
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.name, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_found_by_its_name() {
        let shop = Shop::tradepost();
        assert_eq!((shop.port_of("payments"), shop.port_of("nobody")), (Some(7085), None));
        assert_eq!(shop.names().last(), Some(CONSOLE));
        assert_eq!(shop.services().count(), shop.described().len());
    }

    #[test]
    fn a_program_that_joins_a_shop_serves_its_own_services_and_knows_all() {
        let joined = Shop::new().service(7081, |outside| users::service(&outside.settings)).joined();
        let shop = joined.service(7201, |_| shipping::service());
        assert!(shop.is_joining() && !Shop::tradepost().is_joining());
        assert_eq!(shop.names().collect::<Vec<_>>(), ["shipping", CONSOLE]);
        assert_eq!(shop.services().collect::<Vec<_>>(), ["users", "shipping"]);
        assert_eq!(shop.topology().consumers().collect::<Vec<_>>(), ["shipping"]);
        assert_eq!(shop.port_of("users"), Some(7081));
    }

    #[test]
    #[should_panic(expected = "two services of the shop are called users")]
    fn two_services_of_one_name_are_refused() {
        let _ = Shop::tradepost().service(9000, |outside| users::service(&outside.settings));
    }

    #[test]
    #[should_panic(expected = "catalog has a port that another service has: 7093")]
    fn two_services_at_one_port_are_refused() {
        let _ = Shop::new().service(7093, |outside| catalog::service(&outside.settings));
    }
}
