//! `POST /v1/users/password-reset`: asks for a mail with a link by which a password is set anew.
//!
//! The answer and the work behind it are the same whether or not there is such an account: the request is kept, and a
//! timer looks it up.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use service::http::auth::Caller;
use service::http::{Body, ClientAddress, Fields, Problem, ProblemBody, RequestInfo};
use utoipa::ToSchema;

use crate::{Ctx, attempts, fields, store};

/// The account whose password was forgotten.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequestPasswordReset {
    #[schema(example = "ada@example.com", max_length = 254)]
    email: String,
}

/// Mails a link for a new password to the account with this address, if there is one. The answer doesn't say.
#[utoipa::path(post, path = "/v1/users/password-reset",
    operation_id = "request_password_reset", tag = "users", request_body = RequestPasswordReset,
    responses(
        (status = 202, description = "taken, whether or not there is such an account"),
        (status = 429, body = ProblemBody, description = "`too_many_attempts`"),
    ))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    caller: Caller,
    from: ClientAddress,
    request: RequestInfo,
    Body(input): Body<RequestPasswordReset>,
) -> Result<StatusCode, Problem> {
    let mut wrong = Fields::new();
    fields::check_email(&mut wrong, &input.email);
    wrong.finish()?;
    attempts::count(&ctx, &caller, from, &input.email)?;
    let batch = store::request_reset(ctx.ids.next(), &input.email, ctx.clock.now());
    ctx.commit(batch, request.cause()).await?;
    Ok(StatusCode::ACCEPTED)
}
