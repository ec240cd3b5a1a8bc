//! Reads, and the user as clients see one.

use axum::extract::State;
use kernel::{Timestamp, UserId};
use serde::Serialize;
use service::http::auth::Caller;
use service::http::{IfNoneMatch, PathId, Problem, Tagged};
use utoipa::ToSchema;

use crate::{Ctx, domain, store};

/// Someone with an account.
#[expect(clippy::struct_field_names, reason = "clients see `user_id` under one name everywhere")]
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct User {
    user_id: UserId,
    #[schema(example = "ada")]
    username: String,
    #[schema(example = "ada@example.com")]
    email: String,
    created_at: Timestamp,
}

impl From<domain::User> for User {
    fn from(user: domain::User) -> Self {
        let domain::User { user_id, username, email, created_at, version: _ } = user;
        Self { user_id, username, email, created_at }
    }
}

/// A user is there for themselves and for the admin.
pub(crate) fn check_own(caller: &Caller, user_id: UserId) -> Result<(), Problem> {
    if caller.owns(user_id) { Ok(()) } else { Err(Problem::not_found("user")) }
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
    check_own(&caller, user_id)?;
    let user = store::user(&ctx.db, user_id).await?.ok_or_else(|| Problem::not_found("user"))?;
    Ok(Tagged(user.into()))
}
