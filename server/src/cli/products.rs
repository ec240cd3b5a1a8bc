//! `tradepost products`

use clap::{Args, Subcommand};
use kernel::Money;
use serde::Deserialize;
use serde_json::{Value, json};

use super::arguments::{Limit, ProductRef, price};
use super::client::Client;
use super::table::{Column, Table, fields};
use super::{Failure, Output};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List products, the newest first
    List {
        /// Only products whose name, sku or description contains this
        text: Option<String>,
        /// Only products of this category
        #[arg(long)]
        category: Option<String>,
        #[command(flatten)]
        limit: Limit,
    },
    /// Show a product
    Show {
        /// Its sku or its id
        product: ProductRef,
    },
    /// Add a product with its stock
    #[command(after_help = "Example:\n  tradepost products add --sku 467 --name Stapler --price 7.90 --stock 100")]
    Add(Add),
}

#[derive(Debug, Args)]
pub struct Add {
    /// Its stock keeping unit, which no other product has
    #[arg(long)]
    sku: String,
    /// Its name
    #[arg(long)]
    name: String,
    /// The price of one, as in 19.99 or "19.99 EUR"
    #[arg(long, value_parser = price)]
    price: Money,
    /// Units in the house
    #[arg(long, value_name = "UNITS")]
    stock: u64,
    /// What it is
    #[arg(long)]
    description: Option<String>,
    /// Its category
    #[arg(long)]
    category: Option<String>,
    /// Units below which stock counts as low
    #[arg(long, value_name = "UNITS")]
    low_stock_threshold: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Product {
    product_id: String,
    sku: String,
    name: String,
    #[serde(default)]
    description: String,
    category: Option<String>,
    price: Money,
    in_stock: bool,
}

impl Command {
    pub async fn run(self, client: &Client, out: &mut Output) -> Result<(), Failure> {
        match self {
            Self::List { text, category, limit } => {
                let query: Vec<(&str, &str)> = [("q", &text), ("category", &category)]
                    .into_iter()
                    .filter_map(|(name, value)| Some((name, value.as_deref()?)))
                    .collect();
                list(client, out, &query, limit.limit).await
            }
            Self::Show { product } => {
                let product_id = product.resolve(client).await?;
                let answer = client.get(&format!("/v1/products/{product_id}"), &[]).await?;
                print(client, out, &answer)
            }
            Self::Add(add) => {
                client.require_admin()?;
                let answer = client.post("/v1/products", Some(&add.body())).await?;
                print(client, out, &answer)
            }
        }
    }
}

impl Add {
    fn body(&self) -> Value {
        let mut body = json!({"sku": self.sku, "name": self.name, "price": self.price, "stock": self.stock});
        if let Some(description) = &self.description {
            body["description"] = json!(description);
        }
        if let Some(category) = &self.category {
            body["category"] = json!(category);
        }
        if let Some(threshold) = self.low_stock_threshold {
            body["low_stock_threshold"] = json!(threshold);
        }
        body
    }
}

async fn list(client: &Client, out: &mut Output, query: &[(&str, &str)], limit: usize) -> Result<(), Failure> {
    let listing = client.list("/v1/products", query, limit).await?;
    let empty = "no products: add one with `tradepost products add`, or start with `tradepost up --demo`";
    out.listing(&listing, empty, |products| {
        let (price, name) = (Column::Right("PRICE"), Column::Text("NAME"));
        let mut table =
            Table::new([Column::Left("SKU"), name, price, Column::Left("IN STOCK"), Column::Text("CATEGORY")]);
        for product in products {
            let Product { sku, name, price, in_stock, category, .. } = client.view(product)?;
            table.row([sku, name, price.to_string(), yes_or_no(in_stock), category.unwrap_or_default()]);
        }
        Ok(table)
    })
}

fn print(client: &Client, out: &mut Output, answer: &Value) -> Result<(), Failure> {
    if out.is_json() {
        return out.document(answer);
    }
    let product: Product = client.view(answer)?;
    out.text(fields([
        ("sku", Some(product.sku)),
        ("name", Some(product.name)),
        ("id", Some(product.product_id)),
        ("price", Some(product.price.to_string())),
        ("in stock", Some(yes_or_no(product.in_stock))),
        ("category", product.category),
        ("description", Some(product.description).filter(|text| !text.is_empty())),
    ]))
}

fn yes_or_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}
