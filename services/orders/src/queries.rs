//! Reading orders.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use events::shipping::ShipmentLine;
use events::{Address, OrderId, OrderLine, ProductId, ShipmentId};
use kernel::{Money, Timestamp};
use serde::{Deserialize, Serialize};
use service::http::auth::Caller;
use service::http::{IfNoneMatch, Listing, Page, PathId, Problem, QueryOf, Tagged, tagged_by};
use utoipa::{IntoParams, ToSchema};

use crate::access::{admit_reader, is_own, own_order};
use crate::domain::{self, CUSTOMER, Status};
use crate::{Ctx, store};

/// An order.
#[derive(Serialize, ToSchema)]
pub(crate) struct Order {
    order_id: OrderId,
    /// The number for people.
    number: i64,
    #[schema(value_type = Status, inline)]
    status: &'static str,
    /// The reason why it was rejected or cancelled: `out_of_stock`, `cancelled`, `expired`, `not_in_stock`,
    /// `payment_failed`, `too_many_attempts`, `account_banned`.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    email: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ship_to: Option<ShipTo>,
    lines: Vec<Line>,
    total: Money,
    payment: Payment,
    /// Those that left.
    #[schema(max_items = 1000)]
    shipments: Vec<Shipment>,
    /// Units that will not be sent: they were refunded before they left.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, max_items = 1000)]
    withheld: Vec<ShipmentUnits>,
    /// The state of a wish to cancel it after it was paid: `too_late` if something had left and it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<domain::Cancellation>, inline)]
    cancellation: Option<&'static str>,
    /// The place in the queue of an order that waits for stock. Shown of one order, and not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<Waiting>,
    /// The one who cancelled it, or wished to: `customer`, the id of an admin's account, `automation`, or `ban`. Admins
    /// see all of these, and customers only that they did it themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "customer")]
    cancelled_by: Option<String>,
    /// The place where it was placed and is settled, if that is not here: nobody pays for it here, and nothing of it is
    /// sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    external: Option<External>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// The place where an order was placed that is not this shop's own.
#[derive(Serialize, ToSchema)]
#[schema(as = OrderExternal)]
pub(crate) struct External {
    /// The contract by which it came.
    #[schema(example = "erp")]
    contract: String,
    /// Its id there, if it was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "SO-4711")]
    foreign_id: Option<String>,
}

impl From<domain::External> for External {
    fn from(external: domain::External) -> Self {
        let domain::External { contract, foreign_id } = external;
        Self { contract, foreign_id }
    }
}

/// The place of an order among those that wait for the same products.
#[derive(Serialize, ToSchema)]
#[schema(as = OrderWaiting)]
pub(crate) struct Waiting {
    /// 1 if no order that waits for one of its products was placed before it.
    #[schema(minimum = 1)]
    position: i64,
}

/// An order's money.
#[derive(Serialize, ToSchema)]
#[schema(as = OrderPayment)]
pub(crate) struct Payment {
    #[schema(value_type = domain::PaymentStatus, inline)]
    status: &'static str,
    /// Money that came.
    captured: Money,
    /// Money that went back.
    refunded: Money,
    /// The reason why it was declined, in the payment provider's words. For admins also the reason why money did not go
    /// back: of the latest refund that failed, until later ones have given back as much, or all is back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "the card was declined")]
    error: Option<String>,
}

/// A part of an order that left.
#[derive(Serialize, ToSchema)]
#[schema(as = OrderShipment)]
pub(crate) struct Shipment {
    shipment_id: ShipmentId,
    #[schema(value_type = domain::ShipmentStatus, inline)]
    status: &'static str,
    /// Left out if it is collected.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "DHL")]
    carrier: Option<String>,
    /// Left out if it is collected.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "00340434161094042557")]
    tracking_number: Option<String>,
    lines: Vec<ShipmentUnits>,
}

/// Units of a product that left, or that will not.
#[derive(Serialize, ToSchema)]
#[schema(as = OrderShipmentLine)]
pub(crate) struct ShipmentUnits {
    product_id: ProductId,
    sku: String,
    name: String,
    quantity: i64,
}

impl From<ShipmentLine> for ShipmentUnits {
    fn from(line: ShipmentLine) -> Self {
        let ShipmentLine { product_id, sku, name, quantity } = line;
        Self { product_id, sku, name, quantity }
    }
}

impl From<domain::Shipment> for Shipment {
    fn from(shipment: domain::Shipment) -> Self {
        Self {
            shipment_id: shipment.shipment_id,
            status: shipment.status.as_str(),
            carrier: written(shipment.carrier),
            tracking_number: written(shipment.tracking_number),
            lines: shipment.lines.into_iter().map(ShipmentUnits::from).collect(),
        }
    }
}

/// The address to ship to.
#[derive(Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShipTo {
    #[schema(example = "Ada Lovelace", min_length = 1, max_length = 200)]
    pub name: String,
    #[schema(example = "12 St James's Square", min_length = 1, max_length = 200)]
    pub street: String,
    #[schema(example = "London", min_length = 1, max_length = 200)]
    pub city: String,
    /// As the country writes it; left out or empty where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "SW1Y 4JH", max_length = 200)]
    pub postal_code: Option<String>,
    /// State, province or prefecture, where addresses have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    pub state: Option<String>,
    #[schema(example = "GB", min_length = 1, max_length = 200)]
    pub country: String,
}

/// A line at the price of the moment it was ordered.
#[derive(Serialize, ToSchema)]
pub(crate) struct Line {
    product_id: ProductId,
    sku: String,
    name: String,
    quantity: i64,
    unit_price: Money,
}

impl From<OrderLine> for Line {
    fn from(line: OrderLine) -> Self {
        let OrderLine { product_id, sku, name, quantity, unit_price } = line;
        Self { product_id, sku, name, quantity, unit_price }
    }
}

impl From<Address> for ShipTo {
    fn from(to: Address) -> Self {
        let Address { name, street, city, postal_code, state, country } = to;
        Self { name, street, city, postal_code: written(postal_code), state, country }
    }
}

impl From<ShipTo> for Address {
    fn from(to: ShipTo) -> Self {
        let ShipTo { name, street, city, postal_code, state, country } = to;
        let (postal_code, state) = (postal_code.and_then(written).unwrap_or_default(), state.and_then(written));
        Self { name, street, city, postal_code, state, country }
    }
}

fn written(text: String) -> Option<String> {
    Some(text).filter(|text| !text.trim().is_empty())
}

impl Order {
    /// As it is shown to this caller: who cancelled it and why money did not go back are the admin's affair.
    pub fn seen_by(caller: &Caller, order: domain::Order) -> Self {
        let money = |amount| Money::new(amount, order.total.currency);
        let refund_error = order.refund_error().filter(|_| caller.is_admin).map(str::to_owned);
        let payment = Payment {
            status: order.payment_status.as_str(),
            captured: money(order.captured()),
            refunded: money(order.refunded),
            error: order.payment_error.or(refund_error),
        };
        Self {
            order_id: order.order_id,
            number: order.number,
            status: order.status.as_str(),
            reason: order.reason,
            email: order.email,
            ship_to: order.ship_to.map(ShipTo::from),
            lines: order.lines.into_iter().map(Line::from).collect(),
            total: order.total,
            payment,
            shipments: order.shipments.into_iter().map(Shipment::from).collect(),
            withheld: order.withheld.into_iter().flat_map(|withheld| withheld.lines).map(ShipmentUnits::from).collect(),
            cancellation: order.cancellation.map(domain::Cancellation::as_str),
            waiting: None,
            cancelled_by: order.cancelled_by.and_then(|by| actor_seen_by(caller, by)),
            external: order.external.map(External::from),
            created_at: order.created_at,
            updated_at: order.updated_at,
        }
    }
}

/// The one who cancelled an order, as this caller may know: the admin all of them, others themselves alone.
fn actor_seen_by(caller: &Caller, by: String) -> Option<String> {
    if caller.is_admin {
        return Some(by);
    }
    // An account cancels in its own name while it has the role `admin`.
    let is_own = by == CUSTOMER || caller.user_id.is_some_and(|user_id| user_id.to_string() == by);
    is_own.then(|| CUSTOMER.to_owned())
}

/// The orders to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only orders in this status.
    #[param(value_type = Option<Status>, inline)]
    status: Option<String>,
    /// The order's number, which no other order has.
    number: Option<i64>,
    /// For the admin: only orders of this number, of this e-mail address, or with a product whose SKU or name has this in it,
    /// of the newest 100,000.
    #[param(max_length = 200)]
    q: Option<String>,
}

impl Filter {
    fn status(&self) -> Result<Option<&'static str>, Problem> {
        let parsed = self.status.as_deref().map(str::parse::<Status>).transpose();
        let status = parsed.map_err(|expected| {
            Problem::new(StatusCode::BAD_REQUEST, "invalid_query", format!("status: {expected}"))
        })?;
        Ok(status.map(Status::as_str))
    }
}

/// Orders, newest first: all for the admin, a customer's own, and a guest's with `X-Order-Token`.
#[utoipa::path(
    get, path = "/v1/orders", operation_id = "list_orders", tag = "orders",
    params(Filter, Page),
    responses((status = 200, body = Listing<Order>))
)]
pub(crate) async fn list(
    State(ctx): State<Ctx>,
    caller: Caller,
    page: Page,
    QueryOf(filter): QueryOf<Filter>,
) -> Result<Json<Listing<Order>>, Problem> {
    let status = filter.status()?;
    admit_reader(&ctx, &caller).await?;
    let (db, before, limit) = (&ctx.db, page.before(), page.rows());
    let q = filter.q.as_deref().filter(|q| !q.trim().is_empty());
    if q.is_some() && !caller.is_admin {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_query", "q: only the admin may search"));
    }
    // A number is an order's first, and may also be a product's SKU.
    let found = match filter.number.or_else(|| q.and_then(|q| q.trim().parse().ok())) {
        Some(number) => Some(store::orders_of_number(db, number).await?),
        None => None,
    };
    if let Some(mut orders) = found.filter(|orders| filter.number.is_some() || !orders.is_empty()) {
        let is_wanted = |order: &domain::Order| status.is_none_or(|status| order.status.as_str() == status);
        orders.retain(|order| is_own(order, &caller) && is_wanted(order) && order.order_id < before);
        return Ok(Json(
            page.listing(orders, |order| order.order_id.into()).map(|order| Order::seen_by(&caller, order)),
        ));
    }
    let orders = match (caller.user_id, caller.object_token()) {
        _ if caller.is_admin => match q {
            Some(q) => store::search(db, q, before, status, limit).await?,
            None => store::orders_before(db, before, status, limit).await?,
        },
        (Some(user_id), _) => store::orders_of_user(db, user_id, before, status, limit).await?,
        (None, Some(token)) => store::orders_of_token(db, token, before, status, limit).await?,
        (None, None) => return Err(Problem::unauthenticated()),
    };
    Ok(Json(page.listing(orders, |order| order.order_id.into()).map(|order| Order::seen_by(&caller, order))))
}

/// One order.
#[utoipa::path(
    get, path = "/v1/orders/{id}", operation_id = "get_order", tag = "orders",
    params(("id" = OrderId, Path), IfNoneMatch),
    responses((status = 200, body = Order))
)]
pub(crate) async fn get(
    State(ctx): State<Ctx>,
    caller: Caller,
    PathId(order_id): PathId<OrderId>,
) -> Result<Response, Problem> {
    let order = own_order(&ctx, &caller, order_id).await?;
    if order.status != Status::Backordered {
        return Ok(Tagged(Order::seen_by(&caller, order)).into_response());
    }
    let position = store::waiting_before(&ctx.db, &order).await? + 1;
    let (changes, order) = (Order::seen_by(&caller, order.clone()), Order::seen_by(&caller, order));
    // The place changes with other orders: a change of this one does not compare it.
    Ok(tagged_by(&changes, Tagged(Order { waiting: Some(Waiting { position }), ..order }).into_response()))
}
