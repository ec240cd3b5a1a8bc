//! The AsyncAPI document of the shop's own events. Their schemas are asked of the types themselves: what a payload may
//! leave out, and what may be null, is tried on its example.

use events::Descriptor;
use serde_json::{Map, Value, json};

/// The document; `reactions` gives the services that react to a type.
pub(crate) fn document(
    reactions: impl Fn(&Descriptor) -> Vec<&'static str>,
    example: impl Fn(&Descriptor) -> Value,
) -> Value {
    let (mut channels, mut operations, mut messages) = (Map::new(), Map::new(), Map::new());
    for event in events::all() {
        let (name, example) = (event.name.to_owned(), example(event));
        let doc = event.doc.lines().map(str::trim).collect::<Vec<_>>().join(" ").trim().to_owned();
        channels.insert(
            name.clone(),
            json!({
                "address": event.event_type,
                "title": event.name,
                "description": doc,
                "messages": { &name: { "$ref": format!("#/components/messages/{name}") } },
                "x-lane": event.lane.to_string(),
                "x-key": event.key,
                "x-reactions": reactions(event),
            }),
        );
        let sends = json!({
            "action": "send",
            "channel": { "$ref": format!("#/channels/{name}") },
            "summary": format!("The service {} emits it.", event.source),
            "tags": [{ "name": event.source }],
        });
        operations.insert(format!("send{name}"), sends);
        messages.insert(
            name,
            json!({
                "name": event.event_type,
                "title": event.name,
                "summary": doc,
                "contentType": "application/json",
                "headers": { "$ref": "#/components/schemas/Attributes" },
                "payload": schema(event, &example),
                "examples": [{ "payload": example }],
            }),
        );
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Tradepost: events",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The events by which the services of a shop know one another. Each is a CloudEvent in binary \
                mode; on a broker its attributes are headers. The address of a channel is the type of its event. \
                Generated from the code by `cargo xtask bless`.",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": { "messages": messages, "schemas": { "Attributes": attributes() } },
    })
}

/// The CloudEvents attributes beside a payload.
fn attributes() -> Value {
    let text = |description: &str| json!({ "type": "string", "description": description });
    json!({
        "type": "object",
        "required": ["specversion", "id", "type", "source", "time", "subject", "lane", "sequence", "correlationid",
            "causationid"],
        "properties": {
            "specversion": { "const": "1.0" },
            "id": text("The id of the event: a consumer handles it once."),
            "type": text("As in `orders.order_placed.v1`."),
            "source": text("The service that emitted it."),
            "time": { "type": "string", "format": "date-time", "description": "The time of its commit." },
            "subject": text("The id of what it is about. Events of one source, subject and lane are in order."),
            "lane": { "type": "string", "enum": ["immediate", "background"], "description": "Its urgency." },
            "sequence": text("The version that the event made of what it is about."),
            "correlationid": text("The request from which it followed."),
            "causationid": text("The request or event from which it followed directly."),
            "traceparent": text("The trace, as of W3C Trace Context."),
        },
    })
}

/// The schema of a payload.
fn schema(event: &Descriptor, example: &Value) -> Value {
    at(example, &|changed: &Value| (event.round_trip)(changed.to_string().as_bytes()).is_ok(), &|part| part)
}

/// The schema of a part of a payload. `takes` says if the type takes a payload, and `whole` makes one of this part.
fn at(part: &Value, takes: &dyn Fn(&Value) -> bool, whole: &dyn Fn(Value) -> Value) -> Value {
    match part {
        Value::Object(fields) => {
            let (mut properties, mut required) = (Map::new(), Vec::new());
            for (name, value) in fields {
                let with = |value: Value| {
                    let mut fields = fields.clone();
                    fields.insert(name.clone(), value);
                    whole(Value::Object(fields))
                };
                let mut without = fields.clone();
                without.remove(name);
                if !takes(&whole(Value::Object(without))) {
                    required.push(name.clone());
                }
                let mut property = at(value, takes, &with);
                if !value.is_null() && takes(&with(Value::Null)) {
                    property["type"] = json!([property["type"], "null"]);
                }
                properties.insert(name.clone(), property);
            }
            let mut schema = json!({ "type": "object", "properties": properties });
            if !required.is_empty() {
                schema["required"] = json!(required);
            }
            schema
        }
        Value::Array(items) => match items.first() {
            Some(first) => json!({ "type": "array", "items": at(first, takes, &|item| whole(json!([item]))) }),
            None => json!({ "type": "array" }),
        },
        Value::String(text) if text.parse::<kernel::Uuid>().is_ok() => json!({ "type": "string", "format": "uuid" }),
        Value::String(text) if text.parse::<kernel::Timestamp>().is_ok() => {
            json!({ "type": "string", "format": "date-time" })
        }
        Value::String(_) => json!({ "type": "string" }),
        Value::Bool(_) => json!({ "type": "boolean" }),
        Value::Number(number) if number.is_f64() => json!({ "type": "number" }),
        Value::Number(_) => json!({ "type": "integer" }),
        Value::Null => json!({}),
    }
}
