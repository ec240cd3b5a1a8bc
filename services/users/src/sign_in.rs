//! `POST /v1/sessions`: signs in. Whoever has no account learns as much, after as long, as whoever mistyped the
//! password.

use axum::extract::State;
use axum::http::StatusCode;
use kernel::UserId;
use serde::Deserialize;
use service::decide;
use service::http::auth::Caller;
use service::http::{Body, ClientAddress, Fields, Problem, ProblemBody, RequestInfo};
use service::storage::accounts::{self, Standing};
use utoipa::ToSchema;

use crate::domain::Session;
use crate::password::{Hasher, Password, PasswordHash, Verdict};
use crate::refresh_token::RefreshToken;
use crate::store::Account;
use crate::tokens::{self, TokenResponse, Tokens};
use crate::{Ctx, attempts, fields, store};

/// The credentials of a sign-in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignIn {
    #[schema(example = "ada@example.com", max_length = 254)]
    email: String,
    #[schema(value_type = String, format = Password, max_length = 1024, example = "correct horse battery")]
    password: Password,
}

impl SignIn {
    fn validate(&self) -> Result<(), Problem> {
        let mut wrong = Fields::new();
        fields::check_email(&mut wrong, &self.email);
        self.password.check_size(&mut wrong, "password");
        wrong.finish()
    }
}

/// Signs in.
#[utoipa::path(post, path = "/v1/sessions", operation_id = "sign_in", tag = "users", request_body = SignIn,
    responses(
        (status = 201, body = Tokens),
        (status = 403, body = ProblemBody, description = "`banned`: the password is right"),
        (status = 429, body = ProblemBody, description = "`too_many_attempts`, `too_many_requests`"),
    ))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    caller: Caller,
    from: ClientAddress,
    request: RequestInfo,
    Body(input): Body<SignIn>,
) -> Result<(StatusCode, TokenResponse), Problem> {
    input.validate()?;
    attempts::count(&ctx, &caller, from, &input.email)?;
    let account = store::account(&ctx.db, &input.email).await?;
    let (user_id, rehashed) = check(&ctx.state.hasher, account, &input.password).await?;
    attempts::proved(&ctx, from, &input.email);
    let standing = admitted(&ctx, user_id).await?;
    let token = RefreshToken::first(ctx.ids.next(), &ctx.ids);
    let (family, secret, now) = (token.family_digest(), token.secret_digest(), ctx.clock.now());
    let session = Session::begin(token.session_id, user_id, family, secret, now);
    let access_token = tokens::access_token(&ctx, &session, &standing).await?;
    decide(&ctx, || async {
        let mut batch = store::begin_session(&session);
        for oldest in store::sessions_to_end(&ctx.db, user_id).await? {
            batch = batch.and(store::end_session(&oldest));
        }
        if let (Some(hash), Some(user)) = (&rehashed, store::user(&ctx.db, user_id).await?) {
            batch = batch.and(store::set_password_hash(&user, hash));
        }
        ctx.commit(batch, request.cause()).await?;
        Ok(())
    })
    .await?;
    // A ban that was reported since the first look may not have seen this session: nobody gets its tokens.
    admitted(&ctx, user_id).await?;
    Ok((StatusCode::CREATED, tokens::answer(access_token, &token)))
}

/// The standing of the account, as this service knows it; 403 if it is banned.
async fn admitted(ctx: &Ctx, user_id: UserId) -> Result<Standing, Problem> {
    let standing = accounts::standing(&ctx.db, user_id).await?;
    if standing.is_banned { Err(Problem::banned()) } else { Ok(standing) }
}

/// The owner of the password, and its new hash if the costs were raised. A password is hashed also if there is no
/// account, so that the time of the answer doesn't show it.
async fn check(
    hasher: &Hasher,
    account: Option<Account>,
    password: &Password,
) -> Result<(UserId, Option<PasswordHash>), Problem> {
    let hash = account.as_ref().map(|account| account.password_hash.clone());
    let verdict = hasher.verify(password.clone(), hash).await?;
    if let (Some(account), Verdict::Right { rehashed }) = (account, verdict) {
        return Ok((account.user_id, rehashed));
    }
    let detail = "no account has this address and this password";
    Err(Problem::new(StatusCode::UNAUTHORIZED, "bad_credentials", detail))
}

#[cfg(test)]
mod tests {
    use kernel::Uuid;

    use super::*;

    #[tokio::test]
    async fn an_unknown_account_costs_the_same_hash_and_gets_the_same_answer_as_a_wrong_password() {
        let hasher = Hasher::for_this_machine();
        let password_hash = hasher.hash(Password::of("correct horse")).await.unwrap();
        let account = Account { user_id: Uuid::from_u128(1).into(), password_hash };
        let mut refusals = Vec::new();
        for account in [Some(account.clone()), None] {
            let before = hasher.computed();
            refusals.push(check(&hasher, account, &Password::of("battery staple")).await.unwrap_err());
            assert_eq!(hasher.computed(), before + 1, "one hash, at the same costs");
        }
        assert_eq!(refusals[0], refusals[1]);
        assert!(check(&hasher, Some(account), &Password::of("correct horse")).await.is_ok());
    }
}
