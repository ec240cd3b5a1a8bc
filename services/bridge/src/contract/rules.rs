//! The rules of a contract, with their filters compiled.

use std::time::Duration;

use events::Descriptor;

use crate::filter::Filter;

/// The way in which foreign products are found among ours, where their ids say nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Match {
    /// Their id is our sku.
    #[default]
    Sku,
    /// They call a product by its name.
    Name,
}

/// The kind of broker on which a family of services talks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broker {
    RabbitMq,
    Redis,
}

impl Broker {
    /// The kind by the word of a file.
    pub fn named(word: &str) -> Option<Self> {
        match word {
            "rabbitmq" => Some(Self::RabbitMq),
            "redis" => Some(Self::Redis),
            _ => None,
        }
    }

    /// The scheme of its URLs.
    pub fn scheme(self) -> &'static str {
        match self {
            Self::RabbitMq => "amqp",
            Self::Redis => "redis",
        }
    }

    /// An example of its URLs.
    pub fn example(self) -> &'static str {
        match self {
            Self::RabbitMq => "amqp://user:password@host:5672/vhost",
            Self::Redis => "redis://user:password@host:6379/0?prefix=shop:",
        }
    }

    /// The port of a URL that names none.
    pub fn port(self) -> u16 {
        match self {
            Self::RabbitMq => 5672,
            Self::Redis => 6379,
        }
    }
}

/// An exchange of AMQP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exchange {
    pub name: String,
    pub kind: ExchangeKind,
    pub durable: bool,
}

/// The kinds of exchanges that contracts have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ExchangeKind {
    Direct,
    Fanout,
    Topic,
}

/// A queue of AMQP, or a group that reads a stream of Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Queue {
    pub name: String,
    /// The role that consumes it.
    pub role: String,
    pub place: Place,
}

/// The place from which a queue gets its messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The bindings of a queue of AMQP: exchange and key.
    Bound(Vec<(String, String)>),
    /// A stream of Redis. The group has the name of the role.
    Stream(Stream),
}

/// A stream of Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stream {
    pub key: String,
    /// The channel on which the same is said to those who listen just now.
    pub channel: Option<String>,
    /// The role that publishes.
    pub from: String,
}

impl Queue {
    /// The stream that it reads, on Redis.
    pub fn stream(&self) -> Option<&Stream> {
        match &self.place {
            Place::Bound(_) => None,
            Place::Stream(stream) => Some(stream),
        }
    }
}

/// The form of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Body {
    /// JSON.
    Json,
    /// Text of UTF-8, as it is.
    Text,
}

/// A kind of fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
pub(crate) enum FactKind {
    #[serde(rename = "ExternalOrderPlaced")]
    OrderPlaced,
    #[serde(rename = "ExternalProductChanged")]
    ProductChanged,
    #[serde(rename = "ExternalStockChanged")]
    StockChanged,
    #[serde(rename = "ExternalUserChanged")]
    UserChanged,
}

impl FactKind {
    /// The event that says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::OrderPlaced => "ExternalOrderPlaced",
            Self::ProductChanged => "ExternalProductChanged",
            Self::StockChanged => "ExternalStockChanged",
            Self::UserChanged => "ExternalUserChanged",
        }
    }
}

/// A rule for messages that come by a queue.
#[derive(Debug)]
pub(crate) struct Consume {
    pub queue: String,
    pub body: Body,
    /// True for the messages that it is for; it is for all if there is none.
    pub when: Option<Filter>,
    /// Gives the identity of a message, by which a second delivery is known. None where the message has none.
    pub id: Option<Filter>,
    /// The fact, and the filter that gives it. None for messages that are only logged, or not wanted.
    pub fact: Option<(FactKind, Filter)>,
    /// Gives a line of the log.
    pub log: Option<Filter>,
}

/// A rule for an event that is sent on.
#[derive(Debug)]
pub(crate) struct Publish {
    pub role: String,
    pub on: &'static Descriptor,
    /// True for the events that it is for; it is for all if there is none.
    pub when: Option<Filter>,
    /// An exchange of AMQP, or a stream of Redis.
    pub exchange: String,
    /// The routing keys: a message goes out under each of them. Of a stream, the channel that gets the same.
    pub keys: Vec<String>,
    /// Nobody may be listening.
    pub optional: bool,
    pub body: Body,
    /// Gives the bodies.
    pub map: Filter,
}

/// A line of the log for an event.
#[derive(Debug)]
pub(crate) struct LogOn {
    pub role: String,
    pub on: &'static Descriptor,
    /// Gives lines.
    pub map: Filter,
}

/// A route that Tradepost answers in the place of a foreign service.
#[derive(Debug)]
pub(crate) struct Facade {
    pub role: String,
    pub port: u16,
    pub route: Route,
    pub action: FacadeAction,
    /// Gives `{status, body}` for what became of it.
    pub answer: Filter,
}

/// The work of a façade's route.
#[derive(Debug)]
pub(crate) enum FacadeAction {
    /// Emits a fact, and waits at most so long for what becomes of it.
    Emit { kind: FactKind, map: Filter, wait: Option<Duration> },
    /// Shows the products.
    Products,
    /// Calls the shop's public interface, one call after another until one is refused.
    Calls(Vec<Filter>),
}

/// A method and a path, as in `POST /create_order`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub method: String,
    pub path: String,
}

/// A line of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line(pub usize);
