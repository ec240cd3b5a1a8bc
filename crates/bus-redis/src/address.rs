//! The address of the broker, and the user to connect as.

use std::{fmt, fs};

use redis::io::tcp::TcpSettings;
use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo, RedisResult};
use url::Url;

use crate::error::ConfigError;

/// Redis's port, as a rule.
const PORT: u16 = 6379;

/// The user of a server that has no others.
const DEFAULT_USER: &str = "default";

/// Entries that a stream may have, unless the URL says otherwise: of a kilobyte each they take a gigabyte.
const QUEUE_MAX: u64 = 1_000_000;

/// The commands that are used. Those that only inform may be forbidden: CONFIG, CLIENT, and `ACL GETUSER`.
const COMMANDS: [&str; 17] = [
    "+@connection",
    "+info",
    "+config|get",
    "+eval",
    "+evalsha",
    "+script|load",
    "+type",
    "+@stream",
    "+hget",
    "+hset",
    "+hdel",
    "+hkeys",
    "+get",
    "+set",
    "+del",
    "+pexpire",
    "+wait",
];

/// The broker's place, the credentials for it, and its use there. Prints as anything but the password.
#[derive(Clone)]
pub(crate) struct Address {
    host: String,
    port: u16,
    is_encrypted: bool,
    user: Option<String>,
    password: Option<String>,
    database: i64,
    prefix: String,
    wait_replicas: u32,
    queue_max: u64,
    /// Certificates, as PEM, of the authorities that are trusted in the place of the system's.
    authorities: Option<String>,
}

impl Address {
    /// Takes `redis://` and `rediss://` with the parameters `prefix`, `wait_replicas`, `queue_max` and `cacertfile`.
    pub fn parse(url: &str) -> Result<Self, ConfigError> {
        Self::parse_in(url, cfg!(feature = "tls"))
    }

    /// The same in a program that was built with TLS or without it.
    fn parse_in(url: &str, has_tls: bool) -> Result<Self, ConfigError> {
        let url: Url = url.parse().map_err(|error: url::ParseError| wrong(error.to_string()))?;
        let is_encrypted = match url.scheme() {
            "redis" => false,
            "rediss" => true,
            _ => return Err(wrong("it begins with neither redis:// nor rediss://".to_owned())),
        };
        if is_encrypted && !has_tls {
            return Err(ConfigError::NoTls);
        }
        let host = match url.host() {
            // In brackets it is no address to connect to.
            Some(url::Host::Ipv6(host)) => host.to_string(),
            Some(host) => host.to_string(),
            None => return Err(wrong("it has no host".to_owned())),
        };
        let database = match url.path().trim_matches('/') {
            "" => 0,
            number => number.parse().map_err(|_| wrong("its database is no number".to_owned()))?,
        };
        let user = Some(decoded(url.username())?).filter(|user| !user.is_empty());
        let password = url.password().map(decoded).transpose()?;
        let mut address = Self {
            host,
            port: url.port().unwrap_or(PORT),
            is_encrypted,
            user,
            password,
            database,
            prefix: String::new(),
            wait_replicas: 0,
            queue_max: QUEUE_MAX,
            authorities: None,
        };
        for (name, value) in url.query_pairs() {
            address.set(&name, &value)?;
        }
        Ok(address)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), ConfigError> {
        let wrong_number = |_| wrong(format!("its {name} is no number that can be used"));
        match name {
            "prefix" => value.clone_into(&mut self.prefix),
            "wait_replicas" => self.wait_replicas = value.parse().map_err(wrong_number)?,
            "queue_max" => self.queue_max = value.parse().map_err(wrong_number)?,
            "cacertfile" => self.authorities = Some(certificates(value, self.is_encrypted)?),
            _ => {
                return Err(wrong(
                    "it has a parameter that is not prefix, wait_replicas, queue_max or cacertfile".into(),
                ));
            }
        }
        Ok(())
    }

    /// A client that is not connected yet.
    pub fn client(&self) -> RedisResult<Client> {
        let mut settings =
            RedisConnectionInfo::default().set_db(self.database).set_lib_name("tradepost", env!("CARGO_PKG_VERSION"));
        if let Some(user) = &self.user {
            settings = settings.set_username(user);
        }
        if let Some(password) = &self.password {
            settings = settings.set_password(password);
        }
        // What is written is whole: waiting for more only makes it late.
        let tcp = TcpSettings::default().set_nodelay(true);
        let info = self.target().into_connection_info()?.set_redis_settings(settings).set_tcp_settings(tcp);
        self.open(info)
    }

    #[cfg(feature = "tls")]
    fn open(&self, info: ConnectionInfo) -> RedisResult<Client> {
        match &self.authorities {
            Some(authorities) => {
                let root_cert = Some(authorities.clone().into_bytes());
                Client::build_with_tls(info, redis::TlsCertificates { client_tls: None, root_cert })
            }
            None => Client::open(info),
        }
    }

    #[cfg(not(feature = "tls"))]
    #[expect(clippy::unused_self, reason = "with TLS it has certificates")]
    fn open(&self, info: ConnectionInfo) -> RedisResult<Client> {
        Client::open(info)
    }

    fn target(&self) -> ConnectionAddr {
        let (host, port) = (self.host.clone(), self.port);
        if self.is_encrypted {
            ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
        } else {
            ConnectionAddr::Tcp(host, port)
        }
    }

    pub fn user(&self) -> &str {
        self.user.as_deref().unwrap_or(DEFAULT_USER)
    }

    pub fn database(&self) -> i64 {
        self.database
    }

    /// The beginning of every key.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Number of replicas that must have an entry before it counts as stored.
    pub fn wait_replicas(&self) -> u32 {
        self.wait_replicas
    }

    /// Number of entries that a stream may have.
    pub fn queue_max(&self) -> u64 {
        self.queue_max
    }

    /// The rights that a user needs, as `ACL SETUSER` takes them.
    pub fn rights(&self) -> String {
        format!("~{}tradepost.* {}", self.prefix, COMMANDS.join(" "))
    }

    pub fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

fn wrong(detail: String) -> ConfigError {
    ConfigError::Url { detail }
}

/// The text of a part of a URL in which `%40` may stand for `@`.
fn decoded(part: &str) -> Result<String, ConfigError> {
    // A form's value is written so too, but for these.
    let form = part.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    let mut texts = url::form_urlencoded::parse(form.as_bytes()).map(|(text, _)| text.into_owned());
    match (texts.next(), texts.next()) {
        (None, _) => Ok(String::new()),
        (Some(text), None) if !text.contains('\u{fffd}') => Ok(text),
        _ => Err(wrong("its user or password has a character that must be written as %XX".to_owned())),
    }
}

fn certificates(path: &str, is_encrypted: bool) -> Result<String, ConfigError> {
    let failed = |detail: String| ConfigError::Certificates { path: path.to_owned(), detail };
    if !is_encrypted {
        return Err(failed("it goes with rediss://".to_owned()));
    }
    let pem = fs::read_to_string(path).map_err(|error| failed(format!("it can't be read: {error}")))?;
    if pem.contains("BEGIN CERTIFICATE") { Ok(pem) } else { Err(failed("it holds no certificate".to_owned())) }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_encrypted { "rediss" } else { "redis" };
        write!(f, "{scheme}://{}@{}/{}", self.user(), self.place(), self.database)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_not_printed() {
        let address = Address::parse("redis://shop:hunter2@127.0.0.1:7000/3?prefix=a:&wait_replicas=1").unwrap();
        assert_eq!(format!("{address:?}"), "redis://shop@127.0.0.1:7000/3");
        assert_eq!((address.prefix(), address.wait_replicas(), address.database()), ("a:", 1, 3));
        assert!(!address.rights().contains("hunter2"));
    }

    #[test]
    fn a_user_and_a_password_may_have_any_character() {
        let address = Address::parse("redis://a%40b:p%2Fw+d%26%3D%25@[::1]").unwrap();
        assert_eq!((address.user(), address.password.as_deref()), ("a@b", Some("p/w+d&=%")));
        assert_eq!(address.place(), "::1:6379");
        let address = Address::parse("redis://localhost").unwrap();
        assert_eq!((address.user(), &address.password), ("default", &None));
    }

    #[test]
    fn a_url_that_is_none_is_refused_without_being_shown() {
        for url in [
            "",
            "hunter2",
            "http://hunter2@localhost",
            "redis://u:hunter2@host:notaport",
            "redis://u:hunter2@host/hunter2",
            "redis://u:hunter2@host?wait_replicas=hunter2",
            "redis://u:p@host?hunter2=1",
            "redis://u:%ff%fe@host",
        ] {
            let error = Address::parse(url).unwrap_err();
            assert!(matches!(error, ConfigError::Url { .. }), "{url}: {error:?}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn certificates_are_for_connections_with_tls() {
        let error = Address::parse("redis://u:hunter2@localhost?cacertfile=ca.pem").unwrap_err();
        assert_eq!(error.to_string(), "cacertfile ca.pem: it goes with rediss://");
    }

    #[test]
    fn encryption_that_was_left_out_is_said_to_be_missing() {
        let error = Address::parse_in("rediss://localhost", false).unwrap_err();
        assert!(error.to_string().contains("`redis-tls`"), "{error}");
        assert!(Address::parse_in("rediss://localhost", true).is_ok());
    }
}
