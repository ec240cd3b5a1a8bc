//! `PATCH /v1/users/{id}`: changes a name or an address. Another address asks for the password: mail to it opens the
//! account.

use axum::extract::State;
use kernel::UserId;
use serde::Deserialize;
use service::decide;
use service::http::auth::Caller;
use service::http::{Body, ClientAddress, Fields, IfMatch, PathId, Problem, ProblemBody, RequestInfo, Tagged};
use utoipa::ToSchema;

use crate::domain::{self, ProfileChange};
use crate::password::Password;
use crate::{Ctx, attempts, current_password, fields, links, queries, store};

/// The changes; a field that is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateProfile {
    #[schema(min_length = 3, max_length = 32, pattern = "^[A-Za-z0-9_.-]*$")]
    username: Option<String>,
    /// Another address asks for `current_password`, ends the links that were mailed to the old one, and is not
    /// verified.
    #[schema(max_length = 254)]
    email: Option<String>,
    /// The password of now: required with another `email`, except of an admin for the account of somebody else.
    #[schema(value_type = String, format = Password, max_length = 1024, required = false)]
    current_password: Option<Password>,
}

impl UpdateProfile {
    fn validate(self) -> Result<(ProfileChange, Option<Password>), Problem> {
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
        if let Some(password) = &self.current_password {
            password.check_size(&mut wrong, "current_password");
        }
        wrong.finish()?;
        Ok((ProfileChange { username: self.username, email: self.email }, self.current_password))
    }
}

/// Changes a username or an e-mail address.
#[utoipa::path(patch, path = "/v1/users/{id}", operation_id = "update_profile", tag = "users", request_body = UpdateProfile,
    params(("id" = UserId, Path), IfMatch),
    responses(
        (status = 200, body = queries::User),
        (status = 403, body = ProblemBody, description = "`password_required`, `wrong_password`"),
        (status = 409, body = ProblemBody, description = "`email_taken`, `username_taken`"),
        (status = 429, body = ProblemBody, description = "`too_many_attempts`"),
    ))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    caller: Caller,
    from: ClientAddress,
    PathId(user_id): PathId<UserId>,
    if_match: IfMatch,
    request: RequestInfo,
    Body(input): Body<UpdateProfile>,
) -> Result<Tagged<queries::User>, Problem> {
    let (change, password) = input.validate()?;
    let user = queries::own(&ctx, &caller, user_id).await?;
    // Each refusal as taken says that there is such an account, so changes count like registrations.
    match &change.email {
        Some(email) if user.moves_to(email) => {
            current_password::check(&ctx, &caller, from, &user, password).await?;
        }
        _ => attempts::count(&ctx, &caller, from, &user.email)?,
    }
    let user = decide(&ctx, || async {
        let user = queries::own(&ctx, &caller, user_id).await?;
        if_match.check(|| queries::User::from(user.clone()))?;
        let Some(changed) = domain::changed(&user, &change) else { return Ok(user) };
        let holders = store::holders(&ctx.db, &changed.username, &changed.email).await?;
        let updated = domain::update(&changed, &holders)?;
        let batch = store::update(&changed, user.version).and(links::end_of_address(&ctx, &user, &changed).await?);
        let committed = ctx.commit(batch.emit(changed.version, &updated), request.cause()).await?;
        ctx.until_sent(&committed).await;
        Ok(changed)
    })
    .await?;
    Ok(Tagged(user.into()))
}
