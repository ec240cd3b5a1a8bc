//! `DELETE /v1/users/{id}`: closes an account. What is known of its person goes; its name and address are free again.

use axum::extract::State;
use axum::http::StatusCode;
use events::UserDeleted;
use kernel::UserId;
use serde::Deserialize;
use service::decide;
use service::http::auth::Caller;
use service::http::{Body, ClientAddress, Fields, PathId, Problem, ProblemBody, RequestInfo};
use utoipa::ToSchema;

use crate::domain::Role;
use crate::password::Password;
use crate::{Ctx, admins, current_password, queries, store};

/// By what it is proved that the owner asks.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeleteUser {
    /// The password of now. An admin sends none for the account of somebody else.
    #[schema(value_type = String, format = Password, max_length = 1024, required = false)]
    current_password: Option<Password>,
}

/// Closes an account for good: name, address, password, sign-ins and links go at once. Orders keep what books need:
/// number, lines, total, dates and the country; their address, name and e-mail go a day after the order is settled.
#[utoipa::path(delete, path = "/v1/users/{id}",
    operation_id = "delete_user", tag = "users", request_body = DeleteUser,
    params(("id" = UserId, Path)),
    responses(
        (status = 204, description = "the account is closed"),
        (status = 403, body = ProblemBody, description = "`password_required`, `wrong_password`"),
        (status = 409, body = ProblemBody, description = "`last_admin`"),
        (status = 429, body = ProblemBody, description = "`too_many_attempts`"),
    ))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    caller: Caller,
    from: ClientAddress,
    PathId(user_id): PathId<UserId>,
    request: RequestInfo,
    Body(input): Body<DeleteUser>,
) -> Result<StatusCode, Problem> {
    let mut wrong = Fields::new();
    if let Some(password) = &input.current_password {
        password.check_size(&mut wrong, "current_password");
    }
    wrong.finish()?;
    let user = queries::own(&ctx, &caller, user_id).await?;
    current_password::check(&ctx, &caller, from, &user, input.current_password).await?;
    decide(&ctx, || async {
        let user = queries::own(&ctx, &caller, user_id).await?;
        let (links, sessions) = (store::links(&ctx.db, user_id).await?, store::sessions_of(&ctx.db, user_id).await?);
        let batch = store::delete(&user).and(store::delete_links(&links));
        let batch = sessions.iter().fold(batch, |batch, session| batch.and(store::end_session(session)));
        let is_admin = user.roles.has(Role::Admin);
        let batch = if is_admin { batch.and(admins::leave(&ctx, user_id).await?) } else { batch };
        let version = user.version.next();
        let deleted = UserDeleted { user_id, version: version.get() };
        ctx.commit(batch.emit(version, &deleted), request.cause()).await?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}
