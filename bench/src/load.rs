//! Events that the cases emit, and the way into an outbox.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use events::{Address, OrderId, OrderLine, OrderPlaced, PaymentCaptured, PaymentFailed, ProductId};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use kernel::{Cause, Currency, Ids, Money, RequestCause, UserId, Uuid, Version};
use storage::{Batch, Db, outbox};

use crate::servers::{Process, Servers};
use crate::services::{ORDERS, emitter};

/// Events that wait in the outbox before the relay starts, and as many that the bare client publishes.
pub(crate) const RELAYED: usize = 50_000;

/// Events that wait in the broker before the consumer starts.
pub(crate) const BACKLOG: usize = 100_000;

/// Orders that the events are about: several thousand, as many as a busy shop has open.
const KEYS: usize = 5_000;

/// Events of one commit where an outbox is filled.
const BATCH: usize = 64;

/// Commits that are in flight at once where an outbox is filled: enough for full groups.
const COMMITS: usize = 32;

/// The time between two looks at an outbox.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// More than the store's own count is mistaken by.
const NEARLY_EMPTY: u64 = 2_048;

/// Longer than any outbox takes here to get empty.
const PATIENCE: Duration = Duration::from_mins(5);

/// Makes events, each with its number.
#[derive(Clone)]
pub(crate) struct Orders {
    keys: Vec<OrderId>,
    product_ids: [ProductId; 2],
    user_id: UserId,
    ids: Ids,
}

impl Orders {
    pub fn new(ids: &Ids) -> Self {
        let keys = (0..KEYS).map(|_| ids.next()).collect();
        Self { keys, product_ids: [ids.next(), ids.next()], user_id: ids.next(), ids: ids.clone() }
    }

    /// About 700 bytes of JSON: an order of two lines with an address.
    pub fn placed(&self, number: usize) -> OrderPlaced {
        let line = |product_id, sku: &str, name: &str, quantity, amount| OrderLine {
            product_id,
            sku: sku.to_owned(),
            name: name.to_owned(),
            quantity,
            unit_price: Money::new(amount, Currency::EUR),
        };
        let [laptop, mouse] = self.product_ids;
        OrderPlaced {
            order_id: self.keys[number % KEYS],
            number: as_number(number),
            user_id: Some(self.user_id),
            email: format!("customer-{number}@shop.invalid"),
            ship_to: Some(Address {
                name: "Ada Lovelace".to_owned(),
                street: "12 St James's Square".to_owned(),
                city: "London".to_owned(),
                postal_code: "SW1Y 4JH".to_owned(),
                state: None,
                country: "GB".to_owned(),
            }),
            lines: vec![line(laptop, "123", "Laptop", 1, 129_900), line(mouse, "456", "Mouse", 2, 2_990)],
            total: Money::new(135_880, Currency::EUR),
            wait_for_stock: false,
        }
    }

    pub fn payment_failed(&self, number: usize) -> PaymentFailed {
        PaymentFailed {
            payment_id: self.ids.next(),
            order_id: self.keys[number % KEYS],
            number: as_number(number),
            email: format!("customer-{number}@shop.invalid"),
            error: "card_declined".to_owned(),
            is_final: true,
        }
    }

    /// A payment of as many cents as its number.
    fn payment_captured(&self, number: usize) -> PaymentCaptured {
        PaymentCaptured {
            payment_id: self.ids.next(),
            order_id: self.keys[number % KEYS],
            amount: Money::new(as_number(number), Currency::EUR),
        }
    }

    /// The batch that emits one payment.
    pub fn emit_capture(&self, number: usize) -> Batch {
        Batch::new().emit(version(number), &self.payment_captured(number))
    }

    /// The batch that emits one order.
    pub fn emit(&self, number: usize) -> Batch {
        Batch::new().emit(version(number), &self.placed(number))
    }

    /// The batch that emits one failed payment.
    pub fn emit_failure(&self, number: usize) -> Batch {
        Batch::new().emit(Version::FIRST, &self.payment_failed(number))
    }

    /// The cause of a request.
    pub fn cause(&self) -> Cause {
        Cause::Request(RequestCause { request_id: self.ids.next(), traceparent: None, keyed: None })
    }

    /// Commits orders up to this number.
    pub async fn fill(&self, db: &Db, events: usize) -> Result<()> {
        self.fill_with(db, events, |number| self.emit(number)).await
    }

    /// Commits events up to this number, many to a batch and many batches at a time.
    pub async fn fill_with(&self, db: &Db, events: usize, emit: impl Fn(usize) -> Batch) -> Result<()> {
        let emit = &emit;
        let commits = (0..events).step_by(BATCH).map(|first| async move {
            let emitted = first..(first + BATCH).min(events);
            let batch = emitted.fold(Batch::new(), |batch, number| batch.and(emit(number)));
            db.commit(batch, self.cause()).await
        });
        stream::iter(commits).buffer_unordered(COMMITS).try_for_each(async |_committed| Ok(())).await?;
        Ok(())
    }

    /// Has this many events wait in the broker for a consumer that is not there.
    pub async fn fill_broker(&self, servers: &Servers, events: usize) -> Result<()> {
        let (service, ctx) = emitter(ORDERS);
        let process = Process::start(servers, vec![Box::new(service)]).await?;
        let db = ctx.await?.db.clone();
        self.fill(&db, events).await?;
        until_sent(&db).await?;
        process.stop().await
    }
}

/// Waits until the outbox is empty. It is looked at only when the store's own count says that it nearly is: counting
/// a full one takes the database's time.
pub(crate) async fn until_sent(db: &Db) -> Result<()> {
    let began = Instant::now();
    while outbox::unsent(db) > NEARLY_EMPTY || outbox::count(db).await? > 0 {
        ensure!(began.elapsed() < PATIENCE, "the outbox is not empty after {PATIENCE:?}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// Each event of a key has a higher one than those before.
fn version(number: usize) -> Version {
    Version::from_stored(as_number(number / KEYS) + 1)
}

pub(crate) fn as_number(number: usize) -> i64 {
    i64::try_from(number).expect("events are some hundred thousand")
}

/// The key of an order, for who routes by it.
pub(crate) fn key(order: &OrderPlaced) -> Uuid {
    order.order_id.into()
}
