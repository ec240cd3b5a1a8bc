//! `tradepost suppliers`

use std::str::FromStr;

use clap::{ArgGroup, Args, Subcommand};
use events::SupplierId;
use kernel::Money;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::arguments::{Limit, Price, WantedLine, id, seconds};
use super::client::Client;
use super::table::{Column, Table, fields};
use super::{Failure, Output};

const PATH: &str = "/v1/suppliers";

const ADD_HELP: &str = "\
Example:
  tradepost suppliers add --name \"Nordic Computers\" --email orders@nordic.example --lead-time 7 \\
    --auto-replenish --product 123=20@980.00 --product 456=100@12.50

Each --product is a sku or id, the units that are ordered at once, and the cost of one unit.";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List suppliers, the newest first
    List {
        #[command(flatten)]
        limit: Limit,
    },
    /// Show a supplier and the products that it delivers
    Show {
        /// Its id
        #[arg(value_parser = id::<SupplierId>)]
        supplier: SupplierId,
    },
    /// Add a supplier with the products that it delivers
    #[command(after_help = ADD_HELP)]
    Add(Add),
    /// Change a supplier; purchase orders that were placed before keep their lines
    #[command(after_help = "Example:\n  tradepost suppliers update ID --lead-time 3 --no-auto-replenish")]
    Update(Update),
    /// Delete a supplier of which nothing is to come any more
    Delete {
        /// Its id
        #[arg(value_parser = id::<SupplierId>)]
        supplier: SupplierId,
    },
}

#[derive(Debug, Args)]
pub struct Add {
    /// Its name
    #[arg(long)]
    name: String,
    /// The address to which purchase orders go
    #[arg(long)]
    email: String,
    /// Days from a purchase order until it is overdue
    #[arg(long, value_name = "DAYS")]
    lead_time: u32,
    /// Order its products when they run low
    #[arg(long)]
    auto_replenish: bool,
    /// A product that it delivers; may stand several times
    #[arg(long, value_name = "PRODUCT=UNITS@COST")]
    product: Vec<Offer>,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("change").required(true).multiple(true))]
pub struct Update {
    /// Its id
    #[arg(value_parser = id::<SupplierId>)]
    supplier: SupplierId,
    /// Its new name
    #[arg(long, group = "change")]
    name: Option<String>,
    /// The new address to which purchase orders go
    #[arg(long, group = "change")]
    email: Option<String>,
    /// Days from a purchase order until it is overdue
    #[arg(long, value_name = "DAYS", group = "change")]
    lead_time: Option<u32>,
    /// Order its products when they run low
    #[arg(long, group = "change")]
    auto_replenish: bool,
    /// Don't order its products when they run low
    #[arg(long, group = "change", conflicts_with = "auto_replenish")]
    no_auto_replenish: bool,
    /// A product that it delivers from now on; all that are not named it does not deliver any more
    #[arg(long, value_name = "PRODUCT=UNITS@COST", group = "change")]
    product: Vec<Offer>,
}

/// A product of a supplier: `SKU_OR_PRODUCT_ID=UNITS@COST`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    line: WantedLine,
    cost: Price,
}

impl FromStr for Offer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = "a product, the units of an order and the cost of one, as in 123=20@980.00, are expected";
        let (line, cost) = text.rsplit_once('@').ok_or(expected)?;
        Ok(Self { line: line.parse()?, cost: cost.parse()? })
    }
}

#[derive(Debug, Deserialize)]
struct Supplier {
    supplier_id: String,
    name: String,
    email: String,
    lead_time_days: i64,
    auto_replenish: bool,
    products: Vec<Product>,
    created_at: Value,
}

#[derive(Debug, Deserialize)]
struct Product {
    sku: String,
    name: String,
    unit_cost: Money,
    order_quantity: i64,
}

impl Command {
    pub async fn run(self, client: &Client, out: &mut Output) -> Result<(), Failure> {
        client.require_admin()?;
        match self {
            Self::List { limit } => {
                let listing = client.list(PATH, &[], limit.limit).await?;
                let empty = "no suppliers: add one with `tradepost suppliers add`";
                out.listing(&listing, empty, |suppliers| table(client, suppliers))
            }
            Self::Show { supplier } => {
                let answer = client.get(&format!("{PATH}/{supplier}"), &[]).await?;
                print(client, out, &answer)
            }
            Self::Add(add) => {
                let body = add.body(client).await?;
                let answer = client.post(PATH, Some(&body)).await?;
                print(client, out, &answer)
            }
            Self::Update(update) => {
                let body = update.body(client).await?;
                let answer = client.patch(&format!("{PATH}/{}", update.supplier), &body).await?;
                print(client, out, &answer)
            }
            Self::Delete { supplier } => {
                client.delete(&format!("{PATH}/{supplier}")).await?;
                if out.is_json() {
                    return out.document(&json!({"supplier_id": supplier}));
                }
                out.text(format_args!("supplier {supplier} is deleted: nothing more is ordered from it"))
            }
        }
    }
}

impl Add {
    async fn body(&self, client: &Client) -> Result<Value, Failure> {
        let products = products(&self.product, client).await?;
        Ok(json!({"name": self.name, "email": self.email, "lead_time_days": self.lead_time,
            "auto_replenish": self.auto_replenish, "products": products}))
    }
}

impl Update {
    /// Only what is to change.
    async fn body(&self, client: &Client) -> Result<Value, Failure> {
        let mut body = Map::new();
        let texts = [("name", &self.name), ("email", &self.email)];
        body.extend(texts.into_iter().filter_map(|(field, text)| Some((field.to_owned(), json!(text.as_ref()?)))));
        body.extend(self.lead_time.map(|days| ("lead_time_days".to_owned(), json!(days))));
        if self.auto_replenish || self.no_auto_replenish {
            body.insert("auto_replenish".to_owned(), json!(self.auto_replenish));
        }
        if !self.product.is_empty() {
            body.insert("products".to_owned(), json!(products(&self.product, client).await?));
        }
        Ok(Value::Object(body))
    }
}

/// The products as a body has them.
async fn products(offers: &[Offer], client: &Client) -> Result<Vec<Value>, Failure> {
    let mut products = Vec::new();
    for Offer { line, cost } in offers {
        let (product_id, cost) = (line.product.resolve(client).await?, cost.resolve(client).await?);
        products.push(json!({"product_id": product_id, "unit_cost": cost, "order_quantity": line.quantity}));
    }
    Ok(products)
}

fn table(client: &Client, suppliers: &[Value]) -> Result<Table, Failure> {
    let mut table = Table::new([
        Column::Left("ID"),
        Column::Text("NAME"),
        Column::Left("EMAIL"),
        Column::Right("LEAD DAYS"),
        Column::Left("REPLENISHES"),
        Column::Text("PRODUCTS"),
    ]);
    for supplier in suppliers {
        let supplier: Supplier = client.view(supplier)?;
        let skus: Vec<String> = supplier.products.into_iter().map(|product| product.sku).collect();
        table.row([
            supplier.supplier_id,
            supplier.name,
            supplier.email,
            supplier.lead_time_days.to_string(),
            yes_or_no(supplier.auto_replenish),
            skus.join(", "),
        ]);
    }
    Ok(table)
}

fn print(client: &Client, out: &mut Output, answer: &Value) -> Result<(), Failure> {
    if out.is_json() {
        return out.document(answer);
    }
    let supplier: Supplier = client.view(answer)?;
    let product = |it: &Product| format!("{} {}: {} at {}", it.sku, it.name, it.order_quantity, it.unit_cost);
    let products: Vec<String> = supplier.products.iter().map(product).collect();
    out.text(fields([
        ("supplier", Some(supplier.supplier_id)),
        ("name", Some(supplier.name)),
        ("email", Some(supplier.email)),
        ("lead time", Some(format!("{} days", supplier.lead_time_days))),
        ("replenishes", Some(yes_or_no(supplier.auto_replenish))),
        ("products", Some(products.join(", ")).filter(|products| !products.is_empty())),
        ("added", Some(seconds(&supplier.created_at))),
    ]))
}

fn yes_or_no(is_so: bool) -> String {
    if is_so { "yes".to_owned() } else { "no".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_of_a_supplier_has_units_and_a_cost() {
        let offer: Offer = "A@B=2@19.99 EUR".parse().unwrap();
        assert_eq!(offer, Offer { line: "A@B=2".parse().unwrap(), cost: "19.99 EUR".parse().unwrap() });
        for bad in ["", "123=2", "123@9.99", "123=0@9.99", "123=2@", "123=2@x"] {
            assert!(bad.parse::<Offer>().is_err(), "{bad}");
        }
    }
}
