//! The tokens that a client gets when it signs in or refreshes.

use axum::Json;
use axum::http::{HeaderName, header};
use kernel::Timestamp;
use serde::Serialize;
use service::http::Problem;
use service::http::token::{self, Claims};
use service::storage::accounts::Standing;
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
pub(crate) async fn access_token(ctx: &Ctx, session: &Session, standing: &Standing) -> Result<String, Problem> {
    let issued = issued_at(ctx.clock.now(), standing);
    signing_key::sign(ctx, &Claims::new(session.user_id, session.session_id, issued)).await
}

/// The date of a token that is issued now. In the second in which a ban ends, and for as long as the clock here is behind
/// that of the service which ended it, now would be before the first second whose tokens are good.
fn issued_at(now: Timestamp, standing: &Standing) -> Timestamp {
    standing.tokens_from.map_or(now, |from| now.max(from))
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

#[cfg(test)]
mod tests {
    use kernel::SignedDuration;

    use super::*;

    #[test]
    fn a_token_is_dated_to_the_second_of_its_sign_in_or_the_first_that_is_good_after_a_ban() {
        let now: Timestamp = "2026-01-01T12:00:00.3Z".parse().unwrap();
        let after = |tokens_from| issued_at(now, &Standing { tokens_from, ..Standing::default() });
        assert_eq!(after(None), now);
        assert_eq!(after(Some(now - SignedDuration::from_secs(1))), now);
        let next = "2026-01-01T12:00:01Z".parse().unwrap();
        assert_eq!(after(Some(next)), next);
    }
}
