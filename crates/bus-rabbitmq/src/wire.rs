//! A message on RabbitMQ: the attributes of its envelope as headers, by the names of the AMQP binding of CloudEvents
//! (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/amqp-protocol-binding.md>).

use bus::Message;
use bus::cloud_events::{self, Attribute, Reader};
use kernel::Uuid;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};

/// The binding's prefix of 1.0.2, and the one that later versions prefer: what is received may have either.
const PREFIXES: [&str; 2] = ["cloudEvents:", "cloudEvents_"];

/// AMQP's "persistent".
const PERSISTENT: u8 = 2;

/// The headers of a message.
pub(crate) fn encode(message: &Message) -> BasicProperties {
    let mut headers = FieldTable::default();
    for (name, text) in cloud_events::attributes(&message.envelope) {
        headers.insert(format!("{}{name}", PREFIXES[0]).into(), AMQPValue::LongString(text.into()));
    }
    BasicProperties::default()
        .with_content_type(cloud_events::CONTENT_TYPE.into())
        .with_delivery_mode(PERSISTENT)
        .with_message_id(message.envelope.id.to_string().into())
        .with_headers(headers)
}

/// A message and, if it is none that Tradepost sends, the first thing that is wrong with it.
/// Attributes that could not be read are made up then, always in the same way.
pub(crate) fn decode(properties: &BasicProperties, body: Vec<u8>) -> (Message, Option<String>) {
    let empty = FieldTable::default();
    let headers = properties.headers().as_ref().unwrap_or(&empty);
    let mut reader = Reader::new();
    for (name, value) in headers {
        if let Some(name) = PREFIXES.iter().find_map(|prefix| name.as_str().strip_prefix(prefix)) {
            reader.read(name, attribute(value));
        }
    }
    let (envelope, mut defect) = reader.finish(made_up_id(headers, properties, &body));
    let message_id = properties.message_id().as_ref();
    if message_id.is_some_and(|id| id.as_str() != envelope.id.to_string()) {
        defect.get_or_insert_with(|| "its message id and its event id differ".to_owned());
    }
    (Message { envelope, body: body.into() }, defect)
}

fn attribute(value: &AMQPValue) -> Attribute {
    let text = match value {
        AMQPValue::LongString(text) => std::str::from_utf8(text.as_bytes()).ok().map(str::to_owned),
        // A sender that follows the binding to the letter may send numbers as numbers.
        AMQPValue::LongLongInt(number) => Some(number.to_string()),
        AMQPValue::LongInt(number) => Some(number.to_string()),
        _ => None,
    };
    text.map_or_else(|| Attribute::Other(value.get_type().to_string()), Attribute::Text)
}

fn made_up_id(headers: &FieldTable, properties: &BasicProperties, body: &[u8]) -> Uuid {
    // The broker's own headers change with each delivery.
    let sent = headers.inner().iter().filter(|(name, _)| !name.as_str().starts_with("x-"));
    let mut pieces: Vec<Vec<u8>> = sent.map(|(name, value)| format!("{name:?}={value:?}\n").into_bytes()).collect();
    pieces.push(format!("{:?}\n", properties.message_id()).into_bytes());
    pieces.push(body.to_vec());
    cloud_events::made_up_id(pieces)
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
        message
    }

    fn with_header(message: &Message, name: &str, value: AMQPValue) -> BasicProperties {
        let properties = encode(message);
        let mut headers = properties.headers().clone().unwrap().inner().clone();
        headers.insert(name.into(), value);
        properties.with_headers(headers.into())
    }

    #[test]
    fn a_message_arrives_as_it_was_sent() {
        let sent = message();
        assert_eq!(decode(&encode(&sent), sent.body.to_vec()), (sent, None));
    }

    #[test]
    fn the_other_prefix_and_numbers_as_numbers_are_understood() {
        let sent = message();
        let mut headers = FieldTable::default();
        for (name, value) in encode(&sent).headers().as_ref().unwrap() {
            headers.insert(name.as_str().replace(':', "_").into(), value.clone());
        }
        headers.insert("cloudEvents_sequence".into(), AMQPValue::LongLongInt(sent.envelope.sequence));
        assert_eq!(decode(&BasicProperties::default().with_headers(headers), sent.body.to_vec()), (sent, None));
    }

    #[test]
    fn a_header_of_another_kind_or_with_both_prefixes_is_a_defect() {
        let sent = message();
        let cases = [
            ("cloudEvents:id", AMQPValue::Boolean(true), "its id is a Boolean"),
            ("cloudEvents_id", AMQPValue::LongString("42".into()), "it has two headers for \"id\""),
        ];
        for (name, value, expected) in cases {
            let (read, defect) = decode(&with_header(&sent, name, value), sent.body.to_vec());
            assert_eq!(defect.unwrap(), expected);
            assert_eq!((read.envelope.correlation_id, &read.body), (sent.envelope.correlation_id, &sent.body));
        }
        let other_id = encode(&sent).with_message_id("42".into());
        assert_eq!(decode(&other_id, Vec::new()).1.unwrap(), "its message id and its event id differ");
    }

    #[test]
    fn foreign_bytes_have_one_id_for_ever_and_a_key_of_their_own() {
        let nothing = BasicProperties::default();
        let mut delivered_again = FieldTable::default();
        delivered_again.insert("x-delivery-count".into(), AMQPValue::LongLongInt(3));
        let again = BasicProperties::default().with_headers(delivered_again);
        let (first, defect) = decode(&nothing, vec![0xff]);
        assert_eq!(defect.unwrap(), "it has no specversion");
        assert_eq!(decode(&again, vec![0xff]).0, first);
        assert_ne!(decode(&nothing, vec![0xfe]).0.envelope.id, first.envelope.id);
        assert_eq!(first.envelope.key, Uuid::from(first.envelope.id));
    }
}
