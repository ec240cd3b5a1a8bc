//! A connection that is made again when it breaks.

use std::sync::Arc;
use std::time::Duration;

use bus::remote::Waits;
use redis::aio::MultiplexedConnection;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::address::Address;
use crate::connection::open;
use crate::server_info::ServerInfo;

/// The interval at which an idle connection is asked for a sign of life: an end must not go unnoticed.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The state of a connection at the moment.
#[derive(Clone)]
pub(crate) enum ConnectionState {
    /// There is none, and why.
    Down(String),
    Up(MultiplexedConnection),
}

/// The use of a connection as long as it lasts.
pub(crate) trait Role: Send {
    /// Learns what the server is before anybody uses the connection.
    fn meet(&mut self, server: &ServerInfo) {
        let _ = server;
    }

    /// Ends with what broke it.
    fn perform(&mut self, connection: MultiplexedConnection) -> impl Future<Output = String> + Send;
}

/// One place for one connection.
#[derive(Clone)]
pub(crate) struct Reconnecting {
    state: Arc<watch::Sender<ConnectionState>>,
}

impl Reconnecting {
    pub fn new() -> Self {
        let down = ConnectionState::Down("there was no time to connect yet".to_owned());
        Self { state: Arc::new(watch::Sender::new(down)) }
    }

    /// The reason why it can't be used now, if so.
    pub fn complaint(&self) -> Option<String> {
        match &*self.state.borrow() {
            ConnectionState::Up(_) => None,
            ConnectionState::Down(reason) => Some(reason.clone()),
        }
    }

    /// The connection, as soon as there is one.
    pub async fn connection(&self, patience: Duration) -> Result<MultiplexedConnection, bus::Error> {
        let mut state = self.state.subscribe();
        let up = state.wait_for(|state| matches!(state, ConnectionState::Up(_)));
        if let Ok(Ok(state)) = timeout(patience, up).await
            && let ConnectionState::Up(connection) = &*state
        {
            return Ok(connection.clone());
        }
        Err(bus::Error::Unavailable(self.complaint().unwrap_or_default()))
    }

    /// Connects, does the role, and begins again, for ever.
    pub async fn keep(self, address: Address, purpose: &'static str, mut waits: Waits, mut role: impl Role) {
        loop {
            let began = Instant::now();
            let reason = match open(&address, purpose).await {
                Ok((connection, server)) => {
                    role.meet(&server);
                    self.state.send_replace(ConnectionState::Up(connection.clone()));
                    role.perform(connection).await
                }
                Err(error) => error.to_string(),
            };
            kernel::warn_limited!(broker = ?address, purpose, reason, "the connection to the broker is down");
            self.state.send_replace(ConnectionState::Down(reason));
            tokio::time::sleep(waits.after(began.elapsed())).await;
        }
    }
}
