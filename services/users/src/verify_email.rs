//! `POST /v1/users/verification/confirm`: the token of a mailed link shows that its address is read by the account's
//! owner.

use axum::extract::State;
use axum::http::StatusCode;
use events::UserEmailVerified;
use serde::Deserialize;
use service::decide;
use service::http::auth::Caller;
use service::http::{Body, ClientAddress, Fields, Problem, ProblemBody, RequestInfo};
use utoipa::ToSchema;

use crate::domain::Purpose;
use crate::link_token::SentToken;
use crate::{Ctx, attempts, links, store};

/// The token of the mail.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerifyEmail {
    /// Of the mailed link. It is good once.
    #[schema(value_type = String, max_length = 100)]
    token: SentToken,
}

/// Verifies an account's address.
#[utoipa::path(post, path = "/v1/users/verification/confirm",
    operation_id = "verify_email", tag = "users", request_body = VerifyEmail,
    responses(
        (status = 204, description = "the address is verified"),
        (status = 400, body = ProblemBody, description = "`invalid_link`"),
        (status = 429, body = ProblemBody, description = "`too_many_attempts`"),
    ))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    caller: Caller,
    from: ClientAddress,
    request: RequestInfo,
    Body(input): Body<VerifyEmail>,
) -> Result<StatusCode, Problem> {
    let mut wrong = Fields::new();
    input.token.check(&mut wrong);
    wrong.finish()?;
    attempts::count_address(&ctx, &caller, from)?;
    let token = input.token.token.ok_or_else(links::invalid)?;
    decide(&ctx, || async {
        let user = links::user(&ctx, &token, Purpose::Verification).await?;
        let changed = user.verified(ctx.clock.now());
        let known = store::links(&ctx.db, user.user_id).await?;
        let batch = store::update(&changed, user.version)
            .and(store::delete_links(known.iter().filter(|link| link.purpose == Purpose::Verification)));
        let event =
            UserEmailVerified { user_id: user.user_id, email: changed.email.clone(), version: changed.version.get() };
        ctx.commit(batch.emit(changed.version, &event), request.cause()).await?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}
