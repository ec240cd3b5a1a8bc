//! A TCP proxy that breaks connections on request.

mod connection;

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::connection::Connection;
use crate::ports::free_port;

/// A port of loopback that leads to a server, as long as nothing is to go wrong.
///
/// It goes with this value, and all its connections with it.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// The acceptor's state: whether it takes new connections.
    is_open: watch::Receiver<bool>,
    _acceptor: JoinSet<()>,
}

/// Fault on a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Delay of everything, in both directions.
    pub delay: Duration,
    /// Fault in the direction of the server.
    pub to_server: Option<Fault>,
    /// Fault in the direction of the client.
    pub to_client: Option<Fault>,
}

/// Fault in one direction, and the position at which it occurs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Bytes that still pass in this direction, from the moment the fault is set. It happens once they have passed,
    /// whether or not more would come.
    pub after: u64,
    /// The effect at that position.
    pub what: What,
}

/// Effect of a fault on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Both sides see the connection close cleanly: FIN.
    Cut,
    /// Both sides see the connection break: RST.
    Reset,
    /// Nothing more passes in this direction until the proxy is set otherwise.
    Stall,
}

/// Bytes that a connection has carried so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes that were passed on to the server.
    pub to_server: u64,
    /// Bytes that were passed on to the client.
    pub to_client: u64,
    /// True while it is open.
    pub is_open: bool,
}

struct Shared {
    upstream: SocketAddr,
    state: Mutex<State>,
    /// Notifies connections of a changed state.
    changed: watch::Sender<()>,
}

struct State {
    /// For open connections.
    faults: Faults,
    /// For those to come.
    faults_to_come: Faults,
    /// Counts the changes of `faults`: each connection counts its bytes anew from a change on.
    setting: u64,
    /// For the connections to come, one each.
    queued: VecDeque<Faults>,
    is_open: bool,
    traffic: Vec<Traffic>,
}

impl Proxy {
    /// Begins to pass everything on to a server, which need not be there yet.
    pub async fn start(upstream: SocketAddr) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let listener = listen(address).await;
        let state = State {
            faults: Faults::default(),
            faults_to_come: Faults::default(),
            setting: 0,
            queued: VecDeque::new(),
            is_open: true,
            traffic: Vec::new(),
        };
        let shared = Arc::new(Shared { upstream, state: Mutex::new(state), changed: watch::Sender::new(()) });
        let (open_sender, is_open) = watch::channel(true);
        let mut acceptor = JoinSet::new();
        acceptor.spawn(accept(listener, shared.clone(), open_sender));
        Self { address, shared, is_open, _acceptor: acceptor }
    }

    /// A proxy before the server that a URL names, and the URL that leads through it.
    pub async fn before(url: &str) -> (Self, String) {
        let upstream = authority(url).parse().expect("the URL of a test's server has an address and a port");
        let proxy = Self::start(upstream).await;
        let through = url.replacen(authority(url), &proxy.address.to_string(), 1);
        (proxy, through)
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on: for the connections that are open, whose bytes count from here, and for those to come.
    pub fn set(&self, faults: Faults) {
        self.set_both(faults, faults);
    }

    /// From now on for the connections that are open, whose bytes count from here; those to come are unharmed.
    pub fn hit(&self, faults: Faults) {
        self.set_both(faults, Faults::default());
    }

    fn set_both(&self, faults: Faults, faults_to_come: Faults) {
        let mut state = self.shared.lock();
        state.faults = faults;
        state.faults_to_come = faults_to_come;
        state.setting += 1;
        drop(state);
        self.shared.changed.send_replace(());
    }

    /// For the next connection that nothing is queued for, and for no other.
    pub fn queue(&self, faults: Faults) {
        self.shared.lock().queued.push_back(faults);
    }

    /// Refuses new connections, as if nobody listened. Those that are open stay.
    pub async fn refuse(&self) {
        self.open(false).await;
    }

    /// Nothing goes wrong any more: what stalls flows on, and new connections are taken.
    pub async fn heal(&self) {
        self.shared.lock().queued.clear();
        self.set(Faults::default());
        self.open(true).await;
    }

    /// Bytes that each connection has carried, in the order in which the connections were opened.
    pub fn traffic(&self) -> Vec<Traffic> {
        self.shared.lock().traffic.clone()
    }

    async fn open(&self, is_open: bool) {
        self.shared.lock().is_open = is_open;
        self.shared.changed.send_replace(());
        let mut acceptor = self.is_open.clone();
        acceptor.wait_for(|now| *now == is_open).await.expect("the acceptor lives as long as the proxy");
    }
}

impl Faults {
    /// This happens now, in both directions.
    pub fn now(what: What) -> Self {
        let fault = Some(Fault { after: 0, what });
        Self { to_server: fault, to_client: fault, ..Self::default() }
    }

    /// This happens on the way to the server, after so many more bytes.
    pub fn to_server(after: u64, what: What) -> Self {
        Self { to_server: Some(Fault { after, what }), ..Self::default() }
    }

    /// This happens on the way to the client, after so many more bytes.
    pub fn to_client(after: u64, what: What) -> Self {
        Self { to_client: Some(Fault { after, what }), ..Self::default() }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn listen(address: SocketAddr) -> TcpListener {
    TcpListener::bind(address).await.expect("a port that is held is free for its server")
}

/// Takes connections while the proxy is open. Its own connections end with it.
async fn accept(listener: TcpListener, shared: Arc<Shared>, open_sender: watch::Sender<bool>) {
    let mut changed = shared.changed.subscribe();
    let address = listener.local_addr().expect("a listener has an address");
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    loop {
        let is_open = shared.lock().is_open;
        if !is_open {
            listener = None;
        } else if listener.is_none() {
            listener = Some(listen(address).await);
        }
        open_sender.send_replace(is_open);
        tokio::select! {
            client = next(listener.as_ref()) => {
                let connection = Connection::new(shared.clone());
                connections.spawn(connection.run(client));
            }
            _ = changed.changed() => {}
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn next(listener: Option<&TcpListener>) -> TcpStream {
    let Some(listener) = listener else { return std::future::pending().await };
    loop {
        // A client that is gone before it was taken is none.
        if let Ok((client, _)) = listener.accept().await {
            return client;
        }
    }
}

/// The `host:port` of a URL.
fn authority(url: &str) -> &str {
    let (_, rest) = url.split_once("://").expect("a URL has a scheme");
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let authority = &rest[..end];
    authority.rsplit_once('@').map_or(authority, |(_, address)| address)
}
