//! An account was banned, unbanned, or has other roles: every service keeps it, so that each refuses and lets in by
//! itself.

use bytes::Bytes;
use storage::{Batch, accounts};

use crate::accounts::change_of;
use crate::{Committed, Ctx, Delivery, Failure};

pub(crate) async fn handle<S>(ctx: Ctx<S>, delivery: Delivery<Bytes>) -> Result<Committed, Failure> {
    let change = change_of(&delivery.envelope.event_type, &delivery.event)?;
    let batch = change.as_ref().map_or_else(Batch::new, accounts::put);
    Ok(ctx.commit(batch, delivery.cause()).await?)
}
