//! `POST /v1/users/{id}/ban`: shuts an account out.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use kernel::{Timestamp, UserId, Version};
use serde::{Deserialize, Serialize};
use service::decide;
use service::http::auth::Caller;
use service::http::idempotency::{self, Claim, IdempotencyKey, KeyedBody, RepeatableResponse};
use service::http::{Fields, PathId, Problem, ProblemBody, RequestInfo};
use service::storage::Batch;
use utoipa::ToSchema;

use crate::Ctx;
use crate::domain::{self, Ban, Refusal, User};
use crate::store;

/// A ban.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BanUser {
    /// The reason, for other admins: the banned account is not shown it.
    #[schema(example = "chargebacks", min_length = 1, max_length = 200)]
    reason: String,
}

/// An account that is shut out.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BannedUser {
    user_id: UserId,
    banned: bool,
    reason: String,
    /// The account that banned it, or `automation`.
    banned_by: String,
    banned_at: Timestamp,
}

impl From<&Ban> for BannedUser {
    fn from(ban: &Ban) -> Self {
        Self {
            user_id: ban.user_id,
            banned: true,
            reason: ban.reason.clone(),
            banned_by: ban.banned_by.clone(),
            banned_at: ban.banned_at,
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let (code, detail) = match refusal {
            Refusal::AlreadyBanned => ("already_banned", "the account is banned already: see its history"),
            Refusal::LastAdmin => {
                ("last_admin", "this is the last admin account that is not banned: give another account the role first")
            }
            Refusal::NotBanned => ("not_banned", "the account is not banned"),
            Refusal::NotYourself => ("not_yourself", "nobody bans their own account: ask another admin"),
        };
        Self::new(StatusCode::CONFLICT, code, detail)
    }
}

/// Bans an account: its sign-ins end, every service refuses its tokens, and its open orders are cancelled.
#[utoipa::path(
    post, path = "/v1/users/{id}/ban", operation_id = "ban_user", tag = "admin", request_body = BanUser,
    params(("id" = UserId, Path), IdempotencyKey),
    responses(
        (status = 202, body = BannedUser),
        (status = 409, body = ProblemBody, description = "`already_banned`, `not_yourself`, `last_admin`"),
    )
)]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    caller: Caller,
    PathId(user_id): PathId<UserId>,
    request: RequestInfo,
    KeyedBody { input, key }: KeyedBody<BanUser>,
) -> Result<RepeatableResponse, Problem> {
    let mut fields = Fields::new();
    fields.line(&input.reason, "reason", 1, 200);
    fields.finish()?;
    let scope = idempotency::scope(&caller, "");
    ctx.idempotency.once(key, scope, |claim| ban(&ctx, &caller, user_id, &request, claim, input.reason)).await
}

async fn ban(
    ctx: &Ctx,
    caller: &Caller,
    user_id: UserId,
    request: &RequestInfo,
    claim: Arc<Claim>,
    reason: String,
) -> Result<RepeatableResponse, Problem> {
    let ban = Ban {
        ban_id: ctx.ids.next(),
        user_id,
        reason,
        banned_by: caller.actor(),
        banned_at: ctx.clock.now(),
        end: None,
        version: Version::FIRST,
    };
    let answer = RepeatableResponse::new(StatusCode::ACCEPTED, &BannedUser::from(&ban));
    let committed = decide(ctx, || async {
        let user = store::user(&ctx.db, user_id).await?.ok_or_else(|| Problem::not_found("user"))?;
        let (has_other_admin, guard) = other_admins(ctx, &user).await?;
        let (banned, event) = domain::ban(&user, &ban, caller.user_id, has_other_admin)?;
        let batch = store::insert_ban(&ban).and(store::set_ban(&banned, user.version)).and(guard);
        Ok(ctx.commit(batch.emit(banned.version, &event), request.cause_keyed(claim.keep(&answer))).await?)
    })
    .await?;
    // What the admin does next may rely on it.
    ctx.until_sent(&committed).await;
    Ok(answer)
}

/// True if there are admins beside this account who may sign in, and the part of the commit that holds them to it. Asked
/// only of an admin.
async fn other_admins(ctx: &Ctx, user: &User) -> Result<(bool, Batch), Problem> {
    if !user.is_admin {
        return Ok((true, Batch::new()));
    }
    // Before the others are looked for: whoever bans one of them meanwhile changes it.
    let guard = store::admins_guard(&ctx.db).await?.ok_or_else(Problem::internal)?;
    Ok((store::has_other_admin(&ctx.db, user.user_id).await?, store::note_loss_of_admin(guard)))
}
