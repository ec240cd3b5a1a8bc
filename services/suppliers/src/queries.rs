//! Reads of suppliers, and the supplier as clients see it.

use axum::Json;
use axum::extract::State;
use events::{ProductId, SupplierId};
use kernel::{Money, Timestamp};
use serde::Serialize;
use service::http::{IfNoneMatch, Listing, Page, PathId, Problem, Tagged};
use utoipa::ToSchema;

use crate::{Ctx, domain, store};

/// A company that delivers products to the shop.
#[expect(clippy::struct_field_names, reason = "clients see `supplier_id` under one name everywhere")]
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Supplier {
    supplier_id: SupplierId,
    #[schema(example = "Nordic Computers")]
    name: String,
    #[schema(example = "orders@nordic.example")]
    email: String,
    /// Days from a purchase order until it is overdue.
    #[schema(example = 7)]
    lead_time_days: i64,
    /// True if its products are ordered when they run low.
    auto_replenish: bool,
    /// Those that are for sale.
    products: Vec<SupplierProduct>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// A product that a supplier delivers.
#[derive(Debug, Serialize, ToSchema)]
struct SupplierProduct {
    product_id: ProductId,
    #[schema(example = "123")]
    sku: String,
    #[schema(example = "Laptop")]
    name: String,
    unit_cost: Money,
    /// Units that are ordered at once.
    #[schema(example = 20)]
    order_quantity: i64,
}

impl From<&domain::Offer> for SupplierProduct {
    fn from(offer: &domain::Offer) -> Self {
        Self {
            product_id: offer.product.product_id,
            sku: offer.product.sku.clone(),
            name: offer.product.name.clone(),
            unit_cost: offer.unit_cost,
            order_quantity: offer.order_quantity,
        }
    }
}

impl From<&domain::Supplier> for Supplier {
    fn from(supplier: &domain::Supplier) -> Self {
        Self {
            supplier_id: supplier.supplier_id,
            name: supplier.name.clone(),
            email: supplier.email.clone(),
            lead_time_days: supplier.lead_time_days,
            auto_replenish: supplier.auto_replenish,
            products: supplier.for_sale().map(SupplierProduct::from).collect(),
            created_at: supplier.created_at,
            updated_at: supplier.updated_at,
        }
    }
}

/// Suppliers, newest first.
#[utoipa::path(get, path = "/v1/suppliers", operation_id = "list_suppliers", tag = "suppliers",
    params(Page),
    responses((status = 200, body = Listing<Supplier>)))]
pub(crate) async fn list(State(ctx): State<Ctx>, page: Page) -> Result<Json<Listing<Supplier>>, Problem> {
    let suppliers = store::page(&ctx.db, page.before(), page.rows()).await?;
    let listing = page.listing(suppliers, |supplier| supplier.supplier_id.into());
    Ok(Json(listing.map(|supplier| Supplier::from(&supplier))))
}

/// One supplier.
#[utoipa::path(get, path = "/v1/suppliers/{id}", operation_id = "get_supplier", tag = "suppliers",
    params(("id" = SupplierId, Path), IfNoneMatch),
    responses((status = 200, body = Supplier)))]
pub(crate) async fn get(
    State(ctx): State<Ctx>,
    PathId(supplier_id): PathId<SupplierId>,
) -> Result<Tagged<Supplier>, Problem> {
    let supplier = store::supplier(&ctx.db, supplier_id).await?;
    supplier.map(|supplier| Tagged((&supplier).into())).ok_or_else(|| Problem::not_found("supplier"))
}
