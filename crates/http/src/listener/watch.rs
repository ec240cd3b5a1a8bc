//! The phases of one connection, and how long each may last.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::Bounds;
use super::waiting::Waiting;
use crate::overload::{Charge, Client};

/// One connection's time. It runs in one task; only [`Waiting`] reaches it from outside.
pub(super) struct Watch {
    pub bounds: Bounds,
    client: Option<Client>,
    waiting: Arc<Waiting>,
    close: Arc<Notify>,
    state: Mutex<State>,
}

struct State {
    phase: Phase,
    since: Instant,
    /// Since when the client takes nothing of an answer.
    stalled: Option<Instant>,
    place: Option<u64>,
    /// It is to end: by whoever reads next.
    expired: bool,
    /// The client may still be sending what nobody will read.
    unread: bool,
    /// The rooms of large answers that are handed over but not sent.
    unsent: Vec<Charge>,
}

/// The phase of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Between requests.
    Idle,
    /// A request has begun to arrive.
    Head,
    /// A request is being answered.
    Busy,
    /// The last word is said.
    Lingering,
}

/// A request that is being answered. When it is dropped, the connection waits again.
pub(super) struct Busy(Arc<Watch>);

impl Busy {
    /// Keeps the room of a large answer until the client has taken it.
    pub fn keep_until_sent(&self, charge: Charge) {
        self.0.lock().unsent.push(charge);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let place = self.0.waiting.enter(self.0.client, self.0.close.clone());
        let mut state = self.0.lock();
        state.enter(Phase::Idle);
        state.place = Some(place);
    }
}

impl State {
    fn enter(&mut self, phase: Phase) {
        (self.phase, self.since) = (phase, Instant::now());
    }
}

impl Watch {
    pub fn new(bounds: Bounds, client: Option<Client>, waiting: Arc<Waiting>) -> Arc<Self> {
        let close = Arc::new(Notify::new());
        let state = State {
            phase: Phase::Idle,
            since: Instant::now(),
            stalled: None,
            place: Some(waiting.enter(client, close.clone())),
            expired: false,
            unread: false,
            unsent: Vec::new(),
        };
        Arc::new(Self { bounds, client, waiting, close, state: Mutex::new(state) })
    }

    /// The head of a request is complete.
    pub fn begin_request(self: &Arc<Self>) -> Busy {
        let mut state = self.lock();
        state.enter(Phase::Busy);
        if let Some(place) = state.place.take() {
            self.waiting.leave(place);
        }
        drop(state);
        Busy(self.clone())
    }

    /// Bytes arrived.
    pub fn has_read(&self) {
        let mut state = self.lock();
        if state.phase == Phase::Idle {
            state.enter(Phase::Head);
        }
    }

    /// The client took bytes, or took none.
    pub fn has_written(&self, some: bool) {
        let mut state = self.lock();
        state.stalled = if some { None } else { state.stalled.or_else(|| Some(Instant::now())) };
    }

    /// All that was handed over is with the client, as far as the system can say.
    pub fn has_flushed(&self) {
        let sent = std::mem::take(&mut self.lock().unsent);
        drop(sent);
    }

    /// The client may be sending what nobody will read.
    pub fn leave_unread(&self) {
        self.lock().unread = true;
    }

    /// Nothing more will be said. False if the client has no reason to go on sending.
    pub fn linger(&self) -> bool {
        let mut state = self.lock();
        if state.phase != Phase::Lingering {
            // What came in was refused as no request, and more of it may come.
            state.unread |= state.phase == Phase::Head;
            state.enter(Phase::Lingering);
        }
        state.unread && !state.expired
    }

    pub fn is_busy(&self) -> bool {
        self.lock().phase == Phase::Busy
    }

    /// True if part of a request has arrived, but not its head.
    pub fn is_in_head(&self) -> bool {
        self.lock().phase == Phase::Head
    }

    pub fn is_expired(&self) -> bool {
        self.lock().expired
    }

    /// Until when the connection may go on as it does; `None` while a request is being answered.
    pub fn deadline(&self) -> Option<Instant> {
        let state = self.lock();
        let bound = match state.phase {
            Phase::Idle => Some(self.bounds.idle),
            Phase::Head => Some(self.bounds.head),
            Phase::Busy => None,
            Phase::Lingering => Some(self.bounds.linger),
        };
        let stalled = state.stalled.map(|since| since + self.bounds.stalled);
        [bound.map(|bound| state.since + bound), stalled].into_iter().flatten().min()
    }

    /// Is done when the connection has to make room for another.
    pub async fn must_close(&self) {
        self.close.notified().await;
    }

    /// Makes the connection end at its next read.
    /// False if it won't read any more: then it is to be dropped.
    pub fn expire(&self) -> bool {
        let mut state = self.lock();
        let reads = !state.expired && matches!(state.phase, Phase::Idle | Phase::Head) && state.stalled.is_none();
        state.expired = true;
        reads
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(place) = self.lock().place.take() {
            self.waiting.leave(place);
        }
    }
}
