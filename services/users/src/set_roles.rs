//! `POST /v1/users/{id}/roles`: makes an account an admin, or a customer again.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use events::UserRolesChanged;
use kernel::UserId;
use serde::Deserialize;
use service::decide;
use service::http::auth::Caller;
use service::http::idempotency::{self, Claim, IdempotencyKey, KeyedBody, RepeatableResponse};
use service::http::{Fields, IfMatch, PathId, Problem, ProblemBody, RequestInfo};
use service::storage::Batch;
use utoipa::ToSchema;

use crate::domain::{Role, Roles, User};
use crate::{Ctx, admins, queries, store};

/// Names in one list at the most: more than there are roles, so that a list with a name twice is read.
const ROLES_MAX: usize = 10;

/// All roles of an account from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetRoles {
    /// `admin`, or none: those that are left out are taken.
    #[schema(value_type = Vec<Role>, max_items = 10, example = json!(["admin"]))]
    roles: Vec<String>,
}

impl SetRoles {
    fn validate(&self) -> Result<Roles, Problem> {
        let mut wrong = Fields::new();
        wrong.check(self.roles.len() <= ROLES_MAX, "roles", "length", format!("at most {ROLES_MAX} roles"));
        let mut known = Vec::new();
        for (index, name) in self.roles.iter().enumerate().take(ROLES_MAX) {
            match name.parse::<Role>() {
                Ok(role) => known.push(role),
                Err(expected) => wrong.check(false, format!("roles[{index}]"), "unknown", expected),
            }
        }
        wrong.finish()?;
        Ok(known.into_iter().collect())
    }
}

/// Sets the roles of an account. They hold in all services within moments, for the tokens that it has too.
#[utoipa::path(post, path = "/v1/users/{id}/roles", operation_id = "set_roles", tag = "users", request_body = SetRoles,
    params(("id" = UserId, Path), IdempotencyKey, IfMatch),
    responses(
        (status = 200, body = queries::User),
        (status = 409, body = ProblemBody, description = "`last_admin`"),
    ))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    caller: Caller,
    PathId(user_id): PathId<UserId>,
    if_match: IfMatch,
    request: RequestInfo,
    KeyedBody { input, key }: KeyedBody<SetRoles>,
) -> Result<RepeatableResponse, Problem> {
    let roles = input.validate()?;
    let scope = idempotency::scope(&caller, "");
    let set = |claim| set(&ctx, &caller, user_id, &if_match, &request, claim, &roles);
    ctx.idempotency.once(key, scope, set).await
}

async fn set(
    ctx: &Ctx,
    caller: &Caller,
    user_id: UserId,
    if_match: &IfMatch,
    request: &RequestInfo,
    claim: Arc<Claim>,
    roles: &Roles,
) -> Result<RepeatableResponse, Problem> {
    decide(ctx, || async {
        let user = queries::own(ctx, caller, user_id).await?;
        if_match.check(|| queries::User::from(user.clone()))?;
        let (user, batch) = match user.with_roles(roles) {
            Some(changed) => {
                let batch = change(ctx, caller, &user, &changed).await?;
                (changed, batch)
            }
            None => (user, Batch::new()),
        };
        let answer = RepeatableResponse::new(StatusCode::OK, &queries::User::from(user)).tagged();
        let committed = ctx.commit(batch, request.cause_keyed(claim.keep(&answer))).await?;
        ctx.until_sent(&committed).await;
        Ok(answer)
    })
    .await
}

async fn change(ctx: &Ctx, caller: &Caller, user: &User, changed: &User) -> Result<Batch, Problem> {
    let mut batch = store::set_roles(changed, user.version);
    if user.roles.has(Role::Admin) && !changed.roles.has(Role::Admin) {
        batch = batch.and(admins::leave(ctx, user.user_id).await?);
    }
    let event = UserRolesChanged {
        user_id: user.user_id,
        roles: changed.roles.names().into_iter().map(str::to_owned).collect(),
        changed_by: caller.actor(),
        version: changed.version.get(),
    };
    Ok(batch.emit(changed.version, &event))
}
