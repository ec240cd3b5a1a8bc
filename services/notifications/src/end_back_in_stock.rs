//! Removes a request for a mail: its product did not come, or its mail is so old that its link is not good any more, and
//! goes too.

use service::{Committed, Failure, Timer, TimerKind};

use crate::store::back_in_stock as requests;
use crate::{Ctx, store};

pub(crate) const END_BACK_IN_STOCK: TimerKind = TimerKind::internal("end_back_in_stock");

pub(crate) async fn handle(ctx: Ctx, timer: Timer) -> Result<Committed, Failure> {
    let request = requests::request(&ctx.db, timer.key).await?;
    let mails = store::mails_of_topics(&ctx.db, vec![timer.key]).await?;
    Ok(ctx.commit(requests::delete(request).and(store::delete(&mails)), timer.cause()).await?)
}
