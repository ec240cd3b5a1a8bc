//! The names of the settings and their defaults: each stands here once, or in the service that declares it.

use service::setting::AnySetting;

use crate::shop::{CONSOLE, Shop};

/// A setting that a user can name.
#[derive(Debug)]
pub(super) struct Key {
    /// The name in `tradepost.toml`; in a table, that of the table stands before it, as in `peers.users`.
    pub name: &'static str,
    /// The value if nobody sets it; `None` for what may be absent.
    pub default: Option<&'static str>,
    /// Secrets are never shown, and come from a variable or from a file of their own.
    pub is_secret: bool,
}

impl Key {
    const fn new(name: &'static str, default: &'static str) -> Self {
        Self { name, default: Some(default), is_secret: false }
    }

    const fn secret(name: &'static str) -> Self {
        Self { name, default: None, is_secret: true }
    }

    /// The environment variable that sets it.
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.name.replace('.', "_").to_uppercase())
    }

    /// The setting that names the file that holds this secret.
    pub fn file_name(&self) -> String {
        format!("{}_file", self.name)
    }

    /// The environment variable that names the file that holds this secret.
    pub fn file_variable(&self) -> String {
        format!("{}_FILE", self.variable())
    }
}

/// The prefix of our variables.
pub(super) const PREFIX: &str = "TRADEPOST_";

/// Names the configuration file.
pub(super) const CONFIG_VARIABLE: &str = "TRADEPOST_CONFIG";

/// The variable with the server's URL, for the client commands.
pub(super) const URL_VARIABLE: &str = "TRADEPOST_URL";

pub(super) const DATA_DIR: Key = Key::new("data_dir", "./tradepost-data");
pub(super) const STORE: Key = Key::secret("store");
pub(super) const BROKER: Key = Key::secret("broker");
pub(super) const LISTEN: Key = Key::new("listen", "127.0.0.1");
pub(super) const PORT: Key = Key::new("port", "8080");
pub(super) const RETRY_BASE: Key = Key::new("retry_base", "200ms");
pub(super) const RETRY_MAX: Key = Key::new("retry_max", "5m");
pub(super) const RETRY_ATTEMPTS: Key = Key::new("retry_attempts", "10");
pub(super) const WORKERS: Key = Key::new("workers", "8");
pub(super) const HANDLER_DEADLINE: Key = Key::new("handler_deadline", "2m");
pub(super) const INBOX_RETENTION: Key = Key::new("inbox_retention", "14d");
pub(super) const REPUBLISH_WINDOW: Key = Key::new("republish_window", "7d");
pub(super) const SHARDS: Key = Key::new("shards", "8");
pub(super) const OUTBOX_CAP: Key = Key::new("outbox_cap", "1000000");
pub(super) const WRITE_LIMIT: Key = Key::new("write_limit", "100");
pub(super) const TRUSTED_PROXIES: Key = Key::new("trusted_proxies", "");
pub(super) const CORS_ORIGINS: Key = Key::new("cors_origins", "");
pub(super) const OTLP_ENDPOINT: Key = Key::new("otlp_endpoint", "");
pub(super) const TRACE_SAMPLE: Key = Key::new("trace_sample", "1");
pub(super) const LOG: Key = Key::new("log", "info");
pub(super) const LOG_FORMAT: Key = Key::new("log_format", "auto");
pub(super) const ADMIN_TOKEN: Key = Key::secret("admin_token");
pub(super) const ADMIN_TOKEN_PREVIOUS: Key = Key::secret("admin_token_previous");

/// The settings of every shop but those of tables, in the order in which they are shown.
pub(super) const ALL: &[&Key] = &[
    &DATA_DIR,
    &STORE,
    &BROKER,
    &LISTEN,
    &PORT,
    &RETRY_BASE,
    &RETRY_MAX,
    &RETRY_ATTEMPTS,
    &WORKERS,
    &HANDLER_DEADLINE,
    &INBOX_RETENTION,
    &REPUBLISH_WINDOW,
    &SHARDS,
    &OUTBOX_CAP,
    &WRITE_LIMIT,
    &TRUSTED_PROXIES,
    &CORS_ORIGINS,
    &OTLP_ENDPOINT,
    &TRACE_SAMPLE,
    &LOG,
    &LOG_FORMAT,
    &ADMIN_TOKEN,
    &ADMIN_TOKEN_PREVIOUS,
];

/// The table of the addresses of the services that run in other processes.
pub(super) const PEERS_TABLE: &str = "peers";

/// The settings of a shop: those of every shop, those that its services declare, and one for each service, the address at
/// which the console finds it where it runs in another process.
pub(super) struct Keys {
    declared: Vec<(&'static Key, &'static dyn AnySetting)>,
    peers: Vec<&'static Key>,
}

impl Keys {
    pub fn of(shop: &Shop) -> Self {
        // A process reads its settings once, so it leaks a few of these at most.
        let key = |key| -> &'static Key { Box::leak(Box::new(key)) };
        let peer = |(name, port): (&str, u16)| -> &'static Key {
            let name = format!("{PEERS_TABLE}.{name}").leak();
            let default = format!("http://127.0.0.1:{port}").leak();
            key(Key::new(name, default))
        };
        let declared = |setting: &'static dyn AnySetting| {
            let default = setting.default();
            (key(Key { name: setting.name(), default, is_secret: default.is_none() }), setting)
        };
        Self {
            declared: shop.settings().map(declared).collect(),
            peers: shop.ports().filter(|(name, _)| *name != CONSOLE).map(peer).collect(),
        }
    }

    /// The settings that services declare.
    pub fn declared(&self) -> impl Iterator<Item = (&'static Key, &'static dyn AnySetting)> {
        self.declared.iter().copied()
    }

    /// The settings of the addresses.
    pub fn peers(&self) -> impl Iterator<Item = &'static Key> {
        self.peers.iter().copied()
    }

    /// All settings, those of the services behind those of every shop.
    pub fn all(&self) -> impl Iterator<Item = &'static Key> {
        ALL.iter().copied().chain(self.declared().map(|(key, _)| key)).chain(self.peers())
    }

    /// Every variable that means something.
    pub fn variables(&self) -> Vec<String> {
        let mut names = vec![CONFIG_VARIABLE.to_owned(), URL_VARIABLE.to_owned()];
        for key in self.all() {
            names.push(key.variable());
            if key.is_secret {
                names.push(key.file_variable());
            }
        }
        names
    }

    /// Every name that `tradepost.toml` may hold: secrets only by the file that holds them.
    pub fn file_names(&self) -> Vec<String> {
        self.all().map(|key| if key.is_secret { key.file_name() } else { key.name.to_owned() }).collect()
    }
}
