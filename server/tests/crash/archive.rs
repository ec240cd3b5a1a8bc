//! The archives of all services, and what must agree with them: the receiver of webhooks, and the numbers of analytics.

use std::collections::{HashMap, HashSet};

use kernel::Timestamp;
use serde_json::Value;

use crate::books::ALIVE;
use crate::client::Client;
use crate::numbers;
use crate::receiver::Endpoint;

/// Subscriptions of the endpoint: all that happens to orders and to what is ordered from suppliers.
pub const SUBSCRIPTIONS: [&str; 2] = ["orders.*", "suppliers.*"];

/// The time zone of the shop.
const ZONE: &str = "UTC";

/// Every event that was emitted so far.
#[derive(Default)]
pub struct Archive {
    pub events: Vec<Value>,
    known: HashSet<String>,
}

impl Archive {
    /// Reads the events that are new, which are the first in the list.
    pub async fn read(&mut self, client: &Client) {
        let mut cursor = String::new();
        loop {
            let page = client.page::<Value>("/v1/events", &cursor).await.expect(ALIVE);
            let known = self.events.len();
            for event in page.items {
                if self.known.insert(id(&event).to_owned()) {
                    self.events.push(event);
                }
            }
            match page.next {
                Some(next) if self.events.len() > known => cursor = format!("&cursor={next}"),
                _ => return,
            }
        }
    }

    pub fn of_type<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Value> {
        self.events.iter().filter(move |event| event["type"] == name)
    }

    /// The times at which each order began to wait for stock, and at which it was asked for money after that.
    pub fn waits(&self) -> HashMap<&str, (usize, usize)> {
        let mut waits: HashMap<&str, (usize, usize)> = HashMap::new();
        for updated in self.of_type("orders.order_updated.v1").map(|event| &event["data"]) {
            let (before, status) = (updated["previous_status"].as_str(), updated["status"].as_str());
            let of_order = waits.entry(updated["order_id"].as_str().unwrap_or_default()).or_default();
            of_order.0 += usize::from(status == Some("backordered"));
            of_order.1 += usize::from((before, status) == (Some("backordered"), Some("reserved")));
        }
        waits
    }

    /// The endpoint has had each event of its types since a time, as it is in the archives, and no other.
    pub fn of_webhooks(&self, endpoint: &Endpoint) -> Vec<String> {
        let Endpoint { receiver, since } = endpoint;
        let mut findings = receiver.findings();
        let mut received = receiver.events();
        let is_of_type = |event: &&Value| {
            let event_type = event["type"].as_str().unwrap_or_default();
            SUBSCRIPTIONS.iter().any(|it| event_type.starts_with(it.trim_end_matches('*')))
        };
        let is_since = |event: &&Value| {
            event["time"].as_str().and_then(|it| it.parse().ok()).is_some_and(|it: Timestamp| it >= *since)
        };
        for event in self.events.iter().filter(is_of_type).filter(is_since) {
            match received.remove(id(event)) {
                Some(delivered) if delivered.is_taken && is_same(event, &delivered.message) => {}
                Some(delivered) if delivered.is_taken => {
                    findings.push(format!("the webhook of {event} was {}", delivered.message));
                }
                found => {
                    let came = if found.is_some() { "was not tried again" } else { "never came" };
                    findings.push(format!("the webhook of {} {} {came}", event["type"], id(event)));
                }
            }
        }
        findings.extend(received.keys().map(|id| format!("a webhook of {id}, which is no event of its types")));
        findings
    }

    /// Analytics say what these events say.
    pub async fn of_analytics(&self, client: &Client) -> Vec<String> {
        let mut answers = Vec::new();
        for question in numbers::questions("") {
            let (status, answer) = client.ask(&question).await.expect(ALIVE);
            assert_eq!(status, 200, "GET {question} answered {answer}");
            answers.push(answer);
        }
        numbers::findings(&answers, &self.events, ZONE)
    }
}

pub fn id(event: &Value) -> &str {
    event["event_id"].as_str().unwrap_or_default()
}

/// True if a message says the same as the event.
fn is_same(event: &Value, message: &Value) -> bool {
    let sequence = event["sequence"].to_string();
    event["event_id"] == message["id"]
        && message["sequence"] == sequence.as_str()
        && [("service", "source"), ("caused_by", "causationid"), ("correlation_id", "correlationid")]
            .iter()
            .all(|(shown, sent)| event[shown] == message[sent])
        && ["type", "subject", "time", "data"].iter().all(|field| event[field] == message[field])
}
