//! Links that are mailed: made, and found by what a client shows.

use axum::http::StatusCode;
use kernel::{Ids, Timestamp};
use service::http::Problem;
use service::storage::{Batch, Error};

use crate::domain::{Link, Purpose, User};
use crate::link_token::LinkToken;
use crate::{Ctx, store};

/// A new link, and the text of its token.
pub(crate) fn make(ids: &Ids, user: &User, purpose: Purpose, now: Timestamp) -> (Link, String) {
    let token = LinkToken::new(ids);
    (Link::new(token.link_id, user, purpose, token.digest(), now), token.reveal())
}

/// The user whom the shown token stands for. Used, expired and unknown tokens are refused alike.
pub(crate) async fn user(ctx: &Ctx, token: &LinkToken, purpose: Purpose) -> Result<User, Problem> {
    let link = store::link(&ctx.db, token.link_id).await?.ok_or_else(invalid)?;
    let user = store::user(&ctx.db, link.user_id).await?.ok_or_else(invalid)?;
    if link.opens(&user, purpose, &token.digest(), ctx.clock.now()) { Ok(user) } else { Err(invalid()) }
}

/// Links that were mailed to an address which the user has left open nothing any more.
pub(crate) async fn end_of_address(ctx: &Ctx, before: &User, after: &User) -> Result<Batch, Error> {
    if !before.moves_to(&after.email) {
        return Ok(Batch::new());
    }
    Ok(store::delete_links(&store::links(&ctx.db, before.user_id).await?))
}

/// 400 `invalid_link`.
pub(crate) fn invalid() -> Problem {
    let detail = "this link is not good: it was used, it has expired, or it was never mailed; ask for another one";
    Problem::new(StatusCode::BAD_REQUEST, "invalid_link", detail)
}
