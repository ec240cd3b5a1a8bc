//! `POST /v1/users/password-reset/confirm`: sets a new password by the token of a mailed link, and ends all sign-ins.

use axum::extract::State;
use axum::http::StatusCode;
use events::UserPasswordChanged;
use kernel::Timestamp;
use serde::Deserialize;
use service::decide;
use service::http::auth::Caller;
use service::http::{Body, ClientAddress, Fields, Problem, ProblemBody, RequestInfo};
use service::storage::Batch;
use utoipa::ToSchema;

use crate::domain::{Purpose, User};
use crate::link_token::SentToken;
use crate::password::{Password, PasswordHash};
use crate::{Ctx, attempts, links, store};

/// A new password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResetPassword {
    /// Of the mailed link. It is good once.
    #[schema(value_type = String, max_length = 100)]
    token: SentToken,
    /// At least 8 characters and at most 1,024 bytes; none of the most common passwords.
    password: Password,
}

/// Sets a new password. All sign-ins of the account end, and so do its other links.
#[utoipa::path(post, path = "/v1/users/password-reset/confirm",
    operation_id = "reset_password", tag = "users", request_body = ResetPassword,
    responses(
        (status = 204, description = "the password is set: sign in with it"),
        (status = 400, body = ProblemBody, description = "`invalid_link`"),
        (status = 429, body = ProblemBody, description = "`too_many_attempts`"),
    ))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    caller: Caller,
    from: ClientAddress,
    request: RequestInfo,
    Body(input): Body<ResetPassword>,
) -> Result<StatusCode, Problem> {
    let mut wrong = Fields::new();
    input.token.check(&mut wrong);
    input.password.check(&mut wrong);
    wrong.finish()?;
    attempts::count_address(&ctx, &caller, from)?;
    let token = input.token.token.ok_or_else(links::invalid)?;
    // Before the hash, so that a guess costs none; and again in the decision.
    links::user(&ctx, &token, Purpose::PasswordReset).await?;
    let hash = ctx.state.hasher.hash(input.password).await?;
    decide(&ctx, || async {
        let user = links::user(&ctx, &token, Purpose::PasswordReset).await?;
        let batch = set_password(&ctx, &user, &hash, ctx.clock.now()).await?;
        ctx.commit(batch, request.cause()).await?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

async fn set_password(ctx: &Ctx, user: &User, hash: &PasswordHash, now: Timestamp) -> Result<Batch, Problem> {
    let changed = user.with_password_reset(now);
    let (links, sessions) =
        (store::links(&ctx.db, user.user_id).await?, store::sessions_of(&ctx.db, user.user_id).await?);
    let batch = store::reset_password(&changed, user.version, hash).and(store::delete_links(&links));
    let batch = sessions.iter().fold(batch, |batch, session| batch.and(store::end_session(session)));
    let event = UserPasswordChanged {
        user_id: user.user_id,
        username: changed.username.clone(),
        email: changed.email.clone(),
        version: changed.version.get(),
    };
    Ok(batch.emit(changed.version, &event))
}
