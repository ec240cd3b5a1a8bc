//! `POST /v1/back-in-stock/stop`: the token of a mailed link ends all requests of its address.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use service::decide;
use service::http::{Body, Fields, ObjectToken, Problem, ProblemBody, RequestInfo};
use utoipa::ToSchema;

use crate::Ctx;
use crate::store::back_in_stock as store;

/// The token of the mail.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StopBackInStock {
    /// Of the mailed link. It is good for 30 days.
    #[schema(min_length = 1, max_length = 100)]
    token: String,
}

/// Ends all open requests for mails to the address that got this link.
#[utoipa::path(post, path = "/v1/back-in-stock/stop",
    operation_id = "stop_back_in_stock", tag = "notifications", request_body = StopBackInStock,
    responses(
        (status = 204, description = "no further mail follows from what was asked for until now"),
        (status = 400, body = ProblemBody, description = "`invalid_link`"),
    ))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    request: RequestInfo,
    Body(input): Body<StopBackInStock>,
) -> Result<StatusCode, Problem> {
    let mut fields = Fields::new();
    fields.line(&input.token, "token", 1, 100);
    fields.finish()?;
    let digest = ObjectToken::digest(input.token.as_bytes());
    decide(&ctx, || async {
        let mailed = store::request_of_link(&ctx.db, &digest).await?.ok_or_else(invalid)?;
        let open = store::open_of_email(&ctx.db, &mailed.email).await?;
        let batch = store::delete(open.iter().map(|open| (open.request_id, open.version)));
        ctx.commit(batch, request.cause()).await?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

fn invalid() -> Problem {
    let detail = "this link is not good: it has expired, or it was never mailed";
    Problem::new(StatusCode::BAD_REQUEST, "invalid_link", detail)
}
