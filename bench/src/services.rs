//! The services: two that emit, and one that writes a row for each event.

use std::sync::Arc;
use std::time::Duration;

use events::{Event, OrderPlaced, PaymentCaptured, PaymentFailed};
use kernel::Uuid;
use service::{Committed, Delivery, Failure, Service, causes};
use storage::{Batch, Migration, Migrations, params, statements};
use tokio::sync::oneshot;

use crate::timeline::Timeline;

/// Emits [`OrderPlaced`], in the background lane.
pub(crate) const ORDERS: &str = "orders";
/// Emits [`PaymentFailed`], in the immediate lane, and [`PaymentCaptured`], in the background lane.
pub(crate) const PAYMENTS: &str = "payments";
/// Reacts to all of them.
pub(crate) const CONSUMER: &str = "effects";

/// For a service that only emits.
const NO_TABLES: Migrations = Migrations { set: "bench", steps: &[] };

const TABLES: Migrations = Migrations {
    set: "bench",
    steps: &[Migration {
        sqlite: "create table effects (number integer not null primary key, subject blob not null) strict;",
        postgres: "create table effects (number bigint not null primary key, subject uuid not null);",
    }],
};

statements! {
    insert INSERT_EFFECT into effects (number int, subject uuid);
    query COUNT_EFFECTS "select count(*) as effects from effects";
}

type Ctx = service::Ctx<React>;

/// The behaviour of the consumer's reactions beside writing.
#[derive(Clone)]
pub(crate) struct React {
    /// Records every effect.
    pub timeline: Arc<Timeline>,
    /// The time that each takes before it writes.
    pub wait: Duration,
}

/// A service that emits events. The receiver gets its context at the start, and commits through it.
pub(crate) fn emitter(name: &'static str) -> (Service, oneshot::Receiver<service::Ctx>) {
    let (sender, receiver) = oneshot::channel();
    let service = Service::new(name, NO_TABLES, &[], ()).at_start(async move |ctx| {
        // Who does not want it has dropped the receiver.
        drop(sender.send(ctx));
        Ok(())
    });
    (service, receiver)
}

/// Reacts to as many orders at a time as there are, and to payments.
pub(crate) fn consumer(timeline: &Arc<Timeline>) -> Service<React> {
    let react = React { timeline: timeline.clone(), wait: Duration::ZERO };
    Service::new(CONSUMER, TABLES, STATEMENTS, react)
        .on_many::<OrderPlaced>(write_many)
        .on_many::<PaymentCaptured>(write_many)
        .on_many::<PaymentFailed>(write_many)
}

/// Reacts to orders one at a time, each of which takes its time, and to payments as fast as it can.
pub(crate) fn slow_consumer(timeline: &Arc<Timeline>, wait: Duration) -> Service<React> {
    Service::new(CONSUMER, TABLES, STATEMENTS, React { timeline: timeline.clone(), wait })
        .on::<OrderPlaced>(write_slowly)
        .on_many::<PaymentCaptured>(write_many)
        .on_many::<PaymentFailed>(write_many)
}

/// The tables of one of them.
pub(crate) fn tables_of(service: &str) -> Migrations {
    if service == CONSUMER { TABLES } else { NO_TABLES }
}

/// Number of effects in the consumer's store.
pub(crate) async fn effects(db: &storage::Db) -> Result<i64, storage::Error> {
    let found = db.query_one(&COUNT_EFFECTS, params![], |row| row.get("effects")).await?;
    Ok(found.unwrap_or_default())
}

/// An event that has a number.
trait Numbered: Event {
    fn number(&self) -> i64;
}

impl Numbered for OrderPlaced {
    fn number(&self) -> i64 {
        self.number
    }
}

impl Numbered for PaymentCaptured {
    fn number(&self) -> i64 {
        self.amount.amount
    }
}

impl Numbered for PaymentFailed {
    fn number(&self) -> i64 {
        self.number
    }
}

async fn write_many<E: Numbered>(ctx: Ctx, deliveries: Vec<Delivery<E>>) -> Result<Committed, Failure> {
    let written: Vec<(i64, Uuid)> = deliveries.iter().map(|it| (it.event.number(), it.event.key())).collect();
    let batch = written
        .iter()
        .fold(Batch::new(), |batch, (number, subject)| batch.insert(&INSERT_EFFECT, params![*number, *subject]));
    let committed = ctx.commit(batch, causes(deliveries)).await?;
    ctx.state.timeline.done(written.into_iter().map(|(number, _)| number));
    Ok(committed)
}

async fn write_slowly(ctx: Ctx, delivery: Delivery<OrderPlaced>) -> Result<Committed, Failure> {
    tokio::time::sleep(ctx.state.wait).await;
    let number = delivery.event.number();
    let batch = Batch::new().insert(&INSERT_EFFECT, params![number, delivery.event.key()]);
    let committed = ctx.commit(batch, delivery.cause()).await?;
    ctx.state.timeline.done([number]);
    Ok(committed)
}
