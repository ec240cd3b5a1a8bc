//! Alerts, and the last mail about them.

use events::AlertId;
use kernel::{Timestamp, Uuid, Version};
use service::TimerKind;
use service::storage::{Batch, Db, Error, Row, params};

use super::{
    ALERT_PAGE, ALERTS, DELETE_ALERT, EXPIRED_ALERTS, INSERT_ALERT, LAST_DIGEST, SET_ALERT, SET_LAST_DIGEST, UNMAILED,
};
use crate::domain::{Alert, Kind, Status};

/// Set when an alert is raised, until a digest has it, or it is acknowledged or resolved.
pub(crate) const MAIL_ALERTS: TimerKind = TimerKind::internal("mail_alerts");

/// The row of the last digest.
const DIGEST: &str = "alerts";

/// The last digest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LastDigest {
    pub sent_at: Option<Timestamp>,
    pub version: Version,
}

pub(crate) async fn alert(db: &Db, alert_id: AlertId) -> Result<Option<Alert>, Error> {
    Ok(alerts(db, vec![alert_id]).await?.into_iter().next())
}

pub(crate) async fn alerts(db: &Db, ids: Vec<AlertId>) -> Result<Vec<Alert>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    db.query(&ALERTS, params![ids], alert_of).await
}

/// Alerts below an id, newest first.
pub(crate) async fn page(
    db: &Db,
    status: Option<Status>,
    kind: Option<Kind>,
    before: AlertId,
    rows: i64,
) -> Result<Vec<Alert>, Error> {
    let params = params![status.map(Status::as_str), kind.map(Kind::as_str), before, rows];
    db.query(&ALERT_PAGE, params, alert_of).await
}

/// Open alerts that no digest has, oldest first.
pub(crate) async fn unmailed(db: &Db, rows: i64) -> Result<Vec<Alert>, Error> {
    db.query(&UNMAILED, params![rows], alert_of).await
}

/// A new alert. If it is to be mailed, its timer is set for `mail_at`.
pub(crate) fn raise(alert: &Alert, mail_at: Option<Timestamp>) -> Batch {
    let Alert { alert_id, kind, subject, status, detail, since, version, .. } = alert;
    let row = params![*alert_id, kind.as_str(), subject, status.as_str(), detail, *since, *version];
    let batch = Batch::new().insert(&INSERT_ALERT, row);
    match mail_at {
        Some(due_at) => batch.schedule(MAIL_ALERTS.name, *alert_id, due_at),
        None => batch,
    }
}

/// Writes an alert under the version that was read.
pub(crate) fn set(alert: &Alert) -> Batch {
    let row = params![
        alert.alert_id,
        alert.status.as_str(),
        &alert.detail,
        alert.since,
        alert.acknowledged_by.clone(),
        alert.acknowledged_at,
        alert.resolved_at,
        alert.mailed_at,
    ];
    Batch::new().change(&SET_ALERT, alert.version, row)
}

/// Writes an alert that is not to be mailed any more.
pub(crate) fn set_without_mail(alert: &Alert) -> Batch {
    set(alert).unschedule(MAIL_ALERTS.name, alert.alert_id)
}

pub(crate) async fn last_digest(db: &Db) -> Result<LastDigest, Error> {
    let last = |row: &Row<'_>| Ok(LastDigest { sent_at: row.get("sent_at")?, version: row.get("version")? });
    let found = db.query_one(&LAST_DIGEST, params![DIGEST], last).await?;
    // The step that makes the table adds the row.
    Ok(found.unwrap_or(LastDigest { sent_at: None, version: Version::FIRST }))
}

/// Keeps that a digest was sent, under the version at which the last one was read: two at once are a conflict.
pub(crate) fn set_last_digest(read: Version, now: Timestamp) -> Batch {
    Batch::new().change(&SET_LAST_DIGEST, read, params![DIGEST, now])
}

/// Deletes alerts that were resolved before that time, and answers with their number.
pub(crate) async fn delete_expired(db: &Db, before: Timestamp, rows: i64) -> Result<(Batch, usize), Error> {
    let expired = |row: &Row<'_>| Ok((row.get::<Uuid>("alert_id")?, row.get::<Version>("version")?));
    let found = db.query(&EXPIRED_ALERTS, params![before, rows], expired).await?;
    let delete =
        |batch: Batch, &(alert_id, version): &(Uuid, Version)| batch.change(&DELETE_ALERT, version, params![alert_id]);
    Ok((found.iter().fold(Batch::new(), delete), found.len()))
}

fn alert_of(row: &Row<'_>) -> Result<Alert, Error> {
    Ok(Alert {
        alert_id: row.get("alert_id")?,
        kind: row.parse("kind")?,
        subject: row.get("subject")?,
        status: row.parse("status")?,
        detail: row.get("detail")?,
        since: row.get("since")?,
        acknowledged_by: row.get("acknowledged_by")?,
        acknowledged_at: row.get("acknowledged_at")?,
        resolved_at: row.get("resolved_at")?,
        mailed_at: row.get("mailed_at")?,
        version: row.get("version")?,
    })
}
