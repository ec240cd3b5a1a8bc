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
use crate::{Broker, Destination, Message, Outcome};

/// The wait before what was not stored is published again: enough that a broker that is away is not hammered.
const PUBLISH_AGAIN: Duration = Duration::from_millis(2);

/// Publishes as the relay of a service does, and again whatever was not stored.
pub struct Relay {
    /// Where it publishes; another one after a restart.
    pub broker: Arc<dyn Broker>,
    pending: BTreeMap<Place, VecDeque<Message>>,
    publishing: FuturesUnordered<BoxFuture<'static, (Place, Outcome)>>,
}

impl Relay {
    /// The first message of each place is under way when this returns.
    pub fn start(broker: Arc<dyn Broker>, messages: impl IntoIterator<Item = Message>) -> Self {
        let mut pending: BTreeMap<Place, VecDeque<Message>> = BTreeMap::new();
        for message in messages {
            for destination in broker.destinations(&message.envelope.event_type) {
                let place = Place { destination, lane: message.envelope.lane, key: message.envelope.key };
                pending.entry(place).or_default().push_back(message.clone());
            }
        }
        let places: Vec<Place> = pending.keys().cloned().collect();
        let mut relay = Self { broker, pending, publishing: FuturesUnordered::new() };
        for place in places {
            relay.publish_first(place, Duration::ZERO);
        }
        relay
    }

    /// Publishes until everything is stored. If the future is dropped, another one goes on where it was.
    pub async fn run(&mut self) -> Verdict {
        while let Some((place, outcome)) = self.publishing.next().await {
            let wait = match outcome {
                Outcome::Stored => {
                    self.pending.get_mut(&place).and_then(VecDeque::pop_front);
                    Duration::ZERO
                }
                Outcome::Refused { .. } | Outcome::Unknown { .. } => PUBLISH_AGAIN,
                Outcome::Unroutable => return Err(Violation(format!("{} was unroutable", place.destination))),
            };
            self.publish_first(place, wait);
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

    fn publish_first(&mut self, place: Place, wait: Duration) {
        let Some(message) = self.pending.get(&place).and_then(VecDeque::front).cloned() else { return };
        let broker = self.broker.clone();
        self.publishing.push(if wait.is_zero() {
            broker.publish(&place.destination, message).map(|outcome| (place, outcome)).boxed()
        } else {
            async move {
                tokio::time::sleep(wait).await;
                let outcome = broker.publish(&place.destination, message).await;
                (place, outcome)
            }
            .boxed()
        });
    }
}

/// Within a place messages keep their order: the next is published when the one before it is stored.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    destination: Destination,
    lane: Lane,
    key: Uuid,
}
