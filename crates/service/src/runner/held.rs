//! Held deliveries whose time has come.

use std::time::Instant;

use bus::Message;
use futures_util::stream::{self, StreamExt};
use kernel::{Envelope, SignedDuration, Timestamp};
use storage::held::{self, Attempt, Held};
use storage::inbox;

use super::attempt::STORE_UNAVAILABLE;
use super::{OTHER_BYTES, Runner};
use crate::telemetry::Outcome;
use crate::traces::Span;
use crate::{Failure, Tasks};

/// Held deliveries that are read at once.
const READ: i64 = 64;

impl Runner {
    /// Handles some of what is due; answers with when the next is. An error means that the store is unavailable.
    ///
    /// A delivery without an attempt is handled beside others. One with an attempt may have ended the process, and is
    /// handled alone, so that no other delivery is counted as failed twice.
    ///
    /// Only some, for what arrives has its turn in between: many retries delay other keys by one reading of them.
    pub(super) async fn handle_due(&mut self, tasks: &Tasks) -> Result<Option<Timestamp>, String> {
        let now = self.ctx.clock.now();
        let due =
            held::due(&self.ctx.db, self.lane, &self.shards, now, READ).await.map_err(|error| error.to_string())?;
        let (fresh, tried): (Vec<Held>, Vec<Held>) = due.into_iter().partition(|held| held.attempts == 0);
        {
            let runner = &*self;
            let fresh = stream::iter(fresh).map(|held| runner.handle_held(held, tasks));
            // All that have begun are finished, also when one finds the store unavailable.
            let ended: Vec<Result<(), String>> = fresh.buffer_unordered(self.ctx.settings.workers).collect().await;
            ended.into_iter().collect::<Result<(), String>>()?;
        }
        for held in tried {
            self.handle_held(held, tasks).await?;
        }
        self.load_held().await
    }

    /// One attempt, counted before it begins: if it ends the process, it has counted all the same. It does nothing once
    /// the tasks stop, or where another has these shards by now and does the rest.
    async fn handle_held(&self, held: Held, tasks: &Tasks) -> Result<(), String> {
        if tasks.is_stopping() || !self.share.holds() {
            return Ok(());
        }
        let began = Instant::now();
        let message = message(&held);
        let before = Attempt { position: held.position, counted: held.attempts };
        if held.attempts >= self.ctx.settings.retry_attempts {
            let reason = held.reason.unwrap_or_else(|| "the process ended each time it was handled".to_owned());
            let span = self.begin_span(&message.envelope);
            return self.failed(&message.envelope, span, before, None, held.attempts, reason).await;
        }
        let Some(attempt) = before.next(&self.ctx.db).await.map_err(|error| error.to_string())? else {
            return Ok(());
        };
        let attempts = attempt.counted;
        let span = self.begin_span(&message.envelope);
        let raw = self.raw(&message, span, held.digest, attempts, Some(held.position));
        match self.attempt_one(&message.envelope.event_type, raw).await {
            Ok(()) => {
                self.report(&message.envelope, span, Outcome::Done, attempts, None, began);
                Ok(())
            }
            Err(Failure::AlreadyDone) if self.was_handled_with_other_bytes(&held).await? => {
                self.failed(&message.envelope, span, attempt, None, attempts, OTHER_BYTES.to_owned()).await
            }
            Err(Failure::AlreadyDone) => {
                self.report(&message.envelope, span, Outcome::Duplicate, attempts, None, began);
                let now = self.ctx.clock.now();
                held::drop_duplicate(&self.ctx.db, held.position, now).await.map_err(|error| error.to_string())
            }
            Err(Failure::StoreUnavailable(reason)) => {
                self.end_span(&message.envelope, span, STORE_UNAVAILABLE, attempts, Some(&reason));
                Err(reason)
            }
            Err(Failure::Park(reason)) => self.failed(&message.envelope, span, attempt, None, attempts, reason).await,
            // Others kept changing the row: that is no attempt.
            Err(Failure::Conflict(reason)) => {
                let retry_at = Some(self.retry_at(1));
                self.failed(&message.envelope, span, attempt, retry_at, held.attempts, reason).await
            }
            Err(Failure::Retry(reason)) => {
                let retry_at = (attempts < self.ctx.settings.retry_attempts).then(|| self.retry_at(attempts));
                self.failed(&message.envelope, span, attempt, retry_at, attempts, reason).await
            }
        }
    }

    async fn was_handled_with_other_bytes(&self, held: &Held) -> Result<bool, String> {
        let handled = inbox::handled(&self.ctx.db, vec![held.envelope.id]).await.map_err(|error| error.to_string())?;
        Ok(handled.get(&held.envelope.id).is_some_and(|handled| handled.digest != held.digest))
    }

    fn retry_at(&self, attempts: i64) -> Timestamp {
        let wait = self.ctx.settings.retry.after(attempts, &self.ctx.ids);
        self.ctx.clock.now() + SignedDuration::try_from(wait).expect("a backoff is minutes long")
    }

    async fn failed(
        &self,
        envelope: &Envelope,
        span: Span,
        attempt: Attempt,
        retry_at: Option<Timestamp>,
        attempts: i64,
        reason: String,
    ) -> Result<(), String> {
        let outcome = if retry_at.is_some() { Outcome::Retried } else { Outcome::Parked };
        self.report(envelope, span, outcome, attempts, Some(&reason), Instant::now());
        let now = self.ctx.clock.now();
        attempt.failed(&self.ctx.db, retry_at, attempts, reason, now).await.map_err(|error| error.to_string())
    }
}

fn message(held: &Held) -> Message {
    Message { envelope: held.envelope.clone(), body: held.body.clone().into() }
}
