//! A payment failed. Its order decides what follows and which mail its customer gets: none is written here.
//!
//! Versions before wrote a mail here, and events that were emitted for them may still be in flight.

use events::PaymentFailed;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::compose::write_each;

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<PaymentFailed>>) -> Result<Committed, Failure> {
    write_each(ctx, deliveries, |_| None).await
}
