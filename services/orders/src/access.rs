//! Access to an order: the customer who placed it, whoever holds its token, and the admin.

use events::OrderId;
use kernel::Uuid;
use service::http::auth::Caller;
use service::http::{ObjectToken, Problem};
use service::operator::SubjectState;
use service::storage::Error;

use crate::domain::Order;
use crate::{Ctx, store};

/// The token that opens one order to whoever placed it as a guest.
pub(crate) static ORDER_TOKEN: ObjectToken =
    ObjectToken { header: "X-Order-Token", scheme: "order", description: "The `access_token` of a placed order." };

/// The order, if the caller may have it; otherwise it is not there.
pub(crate) async fn own_order(ctx: &Ctx, caller: &Caller, order_id: OrderId) -> Result<Order, Problem> {
    let order = store::order(&ctx.db, order_id).await?;
    order.filter(|order| is_own(order, caller)).ok_or_else(|| Problem::not_found("order, or it is not yours"))
}

/// Refuses a caller who has no token, or one that is no order's, like any other token that isn't good.
pub(crate) async fn admit_reader(ctx: &Ctx, caller: &Caller) -> Result<(), Problem> {
    if caller.is_admin || caller.user_id.is_some() {
        return Ok(());
    }
    let token = caller.object_token().ok_or_else(Problem::unauthenticated)?;
    let is_good = store::is_token_of_an_order(&ctx.db, token).await?;
    if is_good { Ok(()) } else { Err(Problem::unauthenticated()) }
}

/// True if the caller may read the story of this subject; `None` if it is no order.
pub(crate) async fn may_read(ctx: Ctx, subject: Uuid, caller: Caller) -> Result<Option<bool>, Error> {
    let order = store::order(&ctx.db, subject.into()).await?;
    Ok(order.map(|order| is_own(&order, &caller)))
}

/// The state of an order.
pub(crate) async fn state_of(ctx: Ctx, subject: Uuid) -> Result<Option<SubjectState>, Error> {
    let order = store::order(&ctx.db, subject.into()).await?;
    Ok(order.map(|order| SubjectState {
        status: order.status.as_str().to_owned(),
        part: Some(order.payment_status.as_str().to_owned()),
        since: order.updated_at,
        keys: Vec::new(),
    }))
}

/// True if the caller may have the order.
pub(crate) fn is_own(order: &Order, caller: &Caller) -> bool {
    let is_customers = order.user_id.is_some_and(|user_id| caller.owns(user_id));
    caller.is_admin || is_customers || caller.holds_object_token(&order.access_digest)
}
