//! The table of each contract as examples: messages of others with the facts in them, and events with the bytes that go out.
//!
//! `golden/NAME.in.json` has messages; `golden/NAME.json` is written by `cargo xtask bless`. A change of a contract, of an
//! event or of the bridge that others would notice shows there.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use kernel::{Envelope, EventId, Lane, Uuid};
use serde_json::{Value, json};

use crate::contract::Contract;
use crate::incoming::{self, Incoming, Message};
use crate::on_any;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

fn read(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The facts in a message, or the reason for which it is parked.
fn taken(contract: &Contract, example: &Value) -> Value {
    let text = |name: &str| example[name].as_str().unwrap_or_default().to_owned();
    let body = match &example["body"] {
        Value::String(text) => text.clone().into_bytes(),
        // As a file has it, which keeps numbers as they are written.
        other => other.to_string().into_bytes(),
    };
    let message = Message { routing_key: text("routing_key"), ..Message::default() };
    let incoming = Incoming { queue: text("queue"), body: Bytes::from(body), message };
    match incoming::read(contract, &incoming) {
        Ok(said) => {
            json!({ "message": example, "id": said.id, "facts": said.facts, "log": said.log })
        }
        Err(reason) => json!({ "message": example, "parked": reason }),
    }
}

/// The messages that an example of an event becomes.
fn sent(contract: &Contract) -> Vec<Value> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/events/golden");
    let mut all = Vec::new();
    for rule in &contract.publishes {
        let event = rule.on;
        let body = read(&examples.join(format!("{}.json", event.event_type)));
        let envelope = Envelope {
            id: EventId::from(Uuid::from_u128(1)),
            event_type: event.event_type.to_owned(),
            source: event.source.to_owned(),
            key: Uuid::from_u128(2),
            sequence: 1,
            lane: Lane::Background,
            time: "2026-11-30T12:00:00.5Z".parse().expect("a time"),
            correlation_id: Uuid::from_u128(3),
            causation_id: Uuid::from_u128(3),
            traceparent: None,
        };
        let bodies = on_any::example(rule, &envelope, &body);
        let bodies = bodies.map(|bodies| bodies.into_iter().map(|body| String::from_utf8_lossy(&body).into_owned()));
        all.push(match bodies {
            Ok(bodies) => json!({
                "event": event.event_type, "role": rule.role, "exchange": rule.exchange, "keys": rule.keys,
                "optional": rule.optional, "bodies": bodies.collect::<Vec<_>>(),
            }),
            Err(reason) => panic!("{}: {}: {reason}", contract.name, event.event_type),
        });
    }
    all
}

#[test]
fn the_tables_of_contracts_are_up_to_date() {
    for name in Contract::own_names() {
        let contract = Contract::own(name).expect("it is one of its own");
        let messages = read(&folder().join(format!("{name}.in.json")));
        let taken: Vec<Value> =
            messages.as_array().expect("a list").iter().map(|example| taken(&contract, example)).collect();
        let table = format!("{:#}\n", json!({ "in": taken, "out": sent(&contract) }));
        let file = folder().join(format!("{name}.json"));
        if std::env::var_os("TRADEPOST_BLESS").is_some_and(|it| it == "1") {
            fs::write(&file, table).expect("the tree can be written");
            continue;
        }
        let expected = fs::read_to_string(&file).unwrap_or_default();
        assert!(expected == table, "{}: run `cargo xtask bless`, and read the difference", file.display());
    }
}

#[test]
fn every_queue_of_a_contract_has_an_example() {
    for name in Contract::own_names() {
        let contract = Contract::own(name).expect("it is one of its own");
        let messages = read(&folder().join(format!("{name}.in.json")));
        for queue in &contract.queues {
            let has_one = messages.as_array().expect("a list").iter().any(|it| it["queue"] == queue.name.as_str());
            assert!(has_one, "{name}: no example comes by {}", queue.name);
        }
    }
}
