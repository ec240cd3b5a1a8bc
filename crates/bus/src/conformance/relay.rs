//! The relay of the suite: what a service's relay does, without its outbox.

use std::collections::{BTreeMap, VecDeque};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use kernel::{Lane, Uuid};

use super::stage::{Verdict, Violation};
use crate::{Broker, Destination, Message, PublishResult};

/// The wait before a message that was not stored is published again: enough not to hammer an unreachable broker.
const PUBLISH_AGAIN: Duration = Duration::from_millis(2);

/// Publishes as the relay of a service does, and again whatever was not stored.
pub struct Relay {
    /// The broker to publish to; another one after a restart.
    pub broker: Arc<dyn Broker>,
    pending: BTreeMap<QueueKey, VecDeque<Message>>,
    publishing: FuturesUnordered<BoxFuture<'static, (QueueKey, PublishResult)>>,
}

impl Relay {
    /// The first message of each queue key is in flight when this returns.
    pub fn start(broker: Arc<dyn Broker>, messages: impl IntoIterator<Item = Message>) -> Self {
        let mut pending: BTreeMap<QueueKey, VecDeque<Message>> = BTreeMap::new();
        for message in messages {
            for destination in broker.destinations(&message.envelope.event_type) {
                let queue_key = QueueKey { destination, lane: message.envelope.lane, key: message.envelope.key };
                pending.entry(queue_key).or_default().push_back(message.clone());
            }
        }
        let queue_keys: Vec<QueueKey> = pending.keys().cloned().collect();
        let mut relay = Self { broker, pending, publishing: FuturesUnordered::new() };
        for queue_key in queue_keys {
            relay.publish_first(queue_key, Duration::ZERO);
        }
        relay
    }

    /// Publishes until everything is stored. If the future is dropped, another one goes on where it was.
    pub async fn run(&mut self) -> Verdict {
        while let Some((queue_key, outcome)) = self.publishing.next().await {
            let wait = match outcome {
                PublishResult::Stored => {
                    self.pending.get_mut(&queue_key).and_then(VecDeque::pop_front);
                    Duration::ZERO
                }
                PublishResult::Refused { .. } | PublishResult::Unknown { .. } => PUBLISH_AGAIN,
                PublishResult::Unroutable => {
                    return Err(Violation(format!("{} was unroutable", queue_key.destination)));
                }
            };
            self.publish_first(queue_key, wait);
        }
        Ok(())
    }

    /// Does something while publishing; ends with that, whatever is still unsent.
    pub async fn alongside<T>(&mut self, work: impl Future<Output = Verdict<T>>) -> Verdict<T> {
        match select(pin!(work), pin!(self.run())).await {
            Either::Left((done, _)) => done,
            Either::Right((relayed, work)) => {
                relayed?;
                work.await
            }
        }
    }

    fn publish_first(&mut self, queue_key: QueueKey, wait: Duration) {
        let Some(message) = self.pending.get(&queue_key).and_then(VecDeque::front).cloned() else { return };
        let broker = self.broker.clone();
        self.publishing.push(if wait.is_zero() {
            broker.publish(&queue_key.destination, message).map(|outcome| (queue_key, outcome)).boxed()
        } else {
            async move {
                tokio::time::sleep(wait).await;
                let outcome = broker.publish(&queue_key.destination, message).await;
                (queue_key, outcome)
            }
            .boxed()
        });
    }
}

/// Messages with one queue key keep their order: the next is published when the one before it is stored.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct QueueKey {
    destination: Destination,
    lane: Lane,
    key: Uuid,
}
