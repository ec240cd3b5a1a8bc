//! `tradepost webhooks test`

use std::time::Duration;

use events::EndpointId;
use serde_json::Value;

use super::PATH;
use super::attempts::Attempt;
use crate::cli::client::Client;
use crate::cli::failure::Exit;
use crate::cli::table::fields;
use crate::cli::terminal::plain_lines;
use crate::cli::{Failure, Output};

/// The wait between two looks for the attempt.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Looks for the attempt: longer than an attempt may take.
const LOOKS_MAX: usize = 300;

/// Sends a test event, and waits for what the endpoint answers.
pub async fn run(client: &Client, out: &mut Output, webhook: EndpointId) -> Result<(), Failure> {
    let begun = client.post(&format!("{PATH}/{webhook}/test"), None).await?;
    let event_id: String = client.view(&begun["event_id"])?;
    for _ in 0..LOOKS_MAX {
        let listing = client.list(&format!("{PATH}/{webhook}/attempts"), &[], 20).await?;
        if let Some(found) = listing.items.into_iter().find(|attempt| attempt["event_id"] == event_id.as_str()) {
            return print(client, out, &found);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    let help = format!("look later with `tradepost webhooks attempts {webhook}`");
    Err(Failure::failed("the test event is in the queue and was not sent in time").with_help(help))
}

fn print(client: &Client, out: &mut Output, found: &Value) -> Result<(), Failure> {
    let attempt: Attempt = client.view(found)?;
    if out.is_json() {
        out.document(found)?;
    } else {
        let (status, body) = attempt.response.map(|it| (it.status.to_string(), it.body)).unzip();
        out.text(fields([
            ("event", Some(attempt.event_id)),
            ("status", status),
            ("time", Some(format!("{} ms", attempt.duration_ms))),
            ("answer", body.map(|body| plain_lines(&body)).filter(|body| !body.is_empty())),
        ]))?;
    }
    match attempt.error.filter(|_| !attempt.delivered) {
        None => Ok(()),
        Some(error) => Err(Failure::new(Exit::CheckFailed, format!("the endpoint did not take the event: {error}"))),
    }
}
