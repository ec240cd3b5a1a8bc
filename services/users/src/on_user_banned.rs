//! A user was banned: all their sign-ins end, and with them their refresh tokens.

use events::UserBanned;
use service::storage::{Batch, accounts};
use service::{Committed, Delivery, Failure};

use crate::{Ctx, store};

/// The ban itself is kept already, as by every service. A sign-in that is committed after the sessions were read here
/// looks for it after its commit, so that none outlives the ban.
pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<UserBanned>) -> Result<Committed, Failure> {
    let user_id = delivery.event.user_id;
    let is_banned = accounts::standing(&ctx.db, user_id).await?.is_banned;
    let banned_at = delivery.envelope.time;
    let sessions = store::sessions_of(&ctx.db, user_id).await?;
    let ended = sessions.iter().filter(|session| session.is_ended_by_ban(banned_at, is_banned));
    let batch = ended.fold(Batch::new(), |batch, session| batch.and(store::end_session(session)));
    Ok(ctx.commit(batch, delivery.cause()).await?)
}
