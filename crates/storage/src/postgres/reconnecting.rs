//! A connection that is made when it is needed, and made again when it broke.
//!
//! It is made by a task of its own, and nobody holds a lock while they wait for it: who waits may be one of several
//! futures of a task that polls only some of them, and would keep the lock from all others for ever.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::connection::{Connection, Role, unavailable};
use super::server::Server;
use crate::Error;

/// The wait before a server that could not be reached is tried again, and the bound to which it doubles.
/// Callers in between are refused at once: a request must not hang on a server that is down.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// One place for one connection.
pub(super) struct Reconnecting(Arc<Inner>);

struct Inner {
    server: Server,
    service: &'static str,
    role: Role,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connection: Option<Arc<Connection>>,
    /// Wakes those who wait for the connection that is being made.
    connecting: Option<watch::Receiver<Option<Made>>>,
    failed: Option<Failed>,
}

type Made = Result<Arc<Connection>, Error>;

/// The last try.
struct Failed {
    error: Error,
    times: u32,
    retry_at: Instant,
}

impl Reconnecting {
    pub fn new(server: Server, service: &'static str, role: Role, connection: Option<Connection>) -> Self {
        let state = State { connection: connection.map(Arc::new), ..State::default() };
        Self(Arc::new(Inner { server, service, role, state: Mutex::new(state) }))
    }

    /// The connection, if the server can be reached.
    pub async fn get(&self) -> Made {
        let mut connecting = match self.now_or_soon() {
            Ok(made) => return made,
            Err(connecting) => connecting,
        };
        let made = connecting.wait_for(Option::is_some).await.ok().and_then(|made| made.clone());
        made.unwrap_or_else(|| Err(unavailable(self.server(), "it is closed")))
    }

    /// The current connection, or a receiver of the one that is being made.
    fn now_or_soon(&self) -> Result<Made, watch::Receiver<Option<Made>>> {
        let mut state = self.0.lock();
        if let Some(connection) = state.connection.as_ref().filter(|connection| !connection.client.is_closed()) {
            return Ok(Ok(connection.clone()));
        }
        state.connection = None;
        // A task that ended without a word, by a panic, is no reason to wait for ever.
        if let Some(connecting) = state.connecting.as_ref().filter(|connecting| connecting.has_changed().is_ok()) {
            return Err(connecting.clone());
        }
        if let Some(failed) = state.failed.as_ref().filter(|failed| Instant::now() < failed.retry_at) {
            return Ok(Err(failed.error.clone()));
        }
        let (made, connecting) = watch::channel(None);
        state.connecting = Some(connecting.clone());
        drop(state);
        #[expect(clippy::disallowed_methods, reason = "it ends within the bound of a connect")]
        tokio::spawn(self.0.clone().connect(made));
        Err(connecting)
    }

    /// True if [`get`](Self::get) has a connection at once.
    pub fn is_connected(&self) -> bool {
        self.0.lock().connection.as_ref().is_some_and(|connection| !connection.client.is_closed())
    }

    /// Gives the connection up: it did not answer in time, or is not wanted any more.
    pub fn drop_connection(&self) {
        self.0.lock().connection = None;
    }

    pub fn server(&self) -> &Server {
        &self.0.server
    }
}

impl Inner {
    async fn connect(self: Arc<Self>, result: watch::Sender<Option<Made>>) {
        let made = Connection::open(&self.server, self.service, self.role).await.map(Arc::new);
        let mut state = self.lock();
        state.connecting = None;
        let made = match made {
            Ok(connection) => {
                state.connection = Some(connection.clone());
                state.failed = None;
                Ok(connection)
            }
            Err(error) => {
                // In a running process a wrong password or a missing right counts as a server that is down: it may be
                // repaired.
                let error = match error {
                    Error::Unusable { store, detail } => Error::Unavailable { store, detail },
                    other => other,
                };
                let times = state.failed.as_ref().map_or(0, |failed| failed.times);
                let wait = (RETRY.0 * 2_u32.saturating_pow(times)).min(RETRY.1);
                let retry_at = Instant::now() + wait;
                state.failed = Some(Failed { error: error.clone(), times: (times + 1).min(16), retry_at });
                Err(error)
            }
        };
        drop(state);
        result.send_replace(Some(made));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
