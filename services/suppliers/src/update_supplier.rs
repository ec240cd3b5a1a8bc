//! `PATCH /v1/suppliers/{id}`: changes a supplier, or what it delivers.

use axum::extract::State;
use events::SupplierId;
use kernel::Currency;
use serde::Deserialize;
use service::decide;
use service::http::{Body, Fields, IfMatch, PathId, Problem, ProblemBody, RequestInfo, Tagged};
use utoipa::ToSchema;

use crate::domain::{SupplierChange, WantedOffer};
use crate::fields::InputProduct;
use crate::queries::Supplier;
use crate::{Ctx, fields, store};

/// The changes; a field that is left out stays as it is. The limits are those of a new supplier.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateSupplier {
    #[serde(default, deserialize_with = "service::http::present")]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 200)]
    name: Option<String>,
    #[serde(default, deserialize_with = "service::http::present")]
    #[schema(value_type = String, required = false, example = "orders@nordic.example", max_length = 254)]
    email: Option<String>,
    #[serde(default, deserialize_with = "service::http::present")]
    #[schema(value_type = i64, required = false, example = 7, minimum = 1, maximum = 365)]
    lead_time_days: Option<i64>,
    #[serde(default, deserialize_with = "service::http::present")]
    #[schema(value_type = bool, required = false)]
    auto_replenish: Option<bool>,
    /// All products that it delivers: those that are left out it does not deliver any more.
    #[serde(default, deserialize_with = "service::http::present")]
    #[schema(value_type = Vec<InputProduct>, required = false, max_items = 100)]
    products: Option<Vec<InputProduct>>,
}

impl UpdateSupplier {
    fn validate(self, currency: Currency) -> Result<SupplierChange, Problem> {
        let Self { name, email, lead_time_days, auto_replenish, products } = self;
        let mut wrong = Fields::new();
        let is_empty = name.is_none()
            && email.is_none()
            && lead_time_days.is_none()
            && auto_replenish.is_none()
            && products.is_none();
        let expected = "at least one of `name`, `email`, `lead_time_days`, `auto_replenish` and `products`";
        wrong.check(!is_empty, "body", "empty", expected);
        if let Some(name) = &name {
            fields::check_name(&mut wrong, name);
        }
        if let Some(email) = &email {
            fields::check_email(&mut wrong, email);
        }
        if let Some(days) = lead_time_days {
            fields::check_lead_time(&mut wrong, days);
        }
        if let Some(products) = &products {
            fields::check_products(&mut wrong, products, currency);
        }
        wrong.finish()?;
        let name = name.map(|name| name.trim().to_owned());
        let products = products.map(|products| products.into_iter().map(WantedOffer::from).collect());
        Ok(SupplierChange { name, email, lead_time_days, auto_replenish, products })
    }
}

/// Changes a supplier. Fields that are left out stay as they are, and purchase orders that were placed keep their lines.
#[utoipa::path(patch, path = "/v1/suppliers/{id}", operation_id = "update_supplier", tag = "suppliers",
    request_body = UpdateSupplier, params(("id" = SupplierId, Path), IfMatch),
    responses(
        (status = 200, body = Supplier),
        (status = 422, body = ProblemBody, description = "`invalid_body`; `product_unknown` for products that are not for sale"),
    ))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    PathId(supplier_id): PathId<SupplierId>,
    if_match: IfMatch,
    request: RequestInfo,
    Body(input): Body<UpdateSupplier>,
) -> Result<Tagged<Supplier>, Problem> {
    let change = input.validate(ctx.state.settings.currency)?;
    let supplier = decide(&ctx, || async {
        let before = store::supplier(&ctx.db, supplier_id).await?;
        let before = before.ok_or_else(|| Problem::not_found("supplier"))?;
        if_match.check(|| Supplier::from(&before))?;
        let wanted = change.products.iter().flatten().map(|product| product.product_id).collect();
        let products = store::products(&ctx.db, wanted).await?;
        let Some((after, event)) = before.changed(&change, &products, ctx.clock.now())? else { return Ok(before) };
        ctx.commit(store::update(&after, &before, &event), request.cause()).await?;
        Ok(after)
    })
    .await?;
    Ok(Tagged((&supplier).into()))
}
