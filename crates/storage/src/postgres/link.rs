//! A connection that is made when it is needed, and made again when it broke.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::connection::{Connection, Role};
use super::server::Server;
use crate::Error;

/// The wait before a server that could not be reached is tried again, and the bound to which it doubles.
/// Who asks in between is refused at once: a request must not hang on a server that is away.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// One place for one connection.
pub(super) struct Link {
    server: Server,
    service: &'static str,
    role: Role,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connection: Option<Arc<Connection>>,
    failed: Option<Failed>,
}

/// The last try.
struct Failed {
    error: Error,
    times: u32,
    retry_at: Instant,
}

impl Link {
    pub fn new(server: Server, service: &'static str, role: Role, connection: Option<Connection>) -> Self {
        let state = State { connection: connection.map(Arc::new), failed: None };
        Self { server, service, role, state: Mutex::new(state) }
    }

    /// The connection, if the server can be reached.
    pub async fn get(&self) -> Result<Arc<Connection>, Error> {
        let mut state = self.state.lock().await;
        if let Some(connection) = state.connection.take_if(|connection| !connection.client.is_closed()) {
            state.connection = Some(connection.clone());
            return Ok(connection);
        }
        state.connection = None;
        if let Some(failed) = state.failed.as_ref().filter(|failed| Instant::now() < failed.retry_at) {
            return Err(failed.error.clone());
        }
        match Connection::open(&self.server, self.service, self.role).await {
            Ok(connection) => {
                let connection = Arc::new(connection);
                *state = State { connection: Some(connection.clone()), failed: None };
                Ok(connection)
            }
            Err(error) => {
                // While it runs, a wrong password or a missing right is a server that is away: it may be mended.
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
        }
    }

    /// Gives the connection up: it did not answer in time, or is not wanted any more.
    pub async fn drop_connection(&self) {
        self.state.lock().await.connection = None;
    }

    pub fn server(&self) -> &Server {
        &self.server
    }
}
