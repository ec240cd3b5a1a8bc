//! `tradepost dlq`: dead letters, the events that a service could not handle.

use clap::{Args, Subcommand};
use kernel::DeadLetterId;
use serde::Deserialize;
use serde_json::Value;

use super::arguments::{Limit, id, seconds};
use super::client::Client;
use super::failure::Exit;
use super::table::{Column, Table, fields};
use super::terminal::{plain, plain_json};
use super::{Failure, Output};

const PATH: &str = "/v1/dead-letters";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List dead letters, the newest first
    List {
        #[command(flatten)]
        limit: Limit,
    },
    /// Show a dead letter with its body
    Show {
        /// Its id
        #[arg(value_parser = id::<DeadLetterId>)]
        letter: DeadLetterId,
    },
    /// Handle dead letters again; what waits behind them follows
    Replay(Letters),
    /// Give dead letters up: their events are never handled; what waits behind them follows
    Discard(Letters),
}

#[derive(Debug, Args)]
#[command(after_help = "With --json there is one object a line: each dead letter with which it worked.")]
pub struct Letters {
    /// Their ids
    #[arg(required = true, value_name = "LETTER", value_parser = id::<DeadLetterId>)]
    letters: Vec<DeadLetterId>,
}

#[derive(Debug, Deserialize)]
struct DeadLetter {
    dead_letter_id: String,
    consumer: String,
    event_id: String,
    #[serde(rename = "type")]
    event_type: String,
    key: String,
    reason: Option<String>,
    attempts: i64,
    first_failed_at: Value,
    body: Value,
}

impl Command {
    pub async fn run(self, client: &Client, out: &mut Output) -> Result<(), Failure> {
        client.require_admin()?;
        match self {
            Self::List { limit } => {
                let listing = client.list(PATH, &[], limit.limit).await?;
                out.listing(&listing, "no dead letters: every event was handled", |letters| table(client, letters))
            }
            Self::Show { letter } => show(client, out, letter).await,
            Self::Replay(Letters { letters }) => each(client, out, &letters, "replay", "replayed").await,
            Self::Discard(Letters { letters }) => each(client, out, &letters, "discard", "discarded").await,
        }
    }
}

fn table(client: &Client, letters: &[Value]) -> Result<Table, Failure> {
    let mut table =
        Table::new([Column::Left("ID"), Column::Left("CONSUMER"), Column::Left("TYPE"), Column::Right("ATTEMPTS")]);
    for letter in letters {
        let letter: DeadLetter = client.view(letter)?;
        table.row([letter.dead_letter_id, letter.consumer, letter.event_type, letter.attempts.to_string()]);
        table.remark(letter.reason.as_deref().unwrap_or("no reason is known"));
    }
    Ok(table)
}

async fn show(client: &Client, out: &mut Output, letter: DeadLetterId) -> Result<(), Failure> {
    let answer = client.get(&format!("{PATH}/{letter}"), &[]).await?;
    if out.is_json() {
        return out.document(&answer);
    }
    let letter: DeadLetter = client.view(&answer)?;
    out.text(fields([
        ("dead letter", Some(letter.dead_letter_id)),
        ("consumer", Some(letter.consumer)),
        ("event", Some(letter.event_id)),
        ("type", Some(letter.event_type)),
        ("key", Some(letter.key)),
        ("reason", letter.reason),
        ("attempts", Some(letter.attempts.to_string())),
        ("first failed", Some(seconds(&letter.first_failed_at)).filter(|time| !time.is_empty())),
    ]))?;
    out.text("")?;
    out.text(plain_json(&format!("{:#}", letter.body)))
}

/// Does the same with each, and goes on after one that is refused.
async fn each(
    client: &Client,
    out: &mut Output,
    letters: &[DeadLetterId],
    verb: &str,
    done: &str,
) -> Result<(), Failure> {
    let mut refused = Vec::new();
    for letter in letters {
        match client.post(&format!("{PATH}/{letter}/{verb}"), None).await {
            Ok(answer) if out.is_json() => out.record(&answer)?,
            Ok(answer) => {
                let DeadLetter { consumer, event_type, .. } = client.view(&answer)?;
                out.text(format_args!("{done} {letter}: {} of {}", plain(&event_type), plain(&consumer)))?;
            }
            // Nobody is there, so nobody answers for the next one either.
            Err(failure) if failure.exit() == Exit::Unreachable && Some(letter) == letters.first() => {
                return Err(failure);
            }
            Err(failure) => refused.push((letter, failure)),
        }
    }
    if letters.len() == 1 {
        return refused.pop().map_or(Ok(()), |(_, failure)| Err(failure));
    }
    if refused.is_empty() {
        return Ok(());
    }
    let first = refused.first().map_or(Exit::PartlyFailed, |(_, failure)| failure.exit());
    let exit = if refused.len() == letters.len() { first } else { Exit::PartlyFailed };
    let message = format!("{} of {} dead letters could not be {done}", refused.len(), letters.len());
    let details = refused.iter().map(|(letter, failure)| format!("{letter}: {failure}")).collect();
    Err(Failure::new(exit, message).with_details(details))
}
