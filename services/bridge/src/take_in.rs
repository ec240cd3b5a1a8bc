//! Messages of others come in: many are decided at once and committed together; what can't be read is parked with its bytes.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use kernel::{Cause, Origin, RequestCause, RequestId, Uuid, Version};
use service::storage::{Batch, Error};

use crate::Ctx;
use crate::contract::Contract;
use crate::incoming::{self, Incoming, Said, Told};
use crate::resolve::{Happened, Names};
use crate::store::messages::{self as store, Parked, ParkedId, UnsettledId};

/// The times at which a product is looked for again that nobody knows yet: it may be told of in these moments.
const LOOK_AGAIN: [Duration; 3] = [Duration::from_millis(50), Duration::from_millis(200), Duration::from_secs(1)];

/// The longest wait before a commit is tried again.
const COMMIT_AGAIN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Characters of a parked message's reason at the most.
const REASON_MAX: usize = 1_000;

/// A message that was decided.
enum Decided {
    /// It came back to the shop that sent it, or was taken in before.
    Known,
    /// It was taken in before, and the broker did not hear of it.
    Unsettled(UnsettledId),
    /// It is taken in.
    Told(Said),
    Bad(String),
}

/// Counts of a set of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub told: u64,
    pub known: u64,
    pub parked: u64,
}

/// The messages that were committed, which the broker may forget now.
pub(crate) struct TakenIn {
    pub counts: Counts,
    /// To be forgotten by the next commit, when the broker has heard of them.
    pub unsettled: Vec<UnsettledId>,
}

/// Takes in what came, however often it must be tried. `settled` are messages of which the broker has heard.
pub(crate) async fn take_in(
    ctx: &Ctx,
    contract: &Contract,
    came: &[Incoming],
    settled: &[UnsettledId],
    stop: &service::Tasks,
) -> Option<TakenIn> {
    let mut wait = COMMIT_AGAIN.0;
    loop {
        match try_take_in(ctx, contract, came, settled).await {
            Ok(taken) => return Some(taken),
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
    settled: &[UnsettledId],
) -> Result<TakenIn, Error> {
    let mut decided = decide(ctx, contract, came).await?;
    let (mut batch, mut taken) = (Batch::new(), TakenIn { counts: Counts::default(), unsettled: Vec::new() });
    for id in settled {
        batch = batch.and(store::delete_unsettled(*id));
    }
    let facts = told_in(ctx, contract, &mut decided).await?;
    let now = ctx.clock.now();
    let mut lines = Vec::new();
    for ((message, decided), facts) in came.iter().zip(decided).zip(facts) {
        let part = match decided {
            Decided::Known => {
                taken.counts.known += 1;
                continue;
            }
            Decided::Unsettled(id) => {
                taken.counts.known += 1;
                store::delete_unsettled(id)
            }
            Decided::Bad(reason) => {
                taken.counts.parked += 1;
                tracing::warn!(contract = contract.name, queue = message.queue, reason, "a foreign message is parked");
                store::insert_parked(&parked(ctx, contract, message, reason))
            }
            Decided::Told(said) => {
                taken.counts.told += 1;
                lines.extend(said.log);
                let part = facts.into_iter().fold(Batch::new(), |part, (event, rows)| emit(part.and(rows), &event));
                let mark = match said.id {
                    Some(id) => store::insert_taken(&message_key(contract, message, &id), now),
                    None => {
                        let id: UnsettledId = ctx.ids.next();
                        taken.unsettled.push(id);
                        store::insert_unsettled(id, &digest(contract, message))
                    }
                };
                part.and(mark)
            }
        };
        batch = batch.and(part.caused_by(&origin(ctx)));
    }
    let cause = RequestCause { request_id: ctx.ids.next(), traceparent: None, keyed: None };
    ctx.commit(batch, Cause::Request(cause)).await?;
    for line in lines {
        tracing::info!(contract = contract.name, "{line}");
    }
    Ok(taken)
}

/// Each message has a story of its own.
fn origin(ctx: &Ctx) -> Origin {
    let id: RequestId = ctx.ids.next();
    Origin { correlation_id: id.into(), causation_id: id.into(), traceparent: None }
}

/// Reads the messages, and drops those that are known.
async fn decide(ctx: &Ctx, contract: &Contract, came: &[Incoming]) -> Result<Vec<Decided>, Error> {
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
    let redelivered = came.iter().filter(|message| message.message.redelivered);
    let mut unsettled = store::unsettled(&ctx.db, redelivered.map(|it| digest(contract, it)).collect()).await?;
    let decided = read.into_iter().zip(came).map(|(read, message)| match read {
        None => Decided::Known,
        Some(Err(reason)) => Decided::Bad(reason),
        Some(Ok(said)) => match &said.id {
            // Twice in one set is twice, too.
            Some(id) if !known.insert(message_key(contract, message, id)) => Decided::Known,
            Some(_) => Decided::Told(said),
            None if message.message.redelivered => {
                match unsettled.get_mut(&digest(contract, message)).and_then(Vec::pop) {
                    Some(id) => Decided::Unsettled(id),
                    None => Decided::Told(said),
                }
            }
            None => Decided::Told(said),
        },
    });
    Ok(decided.collect())
}

/// The events of each message, with the rows that they need. A message that names what nobody knows becomes bad.
async fn told_in(
    ctx: &Ctx,
    contract: &Contract,
    decided: &mut [Decided],
) -> Result<Vec<Vec<(Happened, Batch)>>, Error> {
    let mut looks = LOOK_AGAIN.iter();
    loop {
        let told: Vec<&Told> = decided
            .iter()
            .filter_map(|decided| match decided {
                Decided::Told(said) => Some(&said.told),
                _ => None,
            })
            .flatten()
            .collect();
        let (db, currency) = (&ctx.db, ctx.state.currency);
        let mut names = Names::read(db, contract, events::bridge::MESSAGE, currency, &told).await?;
        let (mut facts, mut missing) = (Vec::with_capacity(decided.len()), Vec::new());
        for (at, decided) in decided.iter().enumerate() {
            let mut of_message = Vec::new();
            if let Decided::Told(said) = decided {
                for told in &said.told {
                    match names.resolve(told.clone(), &ctx.ids) {
                        Ok(resolved) => of_message.push(resolved),
                        Err(unresolved) => missing.push((at, unresolved.reason())),
                    }
                }
            }
            facts.push(of_message);
        }
        if missing.is_empty() {
            return Ok(facts);
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
        Happened::Order(event) => batch.emit(Version::FIRST, event),
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
fn message_key(contract: &Contract, message: &Incoming, id: &str) -> String {
    format!("{}/{}/{id}", contract.name, message.queue)
}

/// The name of the messages of a queue that are alike.
fn digest(contract: &Contract, message: &Incoming) -> String {
    // Equal in all processes of one version, and no secret: a digest that changes with a version only lets a message that
    // was redelivered across it be taken twice.
    let mut hasher = DefaultHasher::new();
    (&contract.name, &message.queue, &message.body, &message.message.exchange, &message.message.routing_key)
        .hash(&mut hasher);
    let second = Uuid::from_u64_pair(hasher.finish(), message.body.len() as u64);
    second.to_string()
}
