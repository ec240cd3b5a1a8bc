//! An order was placed elsewhere: it is recorded under a number of its own. Nobody pays for it here, so nothing is asked
//! for, nothing expires, and no `OrderPlaced` follows: the inventory decides it by the same event.

use std::collections::BTreeMap;

use events::ExternalOrderPlaced;
use service::http::ObjectToken;
use service::storage::Batch;
use service::{Committed, Delivery, Failure, causes};

use crate::domain::{CannotRecord, Order, Recorded, record};
use crate::{Ctx, numbers, store};

impl From<CannotRecord> for Failure {
    fn from(refusal: CannotRecord) -> Self {
        match refusal {
            CannotRecord::ProductUnknown(product_id) => {
                Self::retry(format!("product {product_id} of the order is not known here yet"))
            }
            CannotRecord::NoUnits => Self::park("the order has no lines, or a line of less than one unit"),
            CannotRecord::NegativePrice(price) => {
                Self::park(format!("a line is priced at {price}, which is below zero"))
            }
            CannotRecord::OtherCurrency(found) => {
                Self::park(format!("a line is priced in {found}, which is not the shop's currency"))
            }
            CannotRecord::TotalTooLarge => Self::park("the total of the order is too large to be counted"),
            CannotRecord::NotAnAddress => Self::park("email: wanted an e-mail address as in ada@example.com"),
        }
    }
}

pub(crate) async fn handle_many(
    ctx: Ctx,
    deliveries: Vec<Delivery<ExternalOrderPlaced>>,
) -> Result<Committed, Failure> {
    let events = || deliveries.iter().map(|delivery| &delivery.event);
    let known = store::orders(&ctx.db, events().map(|order| order.order_id).collect()).await?;
    let mut products: Vec<_> = events().flat_map(|order| &order.lines).map(|line| line.product_id).collect();
    products.sort_unstable();
    products.dedup();
    let products = store::known_products(&ctx.db, products).await?;
    let closed = store::closed_accounts(&ctx.db, events().filter_map(|order| order.user_id).collect()).await?;
    let (currency, now) = (ctx.state.settings.currency, ctx.clock.now());

    // By id, which begins with its time: so numbers have the order of placement.
    let mut recorded: BTreeMap<_, _> = BTreeMap::new();
    for delivery in deliveries.iter().filter(|delivery| !known.contains_key(&delivery.event.order_id)) {
        let is_last_attempt = delivery.is_last_attempt;
        let with = Recorded { products: &products, closed: &closed, currency, is_last_attempt };
        let order = record(&delivery.event, with, now)?;
        recorded.entry(order.order_id).or_insert((order, delivery));
    }
    let mut batch = Batch::new();
    let mut reached = Vec::new();
    for (order, delivery) in recorded.into_values() {
        // Nobody learns the token.
        let access_digest = ObjectToken::digest(ObjectToken::make(&ctx.ids).as_bytes()).to_vec();
        let order = Order { number: numbers::next(&ctx).await?, access_digest, ..order };
        batch = batch.and(store::insert(&order).caused_by(delivery.origin()));
        reached.push(order.status);
    }
    let committed = ctx.commit(batch, causes(deliveries)).await?;
    for status in reached {
        ctx.state.by_status.count([status.as_str()]);
    }
    Ok(committed)
}
