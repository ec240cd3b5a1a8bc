//! The story of an order: what happened, when, and who handled it.

use std::collections::HashMap;

use kernel::Timestamp;
use serde::Deserialize;

use super::output::Styles;
use super::terminal::plain;

/// One event of the story.
#[derive(Clone, Debug, Deserialize)]
pub struct StoryEvent {
    event_id: String,
    #[serde(rename = "type")]
    event_type: String,
    time: Timestamp,
    service: String,
    #[serde(default)]
    deliveries: Vec<Delivery>,
}

#[derive(Clone, Debug, Deserialize)]
struct Delivery {
    consumer: String,
    status: String,
    attempts: i64,
    reason: Option<String>,
}

/// Prints a story that is still growing: each event once, and again when its handling has changed.
#[derive(Debug, Default)]
pub struct StoryPrinter {
    styles: Styles,
    begin: Option<Timestamp>,
    printed: HashMap<String, String>,
}

/// A line of the story, and the place of its step in what was passed in.
#[derive(Debug, PartialEq, Eq)]
pub struct StoryLine {
    pub index: usize,
    pub line: String,
}

impl StoryEvent {
    /// True if all its consumers have handled or parked it.
    pub fn is_settled(&self) -> bool {
        self.deliveries.iter().all(|delivery| matches!(delivery.status.as_str(), "done" | "parked"))
    }

    fn handled(&self, styles: Styles) -> String {
        let handled: Vec<String> = self.deliveries.iter().map(|delivery| delivery.render(styles)).collect();
        if handled.is_empty() { String::new() } else { format!("→ {}", handled.join(", ")) }
    }
}

impl Delivery {
    fn render(&self, Styles { alarming, .. }: Styles) -> String {
        let consumer = plain(&self.consumer);
        let attempts = match self.attempts {
            1 => "1 attempt".to_owned(),
            many => format!("{many} attempts"),
        };
        let reason = self.reason.as_deref().map(|reason| format!(": {}", plain(reason))).unwrap_or_default();
        match (self.status.as_str(), self.attempts) {
            ("done", ..=1) => consumer.into_owned(),
            ("done", _) => format!("{consumer} ({attempts})"),
            ("retrying" | "parked", _) => {
                format!("{alarming}{consumer} {} after {attempts}{reason}{alarming:#}", self.status)
            }
            (status, _) => format!("{consumer} {}", plain(status)),
        }
    }
}

impl StoryPrinter {
    pub fn new(styles: Styles) -> Self {
        Self { styles, ..Self::default() }
    }

    /// The lines for the changes since the last call.
    ///
    /// An event is printed when it is settled, and those after it wait for it, so that the story stays in order;
    /// unless it is late: then everything is printed as it is.
    pub fn lines(&mut self, steps: &[StoryEvent], is_late: bool) -> Vec<StoryLine> {
        let mut lines = Vec::new();
        for (index, step) in steps.iter().enumerate() {
            let handled = step.handled(self.styles);
            let line = match self.printed.get(&step.event_id) {
                Some(before) if *before == handled => continue,
                Some(_) => self.line(step, "…", &handled),
                None if step.is_settled() || is_late => self.line(step, &self.offset(step), &handled),
                None => break,
            };
            self.begin.get_or_insert(step.time);
            self.printed.insert(step.event_id.clone(), handled);
            lines.push(StoryLine { index, line });
        }
        lines
    }

    fn line(&self, step: &StoryEvent, when: &str, handled: &str) -> String {
        let dimmed = self.styles.dimmed;
        let (service, event) = (plain(&step.service), plain(&step.event_type));
        let line = format!("{dimmed}{when:>9}{dimmed:#}  {service:<13}  {:<18}  {handled}", name(&event));
        line.trim_end().to_owned()
    }

    /// The time since the first step, as coarse as its size allows.
    fn offset(&self, step: &StoryEvent) -> String {
        let millis = step.time.duration_since(self.begin.unwrap_or(step.time)).as_millis().max(0);
        match millis {
            ..10_000 => format!("+{millis} ms"),
            10_000..600_000 => format!("+{} s", millis / 1_000),
            _ => format!("+{} min", millis / 60_000),
        }
    }
}

/// The struct's name: `orders.order_placed.v1` is `OrderPlaced`, and one search for it prints the whole path.
fn name(event_type: &str) -> String {
    let mut parts = event_type.split('.');
    let (Some(_), Some(snake), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return event_type.to_owned();
    };
    let capitalised = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
    };
    let words: Vec<String> = snake.split('_').map(capitalised).collect();
    words.concat()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn steps(steps: Value) -> Vec<StoryEvent> {
        serde_json::from_value(steps).unwrap()
    }

    fn delivery(consumer: &str, status: &str, attempts: i64) -> Value {
        json!({"consumer": consumer, "status": status, "attempts": attempts, "handled_at": null})
    }

    fn step(id: &str, event_type: &str, millis: &str, deliveries: Value) -> Value {
        let service = event_type.split('.').next();
        let time = format!("2026-01-01T00:00:00.{millis}Z");
        json!({"event_id": id, "type": event_type, "time": time, "service": service, "deliveries": deliveries})
    }

    fn lines(lines: Vec<StoryLine>) -> Vec<String> {
        lines.into_iter().map(|line| line.line).collect()
    }

    #[test]
    fn a_story_is_printed_in_order_as_it_is_handled() {
        let mut printer = StoryPrinter::default();
        let placed = |status| step("1", "orders.order_placed.v1", "000", json!([delivery("inventory", status, 1)]));
        let reserved = step("2", "inventory.stock_reserved.v1", "012", json!([delivery("orders", "done", 3)]));
        assert_eq!(lines(printer.lines(&steps(json!([placed("pending"), reserved])), false)), [""; 0]);
        assert_eq!(
            lines(printer.lines(&steps(json!([placed("done"), reserved])), false)),
            [
                "    +0 ms  orders         OrderPlaced         → inventory",
                "   +12 ms  inventory      StockReserved       → orders (3 attempts)",
            ]
        );
        assert_eq!(lines(printer.lines(&steps(json!([placed("done"), reserved])), true)), [""; 0]);
    }

    #[test]
    fn a_late_event_is_printed_as_it_is_and_again_when_it_changed() {
        let mut printer = StoryPrinter::default();
        let paid = |delivery| steps(json!([step("1", "orders.order_paid.v1", "000", json!([delivery]))]));
        let mut failing = delivery("notifications", "retrying", 2);
        failing["reason"] = json!("no \u{1b}[2J connection");
        assert_eq!(lines(printer.lines(&paid(failing.clone()), false)), [""; 0]);
        assert_eq!(
            lines(printer.lines(&paid(failing), true)),
            [
                "    +0 ms  orders         OrderPaid           → notifications retrying after 2 attempts: no \\u{1b}[2J connection"
            ]
        );
        assert_eq!(
            lines(printer.lines(&paid(delivery("notifications", "done", 3)), false)),
            ["        …  orders         OrderPaid           → notifications (3 attempts)"]
        );
    }

    #[test]
    fn an_event_has_the_name_of_its_struct() {
        assert_eq!(name("orders.order_placed.v1"), "OrderPlaced");
        assert_eq!(name("odd"), "odd");
    }
}
