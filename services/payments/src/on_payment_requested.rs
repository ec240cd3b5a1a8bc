//! An order asks for its money: record the payment, and charge it soon.

use std::collections::HashSet;

use events::PaymentRequested;
use service::storage::Batch;
use service::{Committed, Delivery, Failure, causes};

use crate::charge::CHARGE;
use crate::domain::Payment;
use crate::{Ctx, store};

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<PaymentRequested>>) -> Result<Committed, Failure> {
    let asked = deliveries.iter().map(|delivery| delivery.event.payment_id).collect();
    let mut known: HashSet<_> = store::known(&ctx.db, asked).await?.into_iter().collect();
    let now = ctx.clock.now();
    let mut batch = Batch::new();
    for delivery in deliveries.iter().filter(|delivery| known.insert(delivery.event.payment_id)) {
        let payment = Payment::requested(&delivery.event, now);
        let part = store::insert(&payment).schedule(CHARGE.name, payment.payment_id, now);
        batch = batch.and(part.caused_by(delivery.origin()));
    }
    Ok(ctx.commit(batch, causes(deliveries)).await?)
}
