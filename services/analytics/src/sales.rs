//! Sales and refunds over a period: by day, or by product.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use events::ProductId;
use kernel::{Currency, Money};
use serde::{Deserialize, Serialize};
use service::http::{Problem, QueryOf};
use utoipa::{IntoParams, ToSchema};

use crate::answer::Form;
use crate::csv::{Cell, Table};
use crate::domain::{DaySums, Zone, average, text_of_day};
use crate::period::Parameters;
use crate::store::ProductRow;
use crate::top_products::ProductRating;
use crate::{Ctx, store};

/// The rows of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Day,
    Product,
}

kernel::named!(By { Day = "day", Product = "product" });

/// The sales that are asked for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// The first day; if it is left out, 30 days are answered.
    #[param(format = Date, example = "2026-01-01")]
    from: Option<String>,
    /// The last day, at most 366 days with it; if it is left out, today.
    #[param(format = Date, example = "2026-01-31")]
    to: Option<String>,
    /// Rows for each day, or for each of the products that sold best.
    #[param(value_type = Option<By>, inline)]
    by: Option<String>,
    /// The zone whose midnights divide days: `shop` is the one of the setting `time_zone`.
    #[param(value_type = Option<Zone>, inline)]
    zone: Option<String>,
    /// Products at most, with `by=product` only; 20 if it is left out.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 100)]
    limit: Option<String>,
    /// `csv` for a table; without it, `Accept: text/csv` asks for one.
    #[param(value_type = Option<Form>, inline)]
    format: Option<String>,
}

/// Sales and refunds over a period. What was paid counts on the day of the payment, and what was refunded on the day of
/// the refund, whenever it was sold.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Sales {
    /// The first day.
    #[schema(example = "2026-01-01")]
    from: String,
    /// The last day.
    #[schema(example = "2026-01-31")]
    to: String,
    /// The name of the time zone whose midnights divide days.
    #[schema(example = "Europe/Berlin")]
    zone: String,
    /// By day: the days that had sales or refunds, oldest first, one for each currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    days: Option<Vec<SalesSums>>,
    /// By product: the products with the highest sales first, one for each currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    products: Option<Vec<ProductSales>>,
    /// All of the period, one for each currency.
    totals: Vec<SalesSums>,
}

/// Sales and refunds in one currency, of a day or in all.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SalesSums {
    /// The day; totals have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-01-31")]
    day: Option<String>,
    /// Orders that were paid.
    #[schema(example = 3)]
    orders: i64,
    /// Units of these orders.
    #[schema(example = 4)]
    units: i64,
    /// Sum of what was paid for them.
    sales: Money,
    /// `sales` divided by `orders`, rounded to the nearest minor unit, half up; null without orders.
    average_order_value: Option<Money>,
    /// Refunds that were made, of these or of earlier orders, and of payments that came after an order was cancelled.
    #[schema(example = 1)]
    refunds: i64,
    /// Sum of what went back by them.
    refunded: Money,
    /// `sales` less `refunded`: negative if more went back than came.
    net: Money,
}

/// Sales of a product in one currency, at the prices of its orders. Refunds are not of single products.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProductSales {
    pub product_id: ProductId,
    /// As the product's newest event has it; null if none has arrived.
    #[schema(example = "123")]
    pub sku: Option<String>,
    /// As the product's newest event has it; null if none has arrived.
    #[schema(example = "Laptop")]
    pub name: Option<String>,
    /// Paid orders that have the product.
    #[schema(example = 3)]
    pub orders: i64,
    /// Units of it in them.
    #[schema(example = 4)]
    pub units: i64,
    /// Sum of the prices of these units.
    pub sales: Money,
    /// Its rating now, in the list of the products of which most was sold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rating: Option<ProductRating>,
}

impl SalesSums {
    fn new(day: Option<i64>, currency: Currency, sums: DaySums) -> Self {
        let money = |amount| Money::new(amount, currency);
        Self {
            day: day.map(text_of_day),
            orders: sums.orders,
            units: sums.units,
            sales: money(sums.sales),
            average_order_value: average(sums.sales, sums.orders).map(money),
            refunds: sums.refunds,
            refunded: money(sums.refunded),
            net: money(sums.sales.saturating_sub(sums.refunded)),
        }
    }

    fn cells(&self) -> [Cell; 9] {
        [
            self.day.as_deref().into(),
            self.sales.currency.as_str().into(),
            self.orders.into(),
            self.units.into(),
            self.sales.amount.into(),
            self.average_order_value.map(|value| value.amount).into(),
            self.refunds.into(),
            self.refunded.amount.into(),
            self.net.amount.into(),
        ]
    }
}

impl From<ProductRow> for ProductSales {
    fn from(row: ProductRow) -> Self {
        Self {
            product_id: row.product_id,
            sku: row.sku,
            name: row.name,
            orders: row.sums.orders,
            units: row.sums.units,
            sales: Money::new(row.sums.sales, row.currency),
            rating: None,
        }
    }
}

/// Sales and refunds of a period, by day or by product. Amounts are minor units.
#[utoipa::path(get, path = "/v1/analytics/sales", operation_id = "read_sales", tag = "analytics",
    params(Filter),
    responses(
        (status = 200, content((Sales = "application/json"), (String = "text/csv")))))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    headers: HeaderMap,
    QueryOf(filter): QueryOf<Filter>,
) -> Result<Response, Problem> {
    let calendar = &ctx.state.calendar;
    let mut parameters = Parameters::default();
    let asked = (filter.from.as_deref(), filter.to.as_deref(), filter.zone.as_deref());
    let period = parameters.period(asked, calendar, ctx.clock.now());
    let by = parameters.named("by", filter.by.as_deref(), By::Day);
    let products = (by == By::Product).then(|| parameters.limit(filter.limit.as_deref()));
    if products.is_none() && filter.limit.is_some() {
        parameters.refuse("limit", "invalid", "only with `by=product`: all days are answered".to_owned());
    }
    let form = parameters.form(filter.format.as_deref(), &headers);
    parameters.finish()?;

    let zone = calendar.kept_as(period.zone);
    let days = store::days(&ctx.db, zone, period.days()).await?;
    let totals = totals(&days);
    let products = match products {
        None => None,
        Some(limit) => Some(store::products(&ctx.db, zone, period.days(), false, limit).await?),
    };
    let sums = |(day, currency, sums)| SalesSums::new(Some(day), currency, sums);
    let sales = Sales {
        from: text_of_day(period.from),
        to: text_of_day(period.to),
        zone: calendar.name_of(period.zone).to_owned(),
        days: (by == By::Day).then(|| days.into_iter().map(sums).collect()),
        products: products.map(|products| products.into_iter().map(ProductSales::from).collect()),
        totals,
    };
    Ok(form.answer(sales, table))
}

/// The days of each currency together.
fn totals(days: &[(i64, Currency, DaySums)]) -> Vec<SalesSums> {
    let mut totals: BTreeMap<Currency, DaySums> = BTreeMap::new();
    for (_, currency, day) in days {
        let total = totals.entry(*currency).or_default();
        total.orders += day.orders;
        total.units += day.units;
        total.sales = total.sales.saturating_add(day.sales);
        total.refunds += day.refunds;
        total.refunded = total.refunded.saturating_add(day.refunded);
    }
    totals.into_iter().map(|(currency, sums)| SalesSums::new(None, currency, sums)).collect()
}

fn table(sales: &Sales) -> Table {
    match (&sales.days, &sales.products) {
        (_, Some(products)) => Table {
            headings: &["product_id", "sku", "name", "currency", "orders", "units", "sales"],
            rows: products.iter().map(|product| product.cells().into()).collect(),
        },
        (days, None) => Table {
            headings: &[
                "day",
                "currency",
                "orders",
                "units",
                "sales",
                "average_order_value",
                "refunds",
                "refunded",
                "net",
            ],
            rows: days.iter().flatten().map(|day| day.cells().into()).collect(),
        },
    }
}

impl ProductSales {
    pub fn cells(&self) -> [Cell; 7] {
        [
            self.product_id.to_string().as_str().into(),
            self.sku.as_deref().into(),
            self.name.as_deref().into(),
            self.sales.currency.as_str().into(),
            self.orders.into(),
            self.units.into(),
            self.sales.amount.into(),
        ]
    }
}
