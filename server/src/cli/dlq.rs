//! `tradepost dlq`: dead letters, the events that a service could not handle.

mod selection;

use clap::Subcommand;
use kernel::DeadLetterId;
use serde::Deserialize;
use serde_json::Value;

use super::arguments::{Limit, id, seconds};
use super::client::Client;
use super::table::{Column, Table, fields};
use super::terminal::plain_json;
use super::{Failure, Output};
use selection::{Filter, Letters, Verb};

const PATH: &str = "/v1/dead-letters";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List dead letters, the newest first
    List {
        #[command(flatten)]
        filter: Filter,
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
    /// Drop dead letters: their events are never handled; what waits behind them follows
    Discard(Letters),
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
            Self::List { filter, limit } => {
                let listing = filter.list(client, limit.limit).await?;
                let empty =
                    if filter.is_any() { "no dead letters: every event was handled" } else { "no such dead letters" };
                out.listing(&listing, empty, |letters| table(client, letters))
            }
            Self::Show { letter } => show(client, out, letter).await,
            Self::Replay(letters) => letters.each(client, out, Verb::REPLAY).await,
            Self::Discard(letters) => letters.each(client, out, Verb::DISCARD).await,
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
