//! `tradepost products`

use clap::{ArgGroup, Args, Subcommand};
use kernel::Money;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::arguments::{Limit, Price, ProductRef};
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
    /// Change a product; orders that were placed before keep what they were placed with
    #[command(after_help = "Example:\n  tradepost products update 467 --price 8.50 --category office")]
    Update(Update),
    /// Take a product off sale; its sku may be used again
    Delete {
        /// Its sku or its id
        product: ProductRef,
    },
}

#[derive(Debug, Args)]
pub struct Add {
    /// Its stock keeping unit, which no other product has
    #[arg(long)]
    sku: String,
    /// Its name
    #[arg(long)]
    name: String,
    /// The price of one, as in "19.99 EUR", or without a currency in that of the shop
    #[arg(long)]
    price: Price,
    /// Units in the house
    #[arg(long, value_name = "UNITS")]
    stock: u64,
    /// Description of the product
    #[arg(long)]
    description: Option<String>,
    /// Its category
    #[arg(long)]
    category: Option<String>,
    /// Units below which stock counts as low
    #[arg(long, value_name = "UNITS")]
    low_stock_threshold: Option<u64>,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("change").required(true).multiple(true))]
pub struct Update {
    /// Its sku or its id
    product: ProductRef,
    /// Its new sku
    #[arg(long, group = "change")]
    sku: Option<String>,
    /// Its new name
    #[arg(long, group = "change")]
    name: Option<String>,
    /// The new price of one, as in "19.99 EUR", or without a currency in that of the shop
    #[arg(long, group = "change")]
    price: Option<Price>,
    /// Its new description
    #[arg(long, group = "change")]
    description: Option<String>,
    /// Its new category
    #[arg(long, group = "change")]
    category: Option<String>,
    /// Take it out of its category
    #[arg(long, group = "change", conflicts_with = "category")]
    no_category: bool,
    /// Units below which stock counts as low
    #[arg(long, value_name = "UNITS", group = "change")]
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
    rating: Option<Rating>,
}

/// The opinion of those who reviewed it.
#[derive(Debug, Deserialize)]
struct Rating {
    count: i64,
    mean: Option<Value>,
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
                let price = add.price.resolve(client).await?;
                let answer = client.post("/v1/products", Some(&add.body(price))).await?;
                print(client, out, &answer)
            }
            Self::Update(update) => {
                client.require_admin()?;
                let product_id = update.product.resolve(client).await?;
                let price = match &update.price {
                    Some(price) => Some(price.resolve(client).await?),
                    None => None,
                };
                let answer = client.patch(&format!("/v1/products/{product_id}"), &update.body(price)).await?;
                print(client, out, &answer)
            }
            Self::Delete { product } => {
                client.require_admin()?;
                let product_id = product.resolve(client).await?;
                client.delete(&format!("/v1/products/{product_id}")).await?;
                if out.is_json() {
                    return out.document(&json!({"product_id": product_id}));
                }
                out.text(format_args!("product {product_id} is no longer for sale"))
            }
        }
    }
}

impl Rating {
    /// The mean as the server wrote it: it is exact, and a number read here might not be.
    fn shown(self) -> Option<String> {
        let Self { count, mean } = self;
        let reviews = if count == 1 { "1 review".to_owned() } else { format!("{count} reviews") };
        mean.filter(|mean| !mean.is_null()).map(|mean| format!("{mean} of 5 ({reviews})"))
    }
}

impl Add {
    fn body(&self, price: Money) -> Value {
        let mut body = json!({"sku": self.sku, "name": self.name, "price": price, "stock": self.stock});
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

impl Update {
    /// Only what is to change.
    fn body(&self, price: Option<Money>) -> Value {
        let Self { sku, name, description, category, no_category, low_stock_threshold, .. } = self;
        let mut body = Map::new();
        let texts = [("sku", sku), ("name", name), ("description", description), ("category", category)];
        let given = texts.into_iter().filter_map(|(field, text)| Some((field.to_owned(), json!(text.as_ref()?))));
        body.extend(given);
        body.extend(price.map(|price| ("price".to_owned(), json!(price))));
        body.extend(low_stock_threshold.map(|units| ("low_stock_threshold".to_owned(), json!(units))));
        if *no_category {
            body.insert("category".to_owned(), Value::Null);
        }
        Value::Object(body)
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
        ("rating", product.rating.and_then(Rating::shown)),
        ("description", Some(product.description).filter(|text| !text.is_empty())),
    ]))
}

fn yes_or_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}
