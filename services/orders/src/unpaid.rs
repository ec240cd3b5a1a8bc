//! The bound on stock that is held without a payment, by e-mail address and by client address.
//!
//! It counts orders for which nothing is paid or being paid, and not those whose payment is in flight.
//! It is read and not locked: requests at the same instant may exceed it, by as many as the limit on writes lets in.

use axum::http::StatusCode;
use service::http::Problem;

use crate::buyer::Buyer;
use crate::{Ctx, store};

/// Refuses an order that would hold `more` units without a payment, if there are too many then.
pub(crate) async fn admit(ctx: &Ctx, buyer: &Buyer, more: i64) -> Result<(), Problem> {
    let unpaid = store::unpaid_units(&ctx.db, &buyer.email, buyer.placed_from.as_deref()).await?;
    let bounds = [
        (unpaid.of_email, ctx.state.settings.unpaid_units_per_email, "this e-mail address"),
        (unpaid.of_address, ctx.state.settings.unpaid_units_per_address, "your network address"),
    ];
    match bounds.into_iter().find(|(held, max, _)| held.saturating_add(more) > *max) {
        Some((held, max, whose)) => Err(refused(held, max, whose)),
        None => Ok(()),
    }
}

fn refused(held: i64, max: i64, whose: &str) -> Problem {
    let detail = format!(
        "orders of {whose} hold {held} unpaid units, and may hold {max}: \
         pay or cancel one of them, send a payment token along, or order less"
    );
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "unpaid_limit", detail)
}
