//! The bounds of the fields of suppliers and purchase orders.

use std::collections::HashSet;

use axum::http::StatusCode;
use events::{ProductId, SupplierId};
use kernel::{Currency, Money};
use serde::Deserialize;
use service::http::{FieldError, Fields, Problem};
use utoipa::ToSchema;

use crate::domain::{COST_MAX, QUANTITY_MAX};

const NAME_MAX: usize = 200;

const LEAD_TIME_DAYS_MAX: i64 = 365;

/// Products of a supplier, and lines of a purchase order, at the most: they are read and answered with as a whole.
pub(crate) const LINES_MAX: usize = 100;

/// The cost of one unit, as requests describe it: [`Money`] within [`COST_MAX`].
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what is read as Money")]
pub(crate) struct UnitCost {
    /// Minor units: 1999 is 19.99 EUR.
    #[schema(example = 1999, minimum = 1, maximum = 1_000_000_000_i64)]
    amount: i64,
    /// The shop's currency.
    currency: Currency,
}

/// A product that a supplier delivers.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSupplierProduct)]
pub(crate) struct InputProduct {
    pub product_id: ProductId,
    #[schema(value_type = UnitCost)]
    pub unit_cost: Money,
    /// Units that are ordered at once.
    #[schema(example = 20, minimum = 1, maximum = 10_000_000)]
    pub order_quantity: i64,
}

/// Units of a product that are ordered.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPurchaseOrderLine)]
pub(crate) struct InputLine {
    pub product_id: ProductId,
    /// Left out: the order quantity of the supplier, or that of the line as it is.
    #[schema(example = 20, minimum = 1, maximum = 10_000_000)]
    pub quantity: Option<i64>,
    /// Left out: the cost that the supplier has, or that of the line as it is.
    #[schema(value_type = Option<UnitCost>)]
    pub unit_cost: Option<Money>,
}

pub(crate) fn check_name(fields: &mut Fields, name: &str) {
    fields.line(name, "name", 1, NAME_MAX);
}

pub(crate) fn check_email(fields: &mut Fields, email: &str) {
    fields.email(email, "email");
}

pub(crate) fn check_lead_time(fields: &mut Fields, days: i64) {
    let expected = format!("1 to {LEAD_TIME_DAYS_MAX} days");
    fields.check((1..=LEAD_TIME_DAYS_MAX).contains(&days), "lead_time_days", "range", expected);
}

pub(crate) fn check_products(fields: &mut Fields, products: &[InputProduct], currency: Currency) {
    fields.check(products.len() <= LINES_MAX, "products", "length", format!("at most {LINES_MAX} products"));
    let mut known = HashSet::new();
    for (index, product) in products.iter().enumerate().take(LINES_MAX) {
        let field = format!("products[{index}]");
        check_first(fields, known.insert(product.product_id), &field);
        check_cost(fields, product.unit_cost, &field, currency);
        check_quantity(fields, product.order_quantity, format!("{field}.order_quantity"));
    }
}

pub(crate) fn check_lines(fields: &mut Fields, lines: &[InputLine], currency: Currency) {
    let expected = format!("1 to {LINES_MAX} lines");
    fields.check((1..=LINES_MAX).contains(&lines.len()), "lines", "length", expected);
    let mut known = HashSet::new();
    for (index, line) in lines.iter().enumerate().take(LINES_MAX) {
        let field = format!("lines[{index}]");
        check_first(fields, known.insert(line.product_id), &field);
        if let Some(cost) = line.unit_cost {
            check_cost(fields, cost, &field, currency);
        }
        if let Some(quantity) = line.quantity {
            check_quantity(fields, quantity, format!("{field}.quantity"));
        }
    }
}

pub(crate) fn check_quantity(fields: &mut Fields, quantity: i64, field: String) {
    fields.check((1..=QUANTITY_MAX).contains(&quantity), field, "range", format!("1 to {QUANTITY_MAX} units"));
}

fn check_first(fields: &mut Fields, is_first: bool, field: &str) {
    fields.check(is_first, format!("{field}.product_id"), "duplicate", "each product once");
}

fn check_cost(fields: &mut Fields, cost: Money, field: &str, currency: Currency) {
    let (is_good, expected) = ((1..=COST_MAX).contains(&cost.amount), format!("1 to {COST_MAX} minor units"));
    fields.check(is_good, format!("{field}.unit_cost.amount"), "range", expected);
    let expected = format!("{currency}, the shop's one currency");
    fields.check(cost.currency == currency, format!("{field}.unit_cost.currency"), "currency", expected);
}

/// 422 for products of a list that are not for sale.
pub(crate) fn unknown_products(list: &str, indexes: &[usize]) -> Problem {
    let errors = indexes.iter().map(|index| FieldError {
        field: format!("{list}[{index}].product_id"),
        code: "product_unknown",
        detail: "a product that is for sale".to_owned(),
    });
    let detail = "a product is not for sale: see `errors`, and leave it out";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "product_unknown", detail).with_errors(errors.collect())
}

/// 422 for a supplier that is not there.
pub(crate) fn unknown_supplier(supplier_id: SupplierId) -> Problem {
    let error = FieldError {
        field: "supplier_id".to_owned(),
        code: "supplier_unknown",
        detail: "a supplier that was not deleted".to_owned(),
    };
    let detail = format!("there is no supplier {supplier_id}: see `GET /v1/suppliers`");
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "supplier_unknown", detail).with_errors(vec![error])
}

/// 422 for lines of products that the supplier does not deliver.
pub(crate) fn not_of_supplier(indexes: &[usize]) -> Problem {
    let error = |index: &usize| FieldError {
        field: format!("lines[{index}].product_id"),
        code: "not_of_supplier",
        detail: "a product that is for sale and that the supplier delivers".to_owned(),
    };
    Problem::invalid_body(indexes.iter().map(error).collect())
}
