//! Settings: where they come from, which win, and what is wrong with them.
//!
//! A flag wins over a `TRADEPOST_*` variable, that over `tradepost.toml`, that over the default.
//! A name that nobody knows is an error, so that a misspelt setting is never silently a default.
//! Everything that is wrong is reported at once.

mod broker;
mod client;
mod environment;
mod errors;
mod keys;
mod parse;
mod secret;
mod sources;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use console::{Address, NotHttp};
use kernel::Shards;
use service::http::{Network, Origin};
use service::setting::Values;
use service::storage::Location;
use tracing_subscriber::filter::Targets;

pub use broker::{BrokerSetting, examples as broker_examples};
pub use client::{ClientSettings, client, health_url};
pub use environment::Environment;
pub use errors::Errors;
pub use secret::Secret;
pub use service::setting::parse::duration;
pub use sources::{Flags, Shown};

use keys::Keys;
use sources::Sources;

use crate::shop::Shop;

/// The settings of a process. Every value is within the bounds that its field names.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder that holds everything; made if it isn't there. Relative to the current folder.
    pub data_dir: PathBuf,
    /// Database URL; it may hold a password. Without it, files in `data_dir`.
    pub store: Option<Secret>,
    /// The message broker.
    pub broker: BrokerSetting,
    /// The address to listen on.
    pub listen: IpAddr,
    /// The port to listen on; 0 takes a free one.
    pub port: u16,
    /// The bound of the first wait before a failed delivery is tried again: 1 ms to 1 m.
    pub retry_base: Duration,
    /// The bound of every such wait: `retry_base` to 24 h.
    pub retry_max: Duration,
    /// Attempts before a delivery is parked: 1 to 100.
    pub retry_attempts: i64,
    /// Handlers that run at once for each consumer and lane: 1 to 256.
    pub workers: usize,
    /// The time that a handler may take before it is cancelled and its delivery retried: 10 s to 15 m.
    pub handler_deadline: Duration,
    /// The time for which the ids of handled events are kept: 1 d to 3650 d.
    pub inbox_retention: Duration,
    /// The greatest age of events that are republished, less than `inbox_retention`: 1 m to 3650 d.
    pub republish_window: Duration,
    /// Partitions of the keys, shared among the instances of a service; fixed when a store is made: 1 to 256.
    pub shards: Shards,
    /// Unsent events in one store before requests are refused: 1 to 1,000,000,000.
    pub outbox_cap: u64,
    /// Writes a second that guests and customers may send from one address: 1 to 1,000,000.
    pub write_limit: u32,
    /// Proxies whose `X-Forwarded-For` is believed, as in `10.0.0.0/8, ::1`: at most 64.
    pub trusted_proxies: Vec<Network>,
    /// Origins whose pages may read answers, as in `https://shop.example`, or `*` for all: at most 64.
    pub cors_origins: Vec<Origin>,
    /// The collector of spans by OTLP over HTTP, as in `http://127.0.0.1:4318`. Without it nothing is traced.
    pub otlp_endpoint: Option<String>,
    /// The share of the traces that begin here which is kept: 0 to 1.
    pub trace_sample: f64,
    /// The filter of log lines, of `tracing-subscriber`, as in `info,orders=debug`.
    pub log: String,
    /// The form of log lines.
    pub log_format: LogFormat,
    /// The token that makes a caller admin: 32 to 1024 visible ASCII characters. Without it one is made at the first
    /// start.
    pub admin_token: Option<Secret>,
    /// The token before the one of now, good beside it while clients change over.
    pub admin_token_previous: Option<Secret>,
    /// Settings that services declare.
    pub services: Values,
    /// The address of each service that runs in another process, as in `http://127.0.0.1:7081`.
    pub peers: BTreeMap<&'static str, Address>,
}

/// Every environment variable that means something to the binary.
pub fn variables(shop: &Shop) -> Vec<String> {
    Keys::of(shop).variables()
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// [`Text`](Self::Text) on a terminal, [`Json`](Self::Json) otherwise.
    Auto,
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The settings, and where each came from.
#[derive(Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// All of them in the order of the documentation, secrets hidden.
    pub shown: Vec<Shown>,
}

impl Loaded {
    /// True if nobody has set this.
    pub fn is_default(&self, key: &str) -> bool {
        self.shown.iter().any(|shown| shown.key == key && shown.origin == sources::DEFAULT)
    }
}

/// Reads the settings from all sources. `file` is the one that a flag names, if any.
pub fn load(shop: &Shop, flags: &Flags, file: Option<&Path>, environment: &Environment) -> Result<Loaded, Errors> {
    let keys = Keys::of(shop);
    let mut sources = Sources::gather(&keys, flags, file, environment);
    let settings = read(shop, &keys, &mut sources);
    if settings.retry_base > settings.retry_max {
        sources.errors.add("retry_max: it is shorter than retry_base");
    }
    if settings.republish_window >= settings.inbox_retention {
        sources
            .errors
            .add("republish_window: it must be shorter than inbox_retention, or events would take effect twice");
    }
    let shown = sources.shown();
    sources.errors.into_result(Loaded { settings, shown })
}

/// A value that is refused is noted and stands as its default, so that the ones after it are checked too.
fn read(shop: &Shop, keys: &Keys, sources: &mut Sources) -> Settings {
    const SECOND: Duration = Duration::from_secs(1);
    const MINUTE: Duration = Duration::from_mins(1);
    const DAY: Duration = Duration::from_hours(24);
    let rate = |text: &str| parse::whole(text, 1..=1_000_000);
    Settings {
        data_dir: sources.read(&keys::DATA_DIR, |text| parse::text(text, 4096).map(PathBuf::from)),
        store: sources.secret(&keys::STORE, |text| parse::store(text).map(drop)),
        broker: broker(shop, sources),
        listen: sources.read(&keys::LISTEN, parse::address),
        port: sources.read(&keys::PORT, |text| parse::whole(text, 0..=u16::MAX)),
        retry_base: sources.read(&keys::RETRY_BASE, |text| parse::duration(text, Duration::from_millis(1)..=MINUTE)),
        retry_max: sources.read(&keys::RETRY_MAX, |text| parse::duration(text, Duration::from_millis(1)..=DAY)),
        retry_attempts: sources.read(&keys::RETRY_ATTEMPTS, |text| parse::whole(text, 1..=100)),
        workers: sources.read(&keys::WORKERS, |text| parse::whole(text, 1..=256)),
        handler_deadline: sources
            .read(&keys::HANDLER_DEADLINE, |text| parse::duration(text, 10 * SECOND..=15 * MINUTE)),
        inbox_retention: sources.read(&keys::INBOX_RETENTION, |text| parse::duration(text, DAY..=3650 * DAY)),
        republish_window: sources.read(&keys::REPUBLISH_WINDOW, |text| parse::duration(text, MINUTE..=3650 * DAY)),
        shards: sources.read(&keys::SHARDS, parse::shards),
        outbox_cap: sources.read(&keys::OUTBOX_CAP, |text| parse::whole(text, 1..=1_000_000_000)),
        write_limit: sources.read(&keys::WRITE_LIMIT, rate),
        trusted_proxies: sources.read(&keys::TRUSTED_PROXIES, parse::networks),
        cors_origins: sources.read(&keys::CORS_ORIGINS, parse::origins),
        otlp_endpoint: sources.read(&keys::OTLP_ENDPOINT, parse::endpoint),
        trace_sample: sources.read(&keys::TRACE_SAMPLE, parse::share),
        log: sources.read(&keys::LOG, filter),
        log_format: sources.read(&keys::LOG_FORMAT, log_format),
        admin_token: sources.secret(&keys::ADMIN_TOKEN, parse::token),
        admin_token_previous: sources.secret(&keys::ADMIN_TOKEN_PREVIOUS, parse::token),
        services: sources.declared(),
        peers: peers(keys, sources),
    }
}

fn broker(shop: &Shop, sources: &mut Sources) -> BrokerSetting {
    let named = sources.secret(&keys::BROKER, |text| BrokerSetting::parse(shop, text).map(drop));
    let named = named.and_then(|url| BrokerSetting::parse(shop, url.reveal()).ok());
    named.unwrap_or_else(|| BrokerSetting::of_default(shop))
}

fn peers(keys: &Keys, sources: &mut Sources) -> BTreeMap<&'static str, Address> {
    let mut address = |key: &'static keys::Key| {
        let service = key.name.split_once('.').map_or(key.name, |(_, service)| service);
        (service, sources.read(key, |text| text.parse().map_err(|error: NotHttp| error.to_string())))
    };
    keys.peers().map(&mut address).collect()
}

impl Settings {
    /// The database URL.
    pub fn location(&self) -> Location {
        let named = self.store.as_ref().and_then(|store| parse::store(store.reveal()).ok());
        named.unwrap_or_else(|| Location::Folder(self.data_dir.clone()))
    }
}

fn filter(text: &str) -> Result<String, String> {
    text.parse::<Targets>().map_err(|error| format!("a filter as in info,orders=debug ({error})"))?;
    Ok(text.to_owned())
}

fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "auto" => Ok(LogFormat::Auto),
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("auto, text or json".to_owned()),
    }
}

#[cfg(test)]
mod tests;
