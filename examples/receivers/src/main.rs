//! Receives webhooks of Tradepost: verifies each, drops repetitions, answers 204.
//!
//! ```text
//! WEBHOOK_SECRET=whsec_… receiver 9001
//! ```

mod signature;

use std::collections::{HashSet, VecDeque};
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
use signature::Secret;
use tokio::net::TcpListener;
use tokio::sync::Mutex;

/// Far more than an event has.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Ids that are remembered. Keep them in your database if a repetition after a restart does harm.
const IDS_KEPT: usize = 10_000;

struct Receiver {
    secret: Secret,
    handled: Mutex<Handled>,
}

/// Ids of events that were handled, and their order.
#[derive(Default)]
struct Handled {
    ids: HashSet<String>,
    order: VecDeque<String>,
}

impl Handled {
    fn add(&mut self, id: String) {
        self.order.push_back(id.clone());
        self.ids.insert(id);
        if self.order.len() > IDS_KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
    }
}

/// Answers 204 if an event was handled, now or before; anything else, and the shop sends it again.
async fn receive(State(receiver): State<Arc<Receiver>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let Some(id) = receiver.secret.genuine_id(&headers, &body, now()) else { return StatusCode::UNAUTHORIZED };
    // One at a time: two repetitions that arrive together are not both handled.
    let mut handled = receiver.handled.lock().await;
    if !handled.ids.contains(&id) {
        if let Err(error) = handle(&id, &body).await {
            let _ = writeln!(io::stderr(), "{id} was not handled: {error}");
            return StatusCode::INTERNAL_SERVER_ERROR;
        }
        handled.add(id);
    }
    StatusCode::NO_CONTENT
}

/// The time in seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "a program of a user, which has no clock of Tradepost")]
fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The work of the receiver: here it prints the event's type.
async fn handle(id: &str, body: &[u8]) -> io::Result<()> {
    let event: Value = serde_json::from_slice(body)?;
    writeln!(io::stdout(), "{id} {}", event["type"].as_str().unwrap_or_default())
}

/// The secret that the shop showed when the endpoint was made.
#[expect(clippy::disallowed_methods, reason = "a program of a user, which has no configuration of Tradepost")]
fn secret() -> Option<Secret> {
    std::env::var("WEBHOOK_SECRET").ok().and_then(|text| Secret::from_text(&text))
}

#[tokio::main]
async fn main() -> ExitCode {
    let secret = secret();
    let port = std::env::args().nth(1).and_then(|port| port.parse::<u16>().ok());
    let (Some(secret), Some(port)) = (secret, port) else {
        let _ = writeln!(io::stderr(), "usage: WEBHOOK_SECRET=whsec_… receiver PORT");
        return ExitCode::from(2);
    };
    match serve(secret, port).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "port {port} can't be served: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(secret: Secret, port: u16) -> io::Result<()> {
    let receiver = Arc::new(Receiver { secret, handled: Mutex::default() });
    let routes = Router::new().route("/", post(receive)).with_state(receiver);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    writeln!(io::stderr(), "listening on http://{}", listener.local_addr()?)?;
    axum::serve(listener, routes.layer(DefaultBodyLimit::max(BODY_BYTES_MAX))).await
}
