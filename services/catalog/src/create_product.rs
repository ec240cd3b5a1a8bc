//! `POST /v1/products`: puts something up for sale.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use kernel::{Currency, Money, ProductId};
use serde::Deserialize;
use service::http::{Body, Fields, Problem, ProblemBody, RequestInfo};
use service::{Ctx, decide};
use utoipa::ToSchema;

use crate::domain::{self, NewProduct, Refusal};
use crate::{fields, queries, store};

const LOW_STOCK_THRESHOLD_DEFAULT: i64 = 5;

/// A new product.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateProduct {
    /// 1 to 64 of letters, digits, `.`, `_` and `-`; no two products that are for sale share one.
    #[schema(example = "123")]
    sku: String,
    /// A line of 1 to 200 characters.
    #[schema(example = "Laptop")]
    name: String,
    /// At most 5,000 characters.
    description: Option<String>,
    /// A line of 1 to 100 characters.
    category: Option<String>,
    /// 1 to 10^12 minor units of the shop's currency.
    price: Money,
    /// Units to begin with: 0 to 10^9.
    #[schema(example = 10)]
    stock: i64,
    /// Available units at which stock counts as low: 0 to 10^9, and 5 if left out.
    #[schema(default = 5)]
    low_stock_threshold: Option<i64>,
}

impl CreateProduct {
    fn validate(self, currency: Currency) -> Result<NewProduct, Problem> {
        let description = self.description.unwrap_or_default();
        let low_stock_threshold = self.low_stock_threshold.unwrap_or(LOW_STOCK_THRESHOLD_DEFAULT);
        let mut wrong = Fields::new();
        fields::check_sku(&mut wrong, &self.sku);
        fields::check_name(&mut wrong, &self.name);
        fields::check_description(&mut wrong, &description);
        if let Some(category) = &self.category {
            fields::check_category(&mut wrong, category);
        }
        fields::check_price(&mut wrong, self.price, currency);
        fields::check_stock(&mut wrong, self.stock);
        fields::check_threshold(&mut wrong, low_stock_threshold);
        wrong.finish()?;
        Ok(NewProduct {
            sku: self.sku,
            name: self.name,
            description,
            category: self.category,
            price: self.price,
            stock: self.stock,
            low_stock_threshold,
        })
    }
}

#[utoipa::path(post, path = "/v1/products", tag = "catalog", request_body = CreateProduct,
    responses(
        (status = 201, body = queries::Product, headers(("Location" = String, description = "where the product is"))),
        (status = 409, body = ProblemBody, description = "`sku_taken`"),
        (status = 422, body = ProblemBody),
    ))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    request: RequestInfo,
    Body(input): Body<CreateProduct>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<queries::Product>), Problem> {
    let new = input.validate(ctx.settings.currency)?;
    let product_id: ProductId = ctx.ids.next();
    let product = decide(&ctx, || async {
        let sku_holder = store::sku_holder(&ctx.db, &new.sku).await?;
        let (product, created) = domain::create(product_id, &new, sku_holder)?;
        let batch = store::insert(&product).emit(product.version, &created);
        ctx.commit(batch, request.cause()).await?;
        Ok(product)
    })
    .await?;
    let location = [(header::LOCATION, format!("/v1/products/{product_id}"))];
    Ok((StatusCode::CREATED, location, Json(product.into())))
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::SkuTaken => Self::new(StatusCode::CONFLICT, "sku_taken", "another product has this sku"),
        }
    }
}
