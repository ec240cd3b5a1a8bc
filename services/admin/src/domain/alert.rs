//! An alert: raised when something is found about a subject, resolved when it is over. In between, an admin may
//! acknowledge it.

use events::{AlertId, AlertsRaised, DigestId, RaisedAlert};
use kernel::{SignedDuration, Timestamp, Version};

use super::Finding;

/// The time for which a resolved alert is kept, and a condition about which nothing was learnt since.
pub(crate) const KEPT_FOR: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Alerts that a digest names: a mail that a person reads to its end.
const NAMED_MAX: usize = 50;

/// Characters of a detail: it may quote what others wrote.
const DETAIL_MAX: usize = 300;

/// The kind of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// About a product.
    LowStock,
    /// About a purchase order.
    PurchaseOrderOverdue,
    /// About a payment.
    RefundFailed,
    /// About a service.
    DeadLetters,
    /// About an order.
    OrderStuck,
    /// About an endpoint to which events are sent.
    WebhookDisabled,
}

kernel::named!(Kind {
    LowStock = "low_stock",
    PurchaseOrderOverdue = "purchase_order_overdue",
    RefundFailed = "refund_failed",
    DeadLetters = "dead_letters",
    OrderStuck = "order_stuck",
    WebhookDisabled = "webhook_disabled",
});

/// The status of an alert; `resolved` is final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Open,
    Acknowledged,
    Resolved,
}

kernel::named!(Status { Open = "open", Acknowledged = "acknowledged", Resolved = "resolved" });

/// An alert as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alert {
    pub alert_id: AlertId,
    pub kind: Kind,
    /// The id or the name of what it is about.
    pub subject: String,
    pub status: Status,
    pub detail: String,
    /// The beginning of what it is about, which may be earlier than the alert.
    pub since: Timestamp,
    pub acknowledged_by: Option<String>,
    pub acknowledged_at: Option<Timestamp>,
    pub resolved_at: Option<Timestamp>,
    /// The time of the digest that has it.
    pub mailed_at: Option<Timestamp>,
    /// As it was read: a transition leaves it, and its commit is guarded by it.
    pub version: Version,
}

/// Nobody need do anything about it any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AlreadyResolved;

/// The consequence of what is found about a subject now for its alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Followed {
    Same,
    Raised(Alert),
    /// It says something else.
    Changed(Alert),
    Resolved(Alert),
}

/// Raises, changes or resolves the alert of a subject, of which `unresolved` is the one there is. So a subject has at
/// most one.
pub(crate) fn follow(
    unresolved: Option<&Alert>,
    finding: Option<&Finding>,
    raise: impl FnOnce(&Finding) -> Alert,
    now: Timestamp,
) -> Followed {
    match (unresolved, finding) {
        (None, None) => Followed::Same,
        (None, Some(finding)) => Followed::Raised(raise(finding)),
        (Some(alert), None) => Followed::Resolved(alert.resolved(now)),
        (Some(alert), Some(finding)) => {
            let changed = alert.saying(finding);
            if changed == *alert { Followed::Same } else { Followed::Changed(changed) }
        }
    }
}

/// The mail about these alerts, which are open and were in none yet.
pub(crate) fn digest(alerts: &[Alert], to: &str, digest_id: DigestId) -> AlertsRaised {
    let raised = |alert: &Alert| RaisedAlert {
        alert_id: alert.alert_id,
        kind: alert.kind.as_str().to_owned(),
        subject: alert.subject.clone(),
        detail: alert.detail.clone(),
        since: alert.since,
    };
    let named = alerts.iter().take(NAMED_MAX).map(raised).collect();
    let rest = i64::try_from(alerts.len().saturating_sub(NAMED_MAX)).unwrap_or(i64::MAX);
    AlertsRaised { digest_id, to: to.to_owned(), alerts: named, rest }
}

impl Alert {
    pub fn raised(alert_id: AlertId, kind: Kind, subject: &str, finding: &Finding) -> Self {
        Self {
            alert_id,
            kind,
            subject: subject.to_owned(),
            status: Status::Open,
            detail: shortened(&finding.detail),
            since: finding.since,
            acknowledged_by: None,
            acknowledged_at: None,
            resolved_at: None,
            mailed_at: None,
            version: Version::FIRST,
        }
    }

    /// An admin has seen it. `None` if one had before: who was first stays.
    pub fn acknowledge(&self, by: &str, now: Timestamp) -> Result<Option<Self>, AlreadyResolved> {
        match self.status {
            Status::Open => Ok(Some(Self {
                status: Status::Acknowledged,
                acknowledged_by: Some(by.to_owned()),
                acknowledged_at: Some(now),
                ..self.clone()
            })),
            Status::Acknowledged => Ok(None),
            Status::Resolved => Err(AlreadyResolved),
        }
    }

    /// A digest has it.
    pub fn mailed(&self, now: Timestamp) -> Self {
        Self { mailed_at: Some(now), ..self.clone() }
    }

    fn resolved(&self, now: Timestamp) -> Self {
        Self { status: Status::Resolved, resolved_at: Some(now), ..self.clone() }
    }

    fn saying(&self, finding: &Finding) -> Self {
        Self { detail: shortened(&finding.detail), since: finding.since, ..self.clone() }
    }
}

fn shortened(detail: &str) -> String {
    let text: String = detail.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().count() <= DETAIL_MAX {
        return text;
    }
    text.chars().take(DETAIL_MAX - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use kernel::Uuid;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn finding(detail: &str) -> Finding {
        Finding { since: at(1), detail: detail.to_owned() }
    }

    fn alert(number: u128) -> Alert {
        Alert::raised(Uuid::from_u128(number).into(), Kind::LowStock, "a product", &finding("2 left"))
    }

    #[test]
    fn an_alert_is_raised_changed_and_resolved_as_is_found() {
        let (open, now) = (alert(1), at(9));
        let raise = |finding: &Finding| Alert::raised(Uuid::from_u128(2).into(), Kind::LowStock, "a product", finding);
        assert_eq!(follow(None, None, raise, now), Followed::Same);
        assert_eq!(follow(None, Some(&finding("2 left")), raise, now), Followed::Raised(alert(2)));
        assert_eq!(follow(Some(&open), Some(&finding("2 left")), raise, now), Followed::Same);
        let Followed::Changed(changed) = follow(Some(&open), Some(&finding("1 left")), raise, now) else { panic!() };
        assert_eq!((changed.detail.as_str(), changed.status, changed.version), ("1 left", Status::Open, open.version));
        let Followed::Resolved(resolved) = follow(Some(&open), None, raise, now) else { panic!() };
        assert_eq!((resolved.status, resolved.resolved_at), (Status::Resolved, Some(now)));
    }

    #[test]
    fn an_alert_is_acknowledged_once_and_not_when_it_is_resolved() {
        let acknowledged = alert(1).acknowledge("ada", at(2)).unwrap().unwrap();
        assert_eq!((acknowledged.status, acknowledged.acknowledged_by.as_deref()), (Status::Acknowledged, Some("ada")));
        assert_eq!(acknowledged.acknowledge("eve", at(3)), Ok(None));
        let resolved = acknowledged.resolved(at(4));
        assert_eq!(resolved.acknowledge("eve", at(5)), Err(AlreadyResolved));
        assert_eq!(resolved.acknowledged_by.as_deref(), Some("ada"));
    }

    #[test]
    fn a_digest_names_fifty_and_counts_the_others() {
        let alerts: Vec<Alert> = (0..53).map(alert).collect();
        let digest = digest(&alerts, "admin@shop.example", Uuid::from_u128(1).into());
        assert_eq!((digest.alerts.len(), digest.rest, digest.to.as_str()), (50, 3, "admin@shop.example"));
        assert_eq!((digest.alerts[0].kind.as_str(), digest.alerts[0].detail.as_str()), ("low_stock", "2 left"));
    }

    #[test]
    fn a_detail_is_one_line_of_bounded_length() {
        assert_eq!(shortened("a\nb"), "a b");
        assert_eq!(shortened(&"é".repeat(400)).chars().count(), DETAIL_MAX);
    }
}
