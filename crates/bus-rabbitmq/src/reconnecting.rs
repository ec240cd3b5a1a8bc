//! A connection that is made again when it breaks.

use std::sync::Arc;
use std::time::Duration;

use bus::remote::Waits;
use futures_util::StreamExt;
use lapin::{Connection, ConnectionProperties, Event};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::address::Address;
use crate::error::{CallError, Unusable};
use crate::greeting;

/// Far more than a connection takes to a broker that is there, even by TLS over a slow line.
pub(crate) const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// More than a call takes that must find a quorum queue first, as after a start of the broker.
pub(crate) const CALL_DEADLINE: Duration = Duration::from_secs(30);

/// The interval at which a connection is checked besides its events: an end must not go unnoticed.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The state of a connection at the moment.
#[derive(Clone)]
pub(crate) enum ConnectionState {
    /// There is none, and why.
    Down(String),
    Up(Arc<Connection>),
    /// The broker takes nothing, and why.
    Blocked(Arc<Connection>, String),
}

impl ConnectionState {
    pub fn connection(&self) -> Option<&Arc<Connection>> {
        match self {
            Self::Down(_) => None,
            Self::Up(connection) | Self::Blocked(connection, _) => Some(connection),
        }
    }

    /// The reason why nothing can be published, if so.
    pub fn complaint(&self) -> Option<String> {
        match self {
            Self::Up(_) => None,
            Self::Down(reason) => Some(reason.clone()),
            Self::Blocked(_, reason) => Some(format!("the broker takes no messages now: {reason}")),
        }
    }
}

/// The use of a connection as long as it lasts.
pub(crate) trait Role: Send {
    /// Ends with what broke it.
    fn perform(&mut self, connection: Arc<Connection>) -> impl Future<Output = String> + Send;
}

/// One place for one connection.
#[derive(Clone)]
pub(crate) struct Reconnecting {
    state: Arc<watch::Sender<ConnectionState>>,
}

impl Reconnecting {
    pub fn new() -> Self {
        Self {
            state: Arc::new(watch::Sender::new(ConnectionState::Down("there was no time to connect yet".to_owned()))),
        }
    }

    pub fn state(&self) -> ConnectionState {
        self.state.borrow().clone()
    }

    /// The reason why it can't be used now, if so.
    pub fn complaint(&self) -> Option<String> {
        self.state.borrow().complaint()
    }

    /// The connection, as soon as there is one.
    pub async fn connection(&self, patience: Duration) -> Result<Arc<Connection>, bus::Error> {
        let mut state = self.state.subscribe();
        let up = timeout(patience, state.wait_for(|state| state.connection().is_some())).await;
        let connection = up.ok().and_then(|state| state.ok()?.connection().cloned());
        connection.ok_or_else(|| bus::Error::Unavailable(self.complaint().unwrap_or_default()))
    }

    /// Connects, does the role, and begins again, for ever.
    pub async fn keep(self, address: Address, purpose: &'static str, mut waits: Waits, mut role: impl Role) {
        // A broker that did not answer in time is greeted first, for each connection takes a thread of lapin's that
        // waits as long as the broker does.
        let mut is_silent = false;
        loop {
            let began = Instant::now();
            let reason = match connect(&address, purpose, is_silent).await {
                Ok(connection) => self.use_up(Arc::new(connection), &mut role).await,
                Err(error) => {
                    is_silent = matches!(error, Unusable::Silent { .. });
                    error.to_string()
                }
            };
            kernel::warn_limited!(broker = ?address, purpose, reason, "the connection to the broker is down");
            self.state.send_replace(ConnectionState::Down(reason));
            tokio::time::sleep(waits.after(began.elapsed())).await;
        }
    }

    /// Does the role until the connection breaks; answers with what broke it.
    async fn use_up(&self, connection: Arc<Connection>, role: &mut impl Role) -> String {
        let watched = self.watch(&connection);
        self.state.send_replace(ConnectionState::Up(connection.clone()));
        tokio::select! {
            reason = watched => reason,
            reason = role.perform(connection.clone()) => reason,
        }
    }

    /// Ends when the connection does. Says meanwhile whether the broker takes messages.
    async fn watch(&self, connection: &Arc<Connection>) -> String {
        let mut events = std::pin::pin!(connection.events_listener());
        let mut last_error = "the connection ended".to_owned();
        while connection.status().connected() {
            match timeout(LOOK_EVERY, events.next()).await {
                Ok(Some(Event::ConnectionBlocked(reason))) => {
                    kernel::warn_limited!(reason, "the broker takes no messages");
                    self.state.send_replace(ConnectionState::Blocked(connection.clone(), reason));
                }
                Ok(Some(Event::ConnectionUnblocked)) => {
                    self.state.send_replace(ConnectionState::Up(connection.clone()));
                }
                Ok(Some(Event::Error(error))) => last_error = error.to_string(),
                Ok(Some(_)) | Err(_) => {}
                Ok(None) => break,
            }
        }
        last_error
    }
}

/// A connection within the deadline.
pub(crate) async fn connect(address: &Address, purpose: &str, greet_first: bool) -> Result<Connection, Unusable> {
    if greet_first {
        greeting::greet(address).await?;
    }
    // The broker's own tools show what a connection is for.
    let properties = ConnectionProperties::default().with_connection_name(format!("tradepost {purpose}").into());
    let runtime = lapin::runtime::default_runtime().map_err(|error| Unusable::connecting(address, &error))?;
    let connecting = Connection::connect_uri_with_config(address.uri(), properties, address.tls(), runtime);
    match timeout(CONNECT_DEADLINE, connecting).await {
        Ok(connected) => connected.map_err(|error| Unusable::connecting(address, &error)),
        Err(_) => Err(Unusable::Silent { place: address.place() }),
    }
}

/// The answer of a call, within the deadline.
pub(crate) async fn within<T>(what: &str, call: impl Future<Output = lapin::Result<T>>) -> Result<T, CallError> {
    match timeout(CALL_DEADLINE, call).await {
        Ok(answer) => answer.map_err(CallError::Failed),
        Err(_) => Err(CallError::Late(format!("{what} took more than {CALL_DEADLINE:?}"))),
    }
}
