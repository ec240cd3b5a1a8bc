//! Checks of the broker before its use. A defect is one line that states the remedy.

use std::time::Duration;

use kernel::{Ids, Uuid};
use lapin::options::{
    BasicCancelOptions, BasicConsumeOptions, BasicPublishOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection, ExchangeKind};
use tokio::time::Instant;

use crate::ConfigError;
use crate::address::Address;
use crate::declare::{
    ACCESS_REFUSED, NOT_ALLOWED, NOT_FOUND, PRECONDITION_FAILED, code, declare_alone, has_exchange, open, waiting,
};
use crate::greeting;
use crate::layout::{EXCHANGE, Layout};
use crate::reconnecting::{CallError, connect, within};

/// The broker's name and version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerInfo {
    /// `RabbitMQ`, as a rule.
    pub product: String,
    /// Such as `3.10.8`.
    pub version: String,
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

/// The time between two tries.
const REACH_AGAIN: Duration = Duration::from_millis(500);

/// Connects, at most as long as the patience; `report` gets each failure that is tried again.
pub(crate) async fn reach(
    address: &Address,
    patience: Duration,
    mut report: impl FnMut(&Unusable),
) -> Result<(), Unusable> {
    let began = Instant::now();
    loop {
        // A broker that says nothing is greeted first: no connection of lapin's must wait for it.
        match connect(address, "start", true).await {
            Ok(_) => return Ok(()),
            Err(error) if error.may_pass() && began.elapsed() < patience => {
                report(&error);
                tokio::time::sleep(REACH_AGAIN).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Connects, and looks at everything that is needed but for bindings, which can't be read over AMQP. Changes nothing
/// but for a queue of its own, which goes with it.
pub(crate) async fn check(address: &Address, layout: &Layout, ids: &Ids) -> Result<ServerInfo, Unusable> {
    let server = greeting::greet(address).await?;
    let connection = connect(address, "check", false).await?;
    let calling = |error: CallError| Unusable::calling(address, &error);
    rights(&connection, ids).await.map_err(calling)?;
    let missing = |name: &ShortString| Unusable::Missing { name: name.to_string() };
    let exchanges = layout.consumers().filter_map(|consumer| layout.dead(consumer)?.own_exchange.clone());
    let exchanges = exchanges.map(|name| (name, ExchangeKind::Fanout));
    for (name, kind) in [(ShortString::from(EXCHANGE), ExchangeKind::Topic)].into_iter().chain(exchanges) {
        if !has_exchange(&connection, &name, kind).await.map_err(calling)? {
            return Err(missing(&name));
        }
    }
    for queue in layout.consumers().flat_map(|consumer| layout.queues_of(consumer)) {
        // A queue that is not there closes the channel.
        let channel = open(&connection).await.map_err(calling)?;
        if waiting(&channel, queue).await.map_err(calling)?.is_none() {
            return Err(missing(&queue.name));
        }
        within("comparing a queue", declare_alone(&channel, queue)).await.map_err(calling)?;
    }
    Ok(server.unwrap_or_else(|| ServerInfo { product: "unknown".to_owned(), version: String::new() }))
}

/// Does what needs the right to configure, to write and to read, with a queue that only this connection sees.
async fn rights(connection: &Connection, ids: &Ids) -> Result<(), CallError> {
    let channel = open(connection).await?;
    let name = own_queue(&channel, ids).await?;
    let key = ShortString::from("check");
    let bind = channel.queue_bind(
        name.clone(),
        EXCHANGE.into(),
        key.clone(),
        QueueBindOptions::default(),
        FieldTable::default(),
    );
    match within("binding a queue", bind).await {
        // There is nothing to write to or read from yet, which is said of the exchange.
        Err(CallError::Failed(error)) if code(&error) == Some(NOT_FOUND) => return Ok(()),
        bound => bound?,
    }
    let consumed =
        channel.basic_consume(name, ShortString::default(), BasicConsumeOptions::default(), FieldTable::default());
    let consumer = within("reading from a queue", consumed).await?;
    let options = BasicPublishOptions::default();
    let written = channel.basic_publish(EXCHANGE.into(), key, options, &[], BasicProperties::default());
    within("writing to the exchange", written).await?;
    // A refused write fails the call that follows it.
    let ended = channel.basic_cancel(consumer.tag(), BasicCancelOptions::default());
    within("ending a subscription", ended).await
}

async fn own_queue(channel: &Channel, ids: &Ids) -> Result<ShortString, CallError> {
    let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
    // Of two checks at once each has its own.
    let name = format!("tradepost.check.{}", ids.next::<Uuid>());
    let declared = channel.queue_declare(name.into(), options, FieldTable::default());
    Ok(within("declaring a queue", declared).await?.name().clone())
}
