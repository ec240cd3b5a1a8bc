//! `PATCH /v1/products/{id}`: changes what is said about a product.

use axum::extract::State;
use events::ProductId;
use kernel::{Currency, Money};
use serde::Deserialize;
use service::decide;
use service::http::{Body, Fields, IfMatch, PathId, Problem, ProblemBody, RequestInfo};
use utoipa::ToSchema;

use crate::domain::{self, ProductChange};
use crate::product_tag::TaggedProduct;
use crate::{Ctx, fields, queries, store};

/// The changes; a field that is left out stays as it is. The limits are those of a new product.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateProduct {
    #[serde(default, deserialize_with = "service::http::present")]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9._-]*$")]
    sku: Option<String>,
    #[serde(default, deserialize_with = "service::http::present")]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 200)]
    name: Option<String>,
    #[serde(default, deserialize_with = "service::http::present")]
    #[schema(value_type = String, required = false, max_length = 5_000)]
    description: Option<String>,
    /// Null takes the product out of its category.
    #[serde(default, deserialize_with = "service::http::present")]
    #[schema(value_type = Option<String>, required = false, min_length = 1, max_length = 100)]
    #[expect(clippy::option_option, reason = "absent and null are different changes")]
    category: Option<Option<String>>,
    #[serde(default, deserialize_with = "service::http::present")]
    #[schema(value_type = fields::Price, required = false)]
    price: Option<Money>,
    #[serde(default, deserialize_with = "service::http::present")]
    #[schema(value_type = i64, required = false, minimum = 0, maximum = 1_000_000_000)]
    low_stock_threshold: Option<i64>,
}

impl UpdateProduct {
    fn validate(self, currency: Currency) -> Result<ProductChange, Problem> {
        let Self { sku, name, description, category, price, low_stock_threshold } = self;
        let mut wrong = Fields::new();
        let is_empty = sku.is_none()
            && name.is_none()
            && description.is_none()
            && category.is_none()
            && price.is_none()
            && low_stock_threshold.is_none();
        wrong.check(
            !is_empty,
            "body",
            "empty",
            "at least one of `sku`, `name`, `description`, `category`, `price` and `low_stock_threshold`",
        );
        if let Some(sku) = &sku {
            fields::check_sku(&mut wrong, sku);
        }
        if let Some(name) = &name {
            fields::check_name(&mut wrong, name);
        }
        if let Some(description) = &description {
            fields::check_description(&mut wrong, description);
        }
        if let Some(Some(category)) = &category {
            fields::check_category(&mut wrong, category);
        }
        if let Some(price) = price {
            fields::check_price(&mut wrong, price, currency);
        }
        if let Some(threshold) = low_stock_threshold {
            fields::check_threshold(&mut wrong, threshold);
        }
        wrong.finish()?;
        let category = category.map(|category| category.as_deref().map(fields::category));
        Ok(ProductChange { sku, name, description, category, price, low_stock_threshold })
    }
}

/// Changes a product. Fields that are left out stay as they are.
#[utoipa::path(patch, path = "/v1/products/{id}", operation_id = "update_product", tag = "catalog", request_body = UpdateProduct,
    params(("id" = ProductId, Path), IfMatch),
    responses(
        (status = 200, body = queries::Product),
        (status = 409, body = ProblemBody, description = "`sku_taken`"),
    ))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    PathId(product_id): PathId<ProductId>,
    if_match: IfMatch,
    request: RequestInfo,
    Body(input): Body<UpdateProduct>,
) -> Result<TaggedProduct, Problem> {
    let change = input.validate(ctx.state.currency)?;
    let product = decide(&ctx, || async {
        let before = store::product(&ctx.db, product_id).await?.ok_or_else(|| Problem::not_found("product"))?;
        if_match.check_changes(|| before.version)?;
        let Some(after) = domain::changed(&before, &change) else { return Ok(before) };
        let sku_holder = store::sku_holder(&ctx.db, &after.sku).await?;
        let updated = domain::update(&before, &after, sku_holder)?;
        let batch = store::update(&after, before.version).emit(after.version, &updated);
        let committed = ctx.commit(batch, request.cause()).await?;
        ctx.until_sent(&committed).await;
        Ok(after)
    })
    .await?;
    Ok(TaggedProduct(product.into()))
}
