//! Answers the operator's questions over HTTP: admin only, one path for each service and question.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use http::auth::Auth;
use http::{Body, Policy, Problem, Routes};

use super::question::{Question, path};
use super::{Operator, questions};
use crate::Tasks;

#[derive(Clone)]
struct Answering {
    operator: Operator,
    tasks: Tasks,
}

/// The routes at which one service answers questions.
pub(super) struct Answers {
    service: &'static str,
    routes: Routes<Answering>,
}

impl Answers {
    /// Adds the route of a kind of question. No description has it: only consoles of the same shop ask there.
    pub fn to<Q: Question>(self) -> Self {
        let Self { service, routes } = self;
        Self { service, routes: routes.add_internal(Policy::Admin, &path::<Q>(service), post(handler::<Q>)) }
    }
}

/// The routes of one service.
pub(crate) fn of(operator: &Operator, auth: Arc<Auth>, tasks: Tasks) -> Router {
    let answers = questions::all(Answers { service: operator.service(), routes: Routes::new() });
    answers.routes.finish(Answering { operator: operator.clone(), tasks }, auth)
}

/// A question that this version can't read is malformed, not merely invalid: the console is of another version.
async fn handler<Q: Question>(
    State(Answering { operator, tasks }): State<Answering>,
    Body(question): Body<serde_json::Value>,
) -> Result<Json<Q::Answer>, Problem> {
    let question: Q = serde_json::from_value(question).map_err(|error| Problem::malformed_body(error.to_string()))?;
    if question.may_wait().is_zero() {
        return Ok(Json(question.answer(&operator).await?));
    }
    // An answer that may wait long would hold up the end of the process.
    tokio::select! {
        answer = question.answer(&operator) => Ok(Json(answer?)),
        () = tasks.stopping() => Err(Problem::overloaded("the process is draining", 1)),
    }
}
