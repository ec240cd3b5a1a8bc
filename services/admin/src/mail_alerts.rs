//! Alerts that were raised are mailed, all of them at once: `AlertsRaised`, at most once in each `alert_interval`.
//!
//! Each alert has a timer of its own, due an interval after it was raised. The first that comes due takes all alerts
//! along that no mail has, and ends their timers. The row of the last digest is the fence between instances.

use std::collections::HashSet;

use kernel::{Timestamp, Uuid};
use service::storage::Batch;
use service::{Committed, Failure, Timer, ends};

use crate::Ctx;
use crate::domain::{Alert, digest};
use crate::store::alerts::{self as store, MAIL_ALERTS};

/// Alerts of one digest at the most, which is as many rows in one commit. Those beyond are in the next.
const ALERTS_MAX: i64 = 1_000;

/// Sets the timer again for a later digest.
fn wait(timer: &Timer, until: Timestamp) -> Batch {
    Batch::new().schedule(MAIL_ALERTS.name, timer.key, until).caused_by(timer.origin())
}

pub(crate) async fn handle_many(ctx: Ctx, timers: Vec<Timer>) -> Result<Committed, Failure> {
    let (settings, now) = (&ctx.state.settings, ctx.clock.now());
    let Some(to) = &settings.alert_mail else { return Ok(ctx.commit(Batch::new(), ends(timers)).await?) };
    let last = store::last_digest(&ctx.db).await?;
    let next = last.sent_at.map(|sent_at| sent_at + settings.alert_interval).filter(|next| now < *next);
    if let Some(next) = next {
        let batch = timers.iter().fold(Batch::new(), |batch, timer| batch.and(wait(timer, next)));
        return Ok(ctx.commit(batch, ends(timers)).await?);
    }
    let alerts = store::unmailed(&ctx.db, ALERTS_MAX).await?;
    let Some(first) = timers.first().filter(|_| !alerts.is_empty()) else {
        return Ok(ctx.commit(Batch::new(), ends(timers)).await?);
    };
    let origin = first.origin().clone();
    // The others end with the commit, and by it.
    let ended: HashSet<Uuid> = timers.iter().map(|timer| timer.key).collect();
    let mail = |batch: Batch, alert: &Alert| {
        let is_ended = ended.contains(&alert.alert_id.into());
        let mailed = alert.mailed(now);
        batch.and(if is_ended { store::set(&mailed) } else { store::set_without_mail(&mailed) })
    };
    let mut batch = alerts.iter().fold(store::set_last_digest(last.version, now), mail);
    if i64::try_from(alerts.len()).is_ok_and(|alerts| alerts >= ALERTS_MAX) {
        // There may be more, and whoever is not in this digest has a timer for the next.
        let mailed: HashSet<Uuid> = alerts.iter().map(|alert| alert.alert_id.into()).collect();
        let beyond = timers.iter().filter(|timer| !mailed.contains(&timer.key));
        batch = beyond.fold(batch, |batch, timer| batch.and(wait(timer, now + settings.alert_interval)));
    }
    let event = digest(&alerts, to, ctx.ids.next());
    Ok(ctx.commit(batch.emit(last.version.next(), &event).caused_by(&origin), ends(timers)).await?)
}
