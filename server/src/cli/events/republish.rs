//! `tradepost events republish`

use std::time::Duration;

use clap::Args;
use kernel::{Clock, SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::json;
use server::config;
use server::shop::Shop;

use crate::cli::client::Client;
use crate::cli::failure::Exit;
use crate::cli::progress::Progress;
use crate::cli::table::{Column, Table};
use crate::cli::{Failure, Output};

/// The shortest time that is worth a word, and the longest that any setting of `republish_window` allows.
const SINCE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_hours(24 * 3650));

const AFTER_HELP: &str = "\
Each event of the time is sent to the broker again, in the order of its key.
Services that have handled an event know it, so only what they missed takes effect.
Use it when a broker has lost its data, or when a queue or a binding was missing for a while.

Example:
  tradepost events republish --since 1h";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Republish {
    /// Age of the oldest event, as in 30m, 2h or 3d; at most republish_window
    #[arg(long, value_name = "DURATION", value_parser = since)]
    since: Duration,
    /// Only the events of this service
    #[arg(long, value_name = "SERVICE")]
    service: Option<String>,
}

fn since(text: &str) -> Result<Duration, String> {
    config::duration(text, SINCE.0..=SINCE.1)
}

#[derive(Debug, Deserialize)]
struct RepublishedPage {
    events: u64,
    next: Option<String>,
}

impl Republish {
    pub async fn run(self, shop: &Shop, client: &Client, out: &mut Output) -> Result<(), Failure> {
        let ago = SignedDuration::try_from(self.since).unwrap_or(SignedDuration::MAX);
        let since = Clock::system().now() - ago;
        let named: Vec<String> = match self.service {
            Some(service) => vec![service],
            None => shop.services().map(str::to_owned).collect(),
        };
        let mut table = Table::new([Column::Left("SERVICE"), Column::Right("EVENTS")]);
        let mut sent = Vec::new();
        let mut failures = Vec::new();
        let mut progress = Progress::on_stderr();
        for service in &named {
            let mut events = 0;
            // The others go on: each service's events are of use by themselves.
            if let Err(failure) = republish(client, service, since, &mut events, &mut progress).await {
                failures.push((service, failure));
            }
            table.row([service.clone(), events.to_string()]);
            sent.push(json!({"service": service, "events": events}));
        }
        progress.clear();
        if failures.len() == named.len() {
            return failures.pop().map_or(Ok(()), |(_, failure)| Err(failure));
        }
        if out.is_json() {
            out.document(&json!({"since": since, "sent": sent}))?;
        } else {
            out.table(&table)?;
        }
        if failures.is_empty() {
            return Ok(());
        }
        let message = format!("{} of {} services could not send all of theirs", failures.len(), named.len());
        let details = failures.iter().map(|(service, failure)| format!("{service}: {failure}")).collect();
        Err(Failure::new(Exit::PartlyFailed, message).with_details(details))
    }
}

/// Sends a service's events step by step, and counts them.
async fn republish(
    client: &Client,
    service: &str,
    since: Timestamp,
    events: &mut u64,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let mut after: Option<String> = None;
    loop {
        let body = json!({"service": service, "since": since, "after": after});
        let step: RepublishedPage = client.view(&client.post("/v1/events/republish", Some(&body)).await?)?;
        *events += step.events;
        after = step.next;
        if after.is_none() {
            return Ok(());
        }
        progress.phase(&format!("{service}: {events} events"));
    }
}
