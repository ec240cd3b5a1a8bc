//! Where no payment provider is wanted: services that are only looked at, not run.

use futures_util::future::{BoxFuture, ready};
use kernel::{Money, PaymentId};
use payments::{Charge, Provider, Token, Unknown};

/// Answers nothing.
pub(super) struct Absent;

fn nobody<T: Send + 'static>() -> BoxFuture<'static, Result<T, Unknown>> {
    Box::pin(ready(Err(Unknown("there is no payment provider".to_owned()))))
}

impl Provider for Absent {
    fn charge<'a>(&'a self, _: PaymentId, _: Money, _: &'a Token) -> BoxFuture<'a, Result<Charge, Unknown>> {
        nobody()
    }

    fn look_up(&self, _: PaymentId) -> BoxFuture<'_, Result<Option<Charge>, Unknown>> {
        nobody()
    }

    fn refund(&self, _: PaymentId, _: Money) -> BoxFuture<'_, Result<(), Unknown>> {
        nobody()
    }
}
