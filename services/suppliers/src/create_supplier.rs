//! `POST /v1/suppliers`: a new supplier.

use std::sync::Arc;

use axum::extract::State;
use events::SupplierId;
use kernel::Currency;
use serde::Deserialize;
use service::decide;
use service::http::auth::Caller;
use service::http::idempotency::{self, Claim, IdempotencyKey, KeyedBody, RepeatableResponse};
use service::http::{Fields, Problem, ProblemBody, RequestInfo};
use utoipa::ToSchema;

use crate::domain::{self, NewSupplier, Unknown, WantedOffer};
use crate::fields::InputProduct;
use crate::queries::Supplier;
use crate::{Ctx, fields, store};

/// A new supplier.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateSupplier {
    /// A single line.
    #[schema(example = "Nordic Computers", min_length = 1, max_length = 200)]
    name: String,
    /// The address to which purchase orders go.
    #[schema(example = "orders@nordic.example", max_length = 254)]
    email: String,
    /// Days from a purchase order until it is overdue.
    #[schema(example = 7, minimum = 1, maximum = 365)]
    lead_time_days: i64,
    /// True if its products are to be ordered when they run low.
    #[serde(default)]
    auto_replenish: bool,
    /// Products that it delivers, each once.
    #[serde(default)]
    #[schema(max_items = 100)]
    products: Vec<InputProduct>,
}

impl CreateSupplier {
    fn validate(self, currency: Currency) -> Result<NewSupplier, Problem> {
        let mut wrong = Fields::new();
        fields::check_name(&mut wrong, &self.name);
        fields::check_email(&mut wrong, &self.email);
        fields::check_lead_time(&mut wrong, self.lead_time_days);
        fields::check_products(&mut wrong, &self.products, currency);
        wrong.finish()?;
        Ok(NewSupplier {
            name: self.name.trim().to_owned(),
            email: self.email,
            lead_time_days: self.lead_time_days,
            auto_replenish: self.auto_replenish,
            products: self.products.into_iter().map(WantedOffer::from).collect(),
        })
    }
}

impl From<InputProduct> for WantedOffer {
    fn from(product: InputProduct) -> Self {
        let InputProduct { product_id, unit_cost, order_quantity } = product;
        Self { product_id, unit_cost, order_quantity }
    }
}

impl From<Unknown> for Problem {
    fn from(Unknown(indexes): Unknown) -> Self {
        fields::unknown_products("products", &indexes)
    }
}

/// Adds a supplier with the products that it delivers.
#[utoipa::path(post, path = "/v1/suppliers", operation_id = "create_supplier", tag = "suppliers",
    request_body = CreateSupplier, params(IdempotencyKey),
    responses(
        (status = 201, body = Supplier, headers(("Location" = String))),
        (status = 422, body = ProblemBody, description = "`invalid_body`; `product_unknown` for products that are not for sale"),
    ))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    caller: Caller,
    request: RequestInfo,
    KeyedBody { input, key }: KeyedBody<CreateSupplier>,
) -> Result<RepeatableResponse, Problem> {
    let new = input.validate(ctx.state.settings.currency)?;
    let scope = idempotency::scope(&caller, "");
    ctx.idempotency.once(key, scope, |claim| create(&ctx, &request, claim, &new)).await
}

async fn create(
    ctx: &Ctx,
    request: &RequestInfo,
    claim: Arc<Claim>,
    new: &NewSupplier,
) -> Result<RepeatableResponse, Problem> {
    let supplier_id: SupplierId = ctx.ids.next();
    decide(ctx, || async {
        let ids = new.products.iter().map(|product| product.product_id).collect();
        let products = store::products(&ctx.db, ids).await?;
        let (supplier, event) = domain::create(supplier_id, new, &products, ctx.clock.now())?;
        let location = format!("/v1/suppliers/{supplier_id}");
        let answer = RepeatableResponse::created(&location, &Supplier::from(&supplier)).tagged();
        ctx.commit(store::insert(&supplier, &event), request.cause_keyed(claim.keep(&answer))).await?;
        Ok(answer)
    })
    .await
}
