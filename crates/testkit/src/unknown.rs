//! An event that its consumer can't handle.

use std::collections::HashMap;

use events::{OrderId, PaymentCaptured};
use kernel::{Cause, Clock, Currency, Event, Ids, Money, RequestCause, Shards, Version};
use service::storage::{Batch, Db, Location, Options};

/// Makes payments emit an event about an order that never was, as a restored backup of one store could.
/// Without a destination it is on nobody's way, as if an instance had it and did not begin.
/// For [`TestShop::restart_after`](crate::TestShop::restart_after), for the store must not be in use.
pub async fn emit_about_an_unknown_order(
    store: Location,
    clock: Clock,
    order_id: OrderId,
    times: usize,
    destinations: &[&str],
) {
    let destinations = destinations.iter().map(ToString::to_string).collect();
    let services = server::shop::Shop::tradepost().described();
    let payments = services.into_iter().find(|it| it.name() == "payments").expect("there are payments");
    let ids = Ids::new(clock.clone());
    let db = Db::open(Options {
        service: "payments",
        location: store,
        migrations: payments.migrations(),
        destinations: HashMap::from([(PaymentCaptured::TYPE.to_owned(), destinations)]),
        shards: Shards::DEFAULT,
        outbox_cap: 1_000,
        clock,
        ids: ids.clone(),
    });
    let db = db.await.expect("the store of a shop that has stopped can be opened");
    for _ in 0..times {
        let amount = Money::new(1_000, Currency::EUR);
        let event = PaymentCaptured { payment_id: ids.next(), order_id, amount };
        let cause = Cause::Request(RequestCause { request_id: ids.next(), traceparent: None, keyed: None });
        db.commit(Batch::new().emit(Version::FIRST, &event), cause).await.expect("the store takes an event");
    }
    db.close().await;
}
