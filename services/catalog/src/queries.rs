//! Reads, and the product as clients see it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use events::ProductId;
use kernel::{Money, Version, text};
use serde::{Deserialize, Serialize};
use service::http::{IfNoneMatch, Listing, Page, PathId, Problem, QueryOf, Tagged};
use utoipa::{IntoParams, ToSchema};

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
    /// Number of changes of the product; sales don't count.
    version: Version,
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
) -> Result<Tagged<Product>, Problem> {
    let product = store::product(&ctx.db, product_id).await?.ok_or_else(|| Problem::not_found("product"))?;
    Ok(Tagged(product.into()))
}
