//! `tradepost orders`

mod place;
mod show;
mod watch;
mod why;

use clap::Subcommand;
use events::OrderId;
use kernel::Money;
use serde::Deserialize;
use serde_json::{Value, json};

use super::arguments::{Limit, OrderRef, seconds};
use super::client::Client;
use super::output::note;
use super::table::{Column, Table};
use super::terminal::plain;
use super::{Failure, Output};
use watch::Until;

const WATCH_HELP: &str = "\
Each line is an event: its time, the service that emitted it, its name, and its consumers.
With --json there is one object a line: the steps of the story, each again when its
deliveries changed, and the order as the last.";

const CANCEL_HELP: &str = "\
An order that is not paid is cancelled at once. One that is paid is cancelled if nothing of it has left:
until that is known it is `cancelling`, and `orders watch` shows how it ends.";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Place an order
    Place(place::Place),
    /// List orders, the newest first
    List {
        /// Only orders with this status, such as paid or backordered
        #[arg(long)]
        status: Option<String>,
        #[command(flatten)]
        limit: Limit,
    },
    /// Show an order and its story
    Show {
        /// Its number or its id
        order: OrderRef,
    },
    /// Watch what happens to an order until it rests: paid, rejected, cancelled, or waiting for stock
    #[command(after_help = WATCH_HELP)]
    Watch {
        /// Its number or its id
        order: OrderRef,
        /// Go on when it is paid, until it is delivered
        #[arg(long)]
        until_delivered: bool,
    },
    /// Say why an order is where it is, and which command mends it
    #[command(after_help = "Example:\n  tradepost orders why 1001")]
    Why {
        /// Its number or its id
        order: OrderRef,
    },
    /// Pay an order that was placed without a payment token, or whose payment was declined
    #[command(after_help = "Example:\n  tradepost orders pay 1001 --token tok_ok --watch")]
    Pay {
        /// Its number or its id
        order: OrderRef,
        /// The payment token
        #[arg(long)]
        token: String,
        /// Watch what happens to the order
        #[arg(long)]
        watch: bool,
    },
    /// Cancel an order of which nothing has left
    #[command(after_help = CANCEL_HELP)]
    Cancel {
        /// Its number or its id
        order: OrderRef,
    },
}

/// The status of a paid order until shipping has said if something left.
const CANCELLING: &str = "cancelling";

/// The fields of an order that every list and view shows.
#[derive(Debug, Deserialize)]
struct Order {
    order_id: String,
    number: i64,
    status: String,
    reason: Option<String>,
    #[serde(default)]
    email: String,
    lines: Vec<Line>,
    total: Money,
    payment: Payment,
    #[serde(default)]
    shipments: Vec<Shipment>,
    cancellation: Option<String>,
    waiting: Option<Waiting>,
    created_at: Value,
}

#[derive(Debug, Deserialize)]
struct Line {
    sku: String,
    name: String,
    quantity: i64,
    unit_price: Money,
}

#[derive(Debug, Deserialize)]
struct Payment {
    status: String,
    captured: Option<Money>,
    refunded: Option<Money>,
    error: Option<String>,
}

/// The place of an order that waits for stock.
#[derive(Debug, Deserialize)]
struct Waiting {
    position: i64,
}

/// A part of an order that left.
#[derive(Debug, Deserialize)]
struct Shipment {
    shipment_id: String,
    status: String,
    carrier: Option<String>,
    tracking_number: Option<String>,
    lines: Vec<ShippedLine>,
}

#[derive(Debug, Deserialize)]
struct ShippedLine {
    name: String,
    quantity: i64,
}

impl Payment {
    /// The status, and why.
    fn outcome(&self) -> String {
        match &self.error {
            Some(error) => format!("{} ({error})", self.status),
            None => self.status.clone(),
        }
    }

    /// The money that came.
    fn came_in(&self) -> Option<Money> {
        self.captured.filter(|money| money.amount > 0)
    }

    /// The money that went back.
    fn went_back(&self) -> Option<Money> {
        self.refunded.filter(|money| money.amount > 0)
    }
}

impl Order {
    /// The status, and why.
    fn outcome(&self) -> String {
        match &self.reason {
            Some(reason) => format!("{} ({reason})", self.status),
            None => self.status.clone(),
        }
    }

    /// True if nothing more happens by itself, or only after a long time.
    fn is_resting(&self, until: Until) -> bool {
        match self.status.as_str() {
            "placed" | CANCELLING => false,
            "reserved" => self.waits_for_payment(),
            "paid" | "shipped" => until == Until::Paid,
            _ => true,
        }
    }

    /// True if it is cancelled, and its money has not gone back yet.
    fn waits_for_refund(&self) -> bool {
        let captured = self.payment.captured.map_or(0, |money| money.amount);
        let refunded = self.payment.refunded.map_or(0, |money| money.amount);
        self.status == "cancelled" && refunded < captured
    }

    /// The end of a wish to cancel it after it was paid, where its status does not say it.
    fn cancellation_outcome(&self) -> Option<&'static str> {
        (self.cancellation.as_deref() == Some("too_late")).then_some("too late, a part of the order had left")
    }

    fn waits_for_payment(&self) -> bool {
        self.status == "reserved" && matches!(self.payment.status.as_str(), "none" | "failed")
    }
}

impl Command {
    pub async fn run(self, client: &Client, out: &mut Output) -> Result<(), Failure> {
        if let Self::Place(place) = self {
            return place.run(client, out).await;
        }
        client.require_admin()?;
        match self {
            Self::Place(_) => unreachable!("placing needs no admin and was done above"),
            Self::List { status, limit } => list(client, out, status.as_deref(), limit.limit).await,
            Self::Show { order } => show::show(client, out, order).await,
            Self::Watch { order, until_delivered } => {
                let order_id = order.resolve(client).await?;
                let until = if until_delivered { Until::Delivered } else { Until::Paid };
                watch::watch(client, out, order_id, until).await
            }
            Self::Why { order } => why::why(client, out, order).await,
            Self::Pay { order, token, watch } => {
                let order_id = order.resolve(client).await?;
                pay(client, out, order_id, &token, watch).await
            }
            Self::Cancel { order } => cancel(client, out, order).await,
        }
    }
}

async fn list(client: &Client, out: &mut Output, status: Option<&str>, limit: usize) -> Result<(), Failure> {
    let query: Vec<(&str, &str)> = status.map(|status| ("status", status)).into_iter().collect();
    let listing = client.list("/v1/orders", &query, limit).await?;
    let empty = "no orders: place one with `tradepost orders place 123=1 --email ada@example.com`";
    out.listing(&listing, empty, |orders| {
        let (number, total) = (Column::Right("NUMBER"), Column::Right("TOTAL"));
        let mut table =
            Table::new([number, Column::Left("STATUS"), total, Column::Left("PLACED"), Column::Text("EMAIL")]);
        for order in orders {
            let order: Order = client.view(order)?;
            let placed = seconds(&order.created_at);
            table.row([order.number.to_string(), order.status, order.total.to_string(), placed, order.email]);
        }
        Ok(table)
    })
}

async fn pay(client: &Client, out: &mut Output, order_id: OrderId, token: &str, watch: bool) -> Result<(), Failure> {
    let body = json!({"token": token});
    let answer = client.post(&format!("/v1/orders/{order_id}/payment"), Some(&body)).await?;
    match (out.is_json(), watch) {
        (true, true) => out.record(&answer)?,
        (true, false) => out.document(&answer)?,
        (false, _) => {
            let order: Order = client.view(&answer)?;
            out.text(format_args!("order {}: the payment is {}", order.number, plain(&order.payment.status)))?;
        }
    }
    if watch { watch::watch(client, out, order_id, Until::Paid).await } else { Ok(()) }
}

async fn cancel(client: &Client, out: &mut Output, order: OrderRef) -> Result<(), Failure> {
    let order_id = order.resolve(client).await?;
    let answer = client.post(&format!("/v1/orders/{order_id}/cancel"), None).await?;
    if out.is_json() {
        return out.document(&answer);
    }
    let order: Order = client.view(&answer)?;
    out.text(format_args!("order {} is {}", order.number, plain(&order.outcome())))?;
    if order.status == CANCELLING {
        let number = order.number;
        note(&format!("it was paid, so shipping is asked first: `tradepost orders watch {number}` shows how it ends"));
    }
    Ok(())
}
