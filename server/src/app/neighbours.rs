//! The stores of the shop that a program joins: of its neighbours' it reads the archives, and changes nothing.

use anyhow::ensure;
use kernel::Clock;
use service::AnyService;
use service::storage::{Db, Location};

use super::stores::open_to_read;
use crate::config;
use crate::shop::Shop;

/// The neighbours to whose events the program's own services react.
pub(super) fn sources(shop: &Shop, services: &[Box<dyn AnyService>]) -> Vec<&'static str> {
    let types: Vec<&str> = own_types(shop, services).collect();
    let is_source = |name: &str| types.iter().any(|event_type| event_type.split('.').next() == Some(name));
    shop.services().filter(|name| !shop.is_own(name) && is_source(name)).collect()
}

/// Refuses a reaction to a type that no neighbour receives: their processes publish what one of them reacts to, and know
/// nothing of services of other programs.
pub(super) fn refuse_unpublished(shop: &Shop, services: &[Box<dyn AnyService>]) -> anyhow::Result<()> {
    let neighbours = services.iter().filter(|service| !shop.is_own(service.name()));
    let published: Vec<&str> = neighbours.flat_map(|it| it.subscriptions()).map(|(event_type, _)| event_type).collect();
    if shop.is_joining() {
        let is_of_own = |event_type: &str| event_type.split('.').next().is_some_and(|source| shop.is_own(source));
        for event_type in own_types(shop, services).filter(|event_type| !is_of_own(event_type)) {
            ensure!(
                published.contains(&event_type),
                "no service of the shop reacts to {event_type}, so the shop does not publish it: \
                 a service that needs it must be part of the shop's own program"
            );
        }
    }
    Ok(())
}

fn own_types(shop: &Shop, services: &[Box<dyn AnyService>]) -> impl Iterator<Item = &'static str> {
    let own = services.iter().filter(|service| shop.is_own(service.name()));
    own.flat_map(|service| service.subscriptions()).map(|(event_type, _)| event_type)
}

/// Opens the stores of these neighbours to read them.
pub(super) async fn open(
    shop: &Shop,
    services: &[Box<dyn AnyService>],
    settings: &config::Settings,
    store: &Location,
    clock: &Clock,
) -> anyhow::Result<Vec<Db>> {
    let names = sources(shop, services);
    let mut stores = Vec::new();
    for service in services.iter().filter(|service| names.contains(&service.name())) {
        stores.push(open_to_read(&**service, settings, store, clock).await?);
    }
    Ok(stores)
}

#[cfg(test)]
mod tests {
    use events::{OrderPaid, StockLow};
    use kernel::Event;
    use service::storage::Migrations;
    use service::{Committed, Ctx, Delivery, Failure, Service};

    use super::*;

    async fn never<E: Event>(_: Ctx, _: Delivery<E>) -> Result<Committed, Failure> {
        Err(Failure::park("only the wiring is looked at"))
    }

    fn service(name: &'static str) -> Service {
        Service::new(name, Migrations { set: name, steps: &[] }, &[], ())
    }

    #[test]
    fn a_reaction_to_what_the_shop_does_not_publish_is_refused() {
        let shop = Shop::new().service(1, |_| service("orders").on::<OrderPaid>(never)).joined();
        let reacts = shop.clone().service(2, |_| service("points").on::<OrderPaid>(never));
        refuse_unpublished(&reacts, &reacts.described()).unwrap();
        let reacts = shop.service(2, |_| service("points").on::<StockLow>(never));
        let refused = refuse_unpublished(&reacts, &reacts.described()).unwrap_err().to_string();
        assert!(refused.contains("reacts to inventory.stock_low.v1"), "{refused}");
    }

    #[test]
    fn only_neighbours_whose_events_are_needed_are_read() {
        let shop = Shop::tradepost().joined().service(7201, |_| service("points").on::<OrderPaid>(never));
        // The events of users and of admin are those of every service.
        assert_eq!(sources(&shop, &shop.described()), ["users", "orders", "admin"]);
        assert!(sources(&Shop::tradepost(), &Shop::tradepost().described()).is_empty());
    }
}
