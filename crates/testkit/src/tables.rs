//! Databases that have the tables of all services, and no row: most of the time that a new shop takes to start.

use std::collections::HashMap;

use futures_util::future::join_all;
use kernel::{Clock, Ids, Shards};
use server::shop::Shop;
use service::AnyService;
use service::storage::{Db, Location, Options};
use test_servers::Database;

/// A database on which a shop starts as it does after a `migrate`.
pub(crate) fn of_a_new_shop() -> Database {
    Database::filled(&digest(), |database| {
        // In a thread of its own, for the test may be in the middle of something asynchronous.
        std::thread::scope(|scope| scope.spawn(|| make(database)).join().expect("the tables can be made"));
    })
}

/// Other tables have another digest.
fn digest() -> String {
    let services = Shop::tradepost().described();
    let mut text = String::new();
    let own = services.iter().map(|service| (service.name(), service.migrations()));
    for (name, migrations) in own.chain([("", storage::KIT)]) {
        text.push_str(name);
        text.extend(migrations.steps.iter().map(|step| step.postgres));
    }
    format!("{:016x}", kernel::fnv1a(text.as_bytes()))
}

#[tokio::main(flavor = "current_thread")]
async fn make(database: &Database) {
    let services = Shop::tradepost().described();
    let location = Location::Postgres(database.url().parse().expect("a test's server has a proper URL"));
    join_all(services.iter().map(|service| open_and_close(&**service, location.clone()))).await;
    // A store notes with how many shards it was made, which is for the test's shop to say.
    let facts = services.iter().map(|service| format!("delete from {}.facts", service.name()));
    database.execute(&facts.collect::<Vec<_>>().join("; "));
}

async fn open_and_close(service: &dyn AnyService, location: Location) {
    let clock = Clock::system();
    let options = Options {
        service: service.name(),
        location,
        migrations: service.migrations(),
        destinations: HashMap::new(),
        shards: Shards::DEFAULT,
        outbox_cap: 1,
        ids: Ids::new(clock.clone()),
        clock,
    };
    Db::open(options).await.expect("the tables can be made").close().await;
}
