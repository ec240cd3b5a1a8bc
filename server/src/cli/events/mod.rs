//! `tradepost events`

mod republish;
mod tail;

use clap::Subcommand;
use kernel::{EventId, Uuid};
use serde::Deserialize;
use serde_json::Value;
use server::shop::Shop;

use super::arguments::{Limit, id, seconds};
use super::client::Client;
use super::table::{Column, Table, fields};
use super::terminal::plain_json;
use super::{Failure, Output};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print events of all services as they happen, until Ctrl-C
    Tail,
    /// List events of all services, the newest first
    List {
        /// Only events of this type, as in orders.order_placed.v1
        #[arg(long = "type", value_name = "TYPE")]
        event_type: Option<String>,
        /// Only events about this order, product or user
        #[arg(long, value_name = "ID", value_parser = id::<Uuid>)]
        subject: Option<Uuid>,
        #[command(flatten)]
        limit: Limit,
    },
    /// Send events to the broker again
    Republish(republish::Republish),
    /// Show an event with its data
    Show {
        /// Its id
        #[arg(value_parser = id::<EventId>)]
        event: EventId,
    },
}

#[derive(Debug, Deserialize)]
struct Event {
    event_id: String,
    #[serde(rename = "type")]
    event_type: String,
    time: Value,
    service: String,
    subject: String,
    caused_by: String,
    correlation_id: String,
    data: Value,
}

impl Command {
    pub async fn run(self, shop: &Shop, client: &Client, out: &mut Output) -> Result<(), Failure> {
        client.require_admin()?;
        match self {
            Self::Tail => tail::tail(client, out).await,
            Self::List { event_type, subject, limit } => {
                let subject = subject.map(|subject| subject.to_string());
                let query: Vec<(&str, &str)> = [("type", &event_type), ("subject", &subject)]
                    .into_iter()
                    .filter_map(|(name, value)| Some((name, value.as_deref()?)))
                    .collect();
                let listing = client.list("/v1/events", &query, limit.limit).await?;
                out.listing(&listing, "no such events yet", |events| table(client, events))
            }
            Self::Republish(republish) => republish.run(shop, client, out).await,
            Self::Show { event } => show(client, out, event).await,
        }
    }
}

fn table(client: &Client, events: &[Value]) -> Result<Table, Failure> {
    let mut table = Table::new([Column::Left("TIME"), Column::Left("TYPE"), Column::Left("ID")]);
    for event in events {
        let Event { event_id, event_type, time, .. } = client.view(event)?;
        table.row([seconds(&time), event_type, event_id]);
    }
    Ok(table)
}

async fn show(client: &Client, out: &mut Output, event_id: EventId) -> Result<(), Failure> {
    let answer = client.get(&format!("/v1/events/{event_id}"), &[]).await?;
    if out.is_json() {
        return out.document(&answer);
    }
    let event: Event = client.view(&answer)?;
    out.text(fields([
        ("event", Some(event.event_id)),
        ("type", Some(event.event_type)),
        ("time", event.time.as_str().map(str::to_owned)),
        ("service", Some(event.service)),
        ("subject", Some(event.subject)),
        ("caused by", Some(event.caused_by)),
        ("request", Some(event.correlation_id)),
    ]))?;
    out.text("")?;
    out.text(plain_json(&format!("{:#}", event.data)))
}
