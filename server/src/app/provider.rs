//! The payment provider: the simulated one where payments run, none where services are only inspected.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;

use anyhow::Context;
use events::{PaymentId, RefundId};
use futures_util::future::{BoxFuture, ready};
use kernel::{Ids, Money};
use payments::{Charge, Provider, Refund, Simulated, Token, Unknown};
use service::storage::Location;

use super::{Options, PROVIDER_FOLDER, Scope};

/// The service beside whose tables the ledger is, in a schema of its own.
pub(super) const LEDGER_OF: &str = "payments";

/// The name of that schema.
pub(super) const LEDGER: &str = "payment-provider";

/// The simulated provider, if payments run in this process.
///
/// Its ledger is in the folder of a whole shop. The processes of a divided one share it in the payments' database.
pub(super) async fn open(options: &Options, ids: &Ids) -> anyhow::Result<Option<Arc<Simulated>>> {
    if !options.scope.includes(LEDGER_OF) {
        return Ok(None);
    }
    let location = match &options.scope {
        Scope::Whole { data } => {
            let folder = data.join(PROVIDER_FOLDER);
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
            made.with_context(|| format!("{} can't be made", folder.display()))?;
            Location::Folder(folder)
        }
        Scope::Part { .. } => options.store.of(LEDGER_OF)?,
    };
    let provider = Simulated::open(location, options.clock.clone(), ids.clone()).await?;
    Ok(Some(Arc::new(provider.with_slowness(options.slow_charge))))
}

/// Answers nothing.
pub(crate) struct Absent;

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

    fn refund(&self, _: RefundId, _: PaymentId, _: Money) -> BoxFuture<'_, Result<Refund, Unknown>> {
        nobody()
    }

    fn look_up_refund(&self, _: RefundId) -> BoxFuture<'_, Result<Option<Refund>, Unknown>> {
        nobody()
    }
}
