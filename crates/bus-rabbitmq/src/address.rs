//! The address of the broker, and the user to connect as.

use std::{fmt, fs};

use lapin::tcp::OwnedTLSConfig;
use lapin::uri::{AMQPScheme, AMQPUri};

use crate::error::ConfigError;

/// Seconds between heartbeats. A connection over which nothing arrives for twice as long is closed, so this bounds
/// the time until a broker that vanished is noticed.
const HEARTBEAT_SECONDS: u16 = 10;

/// The broker's place and the credentials for it. Prints as anything but the password.
#[derive(Clone)]
pub(crate) struct Address {
    uri: AMQPUri,
    /// Certificates, as PEM, of authorities that are trusted besides the system's.
    authorities: Option<String>,
}

impl Address {
    /// Takes what lapin takes, and `cacertfile`, as RabbitMQ's own clients do: a file with the certificate of an
    /// authority of one's own.
    pub fn parse(url: &str) -> Result<Self, ConfigError> {
        Self::parse_in(url, cfg!(feature = "tls"))
    }

    /// The same in a program that was built with TLS or without it.
    fn parse_in(url: &str, has_tls: bool) -> Result<Self, ConfigError> {
        let mut uri: AMQPUri = url.parse().map_err(|detail| ConfigError::Url { detail })?;
        if uri.scheme == AMQPScheme::AMQPS && !has_tls {
            return Err(ConfigError::NoTls);
        }
        uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
        let (_, query) = url.split_once('?').unwrap_or_default();
        let path = query.split('&').find_map(|pair| pair.strip_prefix("cacertfile="));
        let authorities = path.map(|path| certificates(path, &uri.scheme)).transpose()?;
        Ok(Self { uri, authorities })
    }

    pub fn uri(&self) -> AMQPUri {
        self.uri.clone()
    }

    pub fn tls(&self) -> OwnedTLSConfig {
        OwnedTLSConfig { identity: None, cert_chain: self.authorities.clone() }
    }

    pub fn is_encrypted(&self) -> bool {
        self.uri.scheme == AMQPScheme::AMQPS
    }

    pub fn host(&self) -> &str {
        &self.uri.authority.host
    }

    pub fn port(&self) -> u16 {
        self.uri.authority.port
    }

    pub fn user(&self) -> &str {
        &self.uri.authority.userinfo.username
    }

    pub fn vhost(&self) -> &str {
        &self.uri.vhost
    }

    pub fn place(&self) -> String {
        format!("{}:{}", self.host(), self.port())
    }
}

fn certificates(path: &str, scheme: &AMQPScheme) -> Result<String, ConfigError> {
    let failed = |detail: String| ConfigError::Certificates { path: path.to_owned(), detail };
    if *scheme != AMQPScheme::AMQPS {
        return Err(failed("it goes with amqps://".to_owned()));
    }
    let pem = fs::read_to_string(path).map_err(|error| failed(format!("it can't be read: {error}")))?;
    if pem.contains("BEGIN CERTIFICATE") { Ok(pem) } else { Err(failed("it holds no certificate".to_owned())) }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}@{}/{}", self.uri.scheme, self.user(), self.place(), self.vhost())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_not_printed() {
        let address = Address::parse("amqp://tradepost:hunter2@127.0.0.1:5672/shop").unwrap();
        assert_eq!(format!("{address:?}"), "amqp://tradepost@127.0.0.1:5672/shop");
    }

    #[test]
    fn a_url_that_is_none_is_refused_without_being_shown() {
        for url in ["", "hunter2", "http://hunter2@localhost", "amqp://u:hunter2@host:notaport"] {
            let error = Address::parse(url).unwrap_err();
            assert!(matches!(error, ConfigError::Url { .. }), "{error:?}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn certificates_are_for_connections_with_tls() {
        let error = Address::parse("amqp://u:hunter2@localhost?cacertfile=ca.pem").unwrap_err();
        assert_eq!(error.to_string(), "cacertfile ca.pem: it goes with amqps://");
    }

    #[test]
    fn encryption_that_was_left_out_is_said_to_be_missing() {
        let error = Address::parse_in("amqps://localhost", false).unwrap_err();
        assert!(error.to_string().contains("`amqp-tls`"), "{error}");
        assert!(Address::parse_in("amqps://localhost", true).is_ok());
    }
}
