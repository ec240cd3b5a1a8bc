//! Money that goes back. Each refund is an intent with its own key at the provider: pending → succeeded or failed.
//! Money of a pending refund is held, so that all refunds together never exceed the capture.

use events::inventory::ReservedLine;
use events::payments::ORDER_CANCELLED;
use events::{OrderId, PaymentId, PaymentRefunded, ProductId, RefundFailed, RefundId};
use kernel::{Currency, Money, Timestamp, Version};

use super::{Decided, FAIL_AFTER, Payment, Status, UNREACHABLE};

/// Refunds of one payment that admins may ask for: far more than an order has lines, and few enough to be shown with
/// the payment. A cancelled order's money goes back beyond it.
pub(crate) const REFUNDS_MAX: usize = 100;

/// The requester of the refund of a cancelled order. No admin has this name.
const ORDERS: &str = "orders";

/// The status of a refund. `succeeded` and `failed` are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefundStatus {
    /// The provider is to be asked, or its answer is not known yet: the money is held.
    Pending,
    Succeeded,
    Failed,
}

kernel::named!(RefundStatus { Pending = "pending", Succeeded = "succeeded", Failed = "failed" });

/// The provider's decision about a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refund {
    /// It gave the money back.
    Done,
    /// It did not, and never will.
    Refused {
        /// The reason, for people.
        error: String,
    },
}

/// An intent to give money back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefundIntent {
    pub refund_id: RefundId,
    pub payment_id: PaymentId,
    pub order_id: OrderId,
    pub amount: Money,
    pub reason: Option<String>,
    /// Units that are to be sold again.
    pub restock: Vec<ReservedLine>,
    /// The admin, or the service for which it was made.
    pub requested_by: String,
    pub status: RefundStatus,
    pub error: Option<String>,
    pub looked_up: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// As it was read: a transition leaves it, and its commit is guarded by it.
    pub version: Version,
}

/// A refund as an admin asks for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RefundRequest {
    /// The order whose money it is, if the admin names it.
    pub order_id: Option<OrderId>,
    /// Money that goes back: all that is left, if none is named.
    pub amount: Option<Money>,
    pub reason: Option<String>,
    /// Each product once.
    pub restock: Vec<ReservedLine>,
    pub requested_by: String,
}

/// The reason why a refund is not begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The payment is of this other order.
    PaymentOfAnotherOrder(OrderId),
    NotCaptured(Status),
    /// The payment is in this currency.
    CurrencyMismatch(Currency),
    /// The order has no such product. `index` is its place in `restock`.
    NotInOrder {
        index: usize,
    },
    ExceedsCaptured {
        left: Money,
    },
    /// So many units of the product are neither restocked nor going to be.
    ExceedsOrdered {
        product_id: ProductId,
        left: i64,
    },
    TooManyRefunds,
}

/// A refund that was decided.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SettledRefund {
    pub payment: Payment,
    pub refund: RefundIntent,
    pub event: RefundEvent,
    /// The refund that is made instead, where the order was cancelled and its money must go back.
    pub renewal: Option<RefundIntent>,
}

/// The event of a decided refund.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RefundEvent {
    Refunded(PaymentRefunded),
    Failed(RefundFailed),
}

impl RefundIntent {
    /// Too much time has passed to begin it.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        now.duration_since(self.created_at) >= FAIL_AFTER
    }

    /// Made because its order was cancelled.
    fn is_of_cancellation(&self) -> bool {
        self.requested_by == ORDERS
    }

    fn moved(&self, status: RefundStatus, looked_up: bool, now: Timestamp) -> Self {
        Self { status, looked_up, updated_at: now, ..self.clone() }
    }
}

impl Payment {
    /// The money that the provider took, whatever went back since.
    pub fn captured(&self) -> Money {
        Money { amount: if self.is_captured() { self.amount.amount } else { 0 }, ..self.amount }
    }

    fn is_captured(&self) -> bool {
        matches!(self.status, Status::Captured | Status::Refunding | Status::Refunded)
    }

    /// The money that went back.
    pub fn refunded(&self) -> Money {
        Money { amount: self.refunded_amount, ..self.amount }
    }

    /// The money that is neither back nor held for a pending refund.
    pub fn left(&self) -> Money {
        let captured = self.captured();
        Money { amount: captured.amount - self.refunded_amount - self.pending_refunds, ..captured }
    }

    /// Begins a refund. `earlier` are all refunds that this payment has.
    pub fn request_refund(
        &self,
        refund_id: RefundId,
        request: &RefundRequest,
        earlier: &[RefundIntent],
        now: Timestamp,
    ) -> Result<(Self, RefundIntent), Refusal> {
        if request.order_id.is_some_and(|order_id| order_id != self.order_id) {
            return Err(Refusal::PaymentOfAnotherOrder(self.order_id));
        }
        if !self.is_captured() {
            return Err(Refusal::NotCaptured(self.status));
        }
        let left = self.left();
        let amount = request.amount.unwrap_or(left);
        if amount.currency != left.currency {
            return Err(Refusal::CurrencyMismatch(left.currency));
        }
        if left.amount == 0 || amount.amount > left.amount {
            return Err(Refusal::ExceedsCaptured { left });
        }
        self.check_restock(&request.restock, earlier)?;
        if earlier.len() >= REFUNDS_MAX {
            return Err(Refusal::TooManyRefunds);
        }
        let intent = RefundIntent {
            reason: request.reason.clone(),
            restock: request.restock.clone(),
            ..self.intent(refund_id, amount, &request.requested_by, now)
        };
        Ok((self.holding(&intent, now), intent))
    }

    /// Restocked are at most the units that were ordered. Of a cancelled order the inventory puts all units back by
    /// itself.
    fn check_restock(&self, restock: &[ReservedLine], earlier: &[RefundIntent]) -> Result<(), Refusal> {
        for (index, wanted) in restock.iter().enumerate() {
            let product_id = wanted.product_id;
            let mut ordered = self.lines.iter().filter(|line| line.product_id == product_id).peekable();
            // Payments from before the lines were recorded have none.
            if ordered.peek().is_none() && !self.lines.is_empty() {
                return Err(Refusal::NotInOrder { index });
            }
            let ordered: i64 = ordered.map(|line| line.quantity).sum();
            let restocked = earlier.iter().filter(|refund| refund.status != RefundStatus::Failed);
            let restocked = restocked.flat_map(|refund| &refund.restock).filter(|line| line.product_id == product_id);
            let left = ordered - restocked.map(|line| line.quantity).sum::<i64>();
            let left = if self.order_was_cancelled { 0 } else { left };
            if wanted.quantity > left {
                return Err(Refusal::ExceedsOrdered { product_id, left });
            }
        }
        Ok(())
    }

    /// The refund of all that is left, for an order that was cancelled.
    pub(super) fn cancellation(&self, refund_id: RefundId, now: Timestamp) -> Option<(Self, RefundIntent)> {
        let left = self.left();
        (left.amount > 0).then(|| {
            let reason = Some(ORDER_CANCELLED.to_owned());
            let intent = RefundIntent { reason, ..self.intent(refund_id, left, ORDERS, now) };
            (self.holding(&intent, now), intent)
        })
    }

    /// A refund of this payment was decided. If it was abandoned and the order was cancelled, its money must still go
    /// back: `renewal` is the id of the refund that is made for it. What the provider refused for good, and what was
    /// made for the cancellation itself, is not tried again.
    pub fn settle_refund(
        &self,
        refund: &RefundIntent,
        decided: &Decided<Refund>,
        renewal: RefundId,
        now: Timestamp,
    ) -> Option<SettledRefund> {
        if refund.status != RefundStatus::Pending {
            return None;
        }
        let released = Self { pending_refunds: self.pending_refunds - refund.amount.amount, ..self.clone() };
        let is_abandoned = decided.answer.is_none();
        let decision = decided.answer.clone().unwrap_or_else(|| Refund::Refused { error: UNREACHABLE.to_owned() });
        let (payment, refund, event) = match decision {
            Refund::Done => {
                let refunded_amount = self.refunded_amount + refund.amount.amount;
                let payment = Self { refunded_amount, ..released }.with_status_of_money(now);
                let refund = refund.moved(RefundStatus::Succeeded, decided.looked_up, now);
                let event = RefundEvent::Refunded(refunded_event(&payment, &refund));
                (payment, refund, event)
            }
            Refund::Refused { error } => {
                let payment = released.with_status_of_money(now);
                let failed = refund.moved(RefundStatus::Failed, decided.looked_up, now);
                let refund = RefundIntent { error: Some(error.clone()), ..failed };
                let event = RefundEvent::Failed(failed_event(&refund, error));
                (payment, refund, event)
            }
        };
        let must_go_back = is_abandoned && payment.order_was_cancelled && !refund.is_of_cancellation();
        Some(match must_go_back.then(|| payment.cancellation(renewal, now)).flatten() {
            Some((payment, renewal)) => SettledRefund { payment, refund, event, renewal: Some(renewal) },
            None => SettledRefund { payment, refund, event, renewal: None },
        })
    }

    fn intent(&self, refund_id: RefundId, amount: Money, requested_by: &str, now: Timestamp) -> RefundIntent {
        RefundIntent {
            refund_id,
            payment_id: self.payment_id,
            order_id: self.order_id,
            amount,
            reason: None,
            restock: Vec::new(),
            requested_by: requested_by.to_owned(),
            status: RefundStatus::Pending,
            error: None,
            looked_up: false,
            created_at: now,
            updated_at: now,
            version: Version::FIRST,
        }
    }

    fn holding(&self, intent: &RefundIntent, now: Timestamp) -> Self {
        let pending_refunds = self.pending_refunds + intent.amount.amount;
        Self { pending_refunds, ..self.clone() }.with_status_of_money(now)
    }

    fn with_status_of_money(&self, now: Timestamp) -> Self {
        let status = match self.amount.amount {
            amount if amount == self.refunded_amount => Status::Refunded,
            amount if amount == self.refunded_amount + self.pending_refunds => Status::Refunding,
            _ => Status::Captured,
        };
        self.moved(status, now)
    }
}

fn refunded_event(payment: &Payment, refund: &RefundIntent) -> PaymentRefunded {
    PaymentRefunded {
        payment_id: payment.payment_id,
        refund_id: Some(refund.refund_id),
        order_id: payment.order_id,
        amount: refund.amount,
        refunded_total: Some(payment.refunded()),
        restock: refund.restock.clone(),
        reason: refund.reason.clone(),
        of_cancellation: Some(refund.is_of_cancellation()),
    }
}

fn failed_event(refund: &RefundIntent, error: String) -> RefundFailed {
    let RefundIntent { refund_id, payment_id, order_id, amount, .. } = *refund;
    RefundFailed { refund_id, payment_id, order_id, amount, error }
}

#[cfg(test)]
pub(crate) mod tests {
    use events::orders::OrderLine;
    use kernel::{SignedDuration, Uuid};

    use super::*;
    use crate::domain::tests::payment;
    use crate::domain::{Charge, Decided};

    const LAMP: u128 = 1;
    const DESK: u128 = 2;

    /// A captured payment of 19.99 EUR for two lamps.
    fn captured() -> Payment {
        let payment = payment();
        let line = OrderLine {
            product_id: Uuid::from_u128(LAMP).into(),
            sku: "1".to_owned(),
            name: "Lamp".to_owned(),
            quantity: 2,
            unit_price: payment.amount,
        };
        let now = payment.created_at;
        let begun = Payment { lines: vec![line], ..payment }.begin(now).unwrap();
        begun.decide(&Decided { answer: Some(Charge::Charged), looked_up: false }, now).unwrap().0
    }

    fn id(number: u128) -> RefundId {
        Uuid::from_u128(number).into()
    }

    fn request(amount: i64, restock: &[(u128, i64)]) -> RefundRequest {
        let line =
            |&(product, quantity): &(u128, i64)| ReservedLine { product_id: Uuid::from_u128(product).into(), quantity };
        RefundRequest {
            amount: Some(Money::new(amount, Currency::EUR)),
            restock: restock.iter().map(line).collect(),
            requested_by: "automation".to_owned(),
            ..RefundRequest::default()
        }
    }

    /// A pending refund of a captured payment.
    pub(crate) fn pending() -> RefundIntent {
        let payment = captured();
        payment.request_refund(id(1), &request(500, &[]), &[], payment.created_at).unwrap().1
    }

    fn refused(payment: &Payment, request: &RefundRequest, earlier: &[RefundIntent]) -> Refusal {
        payment.request_refund(id(9), request, earlier, payment.created_at).unwrap_err()
    }

    #[test]
    fn money_that_is_held_for_one_refund_is_not_there_for_another() {
        let payment = captured();
        let now = payment.created_at;
        let (payment, first) = payment.request_refund(id(1), &request(1_500, &[]), &[], now).unwrap();
        assert_eq!((payment.status, payment.left().amount), (Status::Captured, 499));
        let left = Money::new(499, Currency::EUR);
        assert_eq!(refused(&payment, &request(500, &[]), &[]), Refusal::ExceedsCaptured { left });

        let rest = RefundRequest::default();
        let (payment, _) = payment.request_refund(id(2), &rest, std::slice::from_ref(&first), now).unwrap();
        assert_eq!((payment.status, payment.pending_refunds), (Status::Refunding, 1_999));
        let left = Money::new(0, Currency::EUR);
        assert_eq!(refused(&payment, &rest, &[]), Refusal::ExceedsCaptured { left });

        let failed = Decided { answer: None, looked_up: false };
        let settled = payment.settle_refund(&first, &failed, id(3), now).unwrap();
        assert_eq!((settled.payment.status, settled.payment.left().amount), (Status::Captured, 1_500));
        assert_eq!(settled.payment.settle_refund(&settled.refund, &failed, id(3), now), None);
    }

    #[test]
    fn a_unit_is_restocked_once() {
        let payment = captured();
        let now = payment.created_at;
        let (payment, first) = payment.request_refund(id(1), &request(1, &[(LAMP, 1)]), &[], now).unwrap();
        let earlier = std::slice::from_ref(&first);
        let (lamp, left) = (Uuid::from_u128(LAMP).into(), 1);
        let exceeds = Refusal::ExceedsOrdered { product_id: lamp, left };
        assert_eq!(refused(&payment, &request(1, &[(LAMP, 2)]), earlier), exceeds);
        let not_in_order = Refusal::NotInOrder { index: 1 };
        assert_eq!(refused(&payment, &request(1, &[(LAMP, 1), (DESK, 1)]), earlier), not_in_order);
        let failed = RefundIntent { status: RefundStatus::Failed, ..first };
        payment.request_refund(id(2), &request(1, &[(LAMP, 2)]), &[failed], now).unwrap();

        let exceeds = Refusal::ExceedsOrdered { product_id: lamp, left: 0 };
        let without_lines = Payment { lines: Vec::new(), ..payment.clone() };
        assert_eq!(refused(&without_lines, &request(1, &[(LAMP, 1)]), &[]), exceeds);
        let of_cancelled_order = Payment { order_was_cancelled: true, ..payment };
        assert_eq!(refused(&of_cancelled_order, &request(1, &[(LAMP, 1)]), &[]), exceeds);
    }

    #[test]
    fn a_refund_that_can_not_be_is_refused_for_its_reason() {
        let of_other = RefundRequest { order_id: Some(Uuid::nil().into()), ..RefundRequest::default() };
        let payment = captured();
        assert_eq!(refused(&payment, &of_other, &[]), Refusal::PaymentOfAnotherOrder(payment.order_id));
        let yen = RefundRequest { amount: Some(Money::new(1, "JPY".parse().unwrap())), ..RefundRequest::default() };
        assert_eq!(refused(&payment, &yen, &[]), Refusal::CurrencyMismatch(Currency::EUR));
        let many = vec![pending(); REFUNDS_MAX];
        assert_eq!(refused(&payment, &request(1, &[]), &many), Refusal::TooManyRefunds);
        for status in [Status::Requested, Status::Charging, Status::Failed, Status::Voided] {
            let payment = Payment { status, ..payment.clone() };
            assert_eq!(refused(&payment, &request(1, &[]), &[]), Refusal::NotCaptured(status));
        }
    }

    #[test]
    fn a_refund_is_overdue_after_a_day() {
        let refund = pending();
        assert!(!refund.is_overdue(refund.created_at + SignedDuration::from_hours(23)));
        assert!(refund.is_overdue(refund.created_at + SignedDuration::from_hours(24)));
    }
}
