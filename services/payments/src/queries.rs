//! Reads, and the payment with its refunds as the admin sees one.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use events::inventory::ReservedLine;
use events::{OrderId, PaymentId, ProductId, RefundId};
use kernel::{Money, Timestamp};
use serde::{Deserialize, Serialize};
use service::http::{IfNoneMatch, Listing, Page, PathId, Problem, QueryOf, Tagged};
use utoipa::{IntoParams, ToSchema};

use crate::domain::refund::{RefundIntent, RefundStatus};
use crate::{Ctx, domain, store};

/// One attempt to be paid for an order.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Payment {
    payment_id: PaymentId,
    order_id: OrderId,
    amount: Money,
    #[schema(value_type = domain::Status, inline)]
    status: &'static str,
    /// The reason why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// The provider's answer was lost, and the charge was looked up.
    looked_up: bool,
    /// The money that the provider took.
    captured: Money,
    /// The money that went back.
    refunded: Money,
    /// Oldest first.
    refunds: Vec<Refund>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// Money that goes back. `pending` until the provider has answered; `failed` with its reason.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Refund {
    refund_id: RefundId,
    amount: Money,
    #[schema(value_type = RefundStatus, inline)]
    status: &'static str,
    /// The reason of the admin, or `order_cancelled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The reason why it failed, in the payment provider's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "the card was closed")]
    error: Option<String>,
    /// Units that are sold again once it succeeded.
    restock: Vec<RestockLine>,
    /// The account of the admin, `automation`, or `orders` for a cancelled order.
    requested_by: String,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// Units of a product that are to be sold again.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RestockLine {
    pub product_id: ProductId,
    #[schema(example = 1, minimum = 1, maximum = 10_000)]
    pub quantity: i64,
}

impl From<ReservedLine> for RestockLine {
    fn from(ReservedLine { product_id, quantity }: ReservedLine) -> Self {
        Self { product_id, quantity }
    }
}

impl From<RestockLine> for ReservedLine {
    fn from(RestockLine { product_id, quantity }: RestockLine) -> Self {
        Self { product_id, quantity }
    }
}

impl From<RefundIntent> for Refund {
    fn from(refund: RefundIntent) -> Self {
        Self {
            refund_id: refund.refund_id,
            amount: refund.amount,
            status: refund.status.as_str(),
            reason: refund.reason,
            error: refund.error,
            restock: refund.restock.into_iter().map(RestockLine::from).collect(),
            requested_by: refund.requested_by,
            created_at: refund.created_at,
            updated_at: refund.updated_at,
        }
    }
}

impl Payment {
    /// The payment with all of its refunds.
    pub fn new(payment: domain::Payment, refunds: Vec<RefundIntent>) -> Self {
        Self {
            payment_id: payment.payment_id,
            order_id: payment.order_id,
            amount: payment.amount,
            status: payment.status.as_str(),
            captured: payment.captured(),
            refunded: payment.refunded(),
            refunds: refunds.into_iter().map(Refund::from).collect(),
            error: payment.error,
            looked_up: payment.looked_up,
            created_at: payment.created_at,
            updated_at: payment.updated_at,
        }
    }
}

/// The payments to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only those of this order.
    order_id: Option<OrderId>,
}

/// Payments with their refunds, newest first.
#[utoipa::path(get, path = "/v1/payments", operation_id = "list_payments", tag = "payments",
    params(Filter, Page),
    responses(
        (status = 200, body = Listing<Payment>),
    ))]
pub(crate) async fn list(
    State(ctx): State<Ctx>,
    page: Page,
    QueryOf(filter): QueryOf<Filter>,
) -> Result<Json<Listing<Payment>>, Problem> {
    let payments = store::page(&ctx.db, filter.order_id, page.before(), page.rows()).await?;
    let page = page.listing(payments, |payment| payment.payment_id.into());
    let shown = page.items.iter().map(|payment| payment.payment_id).collect();
    let mut refunds: HashMap<PaymentId, Vec<RefundIntent>> = HashMap::new();
    for refund in store::refunds_of(&ctx.db, shown).await? {
        refunds.entry(refund.payment_id).or_default().push(refund);
    }
    Ok(Json(page.map(|payment| {
        let refunds = refunds.remove(&payment.payment_id).unwrap_or_default();
        Payment::new(payment, refunds)
    })))
}

/// One payment with its refunds.
#[utoipa::path(get, path = "/v1/payments/{id}", operation_id = "get_payment", tag = "payments",
    params(("id" = PaymentId, Path), IfNoneMatch),
    responses((status = 200, body = Payment)))]
pub(crate) async fn get(
    State(ctx): State<Ctx>,
    PathId(payment_id): PathId<PaymentId>,
) -> Result<Tagged<Payment>, Problem> {
    let payment = store::payment_of(&ctx.db, payment_id).await?.ok_or_else(|| Problem::not_found("payment"))?;
    Ok(Tagged(Payment::new(payment, store::refunds_of(&ctx.db, vec![payment_id]).await?)))
}
