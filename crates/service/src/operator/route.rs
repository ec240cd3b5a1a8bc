//! Answers the operator's questions over HTTP: admin only, one path for each service.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use http::auth::Auth;
use http::{Body, Policy, Problem, Routes};
use kernel::EventId;
use storage::Error;

use super::wire::{Answer, Delivery, Event, EventName, IDS_MAX, Key, Letter, Question, ROWS_MAX, WAIT_MAX};
use super::{Operator, path};
use crate::Tasks;

#[derive(Clone)]
struct Answering {
    operator: Operator,
    tasks: Tasks,
}

/// The route of one service. It stands in no description: only consoles of the same shop ask here.
pub(crate) fn of(operator: &Operator, auth: Arc<Auth>, tasks: Tasks) -> Router {
    let path = path(operator.service());
    let answering = Answering { operator: operator.clone(), tasks };
    Routes::new().add_internal(Policy::Admin, &path, post(handler)).finish(answering, auth)
}

/// A question that this version doesn't know is malformed, not merely invalid: the console is of another version.
async fn handler(
    State(answering): State<Answering>,
    Body(question): Body<serde_json::Value>,
) -> Result<Json<Answer>, Problem> {
    let question: Question =
        serde_json::from_value(question).map_err(|error| Problem::malformed_body(error.to_string()))?;
    Ok(Json(answer(&answering, question).await?))
}

async fn answer(Answering { operator, tasks }: &Answering, question: Question) -> Result<Answer, Problem> {
    Ok(match question {
        Question::EventsAbout { subject, limit } => {
            events(operator.events_about(subject, limit.clamp(1, ROWS_MAX)).await)?
        }
        Question::EventsBefore { before, event_type, subject, limit } => {
            events(operator.events_before(before, event_type, subject, limit.clamp(1, ROWS_MAX)).await)?
        }
        Question::EventsToCome { position, limit, within_ms } => {
            let within = Duration::from_millis(within_ms).min(WAIT_MAX);
            tokio::select! {
                found = operator.events_to_come(position, limit.clamp(1, ROWS_MAX), within) => events(found)?,
                () = tasks.stopping() => return Err(Problem::overloaded("the process is draining", 1)),
            }
        }
        Question::Event { event_id } => Answer::Event(operator.event(event_id).await?.map(Event)),
        Question::NewestPosition => Answer::Position(operator.newest_position().await?),
        Question::Deliveries { events } => deliveries(operator, &events).await?,
        Question::DeadLetters { before, limit } => {
            let letters = operator.dead_letters(before, limit.clamp(1, ROWS_MAX)).await?;
            Answer::DeadLetters(letters.into_iter().map(Letter).collect())
        }
        Question::DeadLetter { id } => Answer::DeadLetter(operator.dead_letter(id).await?.map(Letter)),
        Question::Replay { id } => Answer::Done(operator.replay(id).await?),
        Question::Discard { id } => Answer::Done(operator.discard(id).await?),
        Question::Republish { after, limit } => {
            let done = operator.republish(after, limit.clamp(1, ROWS_MAX)).await?;
            Answer::Republished { events: done.events, up_to: done.up_to }
        }
        Question::Activity => Answer::Activity(operator.activity().await?),
        Question::MayRead { subject, caller } => Answer::MayRead(operator.may_read(subject, caller.into()).await?),
        Question::Keys => Answer::Keys(operator.keys().await?.into_iter().map(Key).collect()),
    })
}

fn events(found: Result<Vec<storage::archive::StoredEvent>, Error>) -> Result<Answer, Error> {
    Ok(Answer::Events(found?.into_iter().map(Event).collect()))
}

async fn deliveries(operator: &Operator, events: &[EventName]) -> Result<Answer, Problem> {
    if events.len() > IDS_MAX {
        return Err(Problem::malformed_body(format!("events: at most {IDS_MAX}")));
    }
    let events: Vec<(EventId, &str)> = events.iter().map(|event| (event.event_id, event.event_type.as_str())).collect();
    let statuses = operator.deliveries(&events).await?;
    Ok(Answer::Deliveries(statuses.into_iter().map(|(event_id, status)| Delivery::new(event_id, status)).collect()))
}
