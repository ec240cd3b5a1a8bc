//! A window of deliveries, sorted and handled.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use bus::{Delivery, Message, Tag};
use futures_util::stream::StreamExt;
use kernel::{EventId, SignedDuration, Uuid};
use storage::held::{Held, HeldState};

use super::attempt::{STORE_UNAVAILABLE, digest};
use super::backlog::Acknowledge;
use super::sets::Attempted;
use super::{OTHER_BYTES, Runner, WINDOW};
use crate::Failure;
use crate::telemetry::Outcome;
use crate::traces::Span;

/// Deliveries that a consumer's store holds at the most.
/// Beyond it consumption of the lane pauses, so that a defect fills a table only so far.
const HELD_MAX: usize = 100_000;

/// A delivery of the window, ready to be handled.
pub(super) struct Ready {
    pub(super) message: Message,
    pub(super) tag: Tag,
    pub(super) digest: [u8; 16],
    /// Begun with the handling.
    pub(super) span: Span,
}

/// The results of a window so far.
#[derive(Default)]
pub(super) struct WindowResult {
    /// Dealt with: to be acknowledged.
    pub(super) settled: Vec<Tag>,
    /// To be held, then acknowledged.
    held: Vec<(Held, Tag)>,
}

impl Runner {
    /// Deals with a window. An error means that the store is unavailable: what was not handled is redelivered when the
    /// subscription has ended.
    pub(super) async fn handle_window(
        &mut self,
        subscription: &mut dyn Acknowledge,
        deliveries: Vec<Delivery>,
    ) -> Result<(), String> {
        let mut result = WindowResult::default();
        self.learn_what_others_held(&deliveries).await?;
        let deliveries = self.only_wanted(deliveries, &mut result).await?;
        let ready = self.sort(deliveries, &mut result).await?;
        self.settle(subscription, &mut result).await?;
        let (ready, unavailable) = self.handle_sets(ready, &mut result).await;
        self.settle(subscription, &mut result).await?;
        if let Some(reason) = unavailable {
            return Err(reason);
        }
        let mut keys = by_key(ready);
        while !keys.is_empty() {
            let round = next_round(&mut keys);
            let unavailable = self.handle_round(round, &mut result).await;
            self.hold_behind(&mut keys, &mut result);
            self.settle(subscription, &mut result).await?;
            if let Some(reason) = unavailable {
                return Err(reason);
            }
        }
        Ok(())
    }

    /// Whoever had a shard before may have held something of it until its subscription ended, and this one began to
    /// receive: only then is it known what waits.
    async fn learn_what_others_held(&mut self, deliveries: &[Delivery]) -> Result<(), String> {
        let before = self.not_yet_received.len();
        for delivery in deliveries {
            self.not_yet_received.remove(&delivery.tag.shard());
        }
        if self.not_yet_received.len() < before {
            self.load_held().await?;
        }
        Ok(())
    }

    /// Takes out what the service does not want now. Whatever is wanted from now on is emitted later.
    async fn only_wanted(&self, deliveries: Vec<Delivery>, result: &mut WindowResult) -> Result<Vec<Delivery>, String> {
        let Some(unbound) = &self.unbound else { return Ok(deliveries) };
        let wanted = unbound.wanted(&self.ctx.db).await.map_err(|error| error.to_string())?;
        let is_wanted = |delivery: &Delivery| {
            let event_type = delivery.message.envelope.event_type.as_str();
            delivery.defect.is_some() || wanted.contains(event_type) || !unbound.types().contains(event_type)
        };
        let (wanted, unwanted): (Vec<_>, Vec<_>) = deliveries.into_iter().partition(is_wanted);
        result.settled.extend(unwanted.into_iter().map(|delivery| delivery.tag));
        Ok(wanted)
    }

    /// Takes out what is not to be handled now: duplicates, suspects after a crash, and what waits behind a held key.
    async fn sort(&mut self, deliveries: Vec<Delivery>, result: &mut WindowResult) -> Result<Vec<Ready>, String> {
        let began = Instant::now();
        let ids = deliveries.iter().map(|delivery| delivery.message.envelope.id).collect();
        let handled = storage::inbox::handled(&self.ctx.db, ids).await.map_err(|error| error.to_string())?;
        // What was handled, and from here on what is in this window: the digest of each, and its attempts.
        let mut known: HashMap<_, _> = handled.into_iter().map(|(id, it)| (id, (it.digest, it.attempts))).collect();
        let mut ready = Vec::with_capacity(deliveries.len());
        for Delivery { message, tag, redelivered, defect } in deliveries {
            let digest = digest(&message.envelope.event_type, &message.body);
            // What is not handled has no span: nothing follows from it.
            let one = Ready { message, tag, digest, span: Span::default() };
            if let Some(reason) = defect {
                self.park(one, &reason, result);
            } else if let Some((first, attempts)) = known_or_insert(&mut known, one.message.envelope.id, (digest, 0)) {
                if first == digest {
                    self.report(&one.message.envelope, one.span, Outcome::Duplicate, attempts, None, began);
                    result.settled.push(tag);
                } else {
                    self.park(one, OTHER_BYTES, result);
                }
            } else if redelivered || self.is_suspect(&one.message) {
                self.ctx.metrics.redelivered(self.ctx.db.service(), 1);
                let held = self.due_now(&one.message, digest);
                self.hold(one, held, result);
            } else if self.held.contains(&(one.message.envelope.source.clone(), one.message.envelope.key)) {
                let held = self.due_now(&one.message, digest);
                self.hold(one, held, result);
            } else {
                ready.push(one);
            }
        }
        Ok(ready)
    }

    /// After a crash, the first window of each source may hold what was being handled, and may be what caused it.
    fn is_suspect(&mut self, message: &Message) -> bool {
        // The backlog itself knows of what the handling began.
        let Some(suspects) = self.suspects.as_mut().filter(|_| !self.handles_backlog) else { return false };
        let count = suspects.entry(message.envelope.source.clone()).or_default();
        *count += 1;
        *count <= WINDOW
    }

    /// Handles at most one delivery of each key. Answers with a reason if the store is unavailable.
    async fn handle_round(&mut self, round: Vec<Ready>, result: &mut WindowResult) -> Option<String> {
        let mut alike: Vec<Vec<Ready>> = Vec::new();
        for ready in round {
            match alike.iter_mut().find(|of_type| self.are_handled_together(&of_type[0], &ready)) {
                Some(of_type) => of_type.push(ready),
                None => alike.push(vec![ready]),
            }
        }
        for of_type in alike {
            if let Some(reason) = self.handle_type(of_type, result).await {
                return Some(reason);
            }
        }
        None
    }

    /// Handles deliveries of one type, or of one selection.
    async fn handle_type(&mut self, of_type: Vec<Ready>, result: &mut WindowResult) -> Option<String> {
        let (of_type, raws) = match self.attempt_set(of_type, result).await {
            Attempted::Done => return None,
            Attempted::Unavailable(reason) => return Some(reason),
            // One of them fails: each alone shows which.
            Attempted::OneFails(of_type, raws) => (of_type, raws),
        };
        let workers = self.ctx.settings.workers;
        let outcomes: Vec<_> = {
            let runner = &*self;
            let attempts = of_type.into_iter().zip(raws).map(|(ready, raw)| async move {
                let began = Instant::now();
                let outcome = runner.attempt_one(&ready.message.envelope.event_type, raw).await;
                (ready, outcome, began)
            });
            futures_util::stream::iter(attempts).buffer_unordered(workers).collect().await
        };
        let mut unavailable = None;
        for (ready, outcome, began) in outcomes {
            unavailable = self.record_outcome(ready, outcome, began, result).or(unavailable);
        }
        unavailable
    }

    fn record_outcome(
        &mut self,
        ready: Ready,
        outcome: Result<(), Failure>,
        began: Instant,
        result: &mut WindowResult,
    ) -> Option<String> {
        match outcome {
            Ok(()) => {
                self.report(&ready.message.envelope, ready.span, Outcome::Done, 1, None, began);
                result.settled.push(ready.tag);
            }
            Err(Failure::AlreadyDone) => {
                self.report(&ready.message.envelope, ready.span, Outcome::Duplicate, 1, None, began);
                result.settled.push(ready.tag);
            }
            Err(Failure::StoreUnavailable(reason)) => {
                self.end_span(&ready.message.envelope, ready.span, STORE_UNAVAILABLE, 1, Some(&reason));
                return Some(reason);
            }
            Err(Failure::Park(reason)) => self.park(ready, &reason, result),
            Err(Failure::Retry(reason)) => self.retry(ready, reason, 1, result),
            // Others kept changing the row: no attempt is counted.
            Err(Failure::Conflict(reason)) => self.retry(ready, reason, 0, result),
        }
        None
    }

    fn retry(&mut self, ready: Ready, reason: String, attempts: i64, result: &mut WindowResult) {
        if attempts >= self.ctx.settings.retry_attempts {
            return self.park(ready, &reason, result);
        }
        self.report(&ready.message.envelope, ready.span, Outcome::Retried, attempts, Some(&reason), Instant::now());
        let now = self.ctx.clock.now();
        let wait = self.ctx.settings.retry.after(attempts.max(1), &self.ctx.ids);
        let due_at = now + SignedDuration::try_from(wait).expect("a backoff is minutes long");
        let held = Held {
            due_at: Some(due_at),
            attempts,
            reason: Some(reason),
            first_failed_at: Some(now),
            ..self.to_hold(&ready.message, ready.digest, HeldState::Due)
        };
        self.hold(ready, held, result);
    }

    fn park(&mut self, ready: Ready, reason: &str, result: &mut WindowResult) {
        self.report(&ready.message.envelope, ready.span, Outcome::Parked, 1, Some(reason), Instant::now());
        let held = Held {
            attempts: 1,
            reason: Some(reason.to_owned()),
            first_failed_at: Some(self.ctx.clock.now()),
            ..self.to_hold(&ready.message, ready.digest, HeldState::Parked)
        };
        self.hold(ready, held, result);
    }

    fn hold(&mut self, ready: Ready, held: Held, result: &mut WindowResult) {
        self.held.insert((ready.message.envelope.source, ready.message.envelope.key));
        result.held.push((held, ready.tag));
    }

    /// Holds the deliveries that come behind one that is now held.
    fn hold_behind(&mut self, keys: &mut HashMap<(String, Uuid), VecDeque<Ready>>, result: &mut WindowResult) {
        let blocked: Vec<_> = keys.keys().filter(|key| self.held.contains(*key)).cloned().collect();
        for key in blocked {
            for Ready { message, tag, digest, .. } in keys.remove(&key).into_iter().flatten() {
                result.held.push((self.due_now(&message, digest), tag));
            }
        }
    }

    /// Stores what is held, then acknowledges all that is dealt with.
    async fn settle(&mut self, subscription: &mut dyn Acknowledge, result: &mut WindowResult) -> Result<(), String> {
        if !result.held.is_empty() {
            self.check_held_cap(result.held.len()).await?;
            let (held, tags): (Vec<Held>, Vec<Tag>) = result.held.drain(..).unzip();
            let is_anothers = held.iter().any(|held| held.envelope.lane != self.lane);
            storage::held::hold(&self.ctx.db, held).await.map_err(|error| error.to_string())?;
            if is_anothers {
                // A message that a broker dead-lettered arrives by one lane, and holds back its key in its own.
                self.wake.send_replace(());
            }
            result.settled.extend(tags);
        }
        if result.settled.is_empty() {
            return Ok(());
        }
        subscription.done(&result.settled).await?;
        result.settled.clear();
        Ok(())
    }

    /// A store that holds too much takes no more: the events stay where they are, and an error is logged.
    async fn check_held_cap(&self, more: usize) -> Result<(), String> {
        let counts = storage::held::counts(&self.ctx.db).await.map_err(|error| error.to_string())?;
        let held = usize::try_from(counts.held).unwrap_or_default();
        if held + more <= HELD_MAX {
            return Ok(());
        }
        let consumer = self.ctx.db.service();
        tracing::error!(
            consumer,
            held,
            parked = counts.parked,
            "too many held deliveries: replay or discard the parked"
        );
        Err(format!("{held} deliveries are held, and {HELD_MAX} is the most: replay or discard the parked ones"))
    }

    /// Due at once, unless the store has another of its key: then it waits behind that.
    fn due_now(&self, message: &Message, digest: [u8; 16]) -> Held {
        Held { due_at: Some(self.ctx.clock.now()), ..self.to_hold(message, digest, HeldState::Due) }
    }

    fn to_hold(&self, message: &Message, digest: [u8; 16], state: HeldState) -> Held {
        Held {
            position: 0,
            dead_letter_id: self.ctx.ids.next(),
            envelope: message.envelope.clone(),
            body: message.body.to_vec(),
            digest,
            state,
            due_at: None,
            attempts: 0,
            reason: None,
            first_failed_at: None,
        }
    }
}

/// The known value of an event; if there is none, this one from now on.
fn known_or_insert<V: Copy>(known: &mut HashMap<EventId, V>, id: EventId, new: V) -> Option<V> {
    match known.entry(id) {
        Entry::Occupied(known) => Some(*known.get()),
        Entry::Vacant(unknown) => {
            unknown.insert(new);
            None
        }
    }
}

fn by_key(ready: Vec<Ready>) -> HashMap<(String, Uuid), VecDeque<Ready>> {
    let mut keys: HashMap<_, VecDeque<_>> = HashMap::new();
    for ready in ready {
        keys.entry((ready.message.envelope.source.clone(), ready.message.envelope.key)).or_default().push_back(ready);
    }
    keys
}

/// The first of each key, in the order of their times: what was committed first is decided first.
fn next_round(keys: &mut HashMap<(String, Uuid), VecDeque<Ready>>) -> Vec<Ready> {
    let mut round: Vec<Ready> = keys.values_mut().filter_map(VecDeque::pop_front).collect();
    keys.retain(|_, queue| !queue.is_empty());
    round.sort_by_key(|ready| ready.message.envelope.id);
    round
}
