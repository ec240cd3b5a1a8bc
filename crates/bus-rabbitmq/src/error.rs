//! Errors of the broker: of its configuration, of its use, and of single calls.

use crate::address::Address;
use crate::declare::{ACCESS_REFUSED, NOT_ALLOWED, PRECONDITION_FAILED, code};

/// The reason why there can be no such broker, whatever the network does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The URL can't be read.
    #[error(
        "the broker's URL is not like amqp://USER:PASSWORD@HOST:5672/VHOST (a `/` in a name is written %2f): {detail}"
    )]
    Url {
        /// Its defect, without its contents.
        detail: String,
    },
    /// The URL asks for encryption, and this program has none for AMQP.
    #[error("this program was built without TLS for RabbitMQ: use amqp://, or build it with the feature `amqp-tls`")]
    NoTls,
    /// The URL names certificates that can't be had, or has no use for them.
    #[error("cacertfile {path}: {detail}")]
    Certificates {
        /// The file.
        path: String,
        /// The defect.
        detail: String,
    },
    /// RabbitMQ's names have at most 255 bytes.
    #[error("the name {name:?} is too long for a queue or a routing key")]
    NameTooLong {
        /// The name.
        name: String,
    },
}

/// The reason why the broker can't be used. Its text states the remedy, on one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Nothing answers.
    #[error("no broker can be reached at {place} ({detail}): is it running, and are host and port of the URL right?")]
    Unreachable {
        /// Host and port.
        place: String,
        /// The network's error.
        detail: String,
    },
    /// Something takes connections and says nothing.
    #[error("what listens at {place} does not answer: is the broker overloaded or held, or is it another port?")]
    Silent {
        /// Host and port.
        place: String,
    },
    /// Something answers, and it is no broker.
    #[error("what answers at {place} does not speak AMQP 0-9-1: RabbitMQ's port for that is 5672, as a rule")]
    NotAmqp {
        /// Host and port.
        place: String,
    },
    /// Nobody who is trusted says that it is the host of the URL.
    #[error(
        "the certificate of the broker at {place} is not trusted ({detail}): name the host as it does, and the file of \
         its authority by `?cacertfile=FILE` at the end of the URL"
    )]
    Untrusted {
        /// Host and port.
        place: String,
        /// The defect of the certificate.
        detail: String,
    },
    /// The user or the password is wrong.
    #[error("the broker refuses the user {user:?} with this password: correct the URL, or `rabbitmqctl add_user`")]
    Password {
        /// The user.
        user: String,
    },
    /// There is no such virtual host.
    #[error("the broker has no virtual host {vhost:?}: correct the end of the URL, or `rabbitmqctl add_vhost`")]
    NoVhost {
        /// Its name.
        vhost: String,
    },
    /// The user may not enter the virtual host.
    #[error("the user {user:?} may not enter the virtual host {vhost:?}: `rabbitmqctl set_permissions`")]
    NoEntry {
        /// The user.
        user: String,
        /// The virtual host's name.
        vhost: String,
    },
    /// The user lacks a right.
    #[error(
        "the user {user:?} lacks a right, needs to configure, write and read `^tradepost\\.`: \
         `rabbitmqctl set_permissions` ({detail})"
    )]
    Permission {
        /// The user.
        user: String,
        /// The missing right, as the broker states it.
        detail: String,
    },
    /// A queue or the exchange exists with other arguments.
    #[error("it was declared otherwise before, so drain and delete it, then declare again: {detail}")]
    Mismatch {
        /// The queue or exchange and the difference, as the broker states it.
        detail: String,
    },
    /// A queue or the exchange is not there.
    #[error("{name} is not there: run `tradepost migrate`, which declares it")]
    Missing {
        /// Its name.
        name: String,
    },
    /// A queue of an earlier version holds events that its consumer has not handled.
    #[error(
        "{queue}, made by an earlier version, still holds events for {consumer}, or is being read: \
         run {consumer} of that version until the queue is empty, stop it, then go on"
    )]
    Unread {
        /// The queue.
        queue: String,
        /// Its consumer.
        consumer: String,
    },
    /// Something else went wrong.
    #[error("the broker at {place} can't be used: {detail}")]
    Other {
        /// Host and port.
        place: String,
        /// The last observation.
        detail: String,
    },
}

/// The reason why no broker could be reached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReachError {
    /// The URL names none.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It can't be used.
    #[error(transparent)]
    Unusable(#[from] Unusable),
}

impl Unusable {
    /// True if it may pass by itself.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Silent { .. } | Self::Other { .. })
    }

    /// The meaning of a failed connection.
    pub(crate) fn connecting(address: &Address, error: &lapin::Error) -> Self {
        let (user, vhost) = (address.user().to_owned(), address.vhost().to_owned());
        let said = error.to_string();
        match code(error) {
            Some(ACCESS_REFUSED) => Self::Password { user },
            Some(NOT_ALLOWED) if said.contains("not found") => Self::NoVhost { vhost },
            Some(NOT_ALLOWED) => Self::NoEntry { user, vhost },
            None if said.contains("certificate") => Self::Untrusted { place: address.place(), detail: said },
            None if error.is_io_error() => Self::Unreachable { place: address.place(), detail: said },
            _ => Self::Other { place: address.place(), detail: said },
        }
    }

    /// The meaning of a failed call.
    pub(crate) fn calling(address: &Address, error: &CallError) -> Self {
        let detail = error.to_string();
        let code = if let CallError::Failed(error) = error { code(error) } else { None };
        match code {
            Some(ACCESS_REFUSED) => Self::Permission { user: address.user().to_owned(), detail },
            Some(PRECONDITION_FAILED) => Self::Mismatch { detail },
            _ => Self::Other { place: address.place(), detail },
        }
    }
}

/// The reason why a call of the broker failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error("{0}")]
    Failed(lapin::Error),
    #[error("{0}")]
    Late(String),
}
