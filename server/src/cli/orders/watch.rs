//! `tradepost orders watch`: the story as it grows.

use std::time::Duration;

use events::OrderId;
use serde_json::Value;
use tokio::time::Instant;

use super::Order;
use crate::cli::client::Client;
use crate::cli::output::{missing_services, note};
use crate::cli::story::{StoryEvent, StoryLine, StoryPrinter};
use crate::cli::terminal::plain;
use crate::cli::{Failure, Output};

/// The time between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// The time that an event may wait to be printed together with its handling.
const PATIENCE: Duration = Duration::from_secs(2);

/// The end of a watch. An order that was rejected or cancelled ends each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// It is paid, which is where it rests until somebody ships it.
    Paid,
    /// All of it has arrived.
    Delivered,
}

/// Prints the story until the order is settled and every consumer has handled its events.
pub async fn watch(client: &Client, out: &mut Output, order_id: OrderId, until: Until) -> Result<(), Failure> {
    let mut printer = StoryPrinter::new(out.styles());
    let mut last_printed = Instant::now();
    let mut resting_since = None;
    loop {
        // The order first: so the story holds whatever made it rest.
        let answer = client.get(&format!("/v1/orders/{order_id}"), &[]).await?;
        let story = client.get(&format!("/v1/orders/{order_id}/events"), &[]).await?;
        let order: Order = client.view(&answer)?;
        let steps: Vec<StoryEvent> = client.view(&story["items"])?;
        let missing: Vec<String> = client.view(&story["missing"]).unwrap_or_default();
        let is_over = order.is_resting(until) && {
            let since = *resting_since.get_or_insert_with(Instant::now);
            let is_handled = missing.is_empty() && steps.iter().all(StoryEvent::is_settled);
            // A refund that failed never comes, so it is waited for as long as for late handling.
            let is_whole = is_handled && !order.waits_for_refund();
            is_whole || since.elapsed() >= PATIENCE
        };
        let lines = printer.lines(&steps, is_over || last_printed.elapsed() >= PATIENCE);
        if !lines.is_empty() {
            last_printed = Instant::now();
        }
        print(out, &story, lines)?;
        if is_over {
            if !missing.is_empty() {
                note(&missing_services(&missing));
            }
            return end(out, &answer, &order);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn print(out: &mut Output, story: &Value, lines: Vec<StoryLine>) -> Result<(), Failure> {
    for StoryLine { index, line } in lines {
        if out.is_json() {
            out.record(&story["items"][index])?;
        } else {
            out.text(line)?;
        }
    }
    Ok(())
}

fn end(out: &mut Output, answer: &Value, order: &Order) -> Result<(), Failure> {
    if order.waits_for_payment() {
        let number = order.number;
        note(&format!(
            "it waits for a payment token: `tradepost orders pay {number} --token TOKEN` before its reservation expires"
        ));
    }
    if out.is_json() {
        return out.record(answer);
    }
    if let Some(error) = &order.payment.error {
        out.text(format_args!("payment {}: {}", order.payment.status, plain(error)))?;
    }
    if let Some(refunded) = order.payment.went_back() {
        out.text(format_args!("refunded {refunded}"))?;
    }
    out.text(format_args!("order {} is {}", order.number, plain(&order.outcome())))?;
    match order.cancellation_outcome() {
        Some(state) => out.text(format_args!("cancellation: {state}")),
        None => Ok(()),
    }
}
