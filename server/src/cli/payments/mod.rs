//! `tradepost payments`

mod refund;

use clap::Subcommand;
use kernel::Money;
use serde::Deserialize;
use serde_json::Value;

use super::arguments::{Limit, OrderRef, seconds};
use super::client::Client;
use super::table::{Column, Table};
use super::{Failure, Output};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List payments, the newest first, with their refunds and the error of each that failed
    List {
        /// Only payments of this order, by its number or its id
        #[arg(long)]
        order: Option<OrderRef>,
        #[command(flatten)]
        limit: Limit,
    },
    /// Give money of a payment back, in full or in part
    Refund(refund::Refund),
}

#[derive(Debug, Deserialize)]
struct Payment {
    payment_id: String,
    order_id: String,
    amount: Money,
    captured: Option<Money>,
    refunded: Option<Money>,
    status: String,
    error: Option<String>,
    #[serde(default)]
    refunds: Vec<RefundState>,
    created_at: Value,
}

#[derive(Debug, Deserialize)]
struct RefundState {
    refund_id: String,
    amount: Money,
    status: String,
    reason: Option<String>,
    error: Option<String>,
}

impl RefundState {
    /// The refund on one line, and why it is as it is.
    fn line(&self) -> String {
        let Self { refund_id, amount, status, reason, error } = self;
        let why = error.as_ref().or(reason.as_ref()).map(|why| format!(" ({why})")).unwrap_or_default();
        format!("refund {refund_id}: {amount} {status}{why}")
    }
}

impl Command {
    pub async fn run(self, client: &Client, out: &mut Output) -> Result<(), Failure> {
        client.require_admin()?;
        match self {
            Self::List { order, limit } => list(client, out, order, limit.limit).await,
            Self::Refund(refund) => refund.run(client, out).await,
        }
    }
}

async fn list(client: &Client, out: &mut Output, order: Option<OrderRef>, limit: usize) -> Result<(), Failure> {
    let order_id = match order {
        Some(order) => Some(order.resolve(client).await?.to_string()),
        None => None,
    };
    let query: Vec<(&str, &str)> = order_id.iter().map(|order_id| ("order_id", order_id.as_str())).collect();
    let listing = client.list("/v1/payments", &query, limit).await?;
    out.listing(&listing, "no payments: an order has one for each token that its customer gave", |payments| {
        table(client, payments)
    })
}

fn table(client: &Client, payments: &[Value]) -> Result<Table, Failure> {
    let mut table = Table::new([
        Column::Left("ID"),
        Column::Left("ORDER"),
        Column::Right("AMOUNT"),
        Column::Right("CAPTURED"),
        Column::Right("REFUNDED"),
        Column::Left("STATUS"),
        Column::Left("REQUESTED"),
    ]);
    for payment in payments {
        let payment: Payment = client.view(payment)?;
        let money = |money: Option<Money>| money.map(|money| money.to_string()).unwrap_or_default();
        table.row([
            payment.payment_id,
            payment.order_id,
            payment.amount.to_string(),
            money(payment.captured),
            money(payment.refunded),
            payment.status,
            seconds(&payment.created_at),
        ]);
        if let Some(error) = &payment.error {
            table.remark(error);
        }
        for refund in &payment.refunds {
            table.remark(&refund.line());
        }
    }
    Ok(table)
}
