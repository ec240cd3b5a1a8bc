//! The table of each contract as examples: messages of others with the facts in them, and events with the bytes that go out.
//!
//! `golden/NAME.in.json` has messages; `golden/NAME.json` is written by `cargo xtask bless`. A change of a contract, of an
//! event or of the bridge that others would notice shows there.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use kernel::{Envelope, EventId, Lane, Uuid};
use serde_json::{Map, Value, json};

use crate::contract::{Contract, Exchange, ExchangeKind, Place};
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

/// The AsyncAPI document of a contract, with the examples of its table.
fn asyncapi(contract: &Contract, table: &Value) -> Value {
    let (mut channels, mut operations, mut messages) = (Map::new(), Map::new(), Map::new());
    // A message for each place and direction: its bodies are known by their examples.
    let mut say = |id: String, address: String, bindings: Value, action: &str, summary: String, bodies: Vec<Value>| {
        let examples: Vec<Value> = bodies.iter().take(3).map(|body| json!({ "payload": body })).collect();
        let is_text = bodies.iter().all(Value::is_string);
        let media = if is_text { "text/plain" } else { "application/json" };
        let payload = json!({ "type": if is_text { "string" } else { "object" } });
        let message = json!({ "name": &id, "contentType": media, "payload": payload, "examples": examples });
        messages.insert(id.clone(), message);
        let channel = channels.entry(address.clone()).or_insert_with(|| json!({ "address": address, "messages": {} }));
        channel["messages"][&id] = json!({ "$ref": format!("#/components/messages/{id}") });
        if bindings != Value::Null {
            channel["bindings"] = bindings;
        }
        let channel = format!("#/channels/{}", address.replace('~', "~0").replace('/', "~1"));
        let operation = json!({ "action": action, "channel": { "$ref": channel }, "summary": summary });
        operations.insert(format!("{action}.{id}"), operation);
    };
    let read = |text: &Value| match text {
        Value::String(text) => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone())),
        other => other.clone(),
    };
    let list = |of: &str| table[of].as_array().cloned().unwrap_or_default();
    for queue in &contract.queues {
        let taken = list("in").into_iter().filter(|it| it["parked"].is_null());
        let bodies = taken.filter(|it| it["message"]["queue"] == queue.name.as_str());
        let bodies: Vec<Value> = bodies.map(|it| read(&it["message"]["body"])).collect();
        let bindings = match &queue.place {
            Place::Bound(_) => json!({ "amqp": {
                "is": "queue", "bindingVersion": "0.3.0",
                "queue": { "name": queue.name, "durable": true, "exclusive": false, "autoDelete": false },
            } }),
            Place::Stream(_) => Value::Null,
        };
        let summary = format!("The role {} receives it.", queue.role);
        say(id(&queue.name), queue.name.clone(), bindings, "receive", summary, bodies);
    }
    for sent in list("out") {
        let text = |name: &str| sent[name].as_str().unwrap_or_default().to_owned();
        let keys = sent["keys"].as_array().cloned().unwrap_or_default();
        let exchange = contract.exchanges.iter().find(|exchange| exchange.name == text("exchange"));
        let bodies: Vec<Value> = sent["bodies"].as_array().into_iter().flatten().map(read).collect();
        let of = text("event");
        let event = events::find(&of).expect("a rule names an event").name;
        for key in keys.iter().filter_map(Value::as_str) {
            let address = if key.is_empty() { text("exchange") } else { key.to_owned() };
            let bindings = exchange.map_or(Value::Null, bindings);
            let summary = format!("The role {} sends it on {event}.", text("role"));
            let id = id(&format!("{}.{event}.{address}", text("role")));
            say(id, address, bindings, "send", summary, bodies.clone());
        }
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": format!("The contract {}", contract.name), "version": "1.0.0", "description": contract.about,
        },
        "channels": channels,
        "operations": operations,
        "components": { "messages": messages },
    })
}

/// The bindings of a channel that is a key of an exchange.
fn bindings(exchange: &Exchange) -> Value {
    let kind = match exchange.kind {
        ExchangeKind::Direct => "direct",
        ExchangeKind::Fanout => "fanout",
        ExchangeKind::Topic => "topic",
    };
    let exchange = json!({ "name": exchange.name, "type": kind, "durable": exchange.durable, "autoDelete": false });
    json!({ "amqp": { "is": "routingKey", "bindingVersion": "0.3.0", "exchange": exchange } })
}

/// A name that an AsyncAPI document takes as a key.
fn id(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '.' }).collect()
}

/// Compares a generated file with what is checked in, or writes it.
fn hold(file: &Path, text: &str) {
    if std::env::var_os("TRADEPOST_BLESS").is_some_and(|it| it == "1") {
        fs::write(file, text).expect("the tree can be written");
        return;
    }
    let expected = fs::read_to_string(file).unwrap_or_default();
    assert!(expected == text, "{}: run `cargo xtask bless`, and read the difference", file.display());
}

#[test]
fn the_tables_of_contracts_are_up_to_date() {
    for name in Contract::own_names() {
        let contract = Contract::own(name).expect("it is one of its own");
        let messages = read(&folder().join(format!("{name}.in.json")));
        let taken: Vec<Value> =
            messages.as_array().expect("a list").iter().map(|example| taken(&contract, example)).collect();
        let table = json!({ "in": taken, "out": sent(&contract) });
        hold(&folder().join(format!("{name}.json")), &format!("{table:#}\n"));
        let documents = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/asyncapi");
        hold(&documents.join(format!("{name}.json")), &format!("{:#}\n", asyncapi(&contract, &table)));
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
