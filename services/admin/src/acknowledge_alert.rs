//! `POST /v1/alerts/{id}/acknowledge`: an admin has seen an alert.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use events::AlertId;
use service::decide;
use service::http::auth::Caller;
use service::http::{PathId, Problem, ProblemBody, RequestInfo};

use crate::Ctx;
use crate::alerts::{self, Alert};
use crate::domain::AlreadyResolved;
use crate::store::alerts as store;

impl From<AlreadyResolved> for Problem {
    fn from(_: AlreadyResolved) -> Self {
        let detail = "the alert is resolved: there is nothing left to acknowledge";
        Self::new(StatusCode::CONFLICT, "already_resolved", detail)
    }
}

/// Acknowledges an alert: it stays in the list until it is resolved, and is not mailed. Acknowledging it again changes
/// nothing.
#[utoipa::path(post, path = "/v1/alerts/{id}/acknowledge", operation_id = "acknowledge_alert", tag = "admin",
    params(("id" = AlertId, Path)),
    responses(
        (status = 200, body = Alert),
        (status = 409, body = ProblemBody, description = "`already_resolved`"),
    ))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    caller: Caller,
    PathId(alert_id): PathId<AlertId>,
    request: RequestInfo,
) -> Result<Json<Alert>, Problem> {
    decide(&ctx, || async {
        let alert = alerts::read(&ctx, alert_id).await?;
        let Some(acknowledged) = alert.acknowledge(&caller.actor(), ctx.clock.now())? else {
            return Ok(Json(alert.into()));
        };
        ctx.commit(store::set_without_mail(&acknowledged), request.cause()).await?;
        Ok(Json(acknowledged.into()))
    })
    .await
}
