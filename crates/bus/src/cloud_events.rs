//! The attributes of an envelope on a broker: CloudEvents 1.0 in binary mode, attributes beside the body
//! (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md>).
//!
//! An adapter knows only how its broker spells a name and carries a value. What is written and what is accepted is the
//! same on all of them.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use kernel::{Envelope, Lane, Timestamp, Uuid};
use sha2::{Digest, Sha256};

/// The media type of a body.
pub const CONTENT_TYPE: &str = "application/json";

const SPEC_VERSION: &str = "1.0";

/// The longest text of an attribute: more than any attribute of an event takes.
const TEXT_BYTES_MAX: usize = 255;

/// Characters of a foreign text that are shown in a defect.
pub const SHOWN_CHARS: usize = 80;

/// The attributes of an envelope, name and text.
pub fn attributes(envelope: &Envelope) -> impl Iterator<Item = (&'static str, String)> {
    let required: [(&str, &dyn Display); 10] = [
        ("specversion", &SPEC_VERSION),
        ("id", &envelope.id),
        ("type", &envelope.event_type),
        ("source", &envelope.source),
        ("time", &envelope.time),
        ("subject", &envelope.key),
        ("lane", &envelope.lane),
        ("sequence", &envelope.sequence),
        ("correlationid", &envelope.correlation_id),
        ("causationid", &envelope.causation_id),
    ];
    let texts = required.map(|(name, value)| (name, value.to_string()));
    texts.into_iter().chain(envelope.traceparent.map(|it| ("traceparent", it.to_string())))
}

/// The value of an attribute as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// Text, or a number as text.
    Text(String),
    /// Something that no attribute of ours is, by the name of its type.
    Other(String),
}

/// Reads the attributes of a message strictly. The first thing that is wrong is the message's defect; what could not be
/// read is made up then, always in the same way from the same bytes.
#[derive(Debug, Default)]
pub struct Reader {
    attributes: BTreeMap<String, Attribute>,
    defect: Option<String>,
}

impl Reader {
    /// Nothing was read yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes an attribute. Two of one name must be the same.
    pub fn read(&mut self, name: &str, value: Attribute) {
        match self.attributes.get(name) {
            Some(other) if *other != value => self.wrong(format!("it has two headers for {}", shown(name))),
            Some(_) => {}
            None => drop(self.attributes.insert(name.to_owned(), value)),
        }
    }

    /// Records a defect, unless there is an earlier one.
    pub fn wrong(&mut self, defect: String) {
        self.defect.get_or_insert(defect);
    }

    /// The envelope, and what is wrong with it. `made_up` stands for ids that could not be read; see [`made_up_id`].
    pub fn finish(mut self, made_up: Uuid) -> (Envelope, Option<String>) {
        let version: String = self.required("specversion", SPEC_VERSION.to_owned());
        if version != SPEC_VERSION {
            self.wrong(format!("it is of CloudEvents {}, not {SPEC_VERSION}", shown(&version)));
        }
        let envelope = Envelope {
            id: self.required("id", made_up.into()),
            event_type: self.required("type", "unknown".to_owned()),
            source: self.required("source", "unknown".to_owned()),
            time: self.required("time", EventTime(Timestamp::UNIX_EPOCH)).0,
            // Made up, so that it holds up nothing that has a key.
            key: self.required("subject", made_up),
            lane: self.required("lane", LaneName(Lane::Background)).0,
            sequence: self.required("sequence", 0),
            correlation_id: self.required("correlationid", made_up),
            causation_id: self.required("causationid", made_up),
            traceparent: self.optional("traceparent"),
        };
        if envelope.event_type.split('.').next() != Some(envelope.source.as_str()) {
            let (event_type, source) = (shown(&envelope.event_type), shown(&envelope.source));
            self.wrong(format!("its source {source} does not emit its type {event_type}"));
        }
        (envelope, self.defect)
    }

    /// An attribute that every message has.
    fn required<T: FromStr>(&mut self, name: &str, otherwise: T) -> T {
        if !self.attributes.contains_key(name) {
            self.wrong(format!("it has no {name}"));
            return otherwise;
        }
        self.optional(name).unwrap_or(otherwise)
    }

    fn optional<T: FromStr>(&mut self, name: &str) -> Option<T> {
        let text = match self.attributes.get(name)? {
            Attribute::Text(text) => text.clone(),
            Attribute::Other(kind) => {
                let defect = format!("its {name} is a {kind}");
                self.wrong(defect);
                return None;
            }
        };
        // No event has more, and no store takes control characters.
        let is_plain = text.len() <= TEXT_BYTES_MAX && !text.chars().any(char::is_control);
        let parsed = if is_plain { text.parse().ok() } else { None };
        if parsed.is_none() {
            self.wrong(format!("its {name} is {}", shown(&text)));
        }
        parsed
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

/// The id that these bytes always get, and no other bytes do: UUIDv8 (RFC 9562 §5.8) of their SHA-256.
///
/// Give it everything that the sender sent, and nothing that changes from one delivery to the next.
pub fn made_up_id(sent: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Uuid {
    let mut hash = Sha256::new();
    for piece in sent {
        hash.update(piece);
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    Uuid::from_bytes(bytes)
}

/// A foreign text, cut to what fits a line, without anything that a terminal obeys.
fn shown(text: &str) -> String {
    let cut: String = text.chars().take(SHOWN_CHARS).collect();
    format!("{cut:?}{}", if cut.len() < text.len() { "…" } else { "" })
}

#[cfg(test)]
mod tests {
    use kernel::{Clock, Ids};

    use super::*;
    use crate::conformance;

    fn envelope() -> Envelope {
        let key = Ids::new(Clock::system()).next();
        let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().ok();
        Envelope {
            sequence: i64::MAX,
            traceparent,
            ..conformance::message("source.thing_made.v1", Lane::Background, key).envelope
        }
    }

    fn text(text: &str) -> Attribute {
        Attribute::Text(text.to_owned())
    }

    /// The envelope as it is read, with one attribute otherwise.
    fn read_with(envelope: &Envelope, name: &str, value: Option<Attribute>) -> (Envelope, Option<String>) {
        let mut reader = Reader::new();
        for (other, value) in attributes(envelope).filter(|(other, _)| *other != name) {
            reader.read(other, Attribute::Text(value));
        }
        if let Some(value) = value {
            reader.read(name, value);
        }
        reader.finish(Uuid::from_u128(7))
    }

    #[test]
    fn an_envelope_is_read_as_it_was_written() {
        for sent in [envelope(), Envelope { traceparent: None, ..envelope() }] {
            assert_eq!(read_with(&sent, "", None), (sent, None));
        }
    }

    #[test]
    fn the_defect_is_stated_and_the_rest_is_kept() {
        let sent = envelope();
        let cases = [
            ("id", None, "it has no id"),
            ("id", Some(text("42")), "its id is \"42\""),
            ("id", Some(Attribute::Other("Boolean".to_owned())), "its id is a Boolean"),
            ("subject", Some(text("\u{1b}[2J")), "its subject is \"\\u{1b}[2J\""),
            ("time", Some(text("yesterday")), "its time is \"yesterday\""),
            ("time", Some(text("1969-12-31T23:59:59Z")), "its time is \"1969"),
            ("lane", Some(text("urgent")), "its lane is \"urgent\""),
            ("sequence", Some(text("1.5")), "its sequence is \"1.5\""),
            ("source", Some(text("payments")), "its source \"payments\" does not emit its type"),
            ("specversion", Some(text("0.3")), "it is of CloudEvents \"0.3\", not 1.0"),
            ("traceparent", Some(text("00")), "its traceparent is \"00\""),
        ];
        for (name, value, expected) in cases {
            let (read, defect) = read_with(&sent, name, value);
            let defect = defect.unwrap_or_default();
            assert!(defect.starts_with(expected), "{name}: {defect}");
            assert_eq!(read.correlation_id, sent.correlation_id, "{name}");
        }
    }

    #[test]
    fn two_values_of_one_attribute_are_a_defect_and_the_same_value_twice_is_none() {
        let sent = envelope();
        let mut reader = Reader::new();
        for (name, value) in attributes(&sent).chain(attributes(&sent)) {
            reader.read(name, Attribute::Text(value));
        }
        reader.read("other", text("a"));
        assert_eq!(reader.finish(Uuid::nil()), (sent, None));
        let mut reader = Reader::new();
        reader.read("id", text("a"));
        reader.read("id", text("b"));
        assert_eq!(reader.finish(Uuid::nil()).1.unwrap(), "it has two headers for \"id\"");
    }

    #[test]
    fn a_text_of_any_size_is_cut_where_it_is_shown() {
        let (_, defect) = read_with(&envelope(), "id", Some(text(&"é".repeat(100_000))));
        assert!(defect.unwrap().chars().count() < 2 * SHOWN_CHARS);
    }

    #[test]
    fn the_made_up_id_follows_from_the_bytes() {
        assert_eq!(made_up_id([b"ab"]), made_up_id([b"a", b"b"]));
        assert_ne!(made_up_id([b"ab"]), made_up_id([b"ba"]));
        assert_eq!(made_up_id([b"ab"]).get_version_num(), 8);
    }
}
