//! What a message looks like on RabbitMQ: CloudEvents in binary mode, by the names of its AMQP binding
//! (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/amqp-protocol-binding.md>).

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use bus::Message;
use bytes::Bytes;
use kernel::{Lane, Timestamp, Uuid};
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use sha2::{Digest, Sha256};

use crate::layout::KEEPER;

/// The binding's prefix of 1.0.2, and the one that later versions prefer: what is received may have either.
const PREFIXES: [&str; 2] = ["cloudEvents:", "cloudEvents_"];

const CONTENT_TYPE: &str = "application/json";
const SPEC_VERSION: &str = "1.0";

/// AMQP's "persistent".
const PERSISTENT: u8 = 2;

/// More than any attribute of an event takes.
const TEXT_BYTES_MAX: usize = 255;

/// How much of a stranger's text is shown in a defect.
const SHOWN_CHARS: usize = 80;

/// The headers of a message.
pub(crate) fn encode(message: &Message) -> BasicProperties {
    let mut headers = FieldTable::default();
    let mut set = |name: &str, value: &dyn Display| {
        let name = ShortString::from(format!("{}{name}", PREFIXES[0]));
        headers.insert(name, AMQPValue::LongString(value.to_string().into()));
    };
    set("specversion", &SPEC_VERSION);
    set("id", &message.id);
    set("type", &message.event_type);
    set("source", &message.source);
    set("time", &message.time);
    set("subject", &message.key);
    set("lane", &message.lane);
    set("sequence", &message.sequence);
    set("correlationid", &message.correlation_id);
    set("causationid", &message.causation_id);
    if let Some(traceparent) = &message.traceparent {
        set("traceparent", traceparent);
    }
    BasicProperties::default()
        .with_content_type(CONTENT_TYPE.into())
        .with_delivery_mode(PERSISTENT)
        .with_message_id(message.id.to_string().into())
        .with_headers(headers)
}

/// The properties of what an archive begins with.
pub(crate) fn keeper(id: &ShortString) -> BasicProperties {
    BasicProperties::default().with_type(KEEPER.into()).with_delivery_mode(PERSISTENT).with_message_id(id.clone())
}

/// Whether it is what an archive begins with.
pub(crate) fn is_keeper(properties: &BasicProperties) -> bool {
    properties.kind().as_ref().is_some_and(|kind| kind.as_str() == KEEPER)
}

/// A message and, if it is none that Tradepost sends, the first thing that is wrong with it.
/// What could not be read is made up then, always in the same way.
pub(crate) fn decode(properties: &BasicProperties, body: Vec<u8>) -> (Message, Option<String>) {
    let empty = FieldTable::default();
    let headers = properties.headers().as_ref().unwrap_or(&empty);
    let made_up = made_up(headers, properties, &body);
    let mut reader = Reader { attributes: BTreeMap::new(), defect: None };
    reader.read(headers);
    let version: String = reader.attribute("specversion", SPEC_VERSION.to_owned());
    if version != SPEC_VERSION {
        reader.wrong(format!("it is of CloudEvents {}, not {SPEC_VERSION}", shown(&version)));
    }
    let message = Message {
        id: reader.attribute("id", made_up.into()),
        event_type: reader.attribute("type", "unknown".to_owned()),
        source: reader.attribute("source", "unknown".to_owned()),
        time: reader.attribute("time", EventTime(Timestamp::UNIX_EPOCH)).0,
        // Made up, so that it holds up nothing that has a key.
        key: reader.attribute("subject", made_up),
        lane: reader.attribute("lane", LaneName(Lane::Background)).0,
        sequence: reader.attribute("sequence", 0),
        correlation_id: reader.attribute("correlationid", made_up),
        causation_id: reader.attribute("causationid", made_up),
        traceparent: reader.optional("traceparent"),
        body: Bytes::from(body),
    };
    let said = properties.message_id().as_ref();
    if said.is_some_and(|said| said.as_str() != message.id.to_string()) {
        reader.wrong("its message id and its event id differ".to_owned());
    }
    if message.event_type.split('.').next() != Some(message.source.as_str()) {
        let (event_type, source) = (shown(&message.event_type), shown(&message.source));
        reader.wrong(format!("its source {source} does not emit its type {event_type}"));
    }
    (message, reader.defect)
}

/// An id that bytes always get, and no other bytes do: UUIDv8 (RFC 9562 §5.8) of their SHA-256.
fn made_up(headers: &FieldTable, properties: &BasicProperties, body: &[u8]) -> Uuid {
    let mut hash = Sha256::new();
    // The broker's own headers change with each delivery.
    for (name, value) in headers.inner().iter().filter(|(name, _)| !name.as_str().starts_with("x-")) {
        hash.update(format!("{name:?}={value:?}\n"));
    }
    hash.update(format!("{:?}\n", properties.message_id()));
    hash.update(body);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    Uuid::from_bytes(bytes)
}

struct Reader<'a> {
    attributes: BTreeMap<&'a str, &'a AMQPValue>,
    /// The first that was found.
    defect: Option<String>,
}

impl<'a> Reader<'a> {
    fn read(&mut self, headers: &'a FieldTable) {
        for (name, value) in headers {
            let Some(name) = PREFIXES.iter().find_map(|prefix| name.as_str().strip_prefix(prefix)) else { continue };
            if self.attributes.insert(name, value).is_some_and(|other| other != value) {
                self.wrong(format!("it has two headers for {}", shown(name)));
            }
        }
    }

    /// An attribute that every message has.
    fn attribute<T: FromStr>(&mut self, name: &str, otherwise: T) -> T {
        if !self.attributes.contains_key(name) {
            self.wrong(format!("it has no {name}"));
            return otherwise;
        }
        self.optional(name).unwrap_or(otherwise)
    }

    fn optional<T: FromStr>(&mut self, name: &str) -> Option<T> {
        let value = self.attributes.get(name)?;
        let text = match value {
            AMQPValue::LongString(text) => std::str::from_utf8(text.as_bytes()).ok().map(str::to_owned),
            // Whoever sends by the letter of the binding may send numbers as numbers.
            AMQPValue::LongLongInt(number) => Some(number.to_string()),
            AMQPValue::LongInt(number) => Some(number.to_string()),
            _ => None,
        };
        // What no event has, and no store takes.
        let is_plain = |text: &&str| text.len() <= TEXT_BYTES_MAX && !text.chars().any(char::is_control);
        let parsed = text.as_deref().filter(is_plain).and_then(|text| text.parse().ok());
        if parsed.is_none() {
            let is = text.map_or_else(|| format!("a {}", value.get_type()), |text| shown(&text));
            self.wrong(format!("its {name} is {is}"));
        }
        parsed
    }

    fn wrong(&mut self, what: String) {
        self.defect.get_or_insert(what);
    }
}

/// A time that every store can keep.
struct EventTime(Timestamp);

impl FromStr for EventTime {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let time: Timestamp = text.parse().map_err(|_| ())?;
        if time >= Timestamp::UNIX_EPOCH { Ok(Self(time)) } else { Err(()) }
    }
}

struct LaneName(Lane);

impl FromStr for LaneName {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Lane::parse(name).map(Self).ok_or(())
    }
}

/// A stranger's text, cut to what fits a line, without anything that a terminal obeys.
fn shown(text: &str) -> String {
    let cut: String = text.chars().take(SHOWN_CHARS).collect();
    format!("{cut:?}{}", if cut.len() < text.len() { "…" } else { "" })
}

#[cfg(test)]
mod tests {
    use bus::conformance;
    use kernel::{Clock, Ids};

    use super::*;

    fn message() -> Message {
        let key = Ids::new(Clock::system()).next();
        let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().ok();
        Message { sequence: i64::MAX, traceparent, ..conformance::message("orders.order_placed.v1", key) }
    }

    /// The message's properties, with one header otherwise.
    fn with(message: &Message, name: &str, value: Option<AMQPValue>) -> BasicProperties {
        let properties = encode(message);
        let mut headers = properties.headers().clone().unwrap().inner().clone();
        match value {
            Some(value) => headers.insert(name.into(), value),
            None => headers.remove(name),
        };
        properties.with_headers(headers.into())
    }

    fn text(text: &str) -> AMQPValue {
        AMQPValue::LongString(text.into())
    }

    #[test]
    fn a_message_arrives_as_it_was_sent() {
        for sent in [message(), Message { traceparent: None, ..message() }] {
            assert_eq!(decode(&encode(&sent), sent.body.to_vec()), (sent, None));
        }
    }

    #[test]
    fn whoever_writes_the_other_prefix_or_numbers_as_numbers_is_understood() {
        let sent = message();
        let mut headers = FieldTable::default();
        for (name, value) in encode(&sent).headers().as_ref().unwrap() {
            headers.insert(name.as_str().replace(':', "_").into(), value.clone());
        }
        headers.insert("cloudEvents_sequence".into(), AMQPValue::LongLongInt(sent.sequence));
        assert_eq!(decode(&BasicProperties::default().with_headers(headers), sent.body.to_vec()), (sent, None));
    }

    #[test]
    fn what_is_wrong_is_said_and_the_rest_is_kept() {
        let sent = message();
        let cases = [
            ("cloudEvents:id", None, "it has no id"),
            ("cloudEvents:id", Some(text("42")), "its id is \"42\""),
            ("cloudEvents:id", Some(AMQPValue::Boolean(true)), "its id is a Boolean"),
            ("cloudEvents_id", Some(text("42")), "it has two headers for \"id\""),
            ("cloudEvents:subject", Some(text("\u{1b}[2J")), "its subject is \"\\u{1b}[2J\""),
            ("cloudEvents:time", Some(text("yesterday")), "its time is \"yesterday\""),
            ("cloudEvents:lane", Some(text("urgent")), "its lane is \"urgent\""),
            ("cloudEvents:sequence", Some(text("1.5")), "its sequence is \"1.5\""),
            ("cloudEvents:source", Some(text("payments")), "its source \"payments\" does not emit its type"),
            ("cloudEvents:specversion", Some(text("0.3")), "it is of CloudEvents \"0.3\", not 1.0"),
            ("cloudEvents:traceparent", Some(text("00")), "its traceparent is \"00\""),
        ];
        for (name, value, expected) in cases {
            let (read, defect) = decode(&with(&sent, name, value), sent.body.to_vec());
            let defect = defect.unwrap_or_default();
            assert!(defect.starts_with(expected), "{name}: {defect}");
            assert_eq!((read.correlation_id, &read.body), (sent.correlation_id, &sent.body), "{name}");
        }
        let other_id = encode(&sent).with_message_id("42".into());
        assert_eq!(decode(&other_id, Vec::new()).1.unwrap(), "its message id and its event id differ");
    }

    #[test]
    fn bytes_of_a_stranger_have_one_id_for_ever_and_a_key_of_their_own() {
        let nothing = BasicProperties::default();
        let mut delivered_again = FieldTable::default();
        delivered_again.insert("x-delivery-count".into(), AMQPValue::LongLongInt(3));
        let again = BasicProperties::default().with_headers(delivered_again);
        let (first, defect) = decode(&nothing, vec![0xff]);
        assert_eq!(defect.unwrap(), "it has no specversion");
        assert_eq!(decode(&again, vec![0xff]).0, first);
        assert_ne!(decode(&nothing, vec![0xfe]).0.id, first.id);
        assert_eq!(Uuid::from(first.id).get_version_num(), 8);
        assert_eq!(first.key, Uuid::from(first.id));
    }

    #[test]
    fn a_header_of_any_size_is_cut_where_it_is_shown() {
        let huge = "é".repeat(100_000);
        let (_, defect) = decode(&with(&message(), "cloudEvents:id", Some(text(&huge))), Vec::new());
        assert!(defect.unwrap().chars().count() < 2 * SHOWN_CHARS);
    }
}
