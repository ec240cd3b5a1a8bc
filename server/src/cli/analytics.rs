//! `tradepost analytics`

use clap::{Args, Subcommand, ValueEnum};
use kernel::Money;
use serde::Deserialize;
use serde_json::Value;

use super::client::Client;
use super::output::note;
use super::overrides::ShopLocation;
use super::table::{Column, Table};
use super::{Failure, Output};

const REBUILD_HELP: &str = "\
The numbers follow from the archives of all services. They are counted beside those that are there and replace them when all
events were handled; until then nothing changes. Needed after a change of the setting `time_zone`.
Stop the shop first, or, where services are separate, all processes that run analytics.";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show sales and refunds, by day or by product
    #[command(after_help = "Example:\n  tradepost analytics sales --from 2026-01-01 --to 2026-01-31 --zone shop")]
    Sales(Sales),
    /// Show orders by status, the steps that they reached, and their average value
    Orders,
    /// Show the products of which most was sold, with their ratings
    Products(Products),
    /// Show how many events there were of each type, a minute and in all
    Events(Events),
    /// Count everything anew from the archives
    #[command(after_help = REBUILD_HELP)]
    Rebuild(ShopLocation),
}

/// The days that are shown.
#[derive(Debug, Args)]
pub struct Period {
    /// The first day, as in 2026-01-31 [default: 30 days are shown]
    #[arg(long, value_name = "DATE")]
    from: Option<String>,
    /// The last day [default: today]
    #[arg(long, value_name = "DATE")]
    to: Option<String>,
    /// The zone whose midnights divide days
    #[arg(long, value_enum, default_value_t = Zone::Utc)]
    zone: Zone,
}

#[derive(Debug, Args)]
pub struct Sales {
    #[command(flatten)]
    period: Period,
    /// Rows for each day, or for each product
    #[arg(long, value_enum, default_value_t = By::Day)]
    by: By,
    /// Show at most this many products, with --by product [default: 20]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=100))]
    limit: Option<u8>,
}

#[derive(Debug, Args)]
pub struct Products {
    #[command(flatten)]
    period: Period,
    /// The highest sales first, or the most units
    #[arg(long, value_enum, default_value_t = Sort::Sales)]
    sort: Sort,
    /// Show at most this many
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u8).range(1..=100))]
    limit: u8,
}

#[derive(Debug, Args)]
pub struct Events {
    /// Minutes up to now; more than 120 only of one type
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u16).range(1..=2_880))]
    minutes: u16,
    /// Only events of this type, as in orders.order_placed.v1
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
}

/// UTC, or the time zone of the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Zone {
    /// UTC
    Utc,
    /// The setting `time_zone` of the shop
    Shop,
}

/// The rows of a table of sales.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// Each day
    Day,
    /// Each product, the highest sales first
    Product,
}

/// The order of products.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Sort {
    /// The highest sales
    Sales,
    /// The most units
    Units,
}

#[derive(Debug, Deserialize)]
struct SalesAnswer {
    from: String,
    to: String,
    zone: String,
    #[serde(default)]
    days: Vec<Sums>,
    #[serde(default)]
    products: Vec<Product>,
    #[serde(default)]
    totals: Vec<Sums>,
}

#[derive(Debug, Deserialize)]
struct Sums {
    day: Option<String>,
    orders: i64,
    units: i64,
    sales: Money,
    average_order_value: Option<Money>,
    refunds: i64,
    refunded: Money,
    net: Money,
}

#[derive(Debug, Deserialize)]
struct Product {
    product_id: String,
    sku: Option<String>,
    name: Option<String>,
    orders: i64,
    units: i64,
    sales: Money,
    rating: Option<Rating>,
}

#[derive(Debug, Deserialize)]
struct Rating {
    count: i64,
    mean: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct OrdersAnswer {
    by_status: Vec<StatusCount>,
    steps: Vec<StepCount>,
    average_order_value: Vec<OrderValue>,
}

#[derive(Debug, Deserialize)]
struct StatusCount {
    status: String,
    orders: i64,
}

#[derive(Debug, Deserialize)]
struct StepCount {
    step: String,
    orders: i64,
    share_of_placed: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct OrderValue {
    orders: i64,
    sales: Money,
    average: Money,
}

#[derive(Debug, Deserialize)]
struct EventsAnswer {
    minutes: Vec<MinuteEvents>,
    types: Vec<TypeEvents>,
}

#[derive(Debug, Deserialize)]
struct MinuteEvents {
    r#type: String,
    events: i64,
}

#[derive(Debug, Deserialize)]
struct TypeEvents {
    r#type: String,
    events: i64,
    interpreted: bool,
}

impl Command {
    pub async fn run(self, client: &Client, out: &mut Output) -> Result<(), Failure> {
        client.require_admin()?;
        match self {
            Self::Sales(sales) => {
                let mut query = sales.period.query();
                query.push(("by", named(sales.by)));
                query.extend(sales.limit.map(|limit| ("limit", limit.to_string())));
                show(client, out, "sales", &query, sales_tables).await
            }
            Self::Orders => show(client, out, "orders", &[], order_tables).await,
            Self::Products(products) => {
                let mut query = products.period.query();
                query.push(("sort", named(products.sort)));
                query.push(("limit", products.limit.to_string()));
                show(client, out, "products", &query, product_tables).await
            }
            Self::Events(events) => {
                let mut query = vec![("minutes", events.minutes.to_string())];
                query.extend(events.event_type.map(|event_type| ("type", event_type)));
                show(client, out, "events", &query, event_tables).await
            }
            Self::Rebuild(_) => unreachable!("it was run without a client"),
        }
    }
}

impl Period {
    fn query(&self) -> Vec<(&'static str, String)> {
        let days = [("from", &self.from), ("to", &self.to)];
        let days = days.into_iter().filter_map(|(name, day)| Some((name, day.clone()?)));
        days.chain([("zone", named(self.zone))]).collect()
    }
}

/// The name by which the server knows a choice.
fn named(choice: impl ValueEnum) -> String {
    choice.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// Asks for numbers and shows them: as the server's JSON, or as tables with empty lines between them.
async fn show(
    client: &Client,
    out: &mut Output,
    what: &str,
    query: &[(&'static str, String)],
    tables: fn(&Client, &Value) -> Result<Vec<Table>, Failure>,
) -> Result<(), Failure> {
    let query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = client.get(&format!("/v1/analytics/{what}"), &query).await?;
    if out.is_json() {
        return out.document(&answer);
    }
    for (index, table) in tables(client, &answer)?.iter().enumerate() {
        if index > 0 {
            out.text("")?;
        }
        out.table(table)?;
    }
    Ok(())
}

fn sales_tables(client: &Client, answer: &Value) -> Result<Vec<Table>, Failure> {
    let sales: SalesAnswer = client.view(answer)?;
    if sales.totals.is_empty() {
        note(&format!("no sales from {} to {} ({})", sales.from, sales.to, sales.zone));
        return Ok(Vec::new());
    }
    if answer.get("products").is_some() {
        return Ok(vec![product_table(&sales.products)]);
    }
    let mut table = Table::new([
        Column::Left("DAY"),
        Column::Right("ORDERS"),
        Column::Right("UNITS"),
        Column::Right("SALES"),
        Column::Right("AVERAGE"),
        Column::Right("REFUNDS"),
        Column::Right("REFUNDED"),
        Column::Right("NET"),
    ]);
    for sums in sales.days.iter().chain(&sales.totals) {
        table.row([
            sums.day.clone().unwrap_or_else(|| "all".to_owned()),
            sums.orders.to_string(),
            sums.units.to_string(),
            sums.sales.to_string(),
            sums.average_order_value.map(|value| value.to_string()).unwrap_or_default(),
            sums.refunds.to_string(),
            sums.refunded.to_string(),
            sums.net.to_string(),
        ]);
    }
    Ok(vec![table])
}

fn product_tables(client: &Client, answer: &Value) -> Result<Vec<Table>, Failure> {
    let top: SalesAnswer = client.view(answer)?;
    if top.products.is_empty() {
        note(&format!("no sales from {} to {} ({})", top.from, top.to, top.zone));
        return Ok(Vec::new());
    }
    Ok(vec![product_table(&top.products)])
}

fn product_table(products: &[Product]) -> Table {
    let mut table = Table::new([
        Column::Left("SKU"),
        Column::Text("NAME"),
        Column::Right("ORDERS"),
        Column::Right("UNITS"),
        Column::Right("SALES"),
        Column::Right("RATING"),
        Column::Right("REVIEWS"),
    ]);
    for product in products {
        let rating = product.rating.as_ref();
        let mean = rating.and_then(|rating| rating.mean).map(|mean| format!("{mean:.2}"));
        table.row([
            product.sku.clone().unwrap_or_else(|| product.product_id.clone()),
            product.name.clone().unwrap_or_default(),
            product.orders.to_string(),
            product.units.to_string(),
            product.sales.to_string(),
            mean.unwrap_or_default(),
            rating.map(|rating| rating.count.to_string()).unwrap_or_default(),
        ]);
    }
    table
}

fn order_tables(client: &Client, answer: &Value) -> Result<Vec<Table>, Failure> {
    let counts: OrdersAnswer = client.view(answer)?;
    let mut statuses = Table::new([Column::Left("STATUS"), Column::Right("ORDERS")]);
    for it in counts.by_status {
        statuses.row([it.status, it.orders.to_string()]);
    }
    let mut steps = Table::new([Column::Left("REACHED"), Column::Right("ORDERS"), Column::Right("OF PLACED")]);
    for it in counts.steps {
        let share = it.share_of_placed.map(|share| format!("{:.2} %", share * 100.0));
        steps.row([it.step, it.orders.to_string(), share.unwrap_or_default()]);
    }
    let mut values = Table::new([Column::Right("PAID ORDERS"), Column::Right("SALES"), Column::Right("AVERAGE")]);
    for it in &counts.average_order_value {
        values.row([it.orders.to_string(), it.sales.to_string(), it.average.to_string()]);
    }
    Ok(if counts.average_order_value.is_empty() { vec![statuses, steps] } else { vec![statuses, steps, values] })
}

/// Of each type the events of the minutes that were asked for, and those of all time.
fn event_tables(client: &Client, answer: &Value) -> Result<Vec<Table>, Failure> {
    let counts: EventsAnswer = client.view(answer)?;
    let heading = [Column::Left("TYPE"), Column::Right("LATELY"), Column::Right("IN ALL"), Column::Left("USED FOR")];
    let mut table = Table::new(heading);
    for it in counts.types {
        let lately = counts.minutes.iter().filter(|minute| minute.r#type == it.r#type);
        let lately: i64 = lately.map(|minute| minute.events).sum();
        let used = if it.interpreted { "numbers" } else { "this count" };
        table.row([it.r#type, lately.to_string(), it.events.to_string(), used.to_owned()]);
    }
    Ok(vec![table])
}
