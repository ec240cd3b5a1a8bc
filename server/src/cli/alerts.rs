//! `tradepost alerts`

use clap::Subcommand;
use events::AlertId;
use serde::Deserialize;
use serde_json::Value;

use super::arguments::{Limit, id, seconds};
use super::client::Client;
use super::table::{Column, Table, fields};
use super::{Failure, Output};

const PATH: &str = "/v1/alerts";

const LIST_HELP: &str = "\
Example:
  tradepost alerts list --status open

Kinds: low_stock, purchase_order_overdue, refund_failed, dead_letters, order_stuck and webhook_disabled.";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List alerts, the newest first
    #[command(after_help = LIST_HELP)]
    List {
        /// Only alerts with this status: open, acknowledged or resolved
        #[arg(long)]
        status: Option<String>,
        /// Only alerts of this kind
        #[arg(long)]
        kind: Option<String>,
        #[command(flatten)]
        limit: Limit,
    },
    /// Show an alert
    Show {
        /// Its id
        #[arg(value_parser = id::<AlertId>)]
        alert: AlertId,
    },
    /// Record that somebody has seen an alert: it is not mailed, and resolved by itself when its cause is gone
    Acknowledge {
        /// Its id
        #[arg(value_parser = id::<AlertId>)]
        alert: AlertId,
    },
}

#[derive(Debug, Deserialize)]
struct Alert {
    alert_id: String,
    kind: String,
    status: String,
    since: Value,
    subject: String,
    detail: String,
    acknowledged_by: Option<String>,
    #[serde(default)]
    acknowledged_at: Value,
    #[serde(default)]
    resolved_at: Value,
}

impl Command {
    pub async fn run(self, client: &Client, out: &mut Output) -> Result<(), Failure> {
        client.require_admin()?;
        match self {
            Self::List { status, kind, limit } => {
                let query: Vec<(&str, &str)> = [("status", status.as_deref()), ("kind", kind.as_deref())]
                    .into_iter()
                    .filter_map(|(name, value)| Some((name, value?)))
                    .collect();
                let listing = client.list(PATH, &query, limit.limit).await?;
                let empty = if query.is_empty() { "no alerts: nothing needs a person" } else { "no such alerts" };
                out.listing(&listing, empty, |alerts| table(client, alerts))
            }
            Self::Show { alert } => {
                let answer = client.get(&format!("{PATH}/{alert}"), &[]).await?;
                print(client, out, &answer)
            }
            Self::Acknowledge { alert } => {
                let answer = client.post(&format!("{PATH}/{alert}/acknowledge"), None).await?;
                print(client, out, &answer)
            }
        }
    }
}

fn table(client: &Client, alerts: &[Value]) -> Result<Table, Failure> {
    let mut table =
        Table::new([Column::Left("ID"), Column::Left("KIND"), Column::Left("STATUS"), Column::Left("SINCE")]);
    for alert in alerts {
        let alert: Alert = client.view(alert)?;
        table.row([alert.alert_id, alert.kind, alert.status, seconds(&alert.since)]);
        table.remark(&alert.detail);
    }
    Ok(table)
}

fn print(client: &Client, out: &mut Output, answer: &Value) -> Result<(), Failure> {
    if out.is_json() {
        return out.document(answer);
    }
    let alert: Alert = client.view(answer)?;
    let acknowledged = alert.acknowledged_by.map(|by| format!("{} by {by}", seconds(&alert.acknowledged_at)));
    out.text(fields([
        ("alert", Some(alert.alert_id)),
        ("kind", Some(alert.kind)),
        ("status", Some(alert.status)),
        ("since", Some(seconds(&alert.since))),
        ("subject", Some(alert.subject)),
        ("detail", Some(alert.detail)),
        ("acknowledged", acknowledged),
        ("resolved", Some(seconds(&alert.resolved_at)).filter(|time| !time.is_empty())),
    ]))
}
