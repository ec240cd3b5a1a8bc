//! `tradepost purchase-orders`

use clap::{Args, Subcommand};
use events::{PurchaseOrderId, SupplierId};
use kernel::Money;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use serde_json::{Value, json};

use super::arguments::{Limit, WantedLine, id, idempotency_key, new_idempotency_key, seconds};
use super::client::Client;
use super::table::{Column, Table, fields};
use super::{Failure, Output};

const PATH: &str = "/v1/purchase-orders";

const PLACE_HELP: &str = "\
Example:
  tradepost purchase-orders place --supplier ID --line 123=20

The supplier gets a mail. `tradepost suppliers list` shows the ids and what each delivers.";

const CHANGE_HELP: &str = "\
Example:
  tradepost purchase-orders change ID --line 123=30 --line 124=10

The lines replace those that it has: a product without one is not wanted any more. What came already stays, so order
at least that much. The supplier gets a mail.";

const RECEIVE_HELP: &str = "\
Examples:
  tradepost purchase-orders receive ID
  tradepost purchase-orders receive ID --line 123=5
  tradepost purchase-orders receive ID --line 123=25 --over

Without --line all that was still to come did. More than was ordered is refused, with exit code 5, unless --over
says that the shop takes it. The units are added to the stock.";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List purchase orders, the newest first
    List {
        /// Only purchase orders with this status: placed, partially_received, received or cancelled
        #[arg(long)]
        status: Option<String>,
        /// Only purchase orders with this supplier
        #[arg(long, value_name = "ID", value_parser = id::<SupplierId>)]
        supplier: Option<SupplierId>,
        #[command(flatten)]
        limit: Limit,
    },
    /// Show a purchase order and its receipts
    Show {
        /// Its id
        #[arg(value_parser = id::<PurchaseOrderId>)]
        purchase_order: PurchaseOrderId,
    },
    /// Order from a supplier
    #[command(after_help = PLACE_HELP)]
    Place(Place),
    /// Change what is wanted of a purchase order that has not come in full
    #[command(after_help = CHANGE_HELP)]
    Change(Change),
    /// Record that a delivery came, in full or in part
    #[command(after_help = RECEIVE_HELP)]
    Receive(Receive),
    /// Cancel what has not come of a purchase order; the supplier gets a mail
    Cancel {
        /// Its id
        #[arg(value_parser = id::<PurchaseOrderId>)]
        purchase_order: PurchaseOrderId,
    },
}

#[derive(Debug, Args)]
pub struct Place {
    /// The supplier's id
    #[arg(long, value_name = "ID", value_parser = id::<SupplierId>)]
    supplier: SupplierId,
    /// A product's sku or id, and how many units of it; may stand several times
    #[arg(long, value_name = "PRODUCT=UNITS", required = true)]
    line: Vec<WantedLine>,
    /// A text of your own: repeated with the same one within 24 hours, the command orders once
    #[arg(long, value_name = "KEY", value_parser = idempotency_key)]
    idempotency_key: Option<HeaderValue>,
}

#[derive(Debug, Args)]
pub struct Change {
    /// Its id
    #[arg(value_parser = id::<PurchaseOrderId>)]
    purchase_order: PurchaseOrderId,
    /// A product's sku or id, and how many units of it are wanted; may stand several times
    #[arg(long, value_name = "PRODUCT=UNITS", required = true)]
    line: Vec<WantedLine>,
}

#[derive(Debug, Args)]
pub struct Receive {
    /// Its id
    #[arg(value_parser = id::<PurchaseOrderId>)]
    purchase_order: PurchaseOrderId,
    /// A product's sku or id, and how many units of it came; may stand several times [default: all]
    #[arg(long, value_name = "PRODUCT=UNITS")]
    line: Vec<WantedLine>,
    /// Take more than was ordered
    #[arg(long, requires = "line")]
    over: bool,
    /// A text of your own: repeated with the same one within 24 hours, the command counts the delivery once
    #[arg(long, value_name = "KEY", value_parser = idempotency_key)]
    idempotency_key: Option<HeaderValue>,
}

#[derive(Debug, Deserialize)]
struct PurchaseOrder {
    purchase_order_id: String,
    supplier_name: String,
    status: String,
    lines: Vec<Line>,
    total: Option<Money>,
    receipts: Vec<Receipt>,
    placed_by: String,
    expected_at: Value,
    overdue: bool,
}

#[derive(Debug, Deserialize)]
struct Line {
    name: String,
    quantity: i64,
    received: i64,
    cancelled: bool,
}

#[derive(Debug, Deserialize)]
struct Receipt {
    received_by: String,
    received_at: Value,
    lines: Vec<ReceiptLine>,
}

#[derive(Debug, Deserialize)]
struct ReceiptLine {
    quantity: i64,
}

impl PurchaseOrder {
    /// The status, and that it is late.
    fn state(&self) -> String {
        let is_open = matches!(self.status.as_str(), "placed" | "partially_received");
        if self.overdue && is_open { format!("{} (overdue)", self.status) } else { self.status.clone() }
    }

    fn content(&self) -> String {
        self.lines.iter().map(Line::shown).collect::<Vec<_>>().join(", ")
    }
}

impl Line {
    fn shown(&self) -> String {
        let Self { name, quantity, received, cancelled } = self;
        let state = match (received, cancelled) {
            (received, true) => format!(" ({received} came, cancelled)"),
            (0, false) => String::new(),
            (received, false) => format!(" ({received} came)"),
        };
        format!("{quantity} × {name}{state}")
    }
}

impl Receipt {
    fn shown(&self) -> String {
        let units: i64 = self.lines.iter().map(|line| line.quantity).sum();
        format!("{units} units at {} by {}", seconds(&self.received_at), self.received_by)
    }
}

impl Command {
    pub async fn run(self, client: &Client, out: &mut Output) -> Result<(), Failure> {
        client.require_admin()?;
        match self {
            Self::List { status, supplier, limit } => list(client, out, status.as_deref(), supplier, limit.limit).await,
            Self::Show { purchase_order } => {
                let answer = client.get(&format!("{PATH}/{purchase_order}"), &[]).await?;
                print(client, out, &answer)
            }
            Self::Place(place) => place.run(client, out).await,
            Self::Change(Change { purchase_order, line }) => {
                let body = json!({"lines": WantedLine::resolve_all(&line, client).await?});
                let answer = client.patch(&format!("{PATH}/{purchase_order}"), &body).await?;
                print(client, out, &answer)
            }
            Self::Receive(receive) => receive.run(client, out).await,
            Self::Cancel { purchase_order } => {
                let answer = client.post(&format!("{PATH}/{purchase_order}/cancel"), None).await?;
                print(client, out, &answer)
            }
        }
    }
}

impl Place {
    async fn run(self, client: &Client, out: &mut Output) -> Result<(), Failure> {
        let lines = WantedLine::resolve_all(&self.line, client).await?;
        let body = json!({"supplier_id": self.supplier, "lines": lines});
        let key = self.idempotency_key.unwrap_or_else(new_idempotency_key);
        let help = repeated(&key, "the purchase order may be placed", "places it");
        let answer = client.post_once(PATH, &body, &key, &help).await?;
        print(client, out, &answer)
    }
}

impl Receive {
    async fn run(self, client: &Client, out: &mut Output) -> Result<(), Failure> {
        let mut body = json!({});
        if !self.line.is_empty() {
            body["lines"] = json!(WantedLine::resolve_all(&self.line, client).await?);
        }
        if self.over {
            body["over"] = json!(true);
        }
        let key = self.idempotency_key.unwrap_or_else(new_idempotency_key);
        let help = repeated(&key, "the delivery may be counted", "counts it");
        let path = format!("{PATH}/{}/receive", self.purchase_order);
        let answer = client.post_once(&path, &body, &key, &help).await?;
        print(client, out, &answer)
    }
}

/// Help for whoever does not know if a request was carried out.
fn repeated(key: &HeaderValue, doubt: &str, once: &str) -> String {
    let shown = key.to_str().unwrap_or_default();
    format!("{doubt}: repeat the command with `--idempotency-key {shown}`, which {once} at most once")
}

async fn list(
    client: &Client,
    out: &mut Output,
    status: Option<&str>,
    supplier: Option<SupplierId>,
    limit: usize,
) -> Result<(), Failure> {
    let supplier = supplier.map(|supplier| supplier.to_string());
    let query: Vec<(&str, &str)> = [("status", status), ("supplier_id", supplier.as_deref())]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    let listing = client.list(PATH, &query, limit).await?;
    let empty = "no purchase orders: stock that runs low places them, and so does `tradepost purchase-orders place`";
    out.listing(&listing, empty, |orders| table(client, orders))
}

fn table(client: &Client, orders: &[Value]) -> Result<Table, Failure> {
    let mut table = Table::new([
        Column::Left("ID"),
        Column::Text("SUPPLIER"),
        Column::Left("STATUS"),
        Column::Right("TOTAL"),
        Column::Left("EXPECTED"),
        Column::Text("CONTENT"),
    ]);
    for order in orders {
        let order: PurchaseOrder = client.view(order)?;
        let (state, content) = (order.state(), order.content());
        table.row([
            order.purchase_order_id,
            order.supplier_name,
            state,
            order.total.map(|total| total.to_string()).unwrap_or_default(),
            seconds(&order.expected_at),
            content,
        ]);
    }
    Ok(table)
}

fn print(client: &Client, out: &mut Output, answer: &Value) -> Result<(), Failure> {
    if out.is_json() {
        return out.document(answer);
    }
    let order: PurchaseOrder = client.view(answer)?;
    let receipts: Vec<String> = order.receipts.iter().map(Receipt::shown).collect();
    let (state, content) = (order.state(), order.content());
    out.text(fields([
        ("purchase order", Some(order.purchase_order_id)),
        ("supplier", Some(order.supplier_name)),
        ("status", Some(state)),
        ("lines", Some(content)),
        ("total", order.total.map(|total| total.to_string())),
        ("expected", Some(seconds(&order.expected_at))),
        ("placed by", Some(order.placed_by)),
        ("received", Some(receipts.join(", ")).filter(|receipts| !receipts.is_empty())),
    ]))
}
