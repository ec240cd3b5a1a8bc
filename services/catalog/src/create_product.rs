//! `POST /v1/products`: puts something up for sale.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use events::ProductId;
use kernel::{Currency, Money};
use serde::Deserialize;
use service::decide;
use service::http::auth::Caller;
use service::http::idempotency::{self, Claim, IdempotencyKey, KeyedBody, RepeatableResponse};
use service::http::{Fields, Problem, ProblemBody, RequestInfo};
use utoipa::ToSchema;

use crate::domain::{self, NewProduct, Refusal};
use crate::{Ctx, fields, product_tag, queries, store};

/// Available units at which the stock of a product counts as low that says nothing else.
pub(crate) const LOW_STOCK_THRESHOLD_DEFAULT: i64 = 5;

/// A new product.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateProduct {
    /// No two products that are for sale share one.
    #[schema(example = "123", min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9._-]*$")]
    sku: String,
    /// A single line.
    #[schema(example = "Laptop", min_length = 1, max_length = 200)]
    name: String,
    #[schema(max_length = 5_000)]
    description: Option<String>,
    /// A single line.
    #[schema(min_length = 1, max_length = 100)]
    category: Option<String>,
    #[schema(value_type = fields::Price)]
    price: Money,
    /// Units to begin with.
    #[schema(example = 10, minimum = 0, maximum = 1_000_000_000)]
    stock: i64,
    /// Available units at which stock counts as low.
    #[schema(default = 5, minimum = 0, maximum = 1_000_000_000)]
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
            category: self.category.as_deref().map(fields::category),
            price: self.price,
            stock: self.stock,
            low_stock_threshold,
        })
    }
}

/// Puts a product up for sale.
#[utoipa::path(post, path = "/v1/products", operation_id = "create_product", tag = "catalog", request_body = CreateProduct,
    params(IdempotencyKey),
    responses(
        (status = 201, body = queries::Product, headers(("Location" = String))),
        (status = 409, body = ProblemBody, description = "`sku_taken`"),
    ))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    caller: Caller,
    request: RequestInfo,
    KeyedBody { input, key }: KeyedBody<CreateProduct>,
) -> Result<Response, Problem> {
    let new = input.validate(ctx.state.currency)?;
    let scope = idempotency::scope(&caller, "");
    let answer = ctx.idempotency.once(key, scope, |claim| create(&ctx, &request, claim, &new)).await?;
    Ok(product_tag::created(answer))
}

async fn create(
    ctx: &Ctx,
    request: &RequestInfo,
    claim: Arc<Claim>,
    new: &NewProduct,
) -> Result<RepeatableResponse, Problem> {
    let product_id: ProductId = ctx.ids.next();
    let location = format!("/v1/products/{product_id}");
    decide(ctx, || async {
        let sku_holder = store::sku_holder(&ctx.db, &new.sku).await?;
        let (product, created) = domain::create(product_id, new, sku_holder)?;
        let batch = store::insert(&product).emit(product.version, &created);
        let answer = RepeatableResponse::created(&location, &queries::Product::from(product)).tagged();
        let committed = ctx.commit(batch, request.cause_keyed(claim.keep(&answer))).await?;
        ctx.until_sent(&committed).await;
        Ok(answer)
    })
    .await
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::SkuTaken => Self::new(StatusCode::CONFLICT, "sku_taken", "another product has this sku"),
        }
    }
}
