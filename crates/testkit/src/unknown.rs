//! Events that their consumers can't handle.

use std::collections::HashMap;

use events::{OrderId, PaymentCaptured};
use kernel::{Cause, Clock, Currency, Event, Ids, Money, RequestCause, Shards, Version};
use service::storage::{Batch, Db, Error, Location, Options};

use crate::shop_location::SHARDS;

/// Makes a service emit events, whatever they say, for these destinations: what a defect or a restored backup could do.
/// Without a destination they are in nobody's outbox, as if an instance had them and did not begin.
/// For [`TestShop::restart_after`](crate::TestShop::restart_after), for the store must not be in use.
pub async fn emit<E: Event>(store: Location, clock: Clock, events: &[E], destinations: &[&str]) {
    let destinations = destinations.iter().map(ToString::to_string).collect();
    let services = server::shop::Shop::tradepost().described();
    let source = services.into_iter().find(|it| it.name() == E::SOURCE).expect("an event has a source");
    let ids = Ids::new(clock.clone());
    let options = Options {
        service: E::SOURCE,
        location: store,
        migrations: source.migrations(),
        destinations: HashMap::from([(E::TYPE.to_owned(), destinations)]),
        shards: Shards::DEFAULT,
        outbox_cap: 1_000,
        clock,
        ids: ids.clone(),
    };
    let db = match Db::open(options.clone()).await {
        // It was on RabbitMQ.
        Err(Error::Unusable { .. }) => {
            let shards = Shards::new(SHARDS).expect("it is a number of shards");
            Db::open(Options { shards, ..options }).await
        }
        opened => opened,
    };
    let db = db.expect("the store of a shop that has stopped can be opened");
    for event in events {
        let cause = Cause::Request(RequestCause { request_id: ids.next(), traceparent: None, keyed: None });
        db.commit(Batch::new().emit(Version::FIRST, event), cause).await.expect("the store takes an event");
    }
    db.close().await;
}

/// Makes payments emit events about an order that never was; see [`emit`].
pub async fn emit_about_an_unknown_order(
    store: Location,
    clock: Clock,
    order_id: OrderId,
    times: usize,
    destinations: &[&str],
) {
    let (ids, amount) = (Ids::new(clock.clone()), Money::new(1_000, Currency::EUR));
    let captured = || PaymentCaptured { payment_id: ids.next(), order_id, amount };
    let events: Vec<PaymentCaptured> = (0..times).map(|_| captured()).collect();
    emit(store, clock, &events, destinations).await;
}
