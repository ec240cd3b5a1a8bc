//! A message in a stream: the attributes of its envelope as fields, by their own names, and the body as one more field.
//! CloudEvents has no binding for Redis; `data` and `datacontenttype` are the names of its JSON format
//! (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md>).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bus::Message;
use bus::cloud_events::{self, Attribute, Reader};
use bytes::Bytes;
use kernel::Uuid;
use serde_json::{Value, json};

/// The field of the body.
const BODY: &str = "data";

/// The field of the body's media type.
const CONTENT_TYPE: &str = "datacontenttype";

/// The attributes that Tradepost writes.
const ATTRIBUTES: [&str; 11] = [
    "specversion",
    "id",
    "type",
    "source",
    "time",
    "subject",
    "lane",
    "sequence",
    "correlationid",
    "causationid",
    "traceparent",
];

/// A field of an entry and its value, as they are in the stream.
pub(crate) type Field = (Vec<u8>, Vec<u8>);

/// The fields of a message but for its body, which comes last; see [`BODY`].
pub(crate) fn encode(message: &Message) -> Vec<(&'static str, String)> {
    let mut fields: Vec<_> = cloud_events::attributes(&message.envelope).collect();
    fields.push((CONTENT_TYPE, cloud_events::CONTENT_TYPE.to_owned()));
    fields
}

/// The name of the field of the body.
pub(crate) const fn body_field() -> &'static str {
    BODY
}

/// A message and, if it is none that Tradepost sends, the first thing that is wrong with it.
/// Attributes that could not be read are made up then, always in the same way. The body of an entry whose fields are not
/// those of a message is all of them, as JSON: nothing of it is lost.
pub(crate) fn decode(fields: Vec<Field>) -> (Message, Option<String>) {
    let mut reader = Reader::new();
    let mut bodies = 0;
    for (name, value) in &fields {
        match std::str::from_utf8(name) {
            Ok(BODY) => bodies += 1,
            Ok(name) => reader.read(name, attribute(value)),
            Err(_) => reader.wrong("it has a field whose name is no text".to_owned()),
        }
    }
    if bodies != 1 {
        reader.wrong(format!("it has {bodies} fields {BODY:?}"));
    }
    let (envelope, defect) = reader.finish(made_up_id(&fields));
    let is_whole = bodies == 1 && (defect.is_none() || fields.iter().all(|(name, _)| is_ours(name)));
    let body = if is_whole { body_of(fields) } else { all_as_json(&fields) };
    (Message { envelope, body }, defect)
}

fn is_ours(name: &[u8]) -> bool {
    let names = ATTRIBUTES.iter().chain(&[BODY, CONTENT_TYPE]);
    names.map(|ours| ours.as_bytes()).any(|ours| ours == name)
}

fn body_of(fields: Vec<Field>) -> Bytes {
    let body = fields.into_iter().find(|(name, _)| name == BODY.as_bytes());
    body.map(|(_, value)| value.into()).unwrap_or_default()
}

/// All fields in their order. What is no text is in Base64, under a name that says so.
fn all_as_json(fields: &[Field]) -> Bytes {
    let part = |name: &str, bytes: &[u8]| match std::str::from_utf8(bytes) {
        Ok(text) => (name.to_owned(), Value::from(text)),
        Err(_) => (format!("{name}_base64"), Value::from(STANDARD.encode(bytes))),
    };
    let field =
        |(name, value): &Field| Value::Object([part("field", name), part("value", value)].into_iter().collect());
    json!({ "fields": fields.iter().map(field).collect::<Vec<_>>() }).to_string().into()
}

fn attribute(value: &[u8]) -> Attribute {
    std::str::from_utf8(value)
        .map_or_else(|_| Attribute::Other("value that is no text".to_owned()), |text| Attribute::Text(text.to_owned()))
}

fn made_up_id(fields: &[Field]) -> Uuid {
    // With their lengths, so that other fields are never the same bytes.
    let pieces = fields.iter().flat_map(|(name, value)| [name, value]);
    cloud_events::made_up_id(pieces.flat_map(|piece| [piece.len().to_be_bytes().to_vec(), piece.clone()]))
}

#[cfg(test)]
mod tests {
    use bus::conformance;
    use kernel::{Clock, Ids, Lane};

    use super::*;

    fn message() -> Message {
        let mut message =
            conformance::message("source.thing_made.v1", Lane::Background, Ids::new(Clock::system()).next());
        message.envelope.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().ok();
        Message { body: Bytes::from_static(&[0, 0xff, b'\n']), ..message }
    }

    fn fields(message: &Message) -> Vec<Field> {
        let attributes = encode(message).into_iter().map(|(name, text)| (name.into(), text.into()));
        attributes.chain([(BODY.into(), message.body.to_vec())]).collect()
    }

    fn with(message: &Message, name: &str, value: &[u8]) -> Vec<Field> {
        let others = fields(message).into_iter().filter(|(other, _)| other != name.as_bytes());
        others.chain([(name.into(), value.to_vec())]).collect()
    }

    #[test]
    fn a_message_arrives_as_it_was_sent() {
        let sent = message();
        assert!(fields(&sent).iter().all(|(name, _)| is_ours(name)));
        assert_eq!(decode(fields(&sent)), (sent.clone(), None));
        // The attributes of others are none of ours.
        assert_eq!(decode(with(&sent, "partitionkey", b"7")), (sent, None));
    }

    #[test]
    fn a_defect_in_an_attribute_leaves_the_body_as_it_came() {
        let sent = message();
        let (read, defect) = decode(with(&sent, "id", b"42"));
        assert_eq!(defect.unwrap(), "its id is \"42\"");
        assert_eq!((read.envelope.correlation_id, read.body), (sent.envelope.correlation_id, sent.body.clone()));
        let (read, defect) = decode(with(&sent, "id", &[0xff]));
        assert_eq!(defect.unwrap(), "its id is a value that is no text");
        assert_eq!(read.body, sent.body);
    }

    #[test]
    fn an_entry_of_other_fields_keeps_all_of_them() {
        let foreign: Vec<Field> = vec![(b"a".to_vec(), b"1\n".to_vec()), (vec![0xff], vec![0xfe])];
        let (read, defect) = decode(foreign.clone());
        assert_eq!(defect.unwrap(), "it has a field whose name is no text");
        assert_eq!(
            read.body,
            r#"{"fields":[{"field":"a","value":"1\n"},{"field_base64":"/w==","value_base64":"/g=="}]}"#
        );
        assert_eq!(read.envelope.key, Uuid::from(read.envelope.id));
        assert_eq!(decode(foreign).0, read);
        let twice: Vec<Field> = fields(&message()).into_iter().chain([(BODY.into(), b"other".to_vec())]).collect();
        let (read, defect) = decode(twice);
        assert_eq!(defect.unwrap(), "it has 2 fields \"data\"");
        assert!(read.body.ends_with(br#"{"field":"data","value":"other"}]}"#));
    }

    #[test]
    fn other_fields_have_another_id() {
        let id = |fields: &[(&str, &str)]| {
            let fields = fields.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            decode(fields).0.envelope.id
        };
        assert_eq!(id(&[("a", "b")]), id(&[("a", "b")]));
        assert_ne!(id(&[("a", "bc")]), id(&[("ab", "c")]));
    }
}
