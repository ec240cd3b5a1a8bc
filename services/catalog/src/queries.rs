//! Reads, and the product as clients see it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use events::ProductId;
use kernel::{Money, Version, text};
use serde::{Deserialize, Serialize};
use service::http::{IfNoneMatch, Listing, Page, PathId, Problem, QueryOf};
use utoipa::{IntoParams, ToSchema};

use crate::product_tag::TaggedProduct;
use crate::{Ctx, domain, store};

/// In characters, for each of the list's filters.
const FILTER_MAX: usize = 200;

/// Something that is for sale.
#[expect(clippy::struct_field_names, reason = "clients see `product_id` under one name everywhere")]
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Product {
    product_id: ProductId,
    #[schema(example = "123")]
    sku: String,
    #[schema(example = "Laptop")]
    name: String,
    description: String,
    category: Option<String>,
    price: Money,
    /// True if any can be bought, by the last report of the inventory.
    in_stock: bool,
    rating: Rating,
    /// Number of changes of the product; sales and reviews don't count.
    version: Version,
}

/// The rating of a product, by the reviews that are shown.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Rating {
    /// Number of reviews.
    #[schema(example = 3)]
    count: i64,
    /// The mean, rounded half up to two decimals; null if there is no review.
    #[schema(example = 4.33, minimum = 1, maximum = 5)]
    mean: Option<f64>,
    distribution: RatingDistribution,
}

/// Numbers of reviews by the rating that they give.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RatingDistribution {
    #[serde(rename = "1")]
    ones: i64,
    #[serde(rename = "2")]
    twos: i64,
    #[serde(rename = "3")]
    threes: i64,
    #[serde(rename = "4")]
    fours: i64,
    #[serde(rename = "5")]
    fives: i64,
}

impl From<domain::rating::Rating> for Rating {
    fn from(rating: domain::rating::Rating) -> Self {
        let domain::rating::Rating([ones, twos, threes, fours, fives]) = rating;
        // The decision is made in whole hundredths: this only sets the decimal point.
        let mean = rating.mean_hundredths().map(|hundredths| hundredths as f64 / 100.0);
        Self { count: rating.count(), mean, distribution: RatingDistribution { ones, twos, threes, fours, fives } }
    }
}

impl Product {
    pub(crate) fn version(&self) -> Version {
        self.version
    }
}

impl From<domain::Product> for Product {
    fn from(product: domain::Product) -> Self {
        Self {
            product_id: product.product_id,
            sku: product.sku,
            name: product.name,
            description: product.description,
            category: product.category,
            price: product.price,
            in_stock: product.in_stock,
            rating: product.rating.into(),
            version: product.version,
        }
    }
}

/// The products to list; an empty filter is none.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Part of name, sku or description, in any case and normal form.
    #[param(max_length = 200)]
    q: Option<String>,
    /// The exact category.
    #[param(max_length = 200)]
    category: Option<String>,
    /// The exact sku, which at most one product has.
    #[param(max_length = 200)]
    sku: Option<String>,
}

impl Filter {
    fn validate(self) -> Result<Self, Problem> {
        for (name, value) in [("q", &self.q), ("category", &self.category), ("sku", &self.sku)] {
            let Some(filter) = value else { continue };
            if filter.chars().count() > FILTER_MAX || !text::is_single_line(filter) {
                let detail = format!("{name}: at most {FILTER_MAX} characters on a single line");
                return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_query", detail));
            }
        }
        Ok(self)
    }
}

/// Products for sale, newest first.
#[utoipa::path(get, path = "/v1/products", operation_id = "list_products", tag = "catalog",
    params(Filter, Page),
    responses((status = 200, body = Listing<Product>)))]
pub(crate) async fn list(
    State(ctx): State<Ctx>,
    page: Page,
    QueryOf(filter): QueryOf<Filter>,
) -> Result<Json<Listing<Product>>, Problem> {
    let Filter { q, category, sku } = filter.validate()?;
    let category = category.map(|category| category.trim().to_owned()).filter(|category| !category.is_empty());
    let wanted = store::Wanted { part: q.unwrap_or_default(), category, sku: sku.filter(|sku| !sku.is_empty()) };
    let products = store::products(&ctx.db, wanted, page.before(), page.rows()).await?;
    Ok(Json(page.listing(products, |product| product.product_id.into()).map(Product::from)))
}

/// One product.
#[utoipa::path(get, path = "/v1/products/{id}", operation_id = "get_product", tag = "catalog",
    params(("id" = ProductId, Path), IfNoneMatch),
    responses((status = 200, body = Product)))]
pub(crate) async fn get(
    State(ctx): State<Ctx>,
    PathId(product_id): PathId<ProductId>,
) -> Result<TaggedProduct, Problem> {
    let product = store::product(&ctx.db, product_id).await?.ok_or_else(|| Problem::not_found("product"))?;
    Ok(TaggedProduct(product.into()))
}
