//! `POST /v1/users/{id}/verification`: asks for a mail with a link that shows whose the address is.

use axum::extract::State;
use axum::http::StatusCode;
use events::EmailVerificationRequested;
use kernel::UserId;
use service::decide;
use service::http::auth::Caller;
use service::http::{ClientAddress, PathId, Problem, ProblemBody, RequestInfo};

use crate::domain::{Purpose, make_room};
use crate::{Ctx, attempts, links, queries, store};

/// Mails a link to the account's address. Whoever follows it within a day has verified the address.
#[utoipa::path(post, path = "/v1/users/{id}/verification",
    operation_id = "request_verification", tag = "users",
    params(("id" = UserId, Path)),
    responses(
        (status = 202, description = "the mail is written"),
        (status = 409, body = ProblemBody, description = "`email_verified`: there is nothing left to do"),
        (status = 429, body = ProblemBody, description = "`too_many_attempts`"),
    ))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    caller: Caller,
    from: ClientAddress,
    PathId(user_id): PathId<UserId>,
    request: RequestInfo,
) -> Result<StatusCode, Problem> {
    let user = queries::own(&ctx, &caller, user_id).await?;
    attempts::count(&ctx, &caller, from, &user.email)?;
    decide(&ctx, || async {
        let user = queries::own(&ctx, &caller, user_id).await?;
        if user.email_verified_at.is_some() {
            return Err(Problem::new(StatusCode::CONFLICT, "email_verified", "the address is verified already"));
        }
        let (known, now) = (store::links(&ctx.db, user_id).await?, ctx.clock.now());
        let (ended, _) = make_room(&known, Purpose::Verification, now);
        let (link, token) = links::make(&ctx.ids, &user, Purpose::Verification, now);
        let batch = store::delete_links(ended).and(store::insert_link(&link));
        let (version, expires_at) = (user.version, link.expires_at);
        let requested =
            EmailVerificationRequested { user_id, username: user.username, email: user.email, token, expires_at };
        ctx.commit(batch.emit(version, &requested), request.cause()).await?;
        Ok(StatusCode::ACCEPTED)
    })
    .await
}
