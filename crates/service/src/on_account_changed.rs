//! An account was banned, unbanned, or has other roles: every service keeps it before its reaction runs (`accounts.rs`),
//! and one without a reaction of its own has nothing more to do.

use bytes::Bytes;
use storage::Batch;

use crate::{Committed, Ctx, Delivery, Failure};

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<Bytes>) -> Result<Committed, Failure> {
    Ok(ctx.commit(Batch::new(), delivery.cause()).await?)
}
