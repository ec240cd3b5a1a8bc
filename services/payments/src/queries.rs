//! Reads, and the payment as the admin sees one.

use axum::Json;
use axum::extract::State;
use events::{OrderId, PaymentId};
use kernel::{Money, Timestamp};
use serde::{Deserialize, Serialize};
use service::http::{Listing, Page, Problem, QueryOf};
use utoipa::{IntoParams, ToSchema};

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
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<domain::Payment> for Payment {
    fn from(payment: domain::Payment) -> Self {
        Self {
            payment_id: payment.payment_id,
            order_id: payment.order_id,
            amount: payment.amount,
            status: payment.status.as_str(),
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

/// Payments, newest first.
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
    Ok(Json(page.listing(payments, |payment| payment.payment_id.into()).map(Payment::from)))
}
