//! `POST /v1/shipments/{id}/dispatch`: a shipment leaves, or a part of it.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use events::{ProductId, ShipmentId};
use serde::Deserialize;
use serde_json::json;
use service::http::auth::Caller;
use service::http::idempotency::{self, Claim, IdempotencyKey, KeyedBody, RepeatableResponse};
use service::http::{FieldError, Fields, IfMatch, PathId, Problem, ProblemBody, RequestInfo};
use service::{Ctx, decide};
use utoipa::ToSchema;

use crate::domain::{CannotDispatch, Departure, Excess, PARTS_MAX};
use crate::queries::Shipment;
use crate::store;

/// Characters of a carrier's name and of a tracking number at the most.
const TEXT_MAX: usize = 100;

/// Lines of a part at the most: those of the largest order.
const LINES_MAX: usize = 100;

/// Units of a line at the most: far more than an order has. Units that are not there are another refusal.
const QUANTITY_MAX: i64 = 1_000_000_000;

/// The way in which a shipment leaves.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dispatch {
    /// May be left out only if the customer collects it.
    #[schema(example = "DHL", min_length = 1, max_length = 100)]
    carrier: Option<String>,
    /// May be left out only if the customer collects it.
    #[schema(example = "00340434161094042557", min_length = 1, max_length = 100)]
    tracking_number: Option<String>,
    /// The part that leaves; without it, all does. The rest becomes a shipment of its own, still pending. A product that
    /// is named twice counts twice.
    #[schema(min_items = 1, max_items = 100)]
    lines: Option<Vec<DispatchLine>>,
}

/// Units of a product that leave.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DispatchLine {
    product_id: ProductId,
    /// Units.
    #[schema(minimum = 1, maximum = 1_000_000_000, example = 1)]
    quantity: i64,
}

impl Dispatch {
    fn departure(self, caller: &Caller) -> Result<Departure, Problem> {
        let Self { carrier, tracking_number, lines } = self;
        let mut fields = Fields::new();
        for (text, field) in [(&carrier, "carrier"), (&tracking_number, "tracking_number")] {
            if let Some(text) = text {
                fields.line(text, field, 1, TEXT_MAX);
            }
        }
        if let Some(lines) = &lines {
            let expected = format!("1 to {LINES_MAX} lines, or none of this field to dispatch all");
            fields.check((1..=LINES_MAX).contains(&lines.len()), "lines", "length", expected);
            for (index, line) in lines.iter().enumerate().take(LINES_MAX) {
                let is_good = (1..=QUANTITY_MAX).contains(&line.quantity);
                let expected = format!("1 to {QUANTITY_MAX} units");
                fields.check(is_good, format!("lines[{index}].quantity"), "range", expected);
            }
        }
        fields.finish()?;
        let trimmed = |text: String| text.trim().to_owned();
        Ok(Departure {
            carrier: carrier.map(trimmed),
            tracking_number: tracking_number.map(trimmed),
            lines: lines.map(|lines| lines.into_iter().map(|line| (line.product_id, line.quantity)).collect()),
            by: caller.actor(),
        })
    }
}

impl From<CannotDispatch> for Problem {
    fn from(refusal: CannotDispatch) -> Self {
        let conflict = |code, detail: String| Self::new(StatusCode::CONFLICT, code, detail);
        match refusal {
            CannotDispatch::AlreadyDispatched => {
                conflict("already_dispatched", "the shipment has left already: see its tracking number".to_owned())
            }
            CannotDispatch::Stopped => conflict(
                "shipment_stopped",
                "its order was cancelled, or its units were refunded: keep them".to_owned(),
            ),
            CannotDispatch::Required(fields) => {
                let required = |field: &str| FieldError {
                    field: field.to_owned(),
                    code: "required",
                    detail: format!("1 to {TEXT_MAX} characters, for the shipment goes to an address"),
                };
                Self::invalid_body(fields.into_iter().map(required).collect())
            }
            CannotDispatch::NotInShipment(lines) => {
                let not_there = |index| FieldError {
                    field: format!("lines[{index}].product_id"),
                    code: "not_in_shipment",
                    detail: "a product of the shipment".to_owned(),
                };
                Self::invalid_body(lines.into_iter().map(not_there).collect())
            }
            CannotDispatch::Exceeds(excess) => {
                let text = |it: &Excess| format!("{} of {} ({} asked)", it.there, it.sku, it.asked);
                let there = excess.iter().map(text).collect::<Vec<_>>().join(", ");
                let excess = excess
                    .iter()
                    .map(|it| json!({"product_id": it.product_id, "asked": it.asked, "there": it.there}))
                    .collect();
                conflict("exceeds_shipment", format!("the shipment has only {there}: dispatch at most that many"))
                    .with_extension("excess", excess)
            }
            CannotDispatch::TooManyShipments => {
                let detail = format!("an order has at most {PARTS_MAX} shipments: dispatch all that is left");
                conflict("too_many_shipments", detail)
            }
        }
    }
}

/// Records that a shipment left, or a part of it: the rest becomes a shipment of its own.
#[utoipa::path(post, path = "/v1/shipments/{id}/dispatch", operation_id = "dispatch_shipment", tag = "shipping",
    params(("id" = ShipmentId, Path), IdempotencyKey, IfMatch), request_body = Dispatch,
    responses(
        (status = 200, body = Shipment),
        (status = 409, body = ProblemBody, description = "`already_dispatched`, `shipment_stopped`, \
            `exceeds_shipment` with the `excess` of each product, `too_many_shipments`"),
    ))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    caller: Caller,
    PathId(shipment_id): PathId<ShipmentId>,
    if_match: IfMatch,
    request: RequestInfo,
    KeyedBody { input, key }: KeyedBody<Dispatch>,
) -> Result<RepeatableResponse, Problem> {
    let departure = input.departure(&caller)?;
    let scope = idempotency::scope(&caller, "");
    ctx.idempotency.once(key, scope, |claim| dispatch(&ctx, shipment_id, &if_match, &request, claim, &departure)).await
}

async fn dispatch(
    ctx: &Ctx,
    shipment_id: ShipmentId,
    if_match: &IfMatch,
    request: &RequestInfo,
    claim: Arc<Claim>,
    departure: &Departure,
) -> Result<RepeatableResponse, Problem> {
    decide(ctx, || async {
        let shipment = store::shipment(&ctx.db, shipment_id).await?;
        let shipment = shipment.ok_or_else(|| Problem::not_found("shipment: an order has one once it is paid"))?;
        if_match.check(|| Shipment::from(shipment.clone()))?;
        let dispatched = shipment.dispatch(departure, ctx.ids.next(), ctx.clock.now())?;
        let batch = store::dispatch(&dispatched);
        let answer = RepeatableResponse::new(StatusCode::OK, &Shipment::from(dispatched.shipment)).tagged();
        ctx.commit(batch, request.cause_keyed(claim.keep(&answer))).await?;
        Ok(answer)
    })
    .await
}
