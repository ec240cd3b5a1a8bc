//! The calls of endpoints: bounded in time and in what is read, and never into the shop's own network.

use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, FutureExt};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Response, redirect};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use url::Url;

use crate::address::{self, Place};
use crate::message;
use crate::settings::Settings;

/// The time in which an endpoint must take a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// Connections are kept for less long than most servers keep them.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// Bytes of an answer that are read and kept.
const ANSWER_BYTES_MAX: usize = 4 * 1024;

/// Headers of an answer that are kept.
const HEADERS_MAX: usize = 32;

/// Bytes of a header's value that are kept.
const HEADER_BYTES_MAX: usize = 256;

/// Resolves names. In tests another one than the system's.
type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

/// A message with its signatures.
#[derive(Clone, Debug)]
pub(crate) struct Signed<'a> {
    pub url: &'a str,
    pub id: String,
    pub timestamp: i64,
    pub signature: &'a str,
    pub body: String,
}

/// The answer of an endpoint, or the reason why there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub status: Option<u16>,
    pub headers: Vec<(String, String)>,
    /// Its first 4 KiB.
    pub body: Option<String>,
    /// `None` if the endpoint took the message.
    pub error: Option<String>,
    pub duration: Duration,
}

/// The reason why nothing is sent to an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    /// It leads into a network that is not public.
    NotPublic,
    /// Its name can't be resolved.
    Unresolved(String),
}

/// Sends messages. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub(crate) struct Sender {
    settings: Settings,
    lookup: Lookup,
    /// Made for the first message, for it reads the system's certificates.
    client: Arc<OnceLock<Result<Client, String>>>,
}

impl Sender {
    pub fn new(settings: Settings) -> Self {
        Self::with_lookup(settings, Arc::new(|name| resolve(name).boxed()))
    }

    fn with_lookup(settings: Settings, lookup: Lookup) -> Self {
        Self { settings, lookup, client: Arc::default() }
    }

    /// Refuses an address to which nothing may be sent, by all that it leads to now.
    pub async fn check(&self, url: &Url) -> Result<(), Closed> {
        match address::place(url, self.settings.allows_loopback).ok_or(Closed::NotPublic)? {
            Place::Address(_) => Ok(()),
            Place::Name(name) => {
                let found = public((self.lookup)(name), self.settings.allows_loopback);
                let found = tokio::time::timeout(CONNECT_WITHIN, found).await;
                found.unwrap_or_else(|_| Err(Closed::Unresolved("no answer in time".to_owned()))).map(drop)
            }
        }
    }

    /// Sends a message, once.
    pub async fn send(&self, message: Signed<'_>) -> Answer {
        let began = Instant::now();
        let answer = self.call(message, began + self.settings.timeout).await;
        Answer { duration: began.elapsed(), ..answer }
    }

    async fn call(&self, message: Signed<'_>, deadline: Instant) -> Answer {
        let failed = |error: String| Answer { error: Some(error), ..Answer::default() };
        // Addresses that are written as numbers are never resolved, so they are checked here.
        let Some(url) = address::parse(message.url) else { return failed("the address is malformed".to_owned()) };
        if address::place(&url, self.settings.allows_loopback).is_none() {
            return failed(not_public(url.host_str().unwrap_or_default()));
        }
        let client = match self.client.get_or_init(|| self.make_client()) {
            Ok(client) => client,
            Err(error) => return failed(format!("no client could be made: {error}")),
        };
        let request = client
            .post(url)
            .header(CONTENT_TYPE, message::CONTENT_TYPE)
            .header("webhook-id", message.id)
            .header("webhook-timestamp", message.timestamp)
            .header("webhook-signature", message.signature)
            .body(message.body);
        match tokio::time::timeout_at(deadline.into(), request.send()).await {
            Ok(Ok(response)) => read(response, deadline).await,
            Ok(Err(error)) => failed(reason(&error)),
            Err(_) => failed(format!("no answer within {:?}", self.settings.timeout)),
        }
    }

    fn make_client(&self) -> Result<Client, String> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let names = PublicNames { lookup: self.lookup.clone(), allows_loopback: self.settings.allows_loopback };
        Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(concat!("Tradepost-Webhooks/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_WITHIN)
            .pool_idle_timeout(IDLE_MAX)
            .tcp_nodelay(true)
            .redirect(redirect::Policy::none())
            .referer(false)
            // A proxy would connect to what was not checked here.
            .no_proxy()
            .dns_resolver(names)
            .build()
            .map_err(|error| error.to_string())
    }
}

/// The names of public places: the client connects to no address but those that it gets here.
struct PublicNames {
    lookup: Lookup,
    allows_loopback: bool,
}

impl Resolve for PublicNames {
    fn resolve(&self, name: Name) -> Resolving {
        let found = (self.lookup)(name.as_str().to_owned());
        let (name, allows_loopback) = (name.as_str().to_owned(), self.allows_loopback);
        Box::pin(async move {
            let found = public(found, allows_loopback).await.map_err(|closed| match closed {
                Closed::NotPublic => not_public(&name),
                Closed::Unresolved(reason) => format!("{name} can't be resolved: {reason}"),
            })?;
            let addresses: Addrs = Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

/// The addresses that were found, if all of them are public: of a name that leads to both, nobody knows which is meant.
async fn public(
    found: BoxFuture<'static, io::Result<Vec<IpAddr>>>,
    allows_loopback: bool,
) -> Result<Vec<IpAddr>, Closed> {
    let found = found.await.map_err(|error| Closed::Unresolved(error.to_string()))?;
    if found.is_empty() {
        return Err(Closed::Unresolved("it has no addresses".to_owned()));
    }
    let are_allowed = found.iter().all(|found| address::is_allowed(*found, allows_loopback));
    if are_allowed { Ok(found) } else { Err(Closed::NotPublic) }
}

async fn resolve(name: String) -> io::Result<Vec<IpAddr>> {
    Ok(tokio::net::lookup_host((name, 0)).await?.map(|found| found.ip()).collect())
}

fn not_public(place: &str) -> String {
    format!("{place} is not a public address: nothing is sent there")
}

/// Reads the beginning of an answer. The rest is not waited for, and its connection is closed with it.
async fn read(mut response: Response, deadline: Instant) -> Answer {
    let status = response.status();
    let headers = kept(response.headers());
    let mut body = Vec::new();
    let mut broken = None;
    while body.len() < ANSWER_BYTES_MAX {
        match tokio::time::timeout_at(deadline.into(), response.chunk()).await {
            Ok(Ok(Some(chunk))) => body.extend_from_slice(&chunk[..chunk.len().min(ANSWER_BYTES_MAX - body.len())]),
            Ok(Ok(None)) => break,
            Ok(Err(error)) => {
                broken = Some(format!("the answer broke off: {}", reason(&error)));
                break;
            }
            Err(_) => {
                broken = Some("the answer did not end in time".to_owned());
                break;
            }
        }
    }
    let error = match status {
        status if status.is_success() => broken,
        status if status.is_redirection() => Some(format!("answered {}: redirects are not followed", status.as_u16())),
        status => Some(format!("answered {}", status.as_u16())),
    };
    Answer { status: Some(status.as_u16()), headers, body: Some(storable(&body)), error, duration: Duration::ZERO }
}

fn kept(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &[u8]| storable(&value[..value.len().min(HEADER_BYTES_MAX)]);
    headers.iter().take(HEADERS_MAX).map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect()
}

/// Foreign bytes as a text that every store takes.
fn storable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace('\0', "\u{fffd}")
}

/// The innermost reason: the others repeat the address, which may hold a secret.
fn reason(error: &reqwest::Error) -> String {
    let mut reason: &dyn Error = error;
    while let Some(inner) = reason.source() {
        reason = inner;
    }
    let what = if error.is_connect() { "no connection" } else { "no answer" };
    let text: String = reason.to_string().chars().filter(|c| !c.is_control()).take(HEADER_BYTES_MAX).collect();
    format!("{what}: {text}")
}

#[cfg(test)]
mod tests;
