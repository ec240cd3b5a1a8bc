//! Whether anything is still under way: a barrier for tests and scripts.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use service::http::{Problem, ProblemBody, QueryOf};
use service::{Activity, Operator};
use utoipa::ToSchema;

use crate::Console;

/// How long to wait when the request doesn't say.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// How long a request may wait.
pub(crate) const TIMEOUT_MAX: Duration = Duration::from_mins(5);

/// The time between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

#[derive(Deserialize)]
pub(crate) struct Wait {
    timeout: Option<String>,
}

/// Nothing is under way.
#[derive(Serialize, ToSchema)]
pub(crate) struct Settled {
    settled: bool,
}

/// Answers once nothing is pending anywhere: no unsent event, no due retry, no due timer, no running handler.
#[utoipa::path(
    get, path = "/internal/settled", tag = "console",
    params(("timeout" = Option<String>, Query, description = "as in 10s or 500ms; at most 300s")),
    responses(
        (status = 200, body = Settled),
        (status = 408, body = ProblemBody, description = "`not_settled`"),
    )
)]
pub(crate) async fn handler(
    State(console): State<Console>,
    QueryOf(wait): QueryOf<Wait>,
) -> Result<Json<Settled>, Problem> {
    let timeout = timeout(wait.timeout.as_deref())?;
    let settled = tokio::time::timeout(timeout, until_settled(&console.operators)).await;
    settled.unwrap_or_else(|_| {
        let detail = format!("work is still under way after {timeout:?}");
        Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "not_settled", detail))
    })?;
    Ok(Json(Settled { settled: true }))
}

async fn until_settled(operators: &[Operator]) -> Result<(), Problem> {
    loop {
        // Two looks with nothing pending and nothing emitted between them: while one service was looked at,
        // no event can have moved from it to one that was looked at before.
        let first = look(operators).await?;
        if first.iter().all(|activity| activity.pending == 0) && look(operators).await? == first {
            return Ok(());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

async fn look(operators: &[Operator]) -> Result<Vec<Activity>, Problem> {
    let mut activities = Vec::with_capacity(operators.len());
    for operator in operators {
        activities.push(operator.activity().await?);
    }
    Ok(activities)
}

fn timeout(text: Option<&str>) -> Result<Duration, Problem> {
    let Some(text) = text else { return Ok(TIMEOUT_DEFAULT) };
    let parsed = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(millis), _) => millis.parse().ok().map(Duration::from_millis),
        (None, Some(seconds)) => seconds.parse().ok().map(Duration::from_secs),
        (None, None) => None,
    };
    parsed.filter(|timeout| *timeout <= TIMEOUT_MAX).ok_or_else(|| {
        Problem::new(StatusCode::BAD_REQUEST, "invalid_query", "timeout: as in 10s or 500ms, at most 300s")
    })
}
