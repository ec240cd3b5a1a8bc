//! `POST /v1/sessions/refresh`: a refresh token for new tokens, once. Shown twice, it ends the sign-in.

use axum::extract::State;
use serde::Deserialize;
use service::decide;
use service::http::{Body, Problem, RequestInfo};
use service::storage::accounts;
use utoipa::ToSchema;

use crate::domain::Refresh;
use crate::refresh_token::{RefreshToken, Sent};
use crate::tokens::{self, TokenResponse, Tokens};
use crate::{Ctx, store};

/// The session that goes on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefreshSession {
    /// Of the last answer. It is good once.
    refresh_token: Sent,
}

/// Gives new tokens for a refresh token. One that was used before ends the sign-in, whoever uses it.
#[utoipa::path(post, path = "/v1/sessions/refresh", operation_id = "refresh_session", tag = "users", request_body = RefreshSession,
    responses((status = 200, body = Tokens)))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    request: RequestInfo,
    Body(input): Body<RefreshSession>,
) -> Result<TokenResponse, Problem> {
    let shown = input.refresh_token.0.ok_or_else(Problem::unauthenticated)?;
    let next = shown.next(&ctx.ids);
    // Of two who show it at once, one finds the session changed, decides again, and is the second.
    let access_token = decide(&ctx, || refresh(&ctx, &request, &shown, &next)).await?;
    Ok(tokens::answer(access_token, &next))
}

async fn refresh(
    ctx: &Ctx,
    request: &RequestInfo,
    shown: &RefreshToken,
    next: &RefreshToken,
) -> Result<String, Problem> {
    let session = store::session(&ctx.db, shown.session_id).await?.ok_or_else(Problem::unauthenticated)?;
    let (family, secret) = (shown.family_digest(), shown.secret_digest());
    match session.refresh(&family, &secret, next.secret_digest(), ctx.clock.now()) {
        Refresh::Renewed(renewed) => {
            let standing = accounts::standing(&ctx.db, session.user_id).await?;
            // The report of the ban ends the session in a moment.
            if standing.is_banned {
                return Err(Problem::unauthenticated());
            }
            let access_token = tokens::access_token(ctx, &renewed, &standing).await?;
            ctx.commit(store::renew_session(&renewed), request.cause()).await?;
            Ok(access_token)
        }
        Refresh::Reused => {
            let (user_id, session_id) = (session.user_id, session.session_id);
            tracing::warn!(%user_id, %session_id, "a spent refresh token was shown: its sign-in ends");
            ctx.commit(store::end_session(&session), request.cause()).await?;
            Err(Problem::unauthenticated())
        }
        Refresh::Refused => Err(Problem::unauthenticated()),
    }
}
