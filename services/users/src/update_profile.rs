//! `PATCH /v1/users/{id}`: changes a name or an address.

use axum::extract::State;
use kernel::UserId;
use serde::Deserialize;
use service::decide;
use service::http::auth::Caller;
use service::http::{Body, Fields, IfMatch, PathId, Problem, ProblemBody, RequestInfo, Tagged};
use utoipa::ToSchema;

use crate::domain::{self, ProfileChange};
use crate::{Ctx, fields, queries, store};

/// What is to change; what is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateProfile {
    #[schema(min_length = 3, max_length = 32, pattern = "^[A-Za-z0-9_.-]*$")]
    username: Option<String>,
    #[schema(max_length = 254)]
    email: Option<String>,
}

impl UpdateProfile {
    fn validate(self) -> Result<ProfileChange, Problem> {
        let mut wrong = Fields::new();
        wrong.check(
            self.username.is_some() || self.email.is_some(),
            "body",
            "empty",
            "at least one of `username` and `email`",
        );
        if let Some(username) = &self.username {
            fields::check_username(&mut wrong, username);
        }
        if let Some(email) = &self.email {
            fields::check_email(&mut wrong, email);
        }
        wrong.finish()?;
        Ok(ProfileChange { username: self.username, email: self.email })
    }
}

/// Changes a username or an e-mail address.
#[utoipa::path(patch, path = "/v1/users/{id}", operation_id = "update_profile", tag = "users", request_body = UpdateProfile,
    params(("id" = UserId, Path), IfMatch),
    responses(
        (status = 200, body = queries::User),
        (status = 409, body = ProblemBody, description = "`email_taken`, `username_taken`"),
    ))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    caller: Caller,
    PathId(user_id): PathId<UserId>,
    if_match: IfMatch,
    request: RequestInfo,
    Body(input): Body<UpdateProfile>,
) -> Result<Tagged<queries::User>, Problem> {
    queries::check_own(&caller, user_id)?;
    let change = input.validate()?;
    let user = decide(&ctx, || async {
        let user = store::user(&ctx.db, user_id).await?.ok_or_else(|| Problem::not_found("user"))?;
        if_match.check(|| queries::User::from(user.clone()))?;
        let Some(changed) = domain::changed(&user, &change) else { return Ok(user) };
        let holders = store::holders(&ctx.db, &changed.username, &changed.email).await?;
        let updated = domain::update(&changed, &holders)?;
        let batch = store::update(&changed, user.version).emit(changed.version, &updated);
        ctx.commit(batch, request.cause()).await?;
        Ok(changed)
    })
    .await?;
    Ok(Tagged(user.into()))
}
