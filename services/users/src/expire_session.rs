//! A sign-in is over: its row goes.

use service::storage::Batch;
use service::{Committed, Failure, Timer};

use crate::{Ctx, store};

pub(crate) async fn handle(ctx: Ctx, timer: Timer) -> Result<Committed, Failure> {
    let session = store::session(&ctx.db, timer.key.into()).await?;
    let over = session.filter(|session| session.is_over(ctx.clock.now()));
    let batch = over.map_or_else(Batch::new, |session| store::delete_session(&session));
    Ok(ctx.commit(batch, timer.cause()).await?)
}
