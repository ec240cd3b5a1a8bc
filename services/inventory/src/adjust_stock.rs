//! Correcting what is on hand: a delivery, a count, breakage. Orders that wait for units get them first.

use std::collections::HashSet;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use events::ProductId;
use serde::Deserialize;
use service::http::auth::Caller;
use service::http::idempotency::{self, Claim, IdempotencyKey, KeyedBody, RepeatableResponse};
use service::http::{Fields, IfMatch, PathId, Problem, ProblemBody, RequestInfo};
use service::{Ctx, decide};
use utoipa::ToSchema;

use crate::book_units::book;
use crate::domain::{self, BelowZero, Shelf};
use crate::queries::Stock;
use crate::store;

/// Units that one adjustment adds or removes at the most.
const DELTA_MAX: u64 = 1_000_000_000;

/// A correction.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Adjustment {
    /// Units to add, or to remove if negative; not 0.
    #[schema(example = 5, minimum = -1_000_000_000, maximum = 1_000_000_000)]
    delta: i64,
    /// The reason.
    #[schema(example = "delivery 4711", min_length = 1, max_length = 200)]
    reason: String,
}

impl From<BelowZero> for Problem {
    fn from(refusal: BelowZero) -> Self {
        let detail = format!("only {} units are neither sold nor held: remove at most that many", refusal.available);
        Self::new(StatusCode::CONFLICT, "below_zero", detail)
    }
}

/// Adds units, or removes some that nothing is held for.
#[utoipa::path(
    post, path = "/v1/stock/{product_id}/adjustments", operation_id = "adjust_stock", tag = "inventory",
    params(("product_id" = ProductId, Path), IdempotencyKey, IfMatch), request_body = Adjustment,
    responses((status = 201, body = Stock), (status = 409, body = ProblemBody, description = "`below_zero`"))
)]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    caller: Caller,
    PathId(product_id): PathId<ProductId>,
    if_match: IfMatch,
    request: RequestInfo,
    KeyedBody { input, key }: KeyedBody<Adjustment>,
) -> Result<RepeatableResponse, Problem> {
    let mut fields = Fields::new();
    let expected = "a number of units between -1000000000 and 1000000000, not 0";
    fields.check(input.delta != 0 && input.delta.unsigned_abs() <= DELTA_MAX, "delta", "range", expected);
    fields.line(&input.reason, "reason", 1, 200);
    fields.finish()?;
    let scope = idempotency::scope(&caller, "");
    let by = caller.actor();
    ctx.idempotency.once(key, scope, |claim| adjust(&ctx, product_id, &by, &if_match, &request, claim, &input)).await
}

async fn adjust(
    ctx: &Ctx,
    product_id: ProductId,
    by: &str,
    if_match: &IfMatch,
    request: &RequestInfo,
    claim: Arc<Claim>,
    input: &Adjustment,
) -> Result<RepeatableResponse, Problem> {
    decide(ctx, || async {
        let level = store::level_of(&ctx.db, product_id).await?;
        let level = level.ok_or_else(|| Problem::not_found("product in stock"))?;
        if_match.check(|| Stock::from(level.clone()))?;
        let mut shelf = Shelf::new([level]);
        shelf.adjust(product_id, input.delta)?;
        let booked = book(ctx, &mut shelf, &input.reason, &HashSet::new()).await?;
        let adjusted = shelf.changed().into_iter().next().ok_or_else(Problem::internal)?.level;
        let answer = RepeatableResponse::new(StatusCode::CREATED, &Stock::from(adjusted)).tagged();
        let adjustment = domain::Adjustment {
            adjustment_id: ctx.ids.next(),
            product_id,
            delta: input.delta,
            reason: input.reason.clone(),
            adjusted_by: by.to_owned(),
            created_at: ctx.clock.now(),
        };
        let batch = booked.and(store::insert_adjustment(&adjustment));
        ctx.commit(batch, request.cause_keyed(claim.keep(&answer))).await?;
        Ok(answer)
    })
    .await
}
