//! The refunds of an order that were decided, and the reason that is shown if one failed.

use events::{PaymentRefunded, RefundFailed, RefundId};
use kernel::Timestamp;

use super::{Decision, Order};

/// A refund that the payment provider decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DecidedRefund {
    pub refund_id: RefundId,
    /// Minor units, in the currency of the order's total.
    pub amount: i64,
    /// The provider's reason, if it failed.
    pub error: Option<String>,
}

impl Order {
    /// Money did not go back. Known once, it changes nothing, whenever it arrives.
    pub fn refund_failed(&self, failed: &RefundFailed, now: Timestamp) -> Option<Decision> {
        if self.payment_id != Some(failed.payment_id) {
            return None;
        }
        let RefundFailed { refund_id, amount, error, .. } = failed;
        let refund = DecidedRefund { refund_id: *refund_id, amount: amount.amount, error: Some(error.clone()) };
        let refunds = self.refunds_with(refund)?;
        Some(Decision::of(Self { refunds, ..self.clone() }).after(self, now))
    }

    /// The provider's reason of the latest refund that failed and was not made up for: neither is all money back, nor
    /// have refunds that were asked for after it given back as much. The ids of refunds, which begin with their time,
    /// say which was asked for later, so the order in which their outcomes arrive does not matter.
    pub fn refund_error(&self) -> Option<&str> {
        if self.refunded >= self.total.amount {
            return None;
        }
        let mut given_back = 0;
        for refund in self.refunds.iter().rev() {
            match &refund.error {
                None => given_back += refund.amount,
                Some(error) if refund.amount > given_back => return Some(error),
                Some(_) => {}
            }
        }
        None
    }

    /// The refunds with one that succeeded, unless it is known. Those of earlier versions have no id.
    pub(super) fn refunds_after(&self, done: &PaymentRefunded) -> Option<Vec<DecidedRefund>> {
        let amount = done.amount.amount;
        done.refund_id.and_then(|refund_id| self.refunds_with(DecidedRefund { refund_id, amount, error: None }))
    }

    /// The refunds by id with one more, unless it is known. Payments bounds how many an order has.
    fn refunds_with(&self, refund: DecidedRefund) -> Option<Vec<DecidedRefund>> {
        let at = self.refunds.binary_search_by_key(&refund.refund_id, |known| known.refund_id).err()?;
        let mut refunds = self.refunds.clone();
        refunds.insert(at, refund);
        Some(refunds)
    }
}
