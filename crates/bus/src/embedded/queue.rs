//! The queue of one consumer in one lane, and the subscription that reads it.

use std::collections::{HashMap, VecDeque};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{self, BoxFuture};
use tokio::sync::{Notify, oneshot};

use crate::{Delivery, Error, Message, PublishResult, Settlement, Subscription, Tag};

/// Messages of one consumer and lane that may be waiting or unsettled.
/// Above what relays send by themselves, a dozen sources with windows of 512 each: to reach it, something must be
/// wrong, and refusing is better than to grow.
const UNSETTLED_MAX: usize = 8_192;

pub(super) const CLOSED: &str = "the embedded broker was closed";

/// Reports to the publisher the result of its message. Dropped unused, it reports that nobody knows.
type Confirm = oneshot::Sender<PublishResult>;

#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(Message, Confirm)>,
    unsettled: HashMap<Tag, Confirm>,
    /// Never used twice, so that a tag of an earlier subscription names nothing in a later one.
    next_tag: u64,
    is_subscribed: bool,
    is_closed: bool,
}

impl Queue {
    /// Appends a message; the receiver completes when it is settled.
    pub fn push(&self, message: Message) -> Result<oneshot::Receiver<PublishResult>, PublishResult> {
        let mut state = self.state();
        if state.is_closed {
            return Err(PublishResult::Unknown { detail: CLOSED.to_owned() });
        }
        if state.waiting.len() + state.unsettled.len() >= UNSETTLED_MAX {
            let detail = format!("its consumer has {UNSETTLED_MAX} {} messages to settle", message.envelope.lane);
            return Err(PublishResult::Refused { detail });
        }
        let (confirm, confirmation) = oneshot::channel();
        state.waiting.push_back((message, confirm));
        drop(state);
        self.changed.notify_one();
        Ok(confirmation)
    }

    pub fn subscribe(self: &Arc<Self>) -> Result<InProcess, Error> {
        let mut state = self.state();
        if state.is_closed {
            return Err(Error::Unavailable(CLOSED.to_owned()));
        }
        if mem::replace(&mut state.is_subscribed, true) {
            return Err(Error::Rejected("this consumer has a subscription in this lane: drop that first".to_owned()));
        }
        Ok(InProcess { queue: self.clone() })
    }

    pub fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        let abandoned = (mem::take(&mut state.waiting), mem::take(&mut state.unsettled));
        drop(state);
        self.changed.notify_one();
        // Publishers wake when their `Confirm` is dropped: outside the lock.
        drop(abandoned);
    }

    /// Messages that were not delivered yet.
    pub fn waiting(&self) -> usize {
        self.state().waiting.len()
    }

    pub fn is_closed(&self) -> bool {
        self.state().is_closed
    }

    fn take(&self, max: usize) -> Result<Vec<Delivery>, Error> {
        let state = &mut *self.state();
        if state.is_closed {
            return Err(Error::Unavailable(CLOSED.to_owned()));
        }
        let count = state.waiting.len().min(max);
        let mut deliveries = Vec::with_capacity(count);
        for (message, confirm) in state.waiting.drain(..count) {
            let tag = Tag::new(0, state.next_tag);
            state.next_tag += 1;
            state.unsettled.insert(tag, confirm);
            deliveries.push(Delivery { message, tag, redelivered: false, defect: None });
        }
        Ok(deliveries)
    }

    /// Every change is complete when the lock is given back, so a panic elsewhere leaves nothing half done.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one subscription of a queue.
pub(super) struct InProcess {
    queue: Arc<Queue>,
}

impl Subscription for InProcess {
    fn next(&mut self, max: usize) -> BoxFuture<'_, Result<Vec<Delivery>, Error>> {
        async move {
            loop {
                // Nothing is awaited between taking and answering, so a dropped future has taken nothing.
                let deliveries = self.queue.take(max.max(1))?;
                if !deliveries.is_empty() {
                    return Ok(deliveries);
                }
                // `Notify` keeps a permit for what arrived since `take`, so nothing is slept through.
                self.queue.changed.notified().await;
            }
        }
        .boxed()
    }

    fn settle(&mut self, tags: &[Tag], settlement: Settlement) -> BoxFuture<'_, Result<(), Error>> {
        let mut state = self.queue.state();
        let confirms: Vec<Confirm> = tags.iter().filter_map(|tag| state.unsettled.remove(tag)).collect();
        drop(state);
        for confirm in confirms {
            // A publisher that stopped listening still has its pointer, and publishes the event again.
            let _ = confirm.send(match settlement {
                Settlement::Done => PublishResult::Stored,
                Settlement::Requeue => PublishResult::Unknown { detail: "its consumer gave it back".to_owned() },
            });
        }
        future::ready(Ok(())).boxed()
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, ()> {
        drop(self);
        future::ready(()).boxed()
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        let mut state = self.queue.state();
        state.is_subscribed = false;
        let abandoned = mem::take(&mut state.unsettled);
        drop(state);
        drop(abandoned);
    }
}
