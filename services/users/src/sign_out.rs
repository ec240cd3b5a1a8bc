//! `DELETE /v1/sessions/current`: signs out.

use axum::extract::State;
use axum::http::StatusCode;
use service::decide;
use service::http::auth::Caller;
use service::http::{Problem, ProblemBody, RequestInfo};

use crate::{Ctx, store};

/// Ends the sign-in of the token that is sent: its refresh token is good no longer. Again, it changes nothing.
#[utoipa::path(delete, path = "/v1/sessions/current", operation_id = "sign_out", tag = "users",
    responses((status = 204), (status = 404, body = ProblemBody, description = "the admin token has no session")))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    caller: Caller,
    request: RequestInfo,
) -> Result<StatusCode, Problem> {
    let session_id = caller.session_id.ok_or_else(|| Problem::not_found("session"))?;
    decide(&ctx, || async {
        if let Some(session) = store::session(&ctx.db, session_id).await? {
            ctx.commit(store::end_session(&session), request.cause()).await?;
        }
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}
