//! The products of which most was sold, with their ratings.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use service::http::{Problem, QueryOf};
use utoipa::{IntoParams, ToSchema};

use crate::answer::Form;
use crate::csv::{Cell, Table};
use crate::domain::{Ratings, Zone, ratio, text_of_day};
use crate::period::Parameters;
use crate::sales::ProductSales;
use crate::{Ctx, store};

/// The order of products.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Sales,
    Units,
}

kernel::named!(Sort { Sales = "sales", Units = "units" });

/// The products that are asked for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// The first day; if it is left out, 30 days are answered.
    #[param(format = Date, example = "2026-01-01")]
    from: Option<String>,
    /// The last day, at most 366 days with it; if it is left out, today.
    #[param(format = Date, example = "2026-01-31")]
    to: Option<String>,
    /// The zone whose midnights divide days: `shop` is the one of the setting `time_zone`.
    #[param(value_type = Option<Zone>, inline)]
    zone: Option<String>,
    /// The highest sales first, or the most units.
    #[param(value_type = Option<Sort>, inline)]
    sort: Option<String>,
    /// Products at most; 20 if it is left out.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 100)]
    limit: Option<String>,
    /// `csv` for a table; without it, `Accept: text/csv` asks for one.
    #[param(value_type = Option<Form>, inline)]
    format: Option<String>,
}

/// The products of which most was sold in a period.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TopProducts {
    /// The first day.
    #[schema(example = "2026-01-01")]
    from: String,
    /// The last day.
    #[schema(example = "2026-01-31")]
    to: String,
    /// The name of the time zone whose midnights divide days.
    #[schema(example = "Europe/Berlin")]
    zone: String,
    /// The best first, one for each currency in which it was sold.
    products: Vec<ProductSales>,
}

/// The reviews of a product that count now, of whatever day.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProductRating {
    /// Reviews that count: neither removed nor hidden.
    #[schema(example = 12)]
    count: i64,
    /// Their mean, rounded half up to two decimals; null if there is no review.
    #[schema(example = 4.25)]
    mean: Option<f64>,
    /// Reviews with one star, with two, and so on to five.
    #[schema(example = json!([0, 1, 1, 4, 6]), min_items = 5, max_items = 5)]
    distribution: Vec<i64>,
    #[serde(skip)]
    stars: Ratings,
}

impl From<Ratings> for ProductRating {
    fn from(ratings: Ratings) -> Self {
        let hundredths = mean_hundredths(ratings);
        let mean = hundredths.map(|hundredths| hundredths as f64 / 100.0);
        Self { count: ratings.iter().sum(), mean, distribution: ratings.to_vec(), stars: ratings }
    }
}

fn mean_hundredths(ratings: Ratings) -> Option<i64> {
    let stars = (1..).zip(ratings).map(|(stars, reviews): (i64, i64)| stars * reviews).sum();
    ratio(stars, 100, ratings.iter().sum())
}

/// The products of which most was sold in a period, at most 100, with their ratings.
#[utoipa::path(get, path = "/v1/analytics/products", operation_id = "list_top_products", tag = "analytics",
    params(Filter),
    responses(
        (status = 200, content((TopProducts = "application/json"), (String = "text/csv")))))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    headers: HeaderMap,
    QueryOf(filter): QueryOf<Filter>,
) -> Result<Response, Problem> {
    let calendar = &ctx.state.calendar;
    let mut parameters = Parameters::default();
    let asked = (filter.from.as_deref(), filter.to.as_deref(), filter.zone.as_deref());
    let period = parameters.period(asked, calendar, ctx.clock.now());
    let sort = parameters.named("sort", filter.sort.as_deref(), Sort::Sales);
    let limit = parameters.limit(filter.limit.as_deref());
    let form = parameters.form(filter.format.as_deref(), &headers);
    parameters.finish()?;

    let zone = calendar.kept_as(period.zone);
    let sold = store::products(&ctx.db, zone, period.days(), sort == Sort::Units, limit).await?;
    let ratings = store::ratings(&ctx.db, sold.iter().map(|row| row.product_id).collect()).await?;
    let rated = |row: store::ProductRow| {
        let rating = ratings.get(&row.product_id).copied().unwrap_or_default();
        ProductSales { rating: Some(rating.into()), ..row.into() }
    };
    let top = TopProducts {
        from: text_of_day(period.from),
        to: text_of_day(period.to),
        zone: calendar.name_of(period.zone).to_owned(),
        products: sold.into_iter().map(rated).collect(),
    };
    Ok(form.answer(top, table))
}

fn table(top: &TopProducts) -> Table {
    let headings =
        &["product_id", "sku", "name", "currency", "orders", "units", "sales", "rating_count", "rating_mean"];
    let row = |product: &ProductSales| {
        let ratings = product.rating.as_ref().map(|rating| rating.stars).unwrap_or_default();
        let mean = mean_hundredths(ratings).map_or(Cell::Empty, |hundredths| Cell::Decimal(hundredths, 2));
        product.cells().into_iter().chain([ratings.iter().sum::<i64>().into(), mean]).collect()
    };
    Table { headings, rows: top.products.iter().map(row).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_is_rounded_half_up() {
        assert_eq!(mean_hundredths([0; 5]), None);
        assert_eq!(mean_hundredths([0, 0, 0, 7, 1]), Some(413), "4.125");
        assert_eq!(mean_hundredths([0, 1, 0, 1, 1]), Some(367));
    }
}
