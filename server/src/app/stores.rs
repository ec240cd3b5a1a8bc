//! Stores in a process that emits nothing: `migrate`, `rebuild`, and what reads the archives of others.

use std::collections::HashMap;

use kernel::{Clock, Ids};
use service::AnyService;
use service::storage::{Db, Error, Location, Options};

use crate::config;

/// Opens a service's store, and brings its tables up to date.
pub(super) async fn open(
    service: &dyn AnyService,
    settings: &config::Settings,
    store: &Location,
    clock: &Clock,
) -> Result<Db, Error> {
    Db::open(options(service, settings, store, clock)).await
}

/// Opens a service's store to read it.
pub(super) async fn open_to_read(
    service: &dyn AnyService,
    settings: &config::Settings,
    store: &Location,
    clock: &Clock,
) -> Result<Db, Error> {
    Db::open_to_read(options(service, settings, store, clock)).await
}

fn options(service: &dyn AnyService, settings: &config::Settings, store: &Location, clock: &Clock) -> Options {
    Options {
        service: service.name(),
        location: store.clone(),
        migrations: service.migrations(),
        destinations: HashMap::new(),
        shards: settings.shards,
        outbox_cap: settings.outbox_cap,
        ids: Ids::new(clock.clone()),
        clock: clock.clone(),
    }
}
