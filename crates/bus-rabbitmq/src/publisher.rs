//! Sends messages and reports the result of each, over a connection for each lane: a broker reads a connection and
//! confirms what came by it in its order, so what is urgent must not stand behind what is not.
//!
//! lapin ties a returned message to whichever confirmation it completes next, which need not be that of the message
//! which was returned. So returned messages are distinguished by their ids, and outcomes are decided when everything
//! that was confirmed up to then is known.

use std::collections::{HashMap, VecDeque};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bus::PublishResult;
use bus::remote::{RecentErrors, Waits};
use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt};
use futures_util::{FutureExt, future::BoxFuture};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel, Confirmation, Connection};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use crate::declare::{is_final, open};
use crate::error::CallError;
use crate::layout::EXCHANGE;
use crate::reconnecting::{Role, within};

/// Messages of a lane that are sent ahead of their confirmations, at the least and at the most: see [`Ahead`].
const AHEAD: (usize, usize) = (32, 256);

/// The time that a message waits at the broker for those before it, unless the broker takes so long with nothing before it.
/// Shorter, and the broker idles between two writes to its disk; longer, and an immediate event waits longer too, for the
/// broker's queues work off what they have in its order, on whichever connection that came.
const AHEAD_FOR: Duration = Duration::from_millis(20);

/// Messages of a lane that may wait to be sent: what two dozen services with windows of 1,024 send by themselves. Beyond
/// that a message is refused instead of taking memory.
pub(crate) const WAITING_MAX: usize = 24_576;

/// A message to send.
pub(crate) struct Publish {
    pub id: ShortString,
    pub routing_key: ShortString,
    /// It is returned if no queue is there for it.
    pub is_mandatory: bool,
    pub properties: BasicProperties,
    pub body: Bytes,
    /// Dropped without a word, it says that nobody knows.
    pub reply: oneshot::Sender<PublishResult>,
}

/// Takes the messages of one lane from whoever publishes.
pub(crate) struct Publisher {
    pub waiting: mpsc::Receiver<Publish>,
    /// The wait for a confirmation before the channel is closed.
    pub patience: Duration,
    pub waits: Waits,
    pub recent_errors: RecentErrors,
}

struct Confirmed {
    /// The time at which it was handed to the connection.
    sent: Instant,
    id: ShortString,
    key: ShortString,
    confirmation: Result<Confirmation, CallError>,
    reply: oneshot::Sender<PublishResult>,
}

type Unconfirmed = FuturesUnordered<BoxFuture<'static, Confirmed>>;

impl Role for Publisher {
    /// Publishes until the connection breaks; answers with what broke it.
    async fn perform(&mut self, connection: Arc<Connection>) -> String {
        loop {
            let channel = match open_confirming(&connection).await {
                Ok(channel) => channel,
                Err(error) => return error.to_string(),
            };
            let began = Instant::now();
            let error = self.serve(&channel).await;
            let broken = error.to_string();
            let is_worth_reporting = is_final(&error) || matches!(error, CallError::Late(_));
            if !connection.status().connected() {
                return broken;
            }
            // One channel may break without the others: there is no exchange, or no right to write what somebody wrote.
            // Opened at once it would break at once again.
            let wait = self.waits.after(began.elapsed());
            kernel::warn_limited!(reason = broken, ?wait, "the channel for publishing broke, and is opened again");
            if is_worth_reporting {
                self.recent_errors.note(broken.clone());
            }
            self.refuse(wait, &broken).await;
        }
    }
}

impl Publisher {
    /// Sends nothing for a while.
    async fn refuse(&mut self, wait: Duration, reason: &str) {
        let mut over = pin!(tokio::time::sleep(wait));
        loop {
            tokio::select! {
                () = &mut over => return,
                Some(publish) = self.waiting.recv() => {
                    drop(publish.reply.send(PublishResult::Refused { detail: reason.to_owned() }));
                }
            }
        }
    }

    /// Publishes until the channel breaks; answers with what broke it. What is unconfirmed then is unknown.
    async fn serve(&mut self, channel: &Channel) -> CallError {
        let mut unconfirmed = Unconfirmed::new();
        let mut returned = Returned::default();
        let mut ahead = Ahead::default();
        loop {
            tokio::select! {
                publish = self.waiting.recv(), if unconfirmed.len() < ahead.messages(Instant::now()) => {
                    let Some(publish) = publish else { return std::future::pending().await };
                    unconfirmed.push(send(channel.clone(), publish, self.patience));
                }
                Some(first) = unconfirmed.next() => {
                    let batch = all_ready(first, &mut unconfirmed);
                    let now = Instant::now();
                    for confirmed in &batch {
                        ahead.took(now.duration_since(confirmed.sent));
                    }
                    ahead.confirmed(now, batch.len());
                    let decided = returned.decide(batch);
                    if let Some(key) = decided.unroutable {
                        self.recent_errors.note(format!("no queue is bound for {key}: run `tradepost migrate`"));
                    }
                    if let Some(broken) = decided.broken {
                        return broken;
                    }
                    if unconfirmed.is_empty() {
                        returned.0.clear();
                    }
                }
            }
        }
    }
}

/// The number of messages that are sent ahead of their confirmations: as many as the broker confirmed in the last
/// [`AHEAD_FOR`], or in twice the time that it takes for one at the least, which is long on a slow network. A broker
/// that answers sooner is given more, up to a bound, and one that is busy is given less.
#[derive(Default)]
struct Ahead {
    /// The times at which messages were confirmed, and how many.
    recent: VecDeque<(Instant, usize)>,
    /// The sum of them.
    sum: usize,
    /// The shortest time from a message to its confirmation on this channel.
    shortest: Option<Duration>,
}

impl Ahead {
    fn confirmed(&mut self, now: Instant, messages: usize) {
        self.recent.push_back((now, messages));
        self.sum += messages;
    }

    /// A message was confirmed after this time.
    fn took(&mut self, time: Duration) {
        self.shortest = Some(self.shortest.map_or(time, |shortest| shortest.min(time)));
    }

    fn messages(&mut self, now: Instant) -> usize {
        let within = AHEAD_FOR.max(2 * self.shortest.unwrap_or_default());
        while let Some((_, messages)) = self.recent.pop_front_if(|(at, _)| now.duration_since(*at) > within) {
            self.sum -= messages;
        }
        self.sum.clamp(AHEAD.0, AHEAD.1)
    }
}

async fn open_confirming(connection: &Connection) -> Result<Channel, CallError> {
    let channel = open(connection).await?;
    within("asking for confirmations", channel.confirm_select(ConfirmSelectOptions::default())).await?;
    Ok(channel)
}

/// It is in flight when this is polled first, and done when the broker has answered, or has not for so long that
/// it never will: a queue without a leader would take one place after the other.
fn send(channel: Channel, publish: Publish, patience: Duration) -> BoxFuture<'static, Confirmed> {
    let Publish { id, routing_key, is_mandatory, properties, body, reply } = publish;
    async move {
        let at = Instant::now();
        let options = BasicPublishOptions { mandatory: is_mandatory, ..BasicPublishOptions::default() };
        let key = routing_key.clone();
        let sent = async {
            let sent = channel.basic_publish(EXCHANGE.into(), key.clone(), options, &body, properties).await?;
            sent.await
        };
        let confirmation = match timeout(patience, sent).await {
            Ok(confirmation) => confirmation.map_err(CallError::Failed),
            Err(_) => Err(CallError::Late(format!("the broker confirms nothing for {key}: has its queue a leader?"))),
        };
        Confirmed { sent: at, id, key, confirmation, reply }
    }
    .boxed()
}

/// Everything that is ready. Futures are woken in the order in which their confirmations came, so whatever was
/// confirmed before one of these is among them, too, or was among earlier ones.
fn all_ready(first: Confirmed, unconfirmed: &mut Unconfirmed) -> Vec<Confirmed> {
    let mut ready = vec![first];
    let mut unconfirmed = Pin::new(unconfirmed);
    while let Some(Some(next)) = unconfirmed.next().now_or_never() {
        ready.push(next);
    }
    ready
}

/// The effects of a batch of confirmations beyond its own messages.
#[derive(Default)]
struct Decided {
    /// The routing key of one for which there is no queue.
    unroutable: Option<ShortString>,
    /// The error that broke the channel.
    broken: Option<CallError>,
}

/// Number of returns of each message whose confirmation was not yet seen.
#[derive(Default)]
struct Returned(HashMap<ShortString, u32>);

impl Returned {
    /// Reports to each publisher the result of its message.
    fn decide(&mut self, batch: Vec<Confirmed>) -> Decided {
        for confirmed in &batch {
            if let Ok(Confirmation::Ack(Some(message)) | Confirmation::Nack(Some(message))) = &confirmed.confirmation
                && let Some(id) = message.properties.message_id()
            {
                *self.0.entry(id.clone()).or_default() += 1;
            }
        }
        let mut decided = Decided::default();
        for Confirmed { id, key, confirmation, reply, .. } in batch {
            let outcome = match confirmation {
                Ok(_) if self.take(&id) => {
                    decided.unroutable = Some(key);
                    PublishResult::Unroutable
                }
                Ok(Confirmation::Ack(None)) => PublishResult::Stored,
                // Its own return, if it has one, is tied to a confirmation that is still to come.
                Ok(Confirmation::Ack(Some(_))) => {
                    PublishResult::Unknown { detail: "another message was returned with its confirmation".to_owned() }
                }
                Ok(Confirmation::Nack(_)) => {
                    PublishResult::Refused { detail: "the broker did not store it".to_owned() }
                }
                Ok(Confirmation::NotRequested) => {
                    PublishResult::Unknown { detail: "the broker was not asked to confirm".to_owned() }
                }
                Err(error) => {
                    let detail = error.to_string();
                    decided.broken.get_or_insert(error);
                    PublishResult::Unknown { detail }
                }
            };
            // Who has stopped waiting publishes again.
            drop(reply.send(outcome));
        }
        decided
    }

    fn take(&mut self, id: &ShortString) -> bool {
        let Some(count) = self.0.get_mut(id) else { return false };
        *count -= 1;
        if *count == 0 {
            self.0.remove(id);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_is_given_as_many_messages_as_it_confirmed_lately() {
        let (mut ahead, began) = (Ahead::default(), Instant::now());
        assert_eq!(ahead.messages(began), AHEAD.0, "nothing is known yet");
        for step in 0..4 {
            ahead.confirmed(began + step * AHEAD_FOR / 4, 30);
        }
        assert_eq!(ahead.messages(began + AHEAD_FOR), 120);
        assert_eq!(ahead.messages(began + AHEAD_FOR * 3 / 2), 60, "the first two are too long ago");
        ahead.confirmed(began + AHEAD_FOR * 3 / 2, 10_000);
        assert_eq!(ahead.messages(began + AHEAD_FOR * 3 / 2), AHEAD.1);
        assert_eq!(ahead.messages(began + AHEAD_FOR * 9), AHEAD.0);
    }

    #[test]
    fn a_broker_behind_a_slow_network_is_given_more_each_time_up_to_the_bound() {
        let (mut ahead, mut now) = (Ahead::default(), Instant::now());
        let round_trip = 5 * AHEAD_FOR;
        for _ in 0..5 {
            let messages = ahead.messages(now);
            now += round_trip;
            ahead.took(round_trip);
            ahead.confirmed(now, messages);
        }
        assert_eq!(ahead.messages(now), AHEAD.1);
    }
}
