//! Accounts that are banned: they sign in and refresh no longer.

use kernel::UserId;
use service::http::Problem;
use service::storage::accounts;

use crate::Ctx;

/// True if the account is banned, as this service knows it.
pub(crate) async fn is_banned(ctx: &Ctx, user_id: UserId) -> Result<bool, Problem> {
    Ok(accounts::standing(&ctx.db, user_id).await?.is_banned)
}
