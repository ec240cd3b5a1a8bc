//! Takes connections and serves them, within bounds that no client can move.
//!
//! `waiting.rs` knows which connections wait for a request, `watch.rs` what each may still take its time for,
//! `stream.rs` is the socket as hyper sees it, `body.rs` what a request and an answer carry.

mod body;
mod stream;
mod waiting;
mod watch;

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use futures_util::FutureExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use body::{Answering, InTime};
use stream::Stream;
use waiting::Waiting;
use watch::Watch;

use crate::address::Network;
use crate::overload::{Charge, Client, Share, Shares};

/// The longest request line and headers together: what every waiting connection may cost in memory.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Open connections at most: with full heads 64 MiB, and more than one machine of this size serves at once.
const CONNECTIONS_MAX: usize = 4_096;

/// The part of all connections that one client may have: no single client can close those of others to make room.
const CLIENT_PART: usize = 4;

/// Files that the rest of the process needs: stores, logs, connections to databases, brokers and mail servers.
const FILES_RESERVED: usize = 256;

/// Waits after the machine refused a connection, for example because all file handles are in use.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// The bounds on a client's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Open connections. For one more the connection is closed that has waited for a request the longest.
    pub connections: usize,
    /// Open connections of one client, of IPv6 by the first 64 bits. For one more its own oldest is closed.
    pub connections_of_client: usize,
    /// From the first byte of a request to the last of its head.
    pub head: Duration,
    /// From the head to the last byte of the body.
    pub body: Duration,
    /// Between two requests of one connection, and before the first.
    pub idle: Duration,
    /// Without a byte of the answer taken.
    pub stalled: Duration,
    /// The time for which a refused client may go on sending: without that it might lose the refusal.
    pub linger: Duration,
}

impl Bounds {
    /// The bounds of a shop, on a machine that lets a process open so many files.
    pub fn with_files(files: usize) -> Self {
        let connections = files.saturating_sub(FILES_RESERVED).clamp(1, CONNECTIONS_MAX);
        Self {
            connections,
            connections_of_client: connections.div_ceil(CLIENT_PART),
            head: Duration::from_secs(5),
            body: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            stalled: Duration::from_secs(30),
            linger: Duration::from_secs(1),
        }
    }

    /// The same, for this process.
    pub fn for_this_process() -> Self {
        // Where the system does not say it, the least that systems allow.
        const FILES: usize = 1_024;
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
        let soft = limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next());
        Self::with_files(soft.and_then(|soft| soft.parse().ok()).unwrap_or(FILES))
    }
}

type Served<S> = http1::Connection<TokioIo<Stream>, S>;

/// Serves until it is asked to stop, then until the requests that are open have been answered.
/// Whoever drops the future cuts these off. Connections of trusted proxies are those of many clients, so they have no
/// share of their own.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    bounds: Bounds,
    trusted_proxies: &[Network],
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(bounds.connections));
    let shares = Shares::new(usize::MAX, bounds.connections_of_client);
    let waiting = Arc::new(Waiting::default());
    let mut connections = JoinSet::new();
    let mut stopping = pin!(stop.cancelled());
    loop {
        let (socket, peer) = tokio::select! {
            accepted = accept(&listener, &waiting) => accepted,
            () = &mut stopping => break,
        };
        let place = tokio::select! {
            place = a_place(&places, &waiting) => place,
            () = &mut stopping => break,
        };
        let is_trusted = trusted_proxies.iter().any(|proxy| proxy.contains(peer.ip().to_canonical()));
        let client = Some(Client::from(peer.ip())).filter(|_| !is_trusted);
        if let Some(share) = a_share(&shares, client, &waiting) {
            let watch = Watch::new(bounds, client, waiting.clone());
            connections.spawn(connection(socket, peer, router.clone(), watch, stop.clone(), (place, share)));
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// The next connection. What goes wrong with one is no reason to take no others.
async fn accept(listener: &TcpListener, waiting: &Waiting) -> (TcpStream, SocketAddr) {
    let mut refused = false;
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_of_the_client(&error) => {}
            Err(error) => {
                if !refused {
                    tracing::warn!(%error, "no connection can be taken: some that wait are closed");
                }
                refused = true;
                waiting.close_oldest();
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Room for one more connection, at the cost of the one that has waited the longest for a request.
async fn a_place(places: &Arc<Semaphore>, waiting: &Waiting) -> OwnedSemaphorePermit {
    if let Ok(place) = places.clone().try_acquire_owned() {
        return place;
    }
    let mut freed = pin!(places.clone().acquire_owned());
    loop {
        waiting.close_oldest();
        tokio::select! {
            place = &mut freed => return place.expect("the semaphore is never closed"),
            // All were busy: one that has become free makes room.
            () = waiting.begins() => {}
        }
    }
}

/// The client's room for one more connection, at the cost of its own that has waited the longest for a request.
/// `None` if it has its share and all of it is busy.
fn a_share(shares: &Shares, client: Option<Client>, waiting: &Waiting) -> Option<Share> {
    match (shares.take(client, 1), client) {
        (Ok(share), _) => Some(share),
        (Err(_), Some(client)) if waiting.close_oldest_of(client) => Some(shares.take_over(Some(client), 1)),
        (Err(_), _) => None,
    }
}

async fn connection(
    socket: TcpStream,
    peer: SocketAddr,
    router: Router,
    watch: Arc<Watch>,
    stop: CancellationToken,
    _room: (OwnedSemaphorePermit, Share),
) {
    // Answers are small, and nobody is served by holding them back. A socket that is gone shows it when it is read.
    let _ = socket.set_nodelay(true);
    let stream = TokioIo::new(Stream::new(socket, watch.clone()));
    let watched = watch.clone();
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let busy = Watch::begin_request(&watched);
        let mut request = request.map(|body| Body::new(InTime::new(body, watched.clone())));
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer = router.clone().oneshot(request);
        async move {
            let mut answer = answer.await?;
            let charge = answer.extensions_mut().remove::<Charge>();
            Ok::<_, Infallible>(answer.map(|body| Answering::new(body, busy, charge)))
        }
    });
    // A client that has sent its whole request may close its sending side, and still gets the answer.
    let served = http1::Builder::new().half_close(true).max_buf_size(HEAD_BYTES_MAX).serve_connection(stream, service);
    in_time(served, &watch, stop.cancelled()).await;
}

/// Drives the connection until it ends, takes too long, or has to make room.
async fn in_time<S>(served: Served<S>, watch: &Watch, stopping: impl Future<Output = ()>)
where
    S: HttpService<Incoming, ResBody = Answering, Error = Infallible>,
{
    let mut served = pin!(served);
    let mut stopping = pin!(stopping.fuse());
    let mut must_close = pin!(watch.must_close().fuse());
    let mut timer = pin!(tokio::time::sleep(watch.bounds.idle));
    poll_fn(|cx| {
        loop {
            // What goes wrong is between the client and its socket: a request that had begun is answered or gone.
            if served.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            if stopping.as_mut().poll(cx).is_ready() {
                served.as_mut().graceful_shutdown();
                // What hasn't arrived was not begun: the client may send it again.
                if watch.is_in_head() {
                    watch.expire();
                }
                continue;
            }
            // Each turn anew: being polled has moved the connection to another phase, maybe.
            let deadline = watch.deadline();
            if let Some(deadline) = deadline.filter(|deadline| *deadline != timer.deadline()) {
                timer.as_mut().reset(deadline);
            }
            let too_late = deadline.is_some() && timer.as_mut().poll(cx).is_ready();
            let makes_room = must_close.as_mut().poll(cx).is_ready() && !watch.is_busy();
            if !too_late && !makes_room {
                return Poll::Pending;
            }
            if !watch.expire() {
                return Poll::Ready(());
            }
        }
    })
    .await;
}
