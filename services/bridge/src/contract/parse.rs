//! From the text of a contract's file to its rules.

use std::collections::BTreeSet;
use std::time::Duration;

use events::Descriptor;
use serde::Deserialize;
use toml::Spanned;

use super::rules::{
    Body, Broker, Consume, Exchange, ExchangeKind, Facade, FacadeAction, FactKind, Line, LogOn, Match, Place, Publish,
    Queue, Route, Stream,
};
use super::{BadContract, Contract};
use crate::filter::Filter;

/// The longest wait of a façade.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Characters of a name at the most: what AMQP takes.
const NAME_MAX: usize = 255;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    about: Spanned<String>,
    broker: Spanned<String>,
    roles: Vec<Spanned<String>>,
    ours: Option<Vec<Spanned<String>>>,
    #[serde(default, rename = "match")]
    matches_by: Match,
    #[serde(default)]
    exchange: Vec<ExchangeEntry>,
    #[serde(default)]
    queue: Vec<QueueEntry>,
    #[serde(default)]
    stream: Vec<StreamEntry>,
    #[serde(default)]
    consume: Vec<ConsumeEntry>,
    #[serde(default)]
    publish: Vec<PublishEntry>,
    #[serde(default)]
    facade: Vec<FacadeEntry>,
    #[serde(default)]
    log: Vec<LogEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExchangeEntry {
    name: Spanned<String>,
    #[serde(rename = "type")]
    kind: ExchangeKind,
    durable: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QueueEntry {
    name: Spanned<String>,
    role: Spanned<String>,
    #[serde(default)]
    bind: Vec<BindEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BindEntry {
    exchange: Spanned<String>,
    #[serde(default)]
    key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StreamEntry {
    name: Spanned<String>,
    channel: Option<Spanned<String>>,
    from: Spanned<String>,
    groups: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConsumeEntry {
    queue: Spanned<String>,
    body: Body,
    when: Option<Spanned<String>>,
    id: Option<Spanned<String>>,
    to: Option<Spanned<FactKind>>,
    map: Option<Spanned<String>>,
    log: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PublishEntry {
    role: Spanned<String>,
    on: Spanned<String>,
    when: Option<Spanned<String>>,
    exchange: Option<Spanned<String>>,
    stream: Option<Spanned<String>>,
    keys: Option<Vec<String>>,
    #[serde(default)]
    optional: bool,
    body: Body,
    map: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FacadeEntry {
    role: Spanned<String>,
    port: u16,
    route: Spanned<String>,
    emit: Option<Spanned<FactKind>>,
    map: Option<Spanned<String>>,
    wait: Option<Spanned<String>>,
    show: Option<Spanned<String>>,
    calls: Option<Vec<Spanned<String>>>,
    answer: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogEntry {
    role: Spanned<String>,
    on: Spanned<String>,
    map: Spanned<String>,
}

/// A file while it is read.
struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    roles: Vec<String>,
    exchanges: Vec<Exchange>,
    queues: Vec<Queue>,
    streams: Vec<Stream>,
}

pub(super) fn contract(name: &str, file: &str, text: &str) -> Result<Contract, BadContract> {
    let mut reader =
        Reader { file, text, roles: Vec::new(), exchanges: Vec::new(), queues: Vec::new(), streams: Vec::new() };
    let parsed: File = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        reader.bad(at, error.message())
    })?;
    let Some(broker) = Broker::named(parsed.broker.get_ref()) else {
        return Err(reader.bad(parsed.broker.span().start, "the broker of a contract is `rabbitmq` or `redis`"));
    };
    reader.roles = reader.names(&parsed.roles)?;
    if reader.roles.is_empty() {
        return Err(reader.bad(parsed.about.span().start, "`roles` has at least one role"));
    }
    let ours = match &parsed.ours {
        None => reader.roles.iter().cloned().collect(),
        Some(ours) => ours.iter().map(|role| reader.role(role)).collect::<Result<BTreeSet<_>, _>>()?,
    };
    for entry in parsed.exchange {
        let name = reader.name(&entry.name)?;
        reader.exchanges.push(Exchange { name, kind: entry.kind, durable: entry.durable });
    }
    for entry in &parsed.queue {
        let queue = reader.queue(entry)?;
        reader.queues.push(queue);
    }
    for entry in &parsed.stream {
        reader.stream(entry)?;
    }
    reader.suit(broker, &parsed.queue, &parsed.stream)?;
    let consumes = parsed.consume.into_iter().map(|entry| reader.consume(entry)).collect::<Result<Vec<_>, _>>()?;
    let publishes = parsed.publish.into_iter().map(|entry| reader.publish(entry)).collect::<Result<Vec<_>, _>>()?;
    let facades = parsed.facade.into_iter().map(|entry| reader.facade(entry)).collect::<Result<Vec<_>, _>>()?;
    let logs = parsed.log.into_iter().map(|entry| reader.log(entry)).collect::<Result<Vec<_>, _>>()?;
    let Reader { roles, exchanges, queues, .. } = reader;
    Ok(Contract {
        name: name.to_owned(),
        about: parsed.about.into_inner(),
        text: text.to_owned(),
        roles,
        ours,
        broker,
        matches_by: parsed.matches_by,
        exchanges,
        queues,
        consumes,
        publishes,
        facades,
        logs,
    })
}

impl Reader<'_> {
    fn bad(&self, at: usize, detail: impl Into<String>) -> BadContract {
        let Line(line) = self.line(at);
        BadContract { file: self.file.to_owned(), line, detail: detail.into() }
    }

    fn line(&self, at: usize) -> Line {
        let before = self.text.get(..at).unwrap_or(self.text);
        Line(1 + before.matches('\n').count())
    }

    fn name(&self, name: &Spanned<String>) -> Result<String, BadContract> {
        let is_good = (1..=NAME_MAX).contains(&name.get_ref().len());
        if !is_good {
            return Err(self.bad(name.span().start, format!("a name has 1 to {NAME_MAX} bytes")));
        }
        Ok(name.get_ref().clone())
    }

    fn names(&self, names: &[Spanned<String>]) -> Result<Vec<String>, BadContract> {
        names.iter().map(|name| self.name(name)).collect()
    }

    fn role(&self, role: &Spanned<String>) -> Result<String, BadContract> {
        self.known(role, &self.roles, "a role of `roles`")
    }

    fn known(&self, name: &Spanned<String>, known: &[String], expected: &str) -> Result<String, BadContract> {
        if known.contains(name.get_ref()) {
            return Ok(name.get_ref().clone());
        }
        let close = kernel::suggestion(name.get_ref(), known.iter().map(String::as_str));
        Err(self.bad(name.span().start, format!("{expected} was expected, not `{}`{close}", name.get_ref())))
    }

    fn exchange(&self, name: &Spanned<String>) -> Result<String, BadContract> {
        let known: Vec<String> = self.exchanges.iter().map(|exchange| exchange.name.clone()).collect();
        self.known(name, &known, "an exchange of this file")
    }

    fn queue(&self, entry: &QueueEntry) -> Result<Queue, BadContract> {
        let bindings = entry.bind.iter().map(|bind| Ok((self.exchange(&bind.exchange)?, bind.key.clone())));
        Ok(Queue {
            name: self.name(&entry.name)?,
            role: self.role(&entry.role)?,
            place: Place::Bound(bindings.collect::<Result<_, _>>()?),
        })
    }

    /// Notes a stream, and a queue for each group that reads it: `STREAM/GROUP`.
    fn stream(&mut self, entry: &StreamEntry) -> Result<(), BadContract> {
        let stream = Stream {
            key: self.name(&entry.name)?,
            channel: entry.channel.as_ref().map(|channel| self.name(channel)).transpose()?,
            from: self.role(&entry.from)?,
        };
        for group in &entry.groups {
            let role = self.role(group)?;
            let name = format!("{}/{role}", stream.key);
            self.queues.push(Queue { name, role, place: Place::Stream(stream.clone()) });
        }
        self.streams.push(stream);
        Ok(())
    }

    /// Refuses what the kind of broker doesn't have.
    fn suit(&self, broker: Broker, queues: &[QueueEntry], streams: &[StreamEntry]) -> Result<(), BadContract> {
        match (broker, queues.first(), streams.first()) {
            (Broker::Redis, Some(queue), _) => {
                Err(self.bad(queue.name.span().start, "Redis has no `[[queue]]`: a `[[stream]]` has groups"))
            }
            (Broker::RabbitMq, _, Some(stream)) => {
                Err(self
                    .bad(stream.name.span().start, "RabbitMQ has no `[[stream]]` here: an `[[exchange]]` has queues"))
            }
            _ => Ok(()),
        }
    }

    fn event(&self, name: &Spanned<String>) -> Result<&'static Descriptor, BadContract> {
        events::named(name.get_ref()).map_err(|close| {
            let detail = format!("an event of Tradepost was expected, not `{}`{close}", name.get_ref());
            self.bad(name.span().start, detail)
        })
    }

    /// Compiles a filter; the line of a mistake is that of the file.
    fn filter(&self, code: &Spanned<String>) -> Result<Filter, BadContract> {
        Filter::compile(code.get_ref()).map_err(|mistake| {
            // The span is that of the text with its quotes, as it stands in the file.
            let span = code.span();
            let written = &self.text[span.clone()];
            let inside = written.find(code.get_ref().as_str()).unwrap_or(0);
            self.bad(span.start + inside + mistake.at.start, format!("in this filter {}", mistake.detail))
        })
    }

    fn optional(&self, code: Option<&Spanned<String>>) -> Result<Option<Filter>, BadContract> {
        code.map(|code| self.filter(code)).transpose()
    }

    fn consume(&self, entry: ConsumeEntry) -> Result<Consume, BadContract> {
        let known: Vec<String> = self.queues.iter().map(|queue| queue.name.clone()).collect();
        let fact = match (&entry.to, &entry.map) {
            (Some(to), Some(map)) => Some((*to.get_ref(), self.filter(map)?)),
            (None, None) => None,
            (Some(to), None) => return Err(self.bad(to.span().start, "`to` needs `map`, the filter that gives it")),
            (None, Some(map)) => return Err(self.bad(map.span().start, "`map` needs `to`, the fact that it gives")),
        };
        Ok(Consume {
            queue: self.known(&entry.queue, &known, "a queue of this file")?,
            body: entry.body,
            when: self.optional(entry.when.as_ref())?,
            id: self.optional(entry.id.as_ref())?,
            fact,
            log: self.optional(entry.log.as_ref())?,
        })
    }

    fn publish(&self, entry: PublishEntry) -> Result<Publish, BadContract> {
        let (exchange, keys) = match (&entry.exchange, &entry.stream) {
            (Some(exchange), None) => (self.exchange(exchange)?, entry.keys),
            // The default exchange, which routes to the queue that has the key as its name.
            (None, None) => (String::new(), entry.keys),
            (None, Some(stream)) => {
                let known: Vec<String> = self.streams.iter().map(|stream| stream.key.clone()).collect();
                let key = self.known(stream, &known, "a stream of this file")?;
                let channels = self.streams.iter().filter(|stream| stream.key == key);
                let channels = channels.filter_map(|stream| stream.channel.clone()).collect();
                (key, Some(channels))
            }
            (Some(exchange), Some(_)) => {
                return Err(self.bad(exchange.span().start, "either `exchange` or `stream` was expected, not both"));
            }
        };
        Ok(Publish {
            role: self.role(&entry.role)?,
            on: self.event(&entry.on)?,
            when: self.optional(entry.when.as_ref())?,
            exchange,
            keys: keys.unwrap_or_else(|| vec![String::new()]),
            optional: entry.optional,
            body: entry.body,
            map: self.filter(&entry.map)?,
        })
    }

    fn facade(&self, entry: FacadeEntry) -> Result<Facade, BadContract> {
        let route = entry.route.get_ref().split_once(' ').filter(|(_, path)| path.starts_with('/'));
        let Some((method, path)) = route else {
            return Err(self.bad(entry.route.span().start, "a route as in `POST /create_order` was expected"));
        };
        let wait = match &entry.wait {
            None => None,
            Some(wait) => {
                let read = service::setting::parse::duration(wait.get_ref(), Duration::from_millis(1)..=WAIT_MAX);
                Some(read.map_err(|expected| self.bad(wait.span().start, format!("{expected} was expected")))?)
            }
        };
        let action = match (&entry.emit, &entry.map, &entry.show, &entry.calls) {
            (Some(fact), Some(map), None, None) => {
                FacadeAction::Emit { kind: *fact.get_ref(), map: self.filter(map)?, wait }
            }
            (None, None, Some(show), None) if show.get_ref() == "products" => FacadeAction::Products,
            (None, None, None, Some(calls)) => {
                FacadeAction::Calls(calls.iter().map(|call| self.filter(call)).collect::<Result<_, _>>()?)
            }
            _ => {
                let expected = "a façade has `emit` with `map`, or `show = \"products\"`, or `calls`";
                return Err(self.bad(entry.route.span().start, expected));
            }
        };
        Ok(Facade {
            role: self.role(&entry.role)?,
            port: entry.port,
            route: Route { method: method.to_owned(), path: path.to_owned() },
            action,
            answer: self.filter(&entry.answer)?,
        })
    }

    fn log(&self, entry: LogEntry) -> Result<LogOn, BadContract> {
        Ok(LogOn { role: self.role(&entry.role)?, on: self.event(&entry.on)?, map: self.filter(&entry.map)? })
    }
}
