//! `tradepost reviews`

use clap::{Subcommand, ValueEnum};
use events::ReviewId;
use serde::Deserialize;
use serde_json::{Value, json};

use super::arguments::{Limit, ProductRef, id, seconds};
use super::client::Client;
use super::table::{Column, Table};
use super::{Failure, Output};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the reviews of a product; the admin sees the hidden ones too
    List {
        /// The product's sku or id
        product: ProductRef,
        /// Order of the list
        #[arg(long, value_enum, default_value_t = Sort::Newest)]
        sort: Sort,
        #[command(flatten)]
        limit: Limit,
    },
    /// Hide a review: it is not shown any more, and does not count
    #[command(after_help = "Example:\n  tradepost reviews hide 123 ID --reason \"an insult\"")]
    Hide {
        /// The product's sku or id
        product: ProductRef,
        /// The review's id
        #[arg(value_parser = id::<ReviewId>)]
        review: ReviewId,
        /// Reason, for whoever reads it later
        #[arg(long)]
        reason: String,
    },
}

/// The order of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Sort {
    /// The newest
    Newest,
    /// The best
    Rating,
}

#[derive(Debug, Deserialize)]
struct Review {
    review_id: String,
    rating: i64,
    #[serde(default)]
    comment: String,
    created_at: Value,
    hidden_by: Option<String>,
    hidden_reason: Option<String>,
}

impl Command {
    pub async fn run(self, client: &Client, out: &mut Output) -> Result<(), Failure> {
        match self {
            Self::List { product, sort, limit } => {
                let product_id = product.resolve(client).await?;
                let query: &[(&str, &str)] = match sort {
                    Sort::Newest => &[],
                    Sort::Rating => &[("sort", "rating")],
                };
                let listing = client.list(&format!("/v1/products/{product_id}/reviews"), query, limit.limit).await?;
                out.listing(&listing, "no reviews: a customer writes one when the product has arrived", |reviews| {
                    table(client, reviews)
                })
            }
            Self::Hide { product, review, reason } => {
                client.require_admin()?;
                let product_id = product.resolve(client).await?;
                let path = format!("/v1/products/{product_id}/reviews/{review}/hide");
                let answer = client.post(&path, Some(&json!({"reason": reason}))).await?;
                if out.is_json() {
                    return out.document(&answer);
                }
                out.table(&table(client, &[answer])?)
            }
        }
    }
}

fn table(client: &Client, reviews: &[Value]) -> Result<Table, Failure> {
    let (rating, written) = (Column::Right("RATING"), Column::Left("WRITTEN"));
    let mut table = Table::new([Column::Left("ID"), rating, written, Column::Text("COMMENT")]);
    for review in reviews {
        let Review { review_id, rating, comment, created_at, hidden_by, hidden_reason } = client.view(review)?;
        table.row([review_id, rating.to_string(), seconds(&created_at), comment]);
        if let Some(by) = hidden_by {
            table.remark(&format!("hidden by {by}: {}", hidden_reason.unwrap_or_default()));
        }
    }
    Ok(table)
}
