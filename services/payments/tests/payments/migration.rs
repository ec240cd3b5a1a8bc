//! Tables of payments: what was written before refunds were recorded, and what the tables themselves refuse.

use std::collections::HashMap;

use events::{OrderId, PaymentId};
use kernel::{Cause, Clock, Ids, RequestCause, Shards, Timestamp, Version};
use server::shop::Shop;
use service::storage::{Batch, Change, Db, Error, Insert, Location, Migrations, Options, Query, Type, params};
use testkit::{ShopLocation, on_each_store};

on_each_store! {
    money_that_was_going_back_goes_on_under_its_old_key,
    the_table_refuses_refunds_beyond_the_capture,
}

/// The columns of the first version.
static INSERT: Insert = Insert::new(
    "INSERT",
    "payments",
    &[
        ("payment_id", Type::uuid),
        ("order_id", Type::uuid),
        ("number", Type::int),
        ("email", Type::text),
        ("amount", Type::int),
        ("currency", Type::text),
        ("status", Type::text),
        ("looked_up", Type::bool),
        ("refunded_amount", Type::int),
        ("created_at", Type::time),
        ("updated_at", Type::time),
        ("version", Type::int),
    ],
);
static REFUNDS: Query = Query::new(
    "REFUNDS",
    "select r.refund_id, r.payment_id, r.amount, r.reason, r.requested_by, r.status, p.pending_refunds,
        p.order_was_cancelled
     from refunds r join payments p on p.payment_id = r.payment_id order by r.refund_id",
);
static HOLD: Change = Change::new(
    "HOLD",
    "update payments set pending_refunds = $2, version = version + 1 where payment_id = $1 and version = $3",
);

/// The payments' store with this number of its steps.
async fn open(place: &ShopLocation, clock: &Clock, steps: usize) -> Db {
    if let Location::Folder(folder) = place.store() {
        std::fs::create_dir_all(folder).unwrap();
    }
    let payments = Shop::tradepost().described().into_iter().find(|service| service.name() == "payments").unwrap();
    let Migrations { set, steps: all } = payments.migrations();
    Db::open(Options {
        service: "payments",
        location: place.store(),
        migrations: Migrations { set, steps: &all[..steps] },
        destinations: HashMap::new(),
        shards: Shards::DEFAULT,
        outbox_cap: 1,
        ids: Ids::new(clock.clone()),
        clock: clock.clone(),
    })
    .await
    .unwrap()
}

fn cause(ids: &Ids) -> Cause {
    Cause::Request(RequestCause { request_id: ids.next(), traceparent: None, keyed: None })
}

fn payment(payment_id: PaymentId, order_id: OrderId, status: &str, refunded: i64, now: Timestamp) -> Batch {
    let money = (2_000_i64, "EUR");
    let row =
        params![payment_id, order_id, 1_i64, "", money.0, money.1, status, false, refunded, now, now, Version::FIRST,];
    Batch::new().insert(&INSERT, row)
}

async fn money_that_was_going_back_goes_on_under_its_old_key(place: ShopLocation) {
    let clock = Clock::mock("2026-01-01T12:00:00Z".parse().unwrap()).0;
    let (ids, now) = (Ids::new(clock.clone()), clock.now());
    let [captured, refunding, refunded] = [(); 3].map(|()| ids.next::<PaymentId>());
    place.without_tables();
    let db = open(&place, &clock, 1).await;
    for (payment_id, status, back) in
        [(captured, "captured", 0), (refunding, "refunding", 0), (refunded, "refunded", 2_000)]
    {
        db.commit(payment(payment_id, ids.next(), status, back, now), cause(&ids)).await.unwrap();
    }
    db.close().await;

    let db = open(&place, &clock, 2).await;
    let found = db
        .query(&REFUNDS, params![], |row| {
            let about = (row.get::<PaymentId>("refund_id")?, row.get::<PaymentId>("payment_id")?);
            let amounts = (row.get::<i64>("amount")?, row.get::<i64>("pending_refunds")?);
            let why = (row.get::<String>("reason")?, row.get::<String>("requested_by")?);
            Ok((about, amounts, why, row.get::<String>("status")?, row.get::<bool>("order_was_cancelled")?))
        })
        .await
        .unwrap();
    db.close().await;
    let row = |id: PaymentId, pending: i64, status: &str| {
        ((id, id), (2_000, pending), ("order_cancelled".to_owned(), "orders".to_owned()), status.to_owned(), true)
    };
    assert_eq!(found, [row(refunding, 2_000, "pending"), row(refunded, 0, "succeeded")]);
}

async fn the_table_refuses_refunds_beyond_the_capture(place: ShopLocation) {
    let clock = Clock::mock("2026-01-01T12:00:00Z".parse().unwrap()).0;
    let (ids, now) = (Ids::new(clock.clone()), clock.now());
    place.without_tables();
    let db = open(&place, &clock, 2).await;
    let payment_id = ids.next();
    db.commit(payment(payment_id, ids.next(), "captured", 1_500, now), cause(&ids)).await.unwrap();
    let hold = |held: i64, version| Batch::new().change(&HOLD, version, params![payment_id, held]);
    for beyond in [501, -1] {
        let refused = db.commit(hold(beyond, Version::FIRST), cause(&ids)).await.unwrap_err();
        assert!(!matches!(refused, Error::Conflict { .. }), "{beyond}: {refused}");
    }
    db.commit(hold(500, Version::FIRST), cause(&ids)).await.unwrap();
    db.close().await;
}
