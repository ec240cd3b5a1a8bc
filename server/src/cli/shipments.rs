//! `tradepost shipments`

use clap::Subcommand;
use events::ShipmentId;
use serde::Deserialize;
use serde_json::{Value, json};

use super::arguments::{Limit, OrderRef, WantedLine, id, seconds};
use super::client::Client;
use super::output::note;
use super::table::{Column, Table};
use super::{Failure, Output};

const PATH: &str = "/v1/shipments";

const DISPATCH_HELP: &str = "\
Examples:
  tradepost shipments dispatch ID --carrier DHL --tracking 00340434161094042557
  tradepost shipments dispatch ID --carrier DHL --tracking 00340434161094042558 --line 456=1

What its customer collects has no carrier and no tracking number.
With --line only that leaves: the rest becomes a shipment of its own.";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List shipments, the newest first
    List {
        /// Only shipments of this order, by its number or its id
        #[arg(long)]
        order: Option<OrderRef>,
        /// Only shipments with this status, such as pending
        #[arg(long)]
        status: Option<String>,
        #[command(flatten)]
        limit: Limit,
    },
    /// Record that a shipment left, or a part of it
    #[command(after_help = DISPATCH_HELP)]
    Dispatch {
        /// Its id
        #[arg(value_parser = id::<ShipmentId>)]
        shipment: ShipmentId,
        /// The carrier that has it
        #[arg(long)]
        carrier: Option<String>,
        /// The carrier's number for it
        #[arg(long, value_name = "NUMBER")]
        tracking: Option<String>,
        /// A product's sku or id, and how many units of it leave; may stand several times [default: all]
        #[arg(long, value_name = "PRODUCT=UNITS")]
        line: Vec<WantedLine>,
    },
    /// Record that a shipment arrived
    Deliver {
        /// Its id
        #[arg(value_parser = id::<ShipmentId>)]
        shipment: ShipmentId,
    },
}

#[derive(Debug, Deserialize)]
struct Shipment {
    shipment_id: String,
    number: i64,
    status: String,
    method: String,
    carrier: Option<String>,
    tracking_number: Option<String>,
    lines: Vec<Line>,
    created_at: Value,
}

#[derive(Debug, Deserialize)]
struct Line {
    name: String,
    quantity: i64,
}

impl Command {
    pub async fn run(self, client: &Client, out: &mut Output) -> Result<(), Failure> {
        client.require_admin()?;
        match self {
            Self::List { order, status, limit } => list(client, out, order, status.as_deref(), limit.limit).await,
            Self::Dispatch { shipment, carrier, tracking, line } => {
                let mut body = json!({});
                if let Some(carrier) = carrier {
                    body["carrier"] = json!(carrier);
                }
                if let Some(tracking) = tracking {
                    body["tracking_number"] = json!(tracking);
                }
                if !line.is_empty() {
                    body["lines"] = json!(WantedLine::resolve_all(&line, client).await?);
                }
                let answer = client.post(&format!("{PATH}/{shipment}/dispatch"), Some(&body)).await?;
                print(client, out, &answer)?;
                if !line.is_empty() {
                    let order = answer["number"].as_i64().unwrap_or_default();
                    note(&format!("`tradepost shipments list --order {order}` shows what is left to be sent"));
                }
                Ok(())
            }
            Self::Deliver { shipment } => {
                let answer = client.post(&format!("{PATH}/{shipment}/deliver"), None).await?;
                print(client, out, &answer)
            }
        }
    }
}

async fn list(
    client: &Client,
    out: &mut Output,
    order: Option<OrderRef>,
    status: Option<&str>,
    limit: usize,
) -> Result<(), Failure> {
    let order_id = match order {
        Some(order) => Some(order.resolve(client).await?.to_string()),
        None => None,
    };
    let query: Vec<(&str, &str)> = [("order_id", order_id.as_deref()), ("status", status)]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    let listing = client.list(PATH, &query, limit).await?;
    out.listing(&listing, "no shipments: an order has one when it is paid", |shipments| table(client, shipments))
}

fn print(client: &Client, out: &mut Output, answer: &Value) -> Result<(), Failure> {
    if out.is_json() {
        return out.document(answer);
    }
    out.table(&table(client, std::slice::from_ref(answer))?)
}

fn table(client: &Client, shipments: &[Value]) -> Result<Table, Failure> {
    let mut table = Table::new([
        Column::Left("ID"),
        Column::Right("ORDER"),
        Column::Left("STATUS"),
        Column::Text("CARRIER"),
        Column::Text("TRACKING"),
        Column::Left("MADE"),
        Column::Text("CONTENT"),
    ]);
    for shipment in shipments {
        let shipment: Shipment = client.view(shipment)?;
        let collected = (shipment.method == "collection").then_some(shipment.method);
        let content: Vec<String> =
            shipment.lines.iter().map(|line| format!("{} × {}", line.quantity, line.name)).collect();
        table.row([
            shipment.shipment_id,
            shipment.number.to_string(),
            shipment.status,
            shipment.carrier.or(collected).unwrap_or_default(),
            shipment.tracking_number.unwrap_or_default(),
            seconds(&shipment.created_at),
            content.join(", "),
        ]);
    }
    Ok(table)
}
