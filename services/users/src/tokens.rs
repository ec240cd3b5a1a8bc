//! The tokens that a client gets when it signs in or refreshes.

use axum::Json;
use axum::http::{HeaderName, header};
use serde::Serialize;
use service::http::Problem;
use service::http::token::{self, Claims};
use utoipa::ToSchema;

use crate::domain::Session;
use crate::refresh_token::RefreshToken;
use crate::{Ctx, signing_key};

/// An access token, and the refresh token for the next one.
#[derive(Serialize, ToSchema)]
pub(crate) struct Tokens {
    /// Send it as `Authorization: Bearer …`.
    access_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds for which the access token is good.
    #[schema(example = 900)]
    expires_in: i64,
    /// For `POST /v1/sessions/refresh`, once.
    refresh_token: String,
}

/// Tokens, which no cache may keep.
pub(crate) type TokenResponse = ([(HeaderName, &'static str); 1], Json<Tokens>);

/// Before the session is committed: if no token can be signed, no refresh token is spent.
pub(crate) async fn access_token(ctx: &Ctx, session: &Session) -> Result<String, Problem> {
    signing_key::sign(ctx, &Claims::new(session.user_id, session.session_id, ctx.clock.now())).await
}

pub(crate) fn answer(access_token: String, refresh_token: &RefreshToken) -> TokenResponse {
    let tokens = Tokens {
        access_token,
        token_type: "Bearer",
        expires_in: token::LIFETIME.as_secs(),
        refresh_token: refresh_token.reveal(),
    };
    ([(header::CACHE_CONTROL, "no-store")], Json(tokens))
}
