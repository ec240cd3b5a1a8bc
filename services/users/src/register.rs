//! `POST /v1/users`: opens an account.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use kernel::Version;
use serde::Deserialize;
use service::decide;
use service::http::auth::Caller;
use service::http::{Body, ClientAddress, Fields, Problem, ProblemBody, RequestInfo};
use utoipa::ToSchema;

use crate::domain::{self, Refusal};
use crate::password::Password;
use crate::{Ctx, attempts, fields, queries, store};

/// A new account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Register {
    #[schema(example = "ada", min_length = 3, max_length = 32, pattern = "^[A-Za-z0-9_.-]*$")]
    username: String,
    #[schema(example = "ada@example.com", max_length = 254)]
    email: String,
    /// At least 8 characters and at most 1,024 bytes; none of the most common passwords.
    password: Password,
}

impl Register {
    fn validate(&self) -> Result<(), Problem> {
        let mut wrong = Fields::new();
        fields::check_username(&mut wrong, &self.username);
        fields::check_email(&mut wrong, &self.email);
        self.password.check(&mut wrong);
        wrong.finish()
    }
}

/// Opens an account.
#[utoipa::path(post, path = "/v1/users", operation_id = "register_user", tag = "users", request_body = Register,
    responses(
        (status = 201, body = queries::User),
        (status = 409, body = ProblemBody, description = "`email_taken`, `username_taken`"),
        (status = 429, body = ProblemBody, description = "`too_many_attempts`, `too_many_requests`"),
    ))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    caller: Caller,
    from: ClientAddress,
    request: RequestInfo,
    Body(input): Body<Register>,
) -> Result<(StatusCode, Json<queries::User>), Problem> {
    input.validate()?;
    attempts::count(&ctx, &caller, from, &input.email)?;
    // Before the decision, which may run again: one registration costs one hash.
    let hash = ctx.state.hasher.hash(input.password.clone()).await?;
    let user = domain::User {
        user_id: ctx.ids.next(),
        username: input.username,
        email: input.email,
        email_verified_at: None,
        created_at: ctx.clock.now(),
        roles: domain::Roles::default(),
        version: Version::FIRST,
    };
    decide(&ctx, || async {
        let holders = store::holders(&ctx.db, &user.username, &user.email).await?;
        let registered = domain::register(&user, &holders)?;
        let batch = store::insert(&user, &hash).emit(user.version, &registered);
        let committed = ctx.commit(batch, request.cause()).await?;
        ctx.until_sent(&committed).await;
        Ok(())
    })
    .await?;
    Ok((StatusCode::CREATED, Json(user.into())))
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::EmailTaken => {
                Self::new(StatusCode::CONFLICT, "email_taken", "another account has this e-mail address")
            }
            Refusal::UsernameTaken => {
                Self::new(StatusCode::CONFLICT, "username_taken", "another account has this username")
            }
        }
    }
}
