//! Where the broker is, and as whom to come.

use std::fmt;

use lapin::uri::{AMQPScheme, AMQPUri};

/// Seconds between signs of life. A connection over which nothing came for twice as long is given up, so this bounds
/// how long a broker that vanished without a word goes unnoticed.
const HEARTBEAT_SECONDS: u16 = 10;

/// Why there can be no such broker, whatever the network does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The URL can't be read.
    #[error(
        "the broker's URL is not like amqp://USER:PASSWORD@HOST:5672/VHOST (a `/` in a name is written %2f): {detail}"
    )]
    Url {
        /// What is wrong with it, without what it says.
        detail: String,
    },
    /// The URL asks for encryption, and this program has none for AMQP.
    #[error("this program was built without TLS for RabbitMQ: use amqp://, or build it with the feature `tls`")]
    NoTls,
    /// The topology names what is in no catalogue.
    #[error("{consumer} reacts to {event_type}, which is no event")]
    UnknownEvent {
        /// Who reacts.
        consumer: String,
        /// To what.
        event_type: String,
    },
    /// RabbitMQ's names have at most 255 bytes.
    #[error("the name {name:?} is too long for a queue or a routing key")]
    NameTooLong {
        /// The name.
        name: String,
    },
}

/// The broker's place and the credentials for it. Prints as anything but the password.
#[derive(Clone)]
pub(crate) struct Address(AMQPUri);

impl Address {
    pub fn parse(url: &str) -> Result<Self, ConfigError> {
        let mut uri: AMQPUri = url.parse().map_err(|detail| ConfigError::Url { detail })?;
        if uri.scheme == AMQPScheme::AMQPS && !cfg!(feature = "tls") {
            return Err(ConfigError::NoTls);
        }
        uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
        Ok(Self(uri))
    }

    pub fn uri(&self) -> AMQPUri {
        self.0.clone()
    }

    pub fn is_encrypted(&self) -> bool {
        self.0.scheme == AMQPScheme::AMQPS
    }

    pub fn host(&self) -> &str {
        &self.0.authority.host
    }

    pub fn port(&self) -> u16 {
        self.0.authority.port
    }

    pub fn user(&self) -> &str {
        &self.0.authority.userinfo.username
    }

    pub fn vhost(&self) -> &str {
        &self.0.vhost
    }

    pub fn place(&self) -> String {
        format!("{}:{}", self.host(), self.port())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}@{}/{}", self.0.scheme, self.user(), self.place(), self.vhost())
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

    #[cfg(not(feature = "tls"))]
    #[test]
    fn encryption_that_was_left_out_is_said_to_be_missing() {
        assert_eq!(Address::parse("amqps://localhost").unwrap_err(), ConfigError::NoTls);
    }
}
