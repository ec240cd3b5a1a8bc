//! Replaying many dead letters, at a rate, with a report.
//!
//! A replay is work of the console's process and ends with it: what was not replayed by then is a dead letter still.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use kernel::{Clock, DeadLetterId, Ids, Timestamp, Uuid};
use serde::{Deserialize, Serialize};
use service::http::auth::Caller;
use service::http::{Body, Fields, PathId, Problem, ProblemBody};
use service::operator::{DeadLetterName, OnBehalfOf, Replay};
use utoipa::ToSchema;

use crate::dead_letter_groups::{group_of, names};
use crate::gather::gather;
use crate::{Console, Peer};

/// Replays whose reports are kept, the newest.
const KEPT: usize = 50;

/// Replays a second at most, and if no number is said.
const PER_SECOND_MAX: u32 = 1_000;

/// Ids of a request at most.
const IDS_MAX: usize = 1_000;

/// Characters of a service's name, or of a group's id, at most.
const NAME_MAX: usize = 100;

/// Failures that a report names.
const FAILURES_MAX: usize = 20;

/// The dead letters to replay: by their ids, or all that match.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplayDeadLetters {
    /// These, at most 1,000.
    #[schema(max_items = 1000)]
    ids: Option<Vec<DeadLetterId>>,
    /// Those of this group.
    #[schema(min_length = 1, max_length = 100)]
    group: Option<String>,
    /// Those of this service.
    #[schema(min_length = 1, max_length = 100)]
    consumer: Option<String>,
    /// Those that first failed then or later.
    from: Option<Timestamp>,
    /// Those that first failed before.
    to: Option<Timestamp>,
    /// Replays a second at most.
    #[schema(minimum = 1, maximum = 1000, default = 1000)]
    per_second: Option<u32>,
}

/// A replay of many dead letters.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct DeadLetterReplay {
    replay_id: Uuid,
    #[schema(value_type = ReplayState, inline)]
    state: &'static str,
    /// Dead letters that are replayed.
    total: usize,
    /// Those that are handled again by now, or wait for their turn to be.
    done: usize,
    /// Those that were none any more, or whose service did not answer.
    failed: usize,
    /// The first of the failures, at most 20.
    failures: Vec<ReplayFailure>,
    started_at: Timestamp,
    ended_at: Option<Timestamp>,
}

/// A dead letter that was not replayed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ReplayFailure {
    dead_letter_id: DeadLetterId,
    reason: String,
}

/// The state of a replay.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ReplayState {
    Running,
    Done,
    /// Somebody stopped it, or the process is draining.
    Stopped,
}

kernel::named!(ReplayState { Running = "running", Done = "done", Stopped = "stopped" });

/// The replays of this process. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Replays(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    replays: HashMap<Uuid, DeadLetterReplay>,
    order: VecDeque<Uuid>,
}

/// Replays dead letters one after the other, at a rate. The answer comes at once; the report grows.
#[utoipa::path(
    post, path = "/v1/dead-letters/replays", operation_id = "replay_dead_letters", tag = "console",
    request_body = ReplayDeadLetters,
    responses(
        (status = 202, body = DeadLetterReplay),
        (status = 503, body = ProblemBody, description = "`peer_away`: a service that may have some is unreachable"),
    )
)]
pub(crate) async fn begin(
    State(console): State<Console>,
    caller: Caller,
    Body(wanted): Body<ReplayDeadLetters>,
) -> Result<(StatusCode, Json<DeadLetterReplay>), Problem> {
    wanted.check()?;
    let letters = find(&console, &wanted).await?;
    let replay = console.replays.begin(letters.len(), &console.clock);
    let per_second = wanted.per_second.unwrap_or(PER_SECOND_MAX);
    let work = run(console.clone(), replay.replay_id, letters, caller, Duration::from_secs(1) / per_second);
    console.tasks.spawn(work);
    Ok((StatusCode::ACCEPTED, Json(replay)))
}

/// The report of a replay, as long as the process runs and it is among the newest 50.
#[utoipa::path(
    get, path = "/v1/dead-letters/replays/{id}", operation_id = "get_dead_letter_replay", tag = "console",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = DeadLetterReplay))
)]
pub(crate) async fn get(
    State(console): State<Console>,
    PathId(id): PathId<Uuid>,
) -> Result<Json<DeadLetterReplay>, Problem> {
    console.replays.of(id).map(Json).ok_or_else(missing)
}

/// Stops a replay. What it has replayed stays so.
#[utoipa::path(
    delete, path = "/v1/dead-letters/replays/{id}", operation_id = "stop_dead_letter_replay", tag = "console",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = DeadLetterReplay))
)]
pub(crate) async fn stop(
    State(console): State<Console>,
    PathId(id): PathId<Uuid>,
) -> Result<Json<DeadLetterReplay>, Problem> {
    console.replays.end(id, ReplayState::Stopped, &console.clock);
    console.replays.of(id).map(Json).ok_or_else(missing)
}

impl ReplayDeadLetters {
    fn check(&self) -> Result<(), Problem> {
        let is_ranged = self.consumer.is_some() || self.from.is_some() || self.to.is_some();
        let selections = [self.ids.is_some(), self.group.is_some(), is_ranged].into_iter().filter(|it| *it).count();
        let has_some = self.ids.as_ref().is_none_or(|ids| (1..=IDS_MAX).contains(&ids.len()));
        let is_paced = self.per_second.is_none_or(|it| (1..=PER_SECOND_MAX).contains(&it));
        let mut fields = Fields::new();
        fields.check(selections == 1, "ids", "selection", "ids, or a group, or at least one of consumer, from and to");
        let names = [("group", self.group.as_deref()), ("consumer", self.consumer.as_deref())];
        for (field, name) in names.into_iter().filter_map(|(field, name)| Some((field, name?))) {
            fields.line(name, field, 1, NAME_MAX);
        }
        fields.check(has_some, "ids", "length", format!("1 to {IDS_MAX} ids"));
        fields.check(is_paced, "per_second", "range", format!("1 to {PER_SECOND_MAX}"));
        fields.finish()
    }

    fn wants(&self, consumer: &str, name: &DeadLetterName) -> bool {
        let is_of = |group: &String| *group == group_of(consumer, name);
        self.ids.as_ref().is_none_or(|ids| ids.contains(&name.dead_letter_id))
            && self.group.as_ref().is_none_or(is_of)
            && self.consumer.as_ref().is_none_or(|it| it == consumer)
            && self.from.is_none_or(|from| name.first_failed_at.is_some_and(|at| at >= from))
            && self.to.is_none_or(|to| name.first_failed_at.is_some_and(|at| at < to))
    }
}

/// The dead letters to replay, oldest first: what was first is handled first.
async fn find(console: &Console, wanted: &ReplayDeadLetters) -> Result<Vec<(Peer, DeadLetterId)>, Problem> {
    let asked = console.peers.iter().filter(|peer| wanted.consumer.as_deref().is_none_or(|it| it == peer.service()));
    let gathered = gather(asked, |peer| async move { names(&peer).await }).await?;
    if !gathered.missing.is_empty() {
        return Err(gathered.missing.for_guests());
    }
    let mut found: Vec<(Peer, DeadLetterId)> = Vec::new();
    for (peer, names) in gathered.answers {
        let wanted = names.into_iter().filter(|name| wanted.wants(peer.service(), name));
        found.extend(wanted.map(|name| (peer.clone(), name.dead_letter_id)));
    }
    found.sort_unstable_by_key(|(_, id)| *id);
    Ok(found)
}

async fn run(console: Console, replay_id: Uuid, letters: Vec<(Peer, DeadLetterId)>, caller: Caller, pause: Duration) {
    let replays = &console.replays;
    let mut turns = tokio::time::interval(pause.max(Duration::from_millis(1)));
    for (peer, id) in letters {
        tokio::select! {
            _ = turns.tick() => {}
            () = console.tasks.stopping() => replays.end(replay_id, ReplayState::Stopped, &console.clock),
        }
        if !replays.is_running(replay_id) {
            return;
        }
        let failure = match peer.ask(Replay { id, caller: OnBehalfOf(caller.clone()) }).await {
            Ok(true) => None,
            Ok(false) => Some("it is no dead letter any more".to_owned()),
            Err(error) => Some(error.to_string()),
        };
        replays.count(replay_id, id, failure);
    }
    replays.end(replay_id, ReplayState::Done, &console.clock);
    if let Some(replay) = replays.of(replay_id) {
        let (actor, DeadLetterReplay { done, failed, .. }) = (caller.actor(), replay);
        tracing::info!(actor, %replay_id, done, failed, "dead letters were replayed");
    }
}

impl Replays {
    fn begin(&self, total: usize, clock: &Clock) -> DeadLetterReplay {
        let replay = DeadLetterReplay {
            replay_id: Ids::new(clock.clone()).next(),
            state: ReplayState::Running.as_str(),
            total,
            done: 0,
            failed: 0,
            failures: Vec::new(),
            started_at: clock.now(),
            ended_at: None,
        };
        let mut kept = self.kept();
        kept.order.push_back(replay.replay_id);
        kept.replays.insert(replay.replay_id, replay.clone());
        if kept.order.len() > KEPT
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.replays.remove(&oldest);
        }
        replay
    }

    fn of(&self, id: Uuid) -> Option<DeadLetterReplay> {
        self.kept().replays.get(&id).cloned()
    }

    fn is_running(&self, id: Uuid) -> bool {
        self.of(id).is_some_and(|replay| replay.state == ReplayState::Running.as_str())
    }

    fn count(&self, id: Uuid, dead_letter_id: DeadLetterId, failure: Option<String>) {
        let mut kept = self.kept();
        let Some(replay) = kept.replays.get_mut(&id) else { return };
        match failure {
            None => replay.done += 1,
            Some(reason) => {
                replay.failed += 1;
                if replay.failures.len() < FAILURES_MAX {
                    replay.failures.push(ReplayFailure { dead_letter_id, reason });
                }
            }
        }
    }

    /// Ends one that runs.
    fn end(&self, id: Uuid, state: ReplayState, clock: &Clock) {
        let mut kept = self.kept();
        let running = kept.replays.get_mut(&id).filter(|replay| replay.state == ReplayState::Running.as_str());
        if let Some(replay) = running {
            (replay.state, replay.ended_at) = (state.as_str(), Some(clock.now()));
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn missing() -> Problem {
    Problem::not_found("replay: its report is kept as long as the process runs")
}
