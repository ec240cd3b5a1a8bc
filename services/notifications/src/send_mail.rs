//! The timer that hands a mail to the mail server, outside of any transaction, and commits the result.
//!
//! A crash between the two means that the mail goes out again, with the same Message-ID: plain SMTP can't be asked
//! what it has taken.

use service::storage::Batch;
use service::{Committed, Failure, Timer, TimerKind};

use crate::domain::Status;
use crate::{Ctx, store};

pub(crate) const SEND_MAIL: TimerKind = TimerKind::external("send_mail");

pub(crate) async fn handle(ctx: Ctx, timer: Timer) -> Result<Committed, Failure> {
    let mail = store::mail(&ctx.db, timer.key.into()).await?;
    let mail = mail.ok_or_else(|| Failure::park("the timer's mail is not in the store"))?;
    if mail.status != Status::Queued {
        return Ok(ctx.commit(Batch::new(), timer.cause()).await?);
    }
    let outcome = ctx.state.mailer.send(&mail).await;
    let (attempts, now) = (timer.attempts, ctx.clock.now());
    let decided = match outcome {
        // Queued before the setting was removed.
        Ok(()) if ctx.state.mailer.captures() => mail.captured(now),
        Ok(()) => mail.sent(attempts, now),
        Err(reason) => {
            let failed = mail.not_sent(&reason, attempts, now);
            failed.ok_or_else(|| Failure::retry(reason.to_string()))?
        }
    };
    let committed = ctx.commit(store::update(&decided), timer.cause()).await?;
    if let Some(error) = &decided.error {
        let (mail_id, template) = (decided.mail_id, decided.template.as_str());
        tracing::warn!(%mail_id, template, attempts, error, "a mail failed for good");
    }
    Ok(committed)
}
