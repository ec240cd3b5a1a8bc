//! `tradepost events tail`: events as they happen, across restarts of the server.

use std::time::Duration;

use reqwest::Response;
use serde_json::Value;

use super::Event;
use crate::cli::client::Client;
use crate::cli::failure::Exit;
use crate::cli::output::note;
use crate::cli::sse::{Message, Parser};
use crate::cli::terminal::plain;
use crate::cli::{Failure, Output};

const PATH: &str = "/v1/events/tail";

/// The first wait before connecting again.
const RECONNECT_MIN: Duration = Duration::from_millis(250);

/// The longest of these waits.
const RECONNECT_MAX: Duration = Duration::from_secs(10);

/// Prints events until it is interrupted. Only the first connection must succeed.
pub async fn tail(client: &Client, out: &mut Output) -> Result<(), Failure> {
    let mut stream = client.stream(PATH).await?;
    note("events from now on; Ctrl-C ends");
    loop {
        follow(client, out, stream).await?;
        note("the stream ended; connecting again. What happens in between is in `tradepost events list`");
        stream = reconnect(client).await?;
    }
}

/// Prints what the stream brings, until it ends or breaks.
async fn follow(client: &Client, out: &mut Output, mut stream: Response) -> Result<(), Failure> {
    let mut parser = Parser::default();
    while let Ok(Some(bytes)) = stream.chunk().await {
        let messages = parser.feed(&bytes);
        for Message(data) in messages.map_err(|_| Failure::failed("the stream holds an event that is too large"))? {
            print(client, out, &data)?;
        }
    }
    Ok(())
}

fn print(client: &Client, out: &mut Output, data: &str) -> Result<(), Failure> {
    let event: Value = client.parse(data.as_bytes())?;
    if out.is_json() {
        return out.record(&event);
    }
    let event: Event = client.view(&event)?;
    let dimmed = out.styles().dimmed;
    let time = event.time.as_str().unwrap_or_default();
    let (time, event_type, subject) = (plain(time), plain(&event.event_type), plain(&event.subject));
    out.text(format_args!("{dimmed}{time}{dimmed:#}  {event_type:<30}  {subject}"))
}

/// Waits longer each time, as long as the server is unreachable. A permanent refusal ends the tail.
async fn reconnect(client: &Client) -> Result<Response, Failure> {
    let mut wait = RECONNECT_MIN;
    loop {
        tokio::time::sleep(wait).await;
        match client.stream(PATH).await {
            Err(failure) if matches!(failure.exit(), Exit::Unreachable | Exit::Failed) => {}
            decided => return decided,
        }
        wait = (wait * 2).min(RECONNECT_MAX);
    }
}
