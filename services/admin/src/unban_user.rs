//! `DELETE /v1/users/{id}/ban`: lets an account in again.

use axum::extract::State;
use axum::http::StatusCode;
use kernel::UserId;
use service::decide;
use service::http::auth::Caller;
use service::http::{PathId, Problem, ProblemBody, RequestInfo};

use crate::Ctx;
use crate::domain::{self, End};
use crate::store;

/// Ends a ban: the account may sign in again. The sign-ins that it had have ended for good, and so have their tokens in
/// every service.
#[utoipa::path(
    delete, path = "/v1/users/{id}/ban", operation_id = "unban_user", tag = "admin",
    params(("id" = UserId, Path)),
    responses(
        (status = 204, description = "the account may sign in again"),
        (status = 409, body = ProblemBody, description = "`not_banned`"),
    )
)]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    caller: Caller,
    PathId(user_id): PathId<UserId>,
    request: RequestInfo,
) -> Result<StatusCode, Problem> {
    let end = End { unbanned_by: caller.actor(), unbanned_at: ctx.clock.now() };
    let committed = decide(&ctx, || async {
        let user = store::user(&ctx.db, user_id).await?.ok_or_else(|| Problem::not_found("user"))?;
        let (unbanned, event) = domain::unban(&user, &end.unbanned_by)?;
        let mut batch = store::set_ban(&unbanned, user.version);
        if let Some(ban_id) = user.ban_id
            && let Some(ban) = store::ban(&ctx.db, ban_id.into()).await?
        {
            batch = batch.and(store::end_ban(&ban, &end));
        }
        Ok(ctx.commit(batch.emit(unbanned.version, &event), request.cause()).await?)
    })
    .await?;
    ctx.until_sent(&committed).await;
    Ok(StatusCode::NO_CONTENT)
}
