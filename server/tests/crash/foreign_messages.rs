//! Bytes that Tradepost did not send, in its own queues: each becomes a dead letter, and the shop sells on.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use test_servers::PATIENCE;

use crate::client::Client;
use crate::fleet::{Fleet, two_of_some};
use crate::shop::Shop;

/// The queue that gets the foreign messages, whose consumer parks them.
const QUEUE: &str = "tradepost.inventory.background.0";
const PLACED: &str = "orders.order_placed.v1";

/// A foreign message: headers, other properties and body, as Erlang terms.
struct ForeignMessage {
    headers: Vec<(String, String)>,
    properties: &'static str,
    body: String,
    queue: &'static str,
    /// A part of the reason.
    says: &'static str,
    /// The body as it must be shown, where it is short.
    shown: Option<&'static str>,
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_messages_become_dead_letters_and_the_shop_sells_on() {
    let mut fleet = Fleet::start(&two_of_some()).await;
    let client = fleet.client();
    let shop = Shop::open(&client).await;
    let order_id = pay_one(&client, &shop).await;
    let handled = id_of(&client, &order_id, PLACED).await;

    send_again_with_forged_headers(&fleet, &handled).await;

    let messages = foreign_messages(&handled);
    for message in &messages {
        send(&fleet, message);
    }
    let letters = dead_letters(&client, messages.len()).await;
    for ForeignMessage { says, shown, .. } in &messages {
        let letter = letters.iter().find(|letter| letter["reason"].as_str().unwrap_or_default().contains(says));
        let letter = letter.unwrap_or_else(|| panic!("nothing was parked for {says:?}: {:#?}", reasons(&letters)));
        let (status, one) = client.get(&path(letter)).await;
        assert_eq!(status, 200, "{says}");
        let one: Value = serde_json::from_str(&one).expect("a dead letter is JSON");
        assert_eq!(one["reason"], letter["reason"]);
        if let Some(shown) = shown {
            assert_eq!(one["body"].as_str(), Some(*shown), "{says}");
        }
    }
    let listed =
        |text: &str| letters.iter().filter(|letter| letter["body"].as_str().is_some_and(|it| it == text)).count();
    assert_eq!(listed("more than 65536 bytes, not shown here"), 3, "large bodies are listed");
    pay_one(&client, &shop).await;

    // They are no better the second time, and are parked again.
    for letter in &letters {
        let (status, _) = client.post(&format!("{}/replay", path(letter)), &json!({})).await.expect("it is alive");
        assert_eq!(status, 202, "{letter}");
    }
    client.settle().await;
    let again = dead_letters(&client, messages.len()).await;
    for letter in &again {
        let (status, _) = client.post(&format!("{}/discard", path(letter)), &json!({})).await.expect("it is alive");
        assert_eq!(status, 200, "{letter}");
    }
    client.settle().await;
    dead_letters(&client, 0).await;
    pay_one(&client, &shop).await;
    assert_eq!(fleet.panics(), Vec::<String>::new());

    // Nobody says that there are none when they can't be asked for.
    for at in fleet.of("inventory") {
        fleet.drain(at).await;
    }
    let listed: Value = serde_json::from_str(&fleet.command(&["dlq", "list", "--json"]).await).expect("it is JSON");
    assert_eq!(listed["missing"], json!(["inventory"]), "{listed}");
    fleet.stop().await;
}

fn foreign_messages(handled: &str) -> Vec<ForeignMessage> {
    let fresh = || kernel::Ids::new(kernel::Clock::system()).next::<kernel::EventId>().to_string();
    let with = |changes: &[(&str, &str)], body: &str, says: &'static str| {
        let mut headers: Vec<(String, String)> = [
            ("specversion", "1.0"),
            ("id", &fresh()),
            ("type", PLACED),
            ("source", "orders"),
            ("time", "2026-01-02T03:04:05Z"),
            ("subject", &fresh()),
            ("lane", "background"),
            ("sequence", "1"),
            ("correlationid", &fresh()),
            ("causationid", &fresh()),
        ]
        .map(|(name, value)| (format!("cloudEvents:{name}"), value.to_owned()))
        .into();
        for (name, value) in changes {
            let name = format!("cloudEvents{name}");
            headers.retain(|(known, _)| *known != name);
            headers.push((name, (*value).to_owned()));
        }
        ForeignMessage { headers, properties: "", body: body.to_owned(), queue: QUEUE, says, shown: None }
    };
    let text = |body: &str| format!("<<\"{body}\">>");
    let bare = |body: &str, says| ForeignMessage { headers: Vec::new(), ..with(&[], body, says) };
    vec![
        ForeignMessage { shown: Some("not JSON"), ..with(&[], &text("not JSON"), "expected ident at line 1") },
        ForeignMessage { shown: Some(""), ..with(&[], "<<>>", "EOF while parsing a value") },
        with(&[], "<<34, (binary:copy(<<\"x\">>, 6000000))/binary, 34>>", "invalid type: string"),
        with(&[], "binary:copy(<<\"[\">>, 100000)", "invalid type: sequence"),
        with(&[], "binary:copy(<<\"{\\\"lines\\\":\">>, 100000)", "invalid type: map"),
        with(&[(":type", "orders.order_teleported.v1")], &text("{}"), "react to orders.order_teleported.v1"),
        with(&[(":type", "orders.order_placed.v99")], &text("{}"), "react to orders.order_placed.v99"),
        ForeignMessage { shown: Some("naked"), ..bare(&text("naked"), "it has no specversion") },
        with(&[("_id", &fresh())], &text("{}"), "it has two headers for \"id\""),
        with(&[(":id", handled)], &text("{}"), "the id of a handled event, with other bytes"),
        with(&[(":lane", "immediate")], &text("{}"), "its lane is immediate, and it came by background"),
        with(&[(":lane", "urgent")], &text("{}"), "its lane is \"urgent\""),
        with(&[(":time", "yesterday")], &text("{}"), "its time is \"yesterday\""),
        with(&[(":time", "-000044-03-15T12:00:00Z")], &text("{}"), "its time is \"-000044"),
        with(&[(":type", "orders.order\\0placed.v1")], &text("{}"), "its type is \"orders.order"),
        with(&[(":correlationid", "\\e[31m")], &text("{}"), "its correlationid is"),
        with(&[(":source", "payments")], &text("{}"), "does not emit its type"),
        with(&[], &text("{\\\"a\\0b\\\": 1}"), "control character"),
        ForeignMessage {
            properties: "{message_id, <<\"42\">>},",
            ..with(&[], &text("{}"), "its message id and its event id differ")
        },
        ForeignMessage {
            shown: Some("forged"),
            ..forged(with(&[(":sequence", "many")], &text("forged"), "its sequence is \"many\""))
        },
        ForeignMessage {
            queue: "tradepost.inventory.dead",
            ..with(&[], &text("{}"), "dead-lettered it after 10000 deliveries")
        },
    ]
}

/// As if the broker had tried it for long: only the bytes count.
fn forged(message: ForeignMessage) -> ForeignMessage {
    let forged = [("x-delivery-count", "9999"), ("x-death", "mine")].map(|(name, value)| (name.into(), value.into()));
    let headers = message.headers.into_iter().chain(forged).collect();
    ForeignMessage { headers, ..message }
}

/// An event that was handled, as if the broker had tried it for long: its own headers count, so it is dropped as a
/// duplicate.
async fn send_again_with_forged_headers(fleet: &Fleet, event_id: &str) {
    let duplicates = async || {
        let mut sum = 0;
        for at in fleet.of("inventory") {
            sum += fleet.metric_of(at, "tradepost_events_handled_total", "outcome=\"duplicate\"").await;
        }
        sum
    };
    let row = fleet.sql(&format!(
        "select type, time, key, sequence, correlation_id, causation_id, translate(encode(convert_to(body::text, 'UTF8'), \
             'base64'), e'\\n', '') from orders.events where event_id = '{event_id}'"
    ));
    let fields: Vec<&str> = row.trim().split('|').collect();
    let [event_type, time, key, sequence, correlation_id, causation_id, body] = fields[..] else {
        panic!("the event is not one row: {row}")
    };
    let time = format!("{}:00", time.replacen(' ', "T", 1));
    let headers = [
        ("specversion", "1.0"),
        ("id", event_id),
        ("type", event_type),
        ("source", "orders"),
        ("time", &time),
        ("subject", key),
        ("lane", "background"),
        ("sequence", sequence),
        ("correlationid", correlation_id),
        ("causationid", causation_id),
    ];
    let headers = headers.map(|(name, value)| (format!("cloudEvents:{name}"), value.to_owned())).into();
    let body = format!("base64:decode(<<\"{body}\">>)");
    let copy = ForeignMessage { headers, properties: "", body, queue: QUEUE, says: "", shown: None };
    let before = duplicates().await;
    send(fleet, &forged(copy));
    let deadline = Instant::now() + PATIENCE;
    while duplicates().await == before {
        assert!(Instant::now() < deadline, "it was not dropped as a duplicate");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Puts it into the queue, whatever the adapter would say to it.
fn send(fleet: &Fleet, message: &ForeignMessage) {
    let ForeignMessage { headers, properties, body, queue, .. } = message;
    let headers: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{{<<\"{name}\">>, longstr, <<\"{}\">>}}", value.replace('"', "\\\"")))
        .collect();
    fleet.eval(&format!(
        "rabbit_basic:publish(rabbit_misc:r({}, exchange, <<>>), <<\"{queue}\">>, \
             [{properties} {{delivery_mode, 2}}, {{headers, [{}]}}], {body})",
        fleet.vhost(),
        headers.join(", ")
    ));
}

/// Places an order and waits until it is paid; answers with its id.
async fn pay_one(client: &Client, shop: &Shop) -> String {
    let order = json!({
        "email": "ada@example.com", "payment": {"token": "tok_ok"},
        "lines": [{"product_id": shop.shelves[0].product_id, "quantity": 1}],
    });
    let placed = client.create("/v1/orders", &order).await;
    let order_id = placed["order_id"].as_str().expect("an order has an id").to_owned();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (_, text) = client.get(&format!("/v1/orders/{order_id}")).await;
        let order: Value = serde_json::from_str(&text).expect("an order is JSON");
        if order["status"] == "paid" {
            return order_id;
        }
        assert!(Instant::now() < deadline, "it is not paid: {text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn id_of(client: &Client, order_id: &str, event_type: &str) -> String {
    let (status, text) = client.get(&format!("/v1/orders/{order_id}/events")).await;
    assert_eq!(status, 200, "{text}");
    let story: Value = serde_json::from_str(&text).expect("a story is JSON");
    find(&story, event_type).unwrap_or_else(|| panic!("no {event_type} in {text}"))
}

/// The id of the first event of a type, wherever the story has it.
fn find(value: &Value, event_type: &str) -> Option<String> {
    match value {
        Value::Object(fields) if fields.get("type").and_then(Value::as_str) == Some(event_type) => {
            fields.get("event_id").or_else(|| fields.get("id"))?.as_str().map(str::to_owned)
        }
        Value::Object(fields) => fields.values().find_map(|value| find(value, event_type)),
        Value::Array(items) => items.iter().find_map(|value| find(value, event_type)),
        _ => None,
    }
}

/// All dead letters, once there are so many.
async fn dead_letters(client: &Client, count: usize) -> Vec<Value> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let letters: Vec<Value> = client.all("/v1/dead-letters").await.expect("it is alive");
        if letters.len() == count {
            return letters;
        }
        let reasons = reasons(&letters);
        assert!(Instant::now() < deadline, "{} dead letters, not {count}: {reasons:#?}", letters.len());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn reasons(letters: &[Value]) -> Vec<&str> {
    letters.iter().filter_map(|letter| letter["reason"].as_str()).collect()
}

fn path(letter: &Value) -> String {
    format!("/v1/dead-letters/{}", letter["dead_letter_id"].as_str().expect("a dead letter has an id"))
}
