//! `GET /v1/orders/{id}/why`: the one reason why an order is where it is.

mod diagnosis;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use events::OrderId;
use futures_util::future::join_all;
use kernel::{EventId, Uuid};
use serde::Serialize;
use service::DeliveryStatus;
use service::http::auth::Caller;
use service::http::{PathId, Problem};
use service::operator::{CountFlow, EventsAbout, LookAt, LookForActivity, Outlook, Question, SubjectState};
use service::storage::archive::StoredEvent;
use utoipa::ToSchema;

use crate::gather::ask_each;
use crate::story::check_access;
use crate::{Console, PeerError};
use diagnosis::{Diagnosis, Facts, PendingTimer, State as Unsettled, Unhandled, Unreachable};

/// A service that takes longer counts as unreachable.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Events of an order that are looked at.
const EVENTS_MAX: i64 = 1_000;

/// The reason why an order is where it is.
#[derive(Serialize, ToSchema)]
pub(crate) struct Why {
    /// The order's status, if it is known.
    state: Option<String>,
    /// True if nothing is wrong: it is being worked on, at its end, or waits for somebody outside.
    healthy: bool,
    /// The reason by its name, as in `parked`, `consumer_unreachable`, `waiting_for_customer`.
    cause: &'static str,
    /// The reason in a sentence.
    sentence: String,
    /// The facts that show it: for the admin only.
    evidence: Vec<String>,
    /// The command that mends it, if one does: for the admin only.
    remedy: Option<String>,
}

/// The one reason why an order is where it is, with what shows it and the command that mends it.
#[utoipa::path(
    get, path = "/v1/orders/{id}/why", operation_id = "explain_order", tag = "console",
    params(("id" = OrderId, Path)),
    responses((status = 200, body = Why))
)]
pub(crate) async fn handler(
    State(console): State<Console>,
    caller: Caller,
    PathId(order_id): PathId<OrderId>,
) -> Result<Json<Why>, Problem> {
    match check_access(&console, order_id.into(), &caller).await {
        // Without a store nobody can say whose it is; the admin is shown that this is the reason.
        Err(problem) if caller.is_admin && problem.status().is_server_error() => {}
        checked => drop(checked?),
    }
    let facts = gather(&console, order_id).await;
    let state = facts.order.as_ref().map(|(status, _, _)| status.clone());
    let Diagnosis { is_healthy, cause, sentence, evidence, remedy } = facts.diagnose();
    let (evidence, remedy) = if caller.is_admin { (evidence, remedy) } else { (Vec::new(), None) };
    Ok(Json(Why { state, healthy: is_healthy, cause, sentence, evidence, remedy }))
}

/// Asks all services at once. One that doesn't answer, or whose store doesn't, is a fact too.
async fn gather(console: &Console, order_id: OrderId) -> Facts {
    let subject = Uuid::from(order_id);
    let mut unreachable = HashMap::new();
    let events = ask(console, &mut unreachable, || EventsAbout { subject, limit: EVENTS_MAX }).await;
    let mut events: Vec<(&'static str, StoredEvent)> = events
        .into_iter()
        .flat_map(|(service, found)| found.into_iter().map(move |event| (service, event.0)))
        .collect();
    events.sort_unstable_by_key(|(_, event)| event.envelope.id);
    let outlooks = ask(console, &mut unreachable, || LookAt { subject }).await;
    let flows = ask(console, &mut unreachable, || CountFlow {}).await;
    let queued = ask(console, &mut unreachable, || LookForActivity {}).await;
    let queued: HashMap<&str, Option<u64>> = queued.into_iter().map(|(service, it)| (service, it.queued)).collect();
    let unsent: HashSet<EventId> = outlooks.iter().flat_map(|(_, outlook)| outlook.unsent.iter().copied()).collect();
    let deliveries = unhandled(console, &events, &unsent, &queued).await;
    let of_unsent = events.iter().filter(|(_, event)| unsent.contains(&event.envelope.id));
    let of_unsent = of_unsent.map(|(service, it)| (it.envelope.event_type.clone(), *service, it.envelope.time));
    Facts {
        order_id,
        now: console.clock.now(),
        order: state_at("orders", &outlooks)
            .map(|it| (it.status.clone(), it.part.clone().unwrap_or_default(), it.since)),
        degraded: flows.into_iter().filter_map(|(service, flow)| Some((service, flow.degraded?))).collect(),
        unsent: of_unsent.collect(),
        deliveries,
        charging_since: state_at("payments", &outlooks).filter(|it| it.status == "charging").map(|it| it.since),
        timers: outlooks.iter().flat_map(timers).collect(),
        unreachable: unreachable.into_values().collect(),
    }
}

async fn ask<Q: Question>(
    console: &Console,
    unreachable: &mut HashMap<&'static str, Unreachable>,
    question: impl Fn() -> Q,
) -> Vec<(&'static str, Q::Answer)> {
    let mut answers = Vec::new();
    for (service, answer) in ask_each(&console.peers, ANSWER_WITHIN, question).await {
        match answer {
            Ok(answer) => answers.push((service, answer)),
            Err(error) => {
                let is_store = matches!(error, PeerError::Store(_));
                unreachable.insert(service, Unreachable { service, reason: error.to_string(), is_store });
            }
        }
    }
    answers
}

fn state_at<'a>(service: &str, outlooks: &'a [(&'static str, Outlook)]) -> Option<&'a SubjectState> {
    outlooks.iter().find(|(of, _)| *of == service).and_then(|(_, outlook)| outlook.state.as_ref())
}

fn timers((service, outlook): &(&'static str, Outlook)) -> impl Iterator<Item = PendingTimer> {
    outlook.timers.iter().map(move |timer| PendingTimer {
        service,
        name: timer.name.clone(),
        due_at: timer.due_at,
        attempts: timer.attempts,
        is_leased: timer.is_leased,
    })
}

/// Events that were sent, and that a service has not handled, oldest first.
async fn unhandled(
    console: &Console,
    events: &[(&'static str, StoredEvent)],
    unsent: &HashSet<EventId>,
    queued: &HashMap<&str, Option<u64>>,
) -> Vec<Unhandled> {
    let names: &Vec<(EventId, &str)> =
        &events.iter().map(|(_, event)| (event.envelope.id, event.envelope.event_type.as_str())).collect();
    let asked = console.peers.iter().map(|peer| async move { (peer, peer.deliveries(names).await) });
    let mut found = Vec::new();
    for (peer, statuses) in join_all(asked).await {
        // That one does not answer is known from the other questions.
        let Ok(statuses) = statuses else { continue };
        for (_, event) in events {
            let Some(status) = statuses.get(&event.envelope.id) else { continue };
            let is_unsent = unsent.contains(&event.envelope.id);
            if let Some(state) = unsettled(status).filter(|state| !is_unsent || !matches!(state, Unsettled::Pending)) {
                found.push(Unhandled {
                    event_type: event.envelope.event_type.clone(),
                    emitted_at: event.envelope.time,
                    consumer: peer.service(),
                    attempts: status.attempts,
                    reason: status.reason.clone(),
                    state,
                    queued: queued.get(peer.service()).copied().flatten(),
                });
            }
        }
    }
    found.sort_by_key(|it| it.emitted_at);
    found
}

fn unsettled(status: &DeliveryStatus) -> Option<Unsettled> {
    match status.status {
        DeliveryStatus::PENDING => Some(Unsettled::Pending),
        "retrying" => Some(Unsettled::Retrying(status.due_at)),
        "parked" => Some(Unsettled::Parked(status.dead_letter_id)),
        "waiting" => Some(Unsettled::Waiting),
        _ => None,
    }
}
