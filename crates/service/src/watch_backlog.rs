//! Looks again and again for late work, so that no new work is taken that could not be done in time.

use std::sync::Arc;
use std::time::Duration;

use bus::{Broker, Health};
use kernel::{Lane, SignedDuration, Timestamp};
use storage::{Error, outbox, timers};
use tokio::sync::watch;

use crate::{CtxParts, Tasks};

/// Pieces of work that must be late before the shop is: fewer may have reasons of their own, such as a retry.
const LATE: i64 = 100;

/// The time between two looks; a look reads one row for each destination and each kind of timer.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Looks between two counts of what is unsent, beside other instances: a count reads all of it, up to the cap.
const RECOUNT_EVERY: u32 = 5;

/// Work that a service might be late with.
pub(crate) struct Work {
    pub broker: Arc<dyn Broker>,
    pub destinations: Vec<(String, Lane)>,
    pub timers: Vec<&'static str>,
}

/// Looks again and again whether the service is late.
pub(crate) async fn watch(ctx: Arc<CtxParts>, work: Work, mut wake: watch::Receiver<()>, tasks: Tasks) {
    let late_after = SignedDuration::try_from(ctx.settings.late_after).unwrap_or(SignedDuration::MAX);
    let mut was_late = false;
    let mut looks: u32 = 0;
    loop {
        let late_since = ctx.clock.now().checked_sub(late_after).unwrap_or(Timestamp::MIN);
        // A store that can't be read refuses for itself.
        let is_late = is_late(&ctx, &work, late_since).await.unwrap_or(was_late);
        let service = ctx.db.service();
        if is_late && !was_late {
            tracing::warn!(
                service,
                ?late_after,
                "work waits for longer than this: requests that begin new work are refused meanwhile"
            );
        } else if was_late && !is_late {
            tracing::info!(service, "the work is done in time again");
        }
        was_late = is_late;
        if work.broker.guarantees().is_shared() && looks.is_multiple_of(RECOUNT_EVERY) {
            // If it can't be counted, nothing can be written either.
            let _ = outbox::recount(&ctx.db, ctx.settings.outbox_cap).await;
        }
        looks += 1;
        ctx.overload.backlog.report(service, is_late);
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            Ok(()) = wake.changed() => {}
            () = tasks.stopping() => return,
        }
    }
}

async fn is_late(ctx: &CtxParts, work: &Work, late_since: Timestamp) -> Result<bool, Error> {
    let CtxParts { db, catching_up, overload, .. } = ctx;
    let yielding = &overload.yielding;
    if yielding.has_service(db.service()) {
        return Ok(false);
    }
    for name in &work.timers {
        if timers::nth_due(db, name, LATE).await?.is_some_and(|due_at| due_at < late_since) {
            return Ok(true);
        }
    }
    // While the broker is unreachable everything waits for it, and new work is accepted all the same.
    if work.broker.health() != Health::Ready {
        return Ok(false);
    }
    // What is live waits for a consumer that catches up, or that yields to others, and the shop sells on.
    let waits = |(name, lane): &&(String, Lane)| !catching_up.has(name, *lane) && !yielding.has_service(name);
    for (destination, lane) in work.destinations.iter().filter(waits) {
        if outbox::nth_oldest(db, destination, *lane, LATE).await?.is_some_and(|time| time < late_since) {
            return Ok(true);
        }
    }
    Ok(false)
}
