//! The timer that removes what is old of an endpoint, and all of one that was deleted.

use events::EndpointId;
use kernel::SignedDuration;
use service::{Committed, Failure, Timer};

use crate::Ctx;
use crate::domain::KEPT_FOR;
use crate::store::{self, CLEAN_UP, attempts, deliveries as queues};

/// Deliveries of an endpoint that are kept after their end, however young they are.
const KEPT_MAX: i64 = 100_000;

/// Deliveries that one commit removes.
const REMOVED_MAX: i64 = 200;

/// The time between two looks.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_mins(10);

pub(crate) async fn handle(ctx: Ctx, timer: Timer) -> Result<Committed, Failure> {
    let (endpoint_id, now) = (EndpointId::from(timer.key), ctx.clock.now());
    let is_there = store::endpoint(&ctx.db, endpoint_id).await?.is_some();
    let removed = if is_there {
        let beyond = queues::nth_end(&ctx.db, endpoint_id, KEPT_MAX).await?;
        let until = beyond.into_iter().chain([now - KEPT_FOR]).max().expect("there is at least one");
        queues::old(&ctx.db, endpoint_id, until, REMOVED_MAX).await?
    } else {
        queues::any(&ctx.db, endpoint_id, REMOVED_MAX).await?
    };
    let is_all = i64::try_from(removed.len()).is_ok_and(|rows| rows < REMOVED_MAX);
    let mut batch = attempts::delete_of(&ctx.db, removed.iter().map(|(delivery_id, _)| *delivery_id).collect()).await?;
    batch = removed.into_iter().fold(batch, |batch, delivery| batch.and(queues::delete(delivery)));
    let next = match (is_all, is_there) {
        (false, _) => Some(now),
        (true, true) => Some(now + LOOK_AGAIN),
        (true, false) => None,
    };
    if let Some(next) = next {
        batch = batch.schedule(CLEAN_UP.name, endpoint_id, next);
    }
    Ok(ctx.commit(batch, timer.cause()).await?)
}
