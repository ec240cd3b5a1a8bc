//! `tradepost stock`

use clap::Subcommand;
use serde::Deserialize;
use serde_json::{Value, json};

use super::arguments::{Limit, ProductRef};
use super::client::Client;
use super::table::{Column, Table};
use super::{Failure, Output};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the stock of all products
    List {
        #[command(flatten)]
        limit: Limit,
    },
    /// Add units to a product's stock, or remove some that no order holds
    #[command(after_help = "Example:\n  tradepost stock adjust 123 -2 --reason \"broken in transport\"")]
    Adjust {
        /// The product's sku or id
        product: ProductRef,
        /// Units to add, or to remove as in -2
        #[arg(allow_negative_numbers = true)]
        delta: i64,
        /// Reason, for whoever reads the events later
        #[arg(long)]
        reason: String,
    },
}

#[derive(Debug, Deserialize)]
struct Stock {
    sku: String,
    on_hand: i64,
    reserved: i64,
    available: i64,
    low_stock_threshold: i64,
}

impl Command {
    pub async fn run(self, client: &Client, out: &mut Output) -> Result<(), Failure> {
        client.require_admin()?;
        match self {
            Self::List { limit } => {
                let listing = client.list("/v1/stock", &[], limit.limit).await?;
                let empty = "no stock: it comes with a product, see `tradepost products add --help`";
                out.listing(&listing, empty, |levels| table(client, levels))
            }
            Self::Adjust { product, delta, reason } => {
                let product_id = product.resolve(client).await?;
                let body = json!({"delta": delta, "reason": reason});
                let answer = client.post(&format!("/v1/stock/{product_id}/adjustments"), Some(&body)).await?;
                if out.is_json() {
                    return out.document(&answer);
                }
                out.table(&table(client, &[answer])?)
            }
        }
    }
}

fn table(client: &Client, levels: &[Value]) -> Result<Table, Failure> {
    let mut table = Table::new([
        Column::Left("SKU"),
        Column::Right("ON HAND"),
        Column::Right("RESERVED"),
        Column::Right("AVAILABLE"),
        Column::Right("LOW AT"),
    ]);
    for level in levels {
        let Stock { sku, on_hand, reserved, available, low_stock_threshold } = client.view(level)?;
        let [on_hand, reserved, available, low_at] =
            [on_hand, reserved, available, low_stock_threshold].map(|units| units.to_string());
        table.row([sku, on_hand, reserved, available, low_at]);
    }
    Ok(table)
}
