//! `tradepost payments`

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
    /// List payments, the newest first, with the error of each that failed
    List {
        /// Only payments of this order, by its number or its id
        #[arg(long)]
        order: Option<OrderRef>,
        #[command(flatten)]
        limit: Limit,
    },
}

#[derive(Debug, Deserialize)]
struct Payment {
    payment_id: String,
    order_id: String,
    amount: Money,
    status: String,
    error: Option<String>,
    created_at: Value,
}

impl Command {
    pub async fn run(self, client: &Client, out: &mut Output) -> Result<(), Failure> {
        client.require_admin()?;
        let Self::List { order, limit } = self;
        let order_id = match order {
            Some(order) => Some(order.resolve(client).await?.to_string()),
            None => None,
        };
        let query: Vec<(&str, &str)> = order_id.iter().map(|order_id| ("order_id", order_id.as_str())).collect();
        let listing = client.list("/v1/payments", &query, limit.limit).await?;
        out.listing(&listing, "no payments: an order has one for each token that its customer gave", |payments| {
            table(client, payments)
        })
    }
}

fn table(client: &Client, payments: &[Value]) -> Result<Table, Failure> {
    let mut table = Table::new([
        Column::Left("ID"),
        Column::Left("ORDER"),
        Column::Right("AMOUNT"),
        Column::Left("STATUS"),
        Column::Left("REQUESTED"),
    ]);
    for payment in payments {
        let Payment { payment_id, order_id, amount, status, error, created_at } = client.view(payment)?;
        table.row([payment_id, order_id, amount.to_string(), status, seconds(&created_at)]);
        if let Some(error) = error {
            table.remark(&error);
        }
    }
    Ok(table)
}
