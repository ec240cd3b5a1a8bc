//! Queued messages go out, in their order: one instance at a time sends those of a contract.
//!
//! A crash between a send and its commit means that the message is sent again, under the same id.

use std::collections::HashSet;
use std::time::Duration;

use kernel::{Cause, RequestCause, SignedDuration, Uuid};
use service::Tasks;
use service::storage::{Batch, Error};

use crate::Ctx;
use crate::contract::Contract;
use crate::store::messages::{self as store, Outgoing};

/// Messages that are sent before their commit.
const ROUND_MAX: i64 = 1_000;

/// The time for which an instance is the one that sends. It is renewed by each commit of a round.
const LEASE: SignedDuration = SignedDuration::from_secs(20);

/// The longest sleep: another instance may have queued messages.
const POLL: Duration = Duration::from_millis(250);

/// The wait after a failure.
const AGAIN: Duration = Duration::from_secs(1);

/// The end of a publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// The broker has it.
    Stored,
    /// Nobody listens, and the contract says that this may be.
    Unrouted,
    /// The broker does not have it, or it is not known.
    Refused(String),
}

/// A connection by which messages go to others.
pub(crate) trait Link {
    /// Sends messages and waits for the broker's word about each.
    fn send(&self, messages: &[Outgoing], app_id: &str) -> impl Future<Output = Vec<Sent>> + Send;
}

/// Counts of a round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Round {
    sent: u64,
    unrouted: u64,
    is_full: bool,
}

/// Sends a contract's messages over a link until it breaks, or the tasks stop. Answers with what broke it.
pub(crate) async fn deliver(ctx: &Ctx, contract: &Contract, link: &(impl Link + Sync), tasks: &Tasks) -> String {
    let holder: Uuid = ctx.ids.next();
    loop {
        let queued = ctx.state.queued();
        let pause = match round(ctx, contract, holder, link).await {
            Ok(Ok(round)) => {
                ctx.state.count(contract, "out", "sent", round.sent);
                ctx.state.count(contract, "out", "unrouted", round.unrouted);
                if round.is_full { Duration::ZERO } else { POLL }
            }
            Ok(Err(broken)) => return broken,
            Err(Error::Conflict { .. }) => POLL,
            Err(error) => {
                kernel::warn_limited!(contract = contract.name, %error, "messages for others can't be read");
                AGAIN
            }
        };
        tokio::select! {
            () = tasks.stopping() => return "the process stops".to_owned(),
            () = queued, if pause == POLL => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Sends the first messages and forgets them. The error within is what broke the link.
async fn round(
    ctx: &Ctx,
    contract: &Contract,
    holder: Uuid,
    link: &(impl Link + Sync),
) -> Result<Result<Round, String>, Error> {
    let messages = store::outgoing(&ctx.db, &contract.name, ROUND_MAX).await?;
    if messages.is_empty() {
        return Ok(Ok(Round::default()));
    }
    let sender = store::sender(&ctx.db, &contract.name).await?;
    let now = ctx.clock.now();
    if sender.is_some_and(|sender| sender.holder != holder && sender.until > now) {
        return Ok(Ok(Round::default()));
    }
    // Before anything is sent: whoever takes the lease first is the one that sends.
    if sender.is_none_or(|sender| sender.holder != holder || sender.until - LEASE / 2 < now) {
        commit(ctx, store::put_sender(&contract.name, sender, holder, now + LEASE)).await?;
    }
    let mut round =
        Round { is_full: i64::try_from(messages.len()).is_ok_and(|rows| rows == ROUND_MAX), ..Round::default() };
    let app_id = ctx.state.identity().map(|identity| identity.to_string()).unwrap_or_default();
    let sent = link.send(&messages, &app_id).await;
    let mut gone = HashSet::new();
    let mut broken = None;
    for (message, sent) in messages.iter().zip(sent) {
        match sent {
            Sent::Stored => round.sent += 1,
            Sent::Unrouted => round.unrouted += 1,
            Sent::Refused(reason) => {
                broken.get_or_insert(reason);
                continue;
            }
        }
        gone.insert(message.message_id);
    }
    let forgotten = messages.iter().filter(|message| gone.contains(&message.message_id));
    let batch = forgotten.fold(Batch::new(), |batch, message| batch.and(store::delete_outgoing(message)));
    if !gone.is_empty() {
        commit(ctx, batch).await?;
    }
    Ok(match broken {
        None => Ok(round),
        Some(reason) => Err(reason),
    })
}

async fn commit(ctx: &Ctx, batch: Batch) -> Result<(), Error> {
    let cause = RequestCause { request_id: ctx.ids.next(), traceparent: None, keyed: None };
    ctx.commit(batch, Cause::Request(cause)).await.map(|_committed| ())
}
