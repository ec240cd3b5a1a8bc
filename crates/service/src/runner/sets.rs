//! Deliveries that are handled together: of one type, or of one selection with one handler.

use std::collections::HashMap;
use std::time::Instant;

use kernel::Uuid;

use super::Runner;
use super::attempt::STORE_UNAVAILABLE;
use super::window::{Ready, WindowResult};
use crate::Failure;
use crate::reaction::{Handler, Raw};
use crate::telemetry::Outcome;

/// The result of an attempt to handle a set at once.
pub(super) enum Attempted {
    /// All of them took effect.
    Done,
    /// The store is unavailable.
    Unavailable(String),
    /// One of them fails, or they are handled one by one.
    OneFails(Vec<Ready>, Vec<Raw>),
}

impl Runner {
    /// Handles what belongs to selections in one commit for each: all deliveries of keys that have nothing else in the
    /// window. Answers with the rest, which goes on as usual, as does a set that fails, and with a reason if the store is
    /// unavailable.
    pub(super) async fn handle_sets(
        &mut self,
        ready: Vec<Ready>,
        result: &mut WindowResult,
    ) -> (Vec<Ready>, Option<String>) {
        if !self.handlers.values().any(|handler| matches!(handler, Handler::Set(_))) {
            return (ready, None);
        }
        let (mut sets, mut rest) = self.sets(ready);
        while let Some(set) = sets.pop() {
            match self.attempt_set(set, result).await {
                Attempted::Done => {}
                Attempted::Unavailable(reason) => return (rest, Some(reason)),
                Attempted::OneFails(set, _) => rest.extend(set),
            }
        }
        (rest, None)
    }

    /// The deliveries of each selection, in the order in which they arrived, and all others.
    fn sets(&self, ready: Vec<Ready>) -> (Vec<Vec<Ready>>, Vec<Ready>) {
        // The first delivery of each key, and if all that follow are handled with it.
        let mut keys: HashMap<(&str, Uuid), (&Ready, bool)> = HashMap::new();
        for one in &ready {
            let key = (one.message.envelope.source.as_str(), one.message.envelope.key);
            let (first, is_set) = keys.entry(key).or_insert_with(|| (one, self.is_of_set(one)));
            *is_set = *is_set && self.are_handled_together(first, one);
        }
        let are_sets: Vec<bool> =
            ready.iter().map(|one| keys[&(one.message.envelope.source.as_str(), one.message.envelope.key)].1).collect();
        let (mut sets, mut rest): (Vec<Vec<Ready>>, _) = (Vec::new(), Vec::new());
        for (one, is_of_set) in ready.into_iter().zip(are_sets) {
            if !is_of_set {
                rest.push(one);
                continue;
            }
            match sets.iter_mut().find(|set| self.are_handled_together(&set[0], &one)) {
                Some(set) => set.push(one),
                None => sets.push(vec![one]),
            }
        }
        (sets, rest)
    }

    fn is_of_set(&self, one: &Ready) -> bool {
        matches!(self.handlers.get(one.message.envelope.event_type.as_str()), Some(Handler::Set(_)))
    }

    /// Tests if both are of one type, or of one selection whose handler takes many.
    pub(super) fn are_handled_together(&self, one: &Ready, other: &Ready) -> bool {
        let (one, other) = (&*one.message.envelope.event_type, &*other.message.envelope.event_type);
        let handlers = || Some((self.handlers.get(one)?, self.handlers.get(other)?));
        one == other || handlers().is_some_and(|(handler, of_other)| handler.is_of_set_of(of_other))
    }

    /// Tries to handle them at once.
    pub(super) async fn attempt_set(&mut self, mut set: Vec<Ready>, result: &mut WindowResult) -> Attempted {
        let began = Instant::now();
        // One span for each, also where many are handled at once: each belongs to a trace of its own.
        for ready in &mut set {
            ready.span = self.begin_span(&ready.message.envelope);
        }
        let raw = |ready: &Ready| self.raw(&ready.message, ready.span, ready.digest, 1, None);
        let raws: Vec<_> = set.iter().map(raw).collect();
        let event_type = set.first().map(|first| first.message.envelope.event_type.clone()).unwrap_or_default();
        match self.attempt_many(&event_type, &raws).await {
            Some(Ok(())) => {
                for ready in set {
                    self.report(&ready.message.envelope, ready.span, Outcome::Done, 1, None, began);
                    result.settled.push(ready.tag);
                }
                Attempted::Done
            }
            Some(Err(Failure::StoreUnavailable(reason))) => {
                for ready in set {
                    self.end_span(&ready.message.envelope, ready.span, STORE_UNAVAILABLE, 1, Some(&reason));
                }
                Attempted::Unavailable(reason)
            }
            Some(Err(_)) | None => Attempted::OneFails(set, raws),
        }
    }
}
