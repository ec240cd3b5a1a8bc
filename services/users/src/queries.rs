//! Reads, and the user as clients see one.

use axum::extract::State;
use kernel::{Timestamp, UserId};
use serde::Serialize;
use service::http::auth::Caller;
use service::http::{IfNoneMatch, PathId, Problem, Tagged};
use utoipa::ToSchema;

use crate::domain::{self, Role};
use crate::{Ctx, store};

/// Someone with an account.
#[expect(clippy::struct_field_names, reason = "clients see `user_id` under one name everywhere")]
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct User {
    user_id: UserId,
    #[schema(example = "ada")]
    username: String,
    #[schema(example = "ada@example.com")]
    email: String,
    /// True if the owner has followed a link that was mailed to the address.
    email_verified: bool,
    created_at: Timestamp,
    /// `admin`, or none.
    #[schema(value_type = Vec<Role>)]
    roles: Vec<&'static str>,
}

impl From<domain::User> for User {
    fn from(user: domain::User) -> Self {
        let domain::User { user_id, username, email, email_verified_at, created_at, roles, version: _ } = user;
        let (email_verified, roles) = (email_verified_at.is_some(), roles.names());
        Self { user_id, username, email, email_verified, created_at, roles }
    }
}

/// The user, who is there for themselves and for the admin: anybody else is answered 404.
///
/// 401 `session_ended` if the sign-in of the caller's token has ended, however it did: other services know it of a ban
/// only, else the token is good there until it expires.
pub(crate) async fn own(ctx: &Ctx, caller: &Caller, user_id: UserId) -> Result<domain::User, Problem> {
    if !caller.owns(user_id) {
        return Err(Problem::not_found("user"));
    }
    if let Some(session_id) = caller.session_id {
        let session = store::session(&ctx.db, session_id).await?;
        if session.is_none_or(|session| session.is_over(ctx.clock.now())) {
            return Err(Problem::session_ended());
        }
    }
    store::user(&ctx.db, user_id).await?.ok_or_else(|| Problem::not_found("user"))
}

/// One user.
#[utoipa::path(get, path = "/v1/users/{id}", operation_id = "get_user", tag = "users",
    params(("id" = UserId, Path), IfNoneMatch),
    responses((status = 200, body = User)))]
pub(crate) async fn get(
    State(ctx): State<Ctx>,
    caller: Caller,
    PathId(user_id): PathId<UserId>,
) -> Result<Tagged<User>, Problem> {
    Ok(Tagged(own(&ctx, &caller, user_id).await?.into()))
}
