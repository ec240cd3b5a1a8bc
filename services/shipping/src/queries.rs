//! Reads, and the shipment as clients see it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use events::{Address, OrderId, ProductId, ShipmentId, ShipmentLine};
use kernel::Timestamp;
use serde::{Deserialize, Serialize};
use service::Ctx;
use service::http::{IfNoneMatch, Listing, Page, PathId, Problem, QueryOf, Tagged};
use utoipa::{IntoParams, ToSchema};

use crate::domain::{self, Method, Status};
use crate::store;

/// A part of an order, or all of it, that leaves together.
#[expect(clippy::struct_field_names, reason = "clients see `shipment_id` under one name everywhere")]
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Shipment {
    shipment_id: ShipmentId,
    order_id: OrderId,
    /// The order's number for people.
    number: i64,
    #[schema(value_type = Status, inline)]
    status: &'static str,
    /// `collection` if the order has no address.
    #[schema(value_type = Method, inline)]
    method: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ship_to: Option<Recipient>,
    /// None only if all were withheld, or the order was cancelled before its payment was known here.
    lines: Vec<Line>,
    /// Units that it has lost: they were refunded before it left.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    withheld: Vec<Line>,
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false, example = "DHL")]
    carrier: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false, example = "00340434161094042557")]
    tracking_number: String,
    /// An admin's account, or `automation`.
    #[serde(skip_serializing_if = "Option::is_none")]
    dispatched_by: Option<String>,
    /// An admin's account, or `automation`.
    #[serde(skip_serializing_if = "Option::is_none")]
    delivered_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dispatched_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivered_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// The address to which a shipment goes. Of a closed account only the country is left.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ShipmentAddress)]
struct Recipient {
    #[schema(example = "Ada Lovelace")]
    name: String,
    #[schema(example = "12 St James's Square")]
    street: String,
    #[schema(example = "London")]
    city: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false, example = "SW1Y 4JH")]
    postal_code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    #[schema(example = "GB")]
    country: String,
}

/// Units of a product in a shipment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ShipmentLine)]
struct Line {
    product_id: ProductId,
    sku: String,
    /// Its name when it was ordered.
    name: String,
    quantity: i64,
}

impl From<ShipmentLine> for Line {
    fn from(line: ShipmentLine) -> Self {
        let ShipmentLine { product_id, sku, name, quantity } = line;
        Self { product_id, sku, name, quantity }
    }
}

impl From<Address> for Recipient {
    fn from(to: Address) -> Self {
        let Address { name, street, city, postal_code, state, country } = to;
        Self { name, street, city, postal_code, state, country }
    }
}

impl From<domain::Shipment> for Shipment {
    fn from(shipment: domain::Shipment) -> Self {
        Self {
            shipment_id: shipment.shipment_id,
            order_id: shipment.order_id,
            number: shipment.number,
            status: shipment.status.as_str(),
            method: shipment.method().as_str(),
            ship_to: shipment.ship_to.map(Recipient::from),
            lines: shipment.lines.into_iter().map(Line::from).collect(),
            withheld: shipment.withheld.into_iter().map(Line::from).collect(),
            carrier: shipment.carrier,
            tracking_number: shipment.tracking_number,
            dispatched_by: shipment.dispatched_by,
            delivered_by: shipment.delivered_by,
            dispatched_at: shipment.dispatched_at,
            delivered_at: shipment.delivered_at,
            created_at: shipment.created_at,
            updated_at: shipment.updated_at,
        }
    }
}

/// The shipments to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only those of this order.
    order_id: Option<OrderId>,
    /// Only those in this status: `pending` are to be sent.
    #[param(value_type = Option<Status>, inline)]
    status: Option<String>,
}

impl Filter {
    fn status(&self) -> Result<Option<Status>, Problem> {
        self.status.as_deref().map(str::parse).transpose().map_err(|expected: String| {
            Problem::new(StatusCode::BAD_REQUEST, "invalid_query", format!("status: {expected}"))
        })
    }
}

/// Shipments, newest first.
#[utoipa::path(get, path = "/v1/shipments", operation_id = "list_shipments", tag = "shipping",
    params(Filter, Page),
    responses((status = 200, body = Listing<Shipment>)))]
pub(crate) async fn list(
    State(ctx): State<Ctx>,
    page: Page,
    QueryOf(filter): QueryOf<Filter>,
) -> Result<Json<Listing<Shipment>>, Problem> {
    let status = filter.status()?;
    let shipments = store::page(&ctx.db, filter.order_id, status, page.before(), page.rows()).await?;
    Ok(Json(page.listing(shipments, |shipment| shipment.shipment_id.into()).map(Shipment::from)))
}

/// One shipment.
#[utoipa::path(get, path = "/v1/shipments/{id}", operation_id = "get_shipment", tag = "shipping",
    params(("id" = ShipmentId, Path), IfNoneMatch),
    responses((status = 200, body = Shipment)))]
pub(crate) async fn get(
    State(ctx): State<Ctx>,
    PathId(shipment_id): PathId<ShipmentId>,
) -> Result<Tagged<Shipment>, Problem> {
    let shipment = store::shipment(&ctx.db, shipment_id).await?;
    shipment.map(|shipment| Tagged(shipment.into())).ok_or_else(|| Problem::not_found("shipment"))
}
