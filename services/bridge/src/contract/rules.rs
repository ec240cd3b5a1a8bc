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

/// A queue of AMQP, and its bindings: exchange and key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Queue {
    pub name: String,
    /// The role that consumes it.
    pub role: String,
    pub bindings: Vec<(String, String)>,
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
    pub exchange: String,
    /// The routing keys: a message goes out under each of them.
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
