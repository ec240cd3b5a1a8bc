//! The port to whoever moves the money.

mod ledger;
mod simulated;

use std::time::Duration;

use events::{PaymentId, RefundId};
use futures_util::future::BoxFuture;
use kernel::Money;

pub use crate::domain::refund::Refund;
pub use crate::domain::{Charge, Token};
pub use ledger::Totals;
pub use simulated::Simulated;

/// The time that a call of the provider may take. Three of them fit into the lease of a timer.
const DEADLINE: Duration = Duration::from_secs(10);

/// Whoever moves the money.
///
/// The key of a charge is the payment's id, that of a refund the refund's, the same in all attempts.
pub trait Provider: Send + Sync + 'static {
    /// Charges, once for each key: asked again under the same key, it answers what it decided first.
    fn charge<'a>(&'a self, key: PaymentId, amount: Money, token: &'a Token) -> BoxFuture<'a, Result<Charge, Unknown>>;

    /// The decision under this key; `None` if nothing was ever charged or declined under it.
    fn look_up(&self, key: PaymentId) -> BoxFuture<'_, Result<Option<Charge>, Unknown>>;

    /// Gives money of the charge `of` back, once for each key: asked again under the same key, it answers what it
    /// decided first.
    fn refund(&self, key: RefundId, of: PaymentId, amount: Money) -> BoxFuture<'_, Result<Refund, Unknown>>;

    /// The decision about a refund under this key; `None` if nothing was ever given back or refused under it.
    fn look_up_refund(&self, key: RefundId) -> BoxFuture<'_, Result<Option<Refund>, Unknown>>;
}

/// The result of the call is unknown: it may have taken effect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the payment provider gave no answer: {0}")]
pub struct Unknown(pub String);

/// Waits for the answer of a call, but not for ever.
pub(crate) async fn answer_of<T>(call: BoxFuture<'_, Result<T, Unknown>>) -> Result<T, Unknown> {
    match tokio::time::timeout(DEADLINE, call).await {
        Ok(answer) => answer,
        Err(_) => Err(Unknown(format!("it took longer than {DEADLINE:?}"))),
    }
}
