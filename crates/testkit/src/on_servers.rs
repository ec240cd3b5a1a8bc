//! A shop on servers that others may use too: some of its services in this process.

use std::collections::BTreeMap;
use std::time::Duration;

use kernel::{Clock, Shards};
use server::app::{Features, MissingStores, Options, Scope};
use server::config::{self, BrokerSetting, Environment, Flags};
use server::shop::Shop;
use service::Settings;
use service::storage::Location;

use crate::shop_location::SHARDS;
use crate::{ADMIN_TOKEN, Setup};

/// The settings of a shop whose stores and broker are at these URLs.
pub fn settings_at(shop: &Shop, store: &str, broker: &str) -> config::Settings {
    let flags = Flags { store: Some(store.to_owned()), broker: Some(broker.to_owned()), ..Flags::default() };
    let loaded = config::load(shop, &flags, None, &Environment::default()).expect("the URLs are those of servers");
    config::Settings { shards: Shards::new(SHARDS).expect("it is a number of shards"), ..loaded.settings }
}

/// The options of a process that runs these services there, as `serve` does.
pub fn options_on<'a>(
    settings: &config::Settings,
    services: impl IntoIterator<Item = &'a str>,
    setup: Setup,
) -> Options {
    let scope = Scope::Part { services: services.into_iter().map(str::to_owned).collect() };
    let setup = Setup { settings: Settings { shards: settings.shards, ..setup.settings }, ..setup };
    options(scope, settings.location(), settings.broker.clone(), setup)
}

/// The options of a shop that nobody uses but a test.
pub(crate) fn options(scope: Scope, store: Location, broker: BrokerSetting, setup: Setup) -> Options {
    Options {
        features: Features::default(),
        scope,
        store,
        broker,
        shop: setup.shop,
        settings: setup.settings,
        clock: Clock::system(),
        admin_token: Some(ADMIN_TOKEN.to_owned()),
        admin_token_previous: setup.admin_token_previous,
        services: setup.services,
        slow_charge: Duration::from_millis(50),
        tracer: setup.tracer,
        peers: BTreeMap::new(),
        missing_stores: MissingStores::Refuse,
        report: drop,
    }
}
