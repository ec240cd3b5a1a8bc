//! Messages of others come in: many are decided at once and committed together; what can't be read is parked with its bytes.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use kernel::{Cause, Origin, RequestCause, RequestId, Uuid, Version};
use service::storage::{Batch, Error};

use crate::Ctx;
use crate::contract::Contract;
use crate::incoming::{self, Fact, Incoming, Said};
use crate::resolve::{Happened, Names};
use crate::store::known::{self, Order};
use crate::store::messages::{self as store, Parked, ParkedId};

/// The times at which a product is looked for again that nobody knows yet: its event may arrive in these moments.
const LOOK_AGAIN: [Duration; 3] = [Duration::from_millis(50), Duration::from_millis(200), Duration::from_secs(1)];

/// The longest wait before a commit is tried again.
const COMMIT_AGAIN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Characters of a parked message's reason at the most.
const REASON_MAX: usize = 1_000;

/// A message that was decided.
enum Decided {
    /// It came back to the shop that sent it, or was taken in before.
    Known,
    /// It is taken in.
    Taken(Said),
    Bad(String),
}

/// Counts of a set of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub taken: u64,
    pub known: u64,
    pub parked: u64,
}

/// Takes in what came, however often it must be tried. `unacknowledged` are digests of messages without an
/// identity that were committed and could not be acknowledged; those that are redelivered are taken out.
pub(crate) async fn take_in(
    ctx: &Ctx,
    contract: &Contract,
    came: &[Incoming],
    unacknowledged: &mut Vec<String>,
    stop: &service::Tasks,
) -> Option<Counts> {
    let mut wait = COMMIT_AGAIN.0;
    loop {
        let mut left = unacknowledged.clone();
        match try_take_in(ctx, contract, came, &mut left).await {
            Ok(counts) => {
                *unacknowledged = left;
                return Some(counts);
            }
            // Another instance has taken in one of these.
            Err(Error::Conflict { .. }) => {}
            Err(error) => {
                kernel::warn_limited!(contract = contract.name, %error, "foreign messages can't be taken in now");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => wait = (wait * 2).min(COMMIT_AGAIN.1),
            // The broker delivers them again.
            () = stop.stopping() => return None,
        }
    }
}

async fn try_take_in(
    ctx: &Ctx,
    contract: &Contract,
    came: &[Incoming],
    unacknowledged: &mut Vec<String>,
) -> Result<Counts, Error> {
    let mut decided = decide(ctx, contract, came, unacknowledged).await?;
    let (mut batch, mut counts) = (Batch::new(), Counts::default());
    let happened = events_of(ctx, contract, &mut decided).await?;
    let now = ctx.clock.now();
    let mut lines = Vec::new();
    for ((message, decided), happened) in came.iter().zip(decided).zip(happened) {
        let part = match decided {
            Decided::Known => {
                counts.known += 1;
                continue;
            }
            Decided::Bad(reason) => {
                counts.parked += 1;
                tracing::warn!(contract = contract.name, queue = message.queue, reason, "a foreign message is parked");
                store::insert_parked(&parked(ctx, contract, message, reason))
            }
            Decided::Taken(said) => {
                counts.taken += 1;
                lines.extend(said.log);
                let part = happened.into_iter().fold(Batch::new(), |part, (event, rows)| emit(part.and(rows), &event));
                // One without an identity counts each time it comes.
                match said.id {
                    Some(id) => part.and(store::insert_taken(&message_key(contract, message, &id), now)),
                    None => part,
                }
            }
        };
        batch = batch.and(part.caused_by(&origin(ctx)));
    }
    let cause = RequestCause { request_id: ctx.ids.next(), traceparent: None, keyed: None };
    ctx.commit(batch, Cause::Request(cause)).await?;
    for line in lines {
        tracing::info!(contract = contract.name, "{line}");
    }
    Ok(counts)
}

/// Each message has a story of its own.
fn origin(ctx: &Ctx) -> Origin {
    let id: RequestId = ctx.ids.next();
    Origin { correlation_id: id.into(), causation_id: id.into(), traceparent: None }
}

/// Reads the messages, and drops those that are known.
async fn decide(
    ctx: &Ctx,
    contract: &Contract,
    came: &[Incoming],
    unacknowledged: &mut Vec<String>,
) -> Result<Vec<Decided>, Error> {
    let own = ctx.state.identity().map(|identity| identity.to_string());
    let read: Vec<Option<Result<Said, String>>> = came
        .iter()
        .map(|message| {
            let is_own = own.is_some() && message.message.app_id == own;
            (!is_own).then(|| incoming::read(contract, message))
        })
        .collect();
    let with_id = read.iter().zip(came).filter_map(|(read, message)| {
        let id = read.as_ref()?.as_ref().ok()?.id.as_ref()?;
        Some(message_key(contract, message, id))
    });
    let mut known = store::taken(&ctx.db, with_id.collect()).await?;
    let decided = read.into_iter().zip(came).map(|(read, message)| match read {
        None => Decided::Known,
        Some(Err(reason)) => Decided::Bad(reason),
        Some(Ok(said)) => match &said.id {
            // Twice in one set is twice, too.
            Some(id) if !known.insert(message_key(contract, message, id)) => Decided::Known,
            Some(_) => Decided::Taken(said),
            None if message.message.redelivered && take_out(unacknowledged, &digest(contract, message)) => {
                Decided::Known
            }
            None => Decided::Taken(said),
        },
    });
    Ok(decided.collect())
}

/// The events of each message, with the rows that they need. A message that names what nobody knows becomes bad.
async fn events_of(
    ctx: &Ctx,
    contract: &Contract,
    decided: &mut [Decided],
) -> Result<Vec<Vec<(Happened, Batch)>>, Error> {
    let mut looks = LOOK_AGAIN.iter();
    loop {
        let facts: Vec<&Fact> = decided
            .iter()
            .filter_map(|decided| match decided {
                Decided::Taken(said) => Some(&said.facts),
                _ => None,
            })
            .flatten()
            .collect();
        let (db, currency) = (&ctx.db, ctx.state.currency);
        let mut names = Names::read(db, contract, events::bridge::MESSAGE, currency, &facts).await?;
        let (mut events, mut missing) = (Vec::with_capacity(decided.len()), Vec::new());
        for (at, decided) in decided.iter().enumerate() {
            let mut of_message = Vec::new();
            if let Decided::Taken(said) = decided {
                for fact in &said.facts {
                    match names.resolve(fact.clone(), &ctx.ids) {
                        Ok(resolved) => of_message.push(resolved),
                        Err(unresolved) => missing.push((at, unresolved.reason())),
                    }
                }
            }
            events.push(of_message);
        }
        if missing.is_empty() {
            return Ok(events);
        }
        if let Some(pause) = looks.next() {
            tokio::time::sleep(*pause).await;
            continue;
        }
        // The ids that these would have had are given to nobody.
        let mut seen = HashSet::new();
        for (at, reason) in missing.into_iter().filter(|(at, _)| seen.insert(*at)) {
            decided[at] = Decided::Bad(reason);
        }
    }
}

/// Emits an event of the bridge.
pub(crate) fn emit(batch: Batch, happened: &Happened) -> Batch {
    match happened {
        // It is known before anybody reacts to it: what follows from it may arrive before the event itself.
        Happened::Order(event) => batch.and(known::put_order(&Order::external(event))).emit(Version::FIRST, event),
        Happened::Product(event) => batch.emit(Version::FIRST, event),
        Happened::Stock(event) => batch.emit(Version::FIRST, event),
        Happened::User(event) => batch.emit(Version::FIRST, event),
    }
}

fn parked(ctx: &Ctx, contract: &Contract, message: &Incoming, reason: String) -> Parked {
    let short = reason.char_indices().nth(REASON_MAX).map_or(reason.len(), |(at, _)| at);
    Parked {
        parked_id: ctx.ids.next::<ParkedId>(),
        contract: contract.name.clone(),
        queue: message.queue.clone(),
        reason: reason[..short].to_owned(),
        body: message.body.to_vec(),
        message: serde_json::to_value(&message.message).expect("properties are JSON"),
        parked_at: ctx.clock.now(),
        version: Version::FIRST,
    }
}

/// The name of a message that has an identity, in its queue: another role may take in the same.
pub(crate) fn message_key(contract: &Contract, message: &Incoming, id: &str) -> String {
    format!("{}/{}/{id}", contract.name, message.queue)
}

/// Takes one of these out; false if it is not there.
fn take_out(digests: &mut Vec<String>, digest: &str) -> bool {
    let at = digests.iter().position(|known| known == digest);
    at.map(|at| digests.remove(at)).is_some()
}

/// The name of the messages of a queue that are alike.
pub(crate) fn digest(contract: &Contract, message: &Incoming) -> String {
    // Compared within this process only.
    let mut hasher = DefaultHasher::new();
    (&contract.name, &message.queue, &message.body, &message.message.exchange, &message.message.routing_key)
        .hash(&mut hasher);
    let second = Uuid::from_u64_pair(hasher.finish(), message.body.len() as u64);
    second.to_string()
}
