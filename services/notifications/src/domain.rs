//! A mail: what it says never changes; whether it went out is decided once.

pub(crate) mod back_in_stock;

use events::{DigestId, OrderId, PaymentId, RefundId, ShipmentId};
use kernel::{SignedDuration, Timestamp, UserId, Uuid, Version};

kernel::id!(MailId, MailKind, "One mail that is to be sent once.");

/// The time for which a mail is tried.
const FAIL_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// The kind of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Template {
    Welcome,
    Confirmation,
    Rejection,
    Backordered,
    PaymentDue,
    PaymentFailed,
    Cancelled,
    TooLateToCancel,
    Dispatched,
    Delivered,
    Refunded,
    PasswordReset,
    PasswordChanged,
    Verification,
    BackInStock,
    /// To a supplier, as are the next two.
    PurchaseOrder,
    PurchaseOrderChanged,
    PurchaseOrderCancelled,
    /// To the admin.
    Alerts,
}

/// The treatment of a mail whose recipient got as many as the hour allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beyond {
    /// It goes all the same: its number has a bound of its own.
    Send,
    /// It waits until there is room.
    Hold,
    /// It is not written.
    Drop,
}

impl Template {
    /// Mails that cost nothing to cause are dropped, for held they would flood the recipient for days. Mails that cost
    /// money, or guard an account, must arrive. `Cancelled` is that of an order which was never paid.
    pub fn beyond_quota(self) -> Beyond {
        match self {
            // The users service has at most three of these links for each account.
            Self::PasswordReset => Beyond::Send,
            Self::Confirmation
            | Self::TooLateToCancel
            | Self::Dispatched
            | Self::Delivered
            | Self::Refunded
            | Self::PasswordChanged
            // So many requests of one address are open as [`back_in_stock`] allows.
            | Self::BackInStock
            // They cost money, and a supplier gets few.
            | Self::PurchaseOrder
            | Self::PurchaseOrderChanged
            | Self::PurchaseOrderCancelled
            // Admin sends one in each interval.
            | Self::Alerts => Beyond::Hold,
            Self::Welcome
            | Self::Verification
            | Self::Rejection
            | Self::Backordered
            | Self::PaymentDue
            | Self::PaymentFailed
            | Self::Cancelled => Beyond::Drop,
        }
    }
}

/// The status of a mail; all but `queued` are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Queued,
    /// The mail server took it.
    Sent,
    /// There is no mail server: it can be read here.
    Captured,
    /// The mail server refuses it, or was unreachable for too long, or a later mail about the order replaced it.
    Failed,
}

kernel::named!(Template {
    Welcome = "welcome",
    Confirmation = "confirmation",
    Rejection = "rejection",
    Backordered = "backordered",
    PaymentDue = "payment_due",
    PaymentFailed = "payment_failed",
    Cancelled = "cancelled",
    TooLateToCancel = "too_late_to_cancel",
    Dispatched = "dispatched",
    Delivered = "delivered",
    Refunded = "refunded",
    PasswordReset = "password_reset",
    PasswordChanged = "password_changed",
    Verification = "verification",
    BackInStock = "back_in_stock",
    PurchaseOrder = "purchase_order",
    PurchaseOrderChanged = "purchase_order_changed",
    PurchaseOrderCancelled = "purchase_order_cancelled",
    Alerts = "alerts",
});

kernel::named!(Status { Queued = "queued", Sent = "sent", Captured = "captured", Failed = "failed" });

/// The topic of a mail. There is one mail for each topic and template, however often its event is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    User(UserId),
    Order(OrderId),
    /// One attempt to pay for an order: each that fails is reported.
    Payment(PaymentId, OrderId),
    /// A part of an order that leaves together.
    Shipment(ShipmentId, OrderId),
    /// Money of an order that went back.
    Refund(RefundId, OrderId),
    /// Something that happened to an account, by the event that says so.
    Account(Uuid, UserId),
    /// A request to be mailed when a product is in stock again.
    BackInStock(Uuid),
    /// A purchase order, or a change of one by the event that says so.
    PurchaseOrder(Uuid),
    /// Alerts that were raised.
    Digest(DigestId),
}

impl Topic {
    pub fn id(self) -> Uuid {
        match self {
            Self::User(user_id) => user_id.into(),
            Self::Order(order_id) => order_id.into(),
            Self::Payment(payment_id, _) => payment_id.into(),
            Self::Shipment(shipment_id, _) => shipment_id.into(),
            Self::Refund(refund_id, _) => refund_id.into(),
            Self::Account(occasion, _) => occasion,
            Self::BackInStock(request_id) => request_id,
            Self::PurchaseOrder(occasion) => occasion,
            Self::Digest(digest_id) => digest_id.into(),
        }
    }

    pub fn order_id(self) -> Option<OrderId> {
        match self {
            Self::User(_) | Self::Account(..) | Self::BackInStock(_) | Self::PurchaseOrder(_) | Self::Digest(_) => None,
            Self::Order(order_id)
            | Self::Payment(_, order_id)
            | Self::Shipment(_, order_id)
            | Self::Refund(_, order_id) => Some(order_id),
        }
    }

    /// The account, of a mail that is about one and no order.
    pub fn user_id(self) -> Option<UserId> {
        match self {
            Self::User(user_id) | Self::Account(_, user_id) => Some(user_id),
            Self::Order(_)
            | Self::Payment(..)
            | Self::Shipment(..)
            | Self::Refund(..)
            | Self::BackInStock(_)
            | Self::PurchaseOrder(_)
            | Self::Digest(_) => None,
        }
    }
}

/// A mail as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mail {
    pub mail_id: MailId,
    pub topic_id: Uuid,
    /// The same in every attempt, so that a mail which went out twice shows as one (RFC 5322 §3.6.4).
    pub message_id: String,
    pub order_id: Option<OrderId>,
    pub user_id: Option<UserId>,
    pub template: Template,
    pub recipient: String,
    pub subject: String,
    pub text: String,
    pub html: String,
    pub status: Status,
    pub attempts: i64,
    pub error: Option<String>,
    pub created_at: Timestamp,
    /// Until when it waits, because its recipient got too many.
    pub held_until: Option<Timestamp>,
    pub sent_at: Option<Timestamp>,
    /// As it was read: a transition leaves it, and its commit is guarded by it.
    pub version: Version,
}

/// The reason why the mail server did not take a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotSent {
    /// It never will.
    Refused(String),
    /// It may later.
    Unavailable(String),
}

impl std::fmt::Display for NotSent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(reply) => write!(f, "the mail server refuses the mail: {reply}"),
            Self::Unavailable(reason) => write!(f, "the mail server can't be reached or is busy: {reason}"),
        }
    }
}

impl Mail {
    /// The mail server took it.
    pub fn sent(&self, attempts: i64, now: Timestamp) -> Self {
        Self { status: Status::Sent, attempts, sent_at: Some(now), error: None, ..self.clone() }
    }

    /// Nobody sends it: it can be read here.
    pub fn captured(&self, now: Timestamp) -> Self {
        Self { status: Status::Captured, sent_at: Some(now), ..self.clone() }
    }

    /// It is not to be sent any more: a later mail about the order contradicts it. An attempt that is under way at that
    /// moment may still succeed.
    pub fn replaced(&self) -> Self {
        let reason = "a later mail about the order replaced it before it could be sent";
        Self { status: Status::Failed, error: Some(reason.to_owned()), ..self.clone() }
    }

    /// It was not sent: failed for good, or `None` while it is worth another attempt.
    pub fn not_sent(&self, reason: &NotSent, attempts: i64, now: Timestamp) -> Option<Self> {
        let is_overdue = now.duration_since(self.held_until.unwrap_or(self.created_at)) >= FAIL_AFTER;
        let is_over = is_overdue || matches!(reason, NotSent::Refused(_));
        is_over.then(|| Self { status: Status::Failed, attempts, error: Some(reason.to_string()), ..self.clone() })
    }
}

/// Text for a header: line breaks and other control characters, by which headers could be slipped in, become spaces.
pub(crate) fn header_text(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned()
}

#[cfg(test)]
pub(crate) mod tests {
    use kernel::{Clock, Ids};

    use super::*;

    pub(crate) fn mail() -> Mail {
        let clock = Clock::mock("2026-01-01T00:00:00Z".parse().unwrap()).0;
        let mail_id = Ids::new(clock.clone()).next();
        Mail {
            mail_id,
            topic_id: mail_id.into(),
            message_id: format!("<{mail_id}@shop.example>"),
            order_id: None,
            user_id: None,
            template: Template::Welcome,
            recipient: "ada@example.com".to_owned(),
            subject: "Welcome".to_owned(),
            text: "Grüße".to_owned(),
            html: "<p>Grüße</p>".to_owned(),
            status: Status::Queued,
            attempts: 0,
            error: None,
            created_at: clock.now(),
            held_until: None,
            sent_at: None,
            version: Version::FIRST,
        }
    }

    #[test]
    fn a_refused_mail_fails_at_once_and_an_unavailable_server_is_tried_for_a_day() {
        let mail = mail();
        let after = |hours| mail.created_at + SignedDuration::from_hours(hours);
        let (refused, unavailable) = (NotSent::Refused("550".to_owned()), NotSent::Unavailable("451".to_owned()));
        assert_eq!(mail.not_sent(&refused, 1, after(0)).map(|mail| mail.status), Some(Status::Failed));
        assert_eq!(mail.not_sent(&unavailable, 80, after(23)), None);
        assert_eq!(mail.not_sent(&unavailable, 90, after(24)).map(|mail| mail.status), Some(Status::Failed));
        let held = Mail { held_until: Some(after(20)), ..mail.clone() };
        assert_eq!(held.not_sent(&unavailable, 1, after(24)), None, "a held mail is tried for as long");
    }

    #[test]
    fn a_header_has_one_line() {
        let slipped = "ada@example.com\r\nBcc: eve@example.com\u{85}x";
        assert_eq!(header_text(slipped), "ada@example.com  Bcc: eve@example.com x");
    }
}
