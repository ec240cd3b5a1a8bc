//! The common shape of everything that raises and resolves alerts: read the conditions, take the facts in, decide about
//! each alert, commit one batch.

use std::collections::{BTreeMap, HashMap};

use events::{AlertId, Event};
use kernel::{Origin, Timestamp};
use service::storage::{Batch, Error};
use service::{Committed, Delivery, Failure, causes};

use crate::Ctx;
use crate::domain::{Alert, Condition, Fact, Followed, Kind, follow};
use crate::store::{alerts, conditions};

/// A fact about a subject, and from what it followed.
pub(crate) struct Report {
    pub subject: String,
    pub fact: Fact,
    pub origin: Origin,
}

/// Takes in what each delivery says about a subject of this kind. `report` answers `None` where it says nothing.
pub(crate) async fn follow_each<E: Event>(
    ctx: Ctx,
    kind: Kind,
    deliveries: Vec<Delivery<E>>,
    report: impl Fn(&Delivery<E>) -> Option<(String, Fact)>,
) -> Result<Committed, Failure> {
    let reports = deliveries.iter().filter_map(|delivery| {
        let (subject, fact) = report(delivery)?;
        Some(Report { subject, fact, origin: delivery.origin().clone() })
    });
    let batch = follow_all(&ctx, kind, reports.collect()).await?;
    Ok(ctx.commit(batch, causes(deliveries)).await?)
}

/// Takes in facts about subjects of this kind: the conditions and alerts after them.
pub(crate) async fn follow_all(ctx: &Ctx, kind: Kind, reports: Vec<Report>) -> Result<Batch, Error> {
    let mut by_subject: BTreeMap<String, Vec<Report>> = BTreeMap::new();
    for report in reports {
        by_subject.entry(report.subject.clone()).or_default().push(report);
    }
    if by_subject.is_empty() {
        return Ok(Batch::new());
    }
    let known = conditions::known(&ctx.db, kind, by_subject.keys().cloned().collect()).await?;
    let unresolved = known.values().filter_map(|known| known.alert_id).collect();
    let unresolved = alerts::alerts(&ctx.db, unresolved).await?;
    let unresolved: HashMap<AlertId, Alert> = unresolved.into_iter().map(|alert| (alert.alert_id, alert)).collect();
    let now = ctx.clock.now();
    let mut batch = Batch::new();
    for (subject, reports) in &by_subject {
        let before = known.get(subject);
        let mut condition = before.map_or_else(|| Condition::unknown(kind), |known| known.condition.clone());
        for report in reports {
            condition.learn(&report.fact);
        }
        let is_same = match before {
            Some(known) => known.condition == condition,
            None => !condition.is_kept(),
        };
        let Some(last) = reports.last().filter(|_| !is_same) else { continue };
        let alert = before.and_then(|known| known.alert_id).and_then(|alert_id| unresolved.get(&alert_id));
        let raise = |finding: &_| Alert::raised(ctx.ids.next(), kind, subject, finding);
        let followed = follow(alert, condition.finding().as_ref(), raise, now);
        let (alert_id, written) = write(ctx, alert, &followed, now);
        let read = before.map(|known| known.version);
        let put = conditions::put(kind, subject, &condition, alert_id, read, now);
        batch = batch.and(put.and(written).caused_by(&last.origin));
    }
    Ok(batch)
}

/// The alert that is not resolved afterwards, and the write of it.
fn write(ctx: &Ctx, before: Option<&Alert>, followed: &Followed, now: Timestamp) -> (Option<AlertId>, Batch) {
    match followed {
        Followed::Same => (before.map(|alert| alert.alert_id), Batch::new()),
        Followed::Raised(alert) => {
            let settings = &ctx.state.settings;
            // Later than the last mail by the interval at least: that was before this.
            let mail_at = settings.alert_mail.is_some().then(|| now + settings.alert_interval);
            (Some(alert.alert_id), alerts::raise(alert, mail_at))
        }
        Followed::Changed(alert) => (Some(alert.alert_id), alerts::set(alert)),
        Followed::Resolved(alert) => (None, alerts::set_without_mail(alert)),
    }
}
