//! Address of a server: the URL, TLS, patience.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use super::tls::{Tls, Trust};

/// Longest wait for a server that is down at the start.
const PATIENCE: Duration = Duration::from_secs(30);

/// Connections that read, for each service; one more writes. Each carries many reads at once.
const READERS: usize = 2;

/// Placeholder in a URL for the service's name, where each has a database of its own.
const SERVICE: &str = "{service}";

/// A name that no service has.
const PLACEHOLDER: &str = "service-of-any-name";

/// A PostgreSQL server and the database on it that holds the stores: one for all services, or one for each where the
/// URL has `{service}` in it. `Debug` and `Display` never show the password.
#[derive(Clone)]
pub struct Server {
    pub(super) config: Arc<Config>,
    pub(super) tls: Tls,
    pub(super) patience: Duration,
    pub(super) readers: usize,
    /// The end of the name of each schema, behind the service's.
    pub(super) schema_suffix: &'static str,
    shown: Arc<str>,
    /// The URL of databases apart, in which the service's name is still to be filled in.
    template: Option<Arc<str>>,
}

/// The text is no URL of a PostgreSQL database that Tradepost can use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a PostgreSQL URL as in postgres://user:password@host:5432/database?sslmode=verify-full: {0}")]
pub struct BadUrl(String);

impl Server {
    /// Waits at most this long for a server that is down at the start. The default is 30 s.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The longest wait for a server that is down at the start.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// The name of a service's schema.
    pub(super) fn schema(&self, service: &str) -> String {
        format!("{service}{}", self.schema_suffix)
    }

    /// Reads over this many connections for each service, at least 1. The default is 2.
    #[must_use]
    pub fn with_readers(mut self, readers: usize) -> Self {
        self.readers = readers.max(1);
        self
    }

    /// True if each service has a database of its own.
    pub fn is_apart(&self) -> bool {
        self.template.is_some()
    }

    /// The location of a service's store.
    ///
    /// # Errors
    ///
    /// If the URL is none with this name in it.
    pub fn of(&self, service: &str) -> Result<Self, BadUrl> {
        let Some(template) = &self.template else { return Ok(self.clone()) };
        let server: Self = template.replace(SERVICE, service).parse()?;
        Ok(server.with_patience(self.patience).with_readers(self.readers))
    }
}

impl FromStr for Server {
    type Err = BadUrl;

    /// Takes what libpq takes, and of `sslmode` also `verify-full`, with `sslrootcert` for an authority of one's own.
    /// `{service}` anywhere in it stands for the name of a service: see [`Server::of`].
    fn from_str(url: &str) -> Result<Self, Self::Err> {
        if url.contains(SERVICE) {
            // Braces have no place in a URL, so it is read with a name in their place, and shown with them.
            let server: Self = url.replace(SERVICE, PLACEHOLDER).parse()?;
            let shown = server.shown.replace(PLACEHOLDER, SERVICE).into();
            return Ok(Self { template: Some(url.into()), shown, ..server });
        }
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(BadUrl("it begins with postgres://".to_owned()));
        }
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let mut kept = Vec::new();
        let (mut mode, mut root) = ("prefer", None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sslmode", value)) => mode = value,
                Some(("sslrootcert", value)) => root = Some(value.to_owned()),
                _ => kept.push(pair),
            }
        }
        let plain = if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) };
        let mut config: Config = plain.parse().map_err(|error: tokio_postgres::Error| BadUrl(cause_of(&error)))?;
        let (ssl_mode, trust) = match (mode, root) {
            ("disable", None) => (SslMode::Disable, Trust::Anyone),
            ("prefer" | "allow", None) => (SslMode::Prefer, Trust::Anyone),
            ("require", None) => (SslMode::Require, Trust::Anyone),
            ("verify-full", None) => (SslMode::Require, Trust::System),
            ("verify-full", Some(file)) => (SslMode::Require, Trust::File(file)),
            (_, Some(_)) => return Err(BadUrl("sslrootcert goes with sslmode=verify-full".to_owned())),
            (other, None) => {
                return Err(BadUrl(format!("sslmode {other:?} is none of disable, prefer, require, verify-full")));
            }
        };
        config.ssl_mode(ssl_mode);
        if config.get_dbname().is_none() {
            return Err(BadUrl("the name of the database is missing at its end".to_owned()));
        }
        let tls = Tls::new(&trust).map_err(BadUrl)?;
        let shown = shown(&config).into();
        Ok(Self {
            config: Arc::new(config),
            tls,
            patience: PATIENCE,
            readers: READERS,
            schema_suffix: "",
            shown,
            template: None,
        })
    }
}

/// The text of an error and of what caused it: the driver's own text leaves the causes out.
pub(super) fn cause_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = cause.source();
    }
    text
}

/// Host, port and database, without user and password.
fn shown(config: &Config) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        Some(Host::Unix(path)) => path.display().to_string(),
        None => "localhost".to_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    format!("postgres://{host}:{port}/{}", config.get_dbname().unwrap_or_default())
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_password() {
        let server: Server = "postgres://ada:s3cret@db.example:6432/shop?sslmode=disable".parse().unwrap();
        assert_eq!(server.to_string(), "postgres://db.example:6432/shop");
        assert!(!format!("{server:?}").contains("s3cret"));
    }

    #[test]
    fn each_service_has_its_own_database_where_the_url_says_so() {
        let servers: Server = "postgres://{service}:s3cret@db.example/shop_{service}".parse().unwrap();
        assert!(servers.is_apart());
        assert_eq!(servers.to_string(), "postgres://db.example:5432/shop_{service}");
        let orders = servers.with_readers(5).of("orders").unwrap();
        assert_eq!((orders.to_string().as_str(), orders.readers), ("postgres://db.example:5432/shop_orders", 5));
        assert_eq!(orders.config.get_user(), Some("orders"));
        let one: Server = "postgres://db.example/shop".parse().unwrap();
        assert!(!one.is_apart());
        assert_eq!(one.of("orders").unwrap().to_string(), one.to_string());
    }

    #[test]
    fn what_can_not_be_used_is_refused_with_a_reason() {
        for (url, reason) in [
            ("mysql://localhost/shop", "begins with postgres://"),
            ("postgres://localhost", "name of the database"),
            ("postgres://localhost/shop?sslmode=maybe", "none of disable"),
            ("postgres://localhost/shop?sslrootcert=ca.pem", "goes with sslmode=verify-full"),
            ("postgres://localhost/shop?sslmode=verify-full&sslrootcert=/nowhere/ca.pem", "/nowhere/ca.pem"),
            ("postgres://localhost:port/shop", "invalid"),
        ] {
            let refused = url.parse::<Server>().unwrap_err().to_string();
            assert!(refused.contains(reason), "{url}: {refused}");
        }
    }
}
