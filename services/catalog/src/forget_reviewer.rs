//! The reviews of a closed account keep their ratings, which count on; words and person go, and so do its deliveries.

use service::storage::Batch;
use service::{Committed, Failure, Timer};

use crate::Ctx;
use crate::store::{self, reviews};

/// Reviews, and deliveries, that are changed in one commit.
const PAGE: i64 = 100;

pub(crate) async fn handle(ctx: Ctx, timer: Timer) -> Result<Committed, Failure> {
    let user_id = timer.key.into();
    // In this order: a review that is written in between has changed a delivery, which is then found here.
    let written = reviews::reviews_of_user(&ctx.db, user_id, PAGE).await?;
    let delivered = reviews::deliveries_of_user(&ctx.db, user_id, PAGE).await?;
    let mut batch = Batch::new();
    for review in &written {
        batch = batch.and(reviews::forget_author(review, ctx.ids.next()));
    }
    for delivery in &delivered {
        batch = batch.and(reviews::forget_delivery(delivery));
    }
    if !(written.is_empty() && delivered.is_empty()) {
        batch = batch.schedule(store::FORGET_REVIEWER.name, user_id, ctx.clock.now());
    }
    Ok(ctx.commit(batch, timer.cause()).await?)
}
