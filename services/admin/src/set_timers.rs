//! Sets the timers that come due again and again, at each start: whichever instance starts last, each is there once.

use kernel::{Cause, RequestCause, SignedDuration, Uuid};
use service::CannotStart;
use service::storage::Batch;

use crate::Ctx;
use crate::forget_alerts::FORGET_ALERTS;
use crate::look_for_dead_letters::{INTERVAL, LOOK_FOR_DEAD_LETTERS};

/// The time after a start at which old alerts are looked for: a process that starts has other things to do.
const FORGET_AFTER: SignedDuration = SignedDuration::from_mins(1);

pub(crate) async fn run(ctx: Ctx) -> Result<(), CannotStart> {
    let now = ctx.clock.now();
    let batch = Batch::new().schedule(LOOK_FOR_DEAD_LETTERS.name, Uuid::nil(), now + INTERVAL).schedule(
        FORGET_ALERTS.name,
        Uuid::nil(),
        now + FORGET_AFTER,
    );
    let start = RequestCause { request_id: ctx.ids.next(), traceparent: None, keyed: None };
    ctx.commit(batch, Cause::Request(start)).await?;
    Ok(())
}
