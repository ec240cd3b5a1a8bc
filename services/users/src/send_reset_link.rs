//! Somebody asked for a new password: if there is such an account, its owner gets a link.

use events::PasswordResetRequested;
use service::storage::Batch;
use service::{Committed, Failure, Timer};

use crate::domain::{Purpose, make_room};
use crate::{Ctx, links, store};

pub(crate) async fn handle(ctx: Ctx, timer: Timer) -> Result<Committed, Failure> {
    let batch = match store::reset_request(&ctx.db, timer.key).await? {
        Some(request) => store::end_reset_request(&request).and(link(&ctx, &request.email).await?),
        None => Batch::new(),
    };
    Ok(ctx.commit(batch, timer.cause()).await?)
}

async fn link(ctx: &Ctx, email: &str) -> Result<Batch, Failure> {
    let Some(account) = store::account(&ctx.db, email).await? else { return Ok(Batch::new()) };
    let Some(user) = store::user(&ctx.db, account.user_id).await? else { return Ok(Batch::new()) };
    let (known, now) = (store::links(&ctx.db, user.user_id).await?, ctx.clock.now());
    let (ended, is_made) = make_room(&known, Purpose::PasswordReset, now);
    let batch = store::delete_links(ended);
    if !is_made {
        tracing::info!(user_id = %user.user_id, "no further link for a new password: enough of them are good");
        return Ok(batch);
    }
    let (link, token) = links::make(&ctx.ids, &user, Purpose::PasswordReset, now);
    let (user_id, expires_at) = (user.user_id, link.expires_at);
    let requested = PasswordResetRequested { user_id, username: user.username, email: user.email, token, expires_at };
    Ok(batch.and(store::insert_link(&link)).emit(user.version, &requested))
}
