//! A contract: how one family of services talks, as data.
//!
//! The file is read once, at the start. What is wrong with it is said with its file and line.

mod parse;
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Value, json};

use crate::incoming::{self, Incoming, Message};

pub(crate) use rules::{
    Body, Broker, Consume, Exchange, ExchangeKind, Facade, FacadeAction, FactKind, LogOn, Match, Place, Publish, Queue,
    Stream,
};

/// The contracts that come with the program.
const OWN: [(&str, &str); 5] = [
    ("direct", include_str!("../../../contracts/direct.toml")),
    ("fanout", include_str!("../../../contracts/fanout.toml")),
    ("pubsub", include_str!("../../../contracts/pubsub.toml")),
    ("queues", include_str!("../../../contracts/queues.toml")),
    ("topic", include_str!("../../../contracts/topic.toml")),
];

/// A contract that is in force.
#[derive(Debug)]
pub struct Contract {
    /// Its name, by which people choose it.
    pub name: String,
    /// One sentence about it.
    pub about: String,
    /// Its file as it was written.
    pub text: String,
    /// The roles that it knows.
    pub roles: Vec<String>,
    /// Those of them that Tradepost has.
    pub ours: BTreeSet<String>,
    pub(crate) broker: Broker,
    pub(crate) matches_by: Match,
    pub(crate) exchanges: Vec<Exchange>,
    pub(crate) queues: Vec<Queue>,
    pub(crate) consumes: Vec<Consume>,
    pub(crate) publishes: Vec<Publish>,
    pub(crate) facades: Vec<Facade>,
    pub(crate) logs: Vec<LogOn>,
}

/// A mistake in a contract's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadContract {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The mistake, and the text that was expected.
    pub detail: String,
}

impl fmt::Display for BadContract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, detail } = self;
        write!(f, "{file}, line {line}: {detail}")
    }
}

impl std::error::Error for BadContract {}

impl Contract {
    /// The names of the contracts that come with the program.
    pub fn own_names() -> impl Iterator<Item = &'static str> {
        OWN.iter().map(|(name, _)| *name)
    }

    /// A contract that comes with the program.
    pub fn own(name: &str) -> Option<Self> {
        let (name, text) = OWN.iter().find(|(known, _)| *known == name)?;
        let read = Self::read(name, &format!("contracts/{name}.toml"), text);
        Some(read.unwrap_or_else(|mistake| panic!("it is tried by tests: {mistake}")))
    }

    /// Reads a contract from the text of its file.
    pub fn read(name: &str, file: &str, text: &str) -> Result<Self, BadContract> {
        parse::contract(name, file, text)
    }

    /// Tries a message as it came by a queue: its identity, its facts and what is logged, or the reason for which it would be parked.
    pub fn check(&self, queue: &str, body: &[u8]) -> Result<Value, String> {
        if !self.queues.iter().any(|known| known.name == queue) {
            let names: Vec<&str> = self.queues.iter().map(|known| known.name.as_str()).collect();
            let close = kernel::suggestion(queue, names.iter().copied());
            return Err(format!("the contract {} has no queue {queue}{close}", self.name));
        }
        let body = bytes::Bytes::copy_from_slice(body);
        let message = Incoming { queue: queue.to_owned(), body, message: Message::default() };
        let said = incoming::read(self, &message)?;
        Ok(json!({ "id": said.id, "facts": said.facts, "log": said.log }))
    }

    /// The parts of the contract as lines that people read.
    pub fn described(&self) -> Value {
        let role = |role: &str| if self.is_ours(role) { "ours" } else { "theirs" };
        let streams = self.streams().into_values().map(|it| match &it.channel {
            Some(channel) => format!("{} ({}, with the channel {channel})", it.key, it.from),
            None => format!("{} ({})", it.key, it.from),
        });
        let exchanges = self.exchanges.iter().map(|it| {
            let lasts = if it.durable { "durable" } else { "not durable" };
            format!("{} ({:?}, {lasts})", it.name, it.kind).to_lowercase()
        });
        let queues = self.queues.iter().map(|it| format!("{} ({}, {})", it.name, it.role, role(&it.role)));
        let taken = self.consumes.iter().map(|it| {
            let fact = it.fact.as_ref().map_or("only logged", |(fact, _)| fact.name());
            format!("{} → {fact}", it.queue)
        });
        let sent = self.publishes.iter().map(|it| {
            let place = if it.exchange.is_empty() { "the queue" } else { &it.exchange };
            let keys = it.keys.iter().filter(|key| !key.is_empty()).cloned().collect::<Vec<_>>().join(", ");
            format!("{} ({}) → {place} {keys}", it.on.name, it.role).trim_end().to_owned()
        });
        let routes =
            self.facades.iter().map(|it| format!("{} {} on {} ({})", it.route.method, it.route.path, it.port, it.role));
        json!({
            "name": self.name,
            "about": self.about,
            "roles": self.roles,
            "ours": self.ours,
            "exchanges": exchanges.collect::<Vec<_>>(),
            "streams": streams.collect::<Vec<_>>(),
            "queues": queues.collect::<Vec<_>>(),
            "in": taken.collect::<Vec<_>>(),
            "out": sent.collect::<Vec<_>>(),
            "routes": routes.collect::<Vec<_>>(),
        })
    }

    /// The streams of Redis, by key.
    pub(crate) fn streams(&self) -> BTreeMap<&str, &Stream> {
        self.queues.iter().filter_map(Queue::stream).map(|stream| (stream.key.as_str(), stream)).collect()
    }

    /// The queues that Tradepost consumes.
    pub(crate) fn our_queues(&self) -> impl Iterator<Item = &Queue> {
        self.queues.iter().filter(|queue| self.is_ours(&queue.role))
    }

    /// True if Tradepost has the role.
    pub(crate) fn is_ours(&self, role: &str) -> bool {
        self.ours.contains(role)
    }

    /// The ports on which its façades listen.
    pub(crate) fn ports(&self) -> BTreeSet<u16> {
        self.facades.iter().filter(|facade| self.is_ours(&facade.role)).map(|facade| facade.port).collect()
    }
}

#[cfg(test)]
mod tests;
