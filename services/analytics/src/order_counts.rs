//! Orders by status, the steps that they reached, and their average value.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use kernel::{Currency, Money};
use serde::{Deserialize, Serialize};
use service::http::{Problem, QueryOf};
use utoipa::{IntoParams, ToSchema};

use crate::answer::Form;
use crate::csv::{Cell, Table};
use crate::domain::{Measure, Step, average, ratio};
use crate::period::Parameters;
use crate::{Ctx, store};

/// Parts of a whole to which a share is rounded.
const SHARE_PARTS: i64 = 10_000;

/// The form that is asked for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// `csv` for a table; without it, `Accept: text/csv` asks for one.
    #[param(value_type = Option<Form>, inline)]
    format: Option<String>,
}

/// All orders that were ever placed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrderCounts {
    /// Orders by the status that they have now; a status without orders is left out.
    by_status: Vec<StatusCount>,
    /// Orders by the steps that they have reached, whatever became of them later.
    steps: Vec<StepCount>,
    /// Value of paid orders, one for each currency.
    average_order_value: Vec<OrderValue>,
}

/// Orders of a status.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StatusCount {
    #[schema(example = "paid")]
    status: String,
    #[schema(example = 12)]
    orders: i64,
}

/// Orders that have reached a step on the way from the shop to the customer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StepCount {
    /// `shipped`: all of it has left. `delivered`: all of it has arrived.
    #[schema(value_type = Step, inline)]
    step: &'static str,
    #[schema(example = 12)]
    orders: i64,
    /// `orders` divided by those that were placed, rounded to four decimals, half up; null if none was placed.
    #[schema(example = 0.75)]
    share_of_placed: Option<f64>,
    /// `orders` divided by those that have reached the step before, rounded to four decimals, half up; null if none has.
    #[schema(example = 0.9)]
    share_of_previous: Option<f64>,
}

/// Value of the orders that were paid in one currency. Refunds don't lower it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrderValue {
    /// Orders that were paid.
    #[schema(example = 12)]
    orders: i64,
    /// Sum of what was paid for them.
    sales: Money,
    /// `sales` divided by `orders`, rounded to the nearest minor unit, half up.
    average: Money,
}

/// Orders by status, the conversion from `placed` to `delivered`, and the average value of paid orders.
#[utoipa::path(get, path = "/v1/analytics/orders", operation_id = "count_orders", tag = "analytics",
    params(Filter),
    responses(
        (status = 200, content((OrderCounts = "application/json"), (String = "text/csv")))))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    headers: HeaderMap,
    QueryOf(filter): QueryOf<Filter>,
) -> Result<Response, Problem> {
    let mut parameters = Parameters::default();
    let form = parameters.form(filter.format.as_deref(), &headers);
    parameters.finish()?;
    let wanted = [Measure::Status, Measure::Step, Measure::PaidOrders, Measure::PaidAmount];
    let [statuses, steps, orders, amounts] = store::counts(&ctx.db, wanted).await?;
    let counts = OrderCounts {
        by_status: statuses.into_iter().map(|(status, orders)| StatusCount { status, orders }).collect(),
        steps: steps_of(&steps),
        average_order_value: orders.iter().filter_map(|(code, orders)| value_of(code, *orders, &amounts)).collect(),
    };
    Ok(form.answer(counts, table))
}

fn steps_of(counts: &[(String, i64)]) -> Vec<StepCount> {
    let orders = |step: Step| of_label(counts, step.as_str());
    let mut previous = orders(Step::Placed);
    let step = |step: &Step| {
        let (reached, before) = (orders(*step), previous);
        previous = reached;
        StepCount {
            step: step.as_str(),
            orders: reached,
            share_of_placed: share(reached, orders(Step::Placed)),
            share_of_previous: share(reached, before),
        }
    };
    Step::ALL.iter().map(step).collect()
}

fn of_label(counts: &[(String, i64)], label: &str) -> i64 {
    counts.iter().find(|(name, _)| name == label).map(|(_, count)| *count).unwrap_or_default()
}

fn share(orders: i64, of: i64) -> Option<f64> {
    ratio(orders, SHARE_PARTS, of).map(|parts| parts as f64 / SHARE_PARTS as f64)
}

fn value_of(code: &str, orders: i64, amounts: &[(String, i64)]) -> Option<OrderValue> {
    let currency: Currency = code.parse().ok()?;
    let sales = of_label(amounts, code);
    let average = Money::new(average(sales, orders)?, currency);
    Some(OrderValue { orders, sales: Money::new(sales, currency), average })
}

fn table(counts: &OrderCounts) -> Table {
    let row = |kind: &str, name: &str, orders: i64| vec![kind.into(), name.into(), orders.into()];
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for it in &counts.by_status {
        rows.push(row("status", &it.status, it.orders));
    }
    for it in &counts.steps {
        rows.push(row("step", it.step, it.orders));
    }
    for row in &mut rows {
        row.extend([Cell::Empty, Cell::Empty]);
    }
    for it in &counts.average_order_value {
        let mut row = row("paid", it.sales.currency.as_str(), it.orders);
        row.extend([Cell::from(it.sales.amount), Cell::from(it.average.amount)]);
        rows.push(row);
    }
    Table { headings: &["kind", "name", "orders", "sales", "average_order_value"], rows }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_of_all_that_were_placed_and_of_those_a_step_before() {
        let counts = [("placed", 3), ("paid", 2), ("delivered", 1), ("shipped", 2)];
        let steps = steps_of(&counts.map(|(step, orders)| (step.to_owned(), orders)));
        let found: Vec<_> =
            steps.iter().map(|it| (it.step, it.orders, it.share_of_placed, it.share_of_previous)).collect();
        let expected = [
            ("placed", 3, Some(1.0), Some(1.0)),
            ("paid", 2, Some(0.6667), Some(0.6667)),
            ("shipped", 2, Some(0.6667), Some(1.0)),
            ("delivered", 1, Some(0.3333), Some(0.5)),
        ];
        assert_eq!(found, expected);
        assert!(steps_of(&[]).iter().all(|it| it.orders == 0 && it.share_of_placed.is_none()));
    }

    #[test]
    fn a_value_is_exact_and_rounded_once() {
        let value = value_of("EUR", 3, &[("EUR".to_owned(), 1_000), ("USD".to_owned(), 5)]).unwrap();
        assert_eq!((value.sales.amount, value.average.amount), (1_000, 333));
    }
}
