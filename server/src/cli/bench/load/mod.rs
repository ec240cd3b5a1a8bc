//! The load: clients that place orders, as fast as they are answered or at a rate.
//!
//! All clients share one thread of their own. They are to cost little, for most often they share the machine with
//! the server whose speed they measure.

mod connection;
mod life;
mod tally;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use events::ProductId;
use futures_util::future::{Either, select};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use super::plan::Plan;
use crate::cli::Failure;
use connection::Answered;
pub use connection::Target;
use life::Life;
pub use tally::Tally;

/// The time that clients wait while nothing at all is answered. Orders without an answer are then looked for in the
/// books.
const ANSWER_PATIENCE: Duration = Duration::from_secs(30);

/// The wait before a client that was refused or cut off tries its next order.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// Failures to connect in a row after which a client stops: 10 s in all.
const CONNECT_ATTEMPTS: u32 = 100;

/// The end of the load.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    Elapsed(Duration),
    Orders(u64),
}

/// The orders to place, their target, and the pace.
#[derive(Clone, Debug)]
pub struct Load {
    pub target: Target,
    pub plan: Arc<Plan>,
    pub product_ids: Vec<ProductId>,
    pub clients: usize,
    /// Orders a second, whether or not the ones before were answered; `None` for as fast as they are.
    pub rate: Option<u32>,
    pub until: Until,
    /// Send an `Idempotency-Key` with each order.
    pub is_keyed: bool,
}

/// A load in progress. It ends when this goes out of use.
pub struct Running {
    shared: Arc<Shared>,
    thread: JoinHandle<std::io::Result<Tally>>,
    _stop: oneshot::Sender<()>,
}

struct Shared {
    load: Load,
    began: Instant,
    next: AtomicU64,
    accepted: AtomicU64,
}

impl Load {
    /// Starts all clients.
    pub fn start(self) -> Running {
        let shared = Arc::new(Shared {
            load: self,
            began: Instant::now(),
            next: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
        });
        let (stop, stopped) = oneshot::channel();
        let of_thread = shared.clone();
        let thread = tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            Ok(runtime.block_on(async {
                tokio::select! {
                    tally = run(of_thread) => tally,
                    _ = stopped => Tally::default(),
                }
            }))
        });
        Running { shared, thread, _stop: stop }
    }
}

impl Running {
    /// The share of the load that is over, 0 to 1, and the number of accepted orders.
    pub fn progress(&self) -> (f64, u64) {
        let done = match self.shared.load.until {
            Until::Elapsed(duration) => self.shared.began.elapsed().as_secs_f64() / duration.as_secs_f64(),
            Until::Orders(orders) => self.shared.next.load(Ordering::Relaxed) as f64 / orders as f64,
        };
        (done, self.shared.accepted.load(Ordering::Relaxed))
    }

    pub fn elapsed(&self) -> Duration {
        self.shared.began.elapsed()
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> Result<Tally, Failure> {
        let ended = (&mut self.thread).await.map_err(|_| Failure::failed("the clients' thread broke"))?;
        ended.map_err(|error| Failure::failed(format!("the clients' thread can't be started: {error}")))
    }
}

async fn run(shared: Arc<Shared>) -> Tally {
    let mut clients = JoinSet::new();
    for _ in 0..shared.load.clients {
        clients.spawn(client(shared.clone()));
    }
    let mut all = Tally::default();
    while let Some(ended) = clients.join_next().await {
        all.merge(ended.expect("a client doesn't panic"));
    }
    all
}

async fn client(shared: Arc<Shared>) -> Tally {
    let mut tally = Tally::default();
    tokio::select! {
        () = place_orders(&shared, &mut tally) => {}
        () = shared.stands_still() => {}
    }
    tally.close();
    tally
}

/// Orders over one connection after another.
async fn place_orders(shared: &Shared, tally: &mut Tally) {
    let mut attempts = 0;
    while attempts < CONNECT_ATTEMPTS {
        let Some((mut sender, connection)) = shared.load.target.connect().await else {
            attempts += 1;
            tally.could_not_connect();
            tokio::time::sleep(AFTER_FAILURE).await;
            continue;
        };
        attempts = 0;
        // Driven by the same task, so that an answer wakes one task and not two; polled first, for then what it read
        // is taken up in the same turn.
        let orders = pin!(over_connection(shared, &mut sender, tally));
        let is_over = match select(connection, orders).await {
            Either::Left((_, orders)) => orders.await,
            Either::Right((is_over, _)) => is_over,
        };
        if is_over {
            return;
        }
        tokio::time::sleep(AFTER_FAILURE).await;
    }
}

/// True when the load is over, false when the connection is.
async fn over_connection(shared: &Shared, sender: &mut SendRequest<Full<Bytes>>, tally: &mut Tally) -> bool {
    let load = &shared.load;
    while let Some((n, due)) = shared.next_order().await {
        let product = usize::try_from(load.plan.product_of(n)).unwrap_or_default();
        let body = load.plan.body(n, load.product_ids[product]);
        let key = load.is_keyed.then(|| load.plan.email(n));
        tally.sends(n, due);
        let answered = load.target.place(sender, body, key.as_deref()).await;
        let is_usable = tally.answered(answered);
        if tally.was_accepted() {
            shared.accepted.fetch_add(1, Ordering::Relaxed);
            if let Some((_, order_id)) = tally.accepted.last().filter(|_| load.plan.is_life) {
                let life = Life { target: &load.target, sender: &mut *sender, order_id: *order_id }.follow().await;
                tally.lived(life);
            }
        } else if is_usable {
            // As a client does that is asked to retry later.
            tokio::time::sleep(AFTER_FAILURE).await;
        }
        if !is_usable || sender.is_closed() {
            return false;
        }
    }
    true
}

impl Shared {
    /// The next order and when it is due, once it is; `None` when the load is over.
    async fn next_order(&self) -> Option<(u64, Instant)> {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        let due = match self.load.rate {
            None => Instant::now(),
            Some(rate) => self.began + Duration::from_nanos(1_000_000_000 / u64::from(rate) * n),
        };
        let is_over = match self.load.until {
            Until::Elapsed(duration) => due >= self.began + duration,
            Until::Orders(orders) => n >= orders,
        };
        if is_over {
            return None;
        }
        if self.load.rate.is_some() {
            tokio::time::sleep_until(due).await;
        }
        Some((n, due))
    }

    /// Returns when no order was begun or accepted for as long as the patience lasts.
    async fn stands_still(&self) {
        let moved = || (self.next.load(Ordering::Relaxed), self.accepted.load(Ordering::Relaxed));
        loop {
            let before = moved();
            tokio::time::sleep(ANSWER_PATIENCE).await;
            if moved() == before {
                return;
            }
        }
    }
}
