//! Reads.

use axum::Json;
use axum::extract::State;
use kernel::{Timestamp, UserId};
use serde::Serialize;
use service::http::{PathId, Problem};
use utoipa::ToSchema;

use crate::{Ctx, domain, store};

/// Bans that an answer lists at the most: an account with more has been let in again as often.
const HISTORY_MAX: i64 = 100;

/// The bans of an account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Bans {
    user_id: UserId,
    /// True if it is banned now.
    banned: bool,
    /// Newest first, 100 at the most.
    #[schema(max_items = 100)]
    history: Vec<Ban>,
}

/// A ban, which may have ended.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ban {
    reason: String,
    /// The account that banned it, or `automation`.
    banned_by: String,
    banned_at: Timestamp,
    /// The account that ended the ban, or `automation`.
    #[serde(skip_serializing_if = "Option::is_none")]
    unbanned_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unbanned_at: Option<Timestamp>,
}

impl From<domain::Ban> for Ban {
    fn from(ban: domain::Ban) -> Self {
        let domain::Ban { reason, banned_by, banned_at, end, .. } = ban;
        let (unbanned_by, unbanned_at) = end.map(|end| (end.unbanned_by, end.unbanned_at)).unzip();
        Self { reason, banned_by, banned_at, unbanned_by, unbanned_at }
    }
}

/// The bans of an account: who, when and why.
#[utoipa::path(
    get, path = "/v1/users/{id}/ban", operation_id = "get_bans", tag = "admin",
    params(("id" = UserId, Path)),
    responses((status = 200, body = Bans))
)]
pub(crate) async fn get(State(ctx): State<Ctx>, PathId(user_id): PathId<UserId>) -> Result<Json<Bans>, Problem> {
    let user = store::user(&ctx.db, user_id).await?.ok_or_else(|| Problem::not_found("user"))?;
    let history = store::bans(&ctx.db, user_id, HISTORY_MAX).await?;
    let history = history.into_iter().map(Ban::from).collect();
    Ok(Json(Bans { user_id, banned: user.ban_id.is_some(), history }))
}
