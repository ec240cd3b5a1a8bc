//! Placing an order.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use events::{Address, OrderId, ProductId};
use kernel::{Currency, Money, Timestamp};
use serde::{Deserialize, Serialize};
use service::decide;
use service::http::auth::Caller;
use service::http::idempotency::{self, Claim, IdempotencyKey, KeyedBody, RepeatableResponse};
use service::http::{ClientAddress, FieldError, Fields, ObjectToken, Problem, ProblemBody, RequestInfo};
use utoipa::ToSchema;

use crate::buyer::Buyer;
use crate::domain::{CannotPlace, Draft, Order, Status, expires_at, place};
use crate::queries::{Line, ShipTo};
use crate::{Ctx, numbers, store, unpaid};

/// Lines of an order at the most.
const LINES_MAX: usize = 100;

/// Units of a line at the most.
const QUANTITY_MAX: i64 = 10_000;

/// The wishes of a customer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlaceOrder {
    /// Each line is of another product.
    #[schema(min_items = 1, max_items = 100)]
    lines: Vec<WantedLine>,
    /// The e-mail address for mail about the order. Required of guests; else the account's address is taken.
    #[schema(example = "ada@example.com", max_length = 254)]
    email: Option<String>,
    ship_to: Option<ShipTo>,
    /// The total that the customer was shown. If it is another meanwhile, nothing is ordered: 409 `price_changed`.
    expected_total: Option<Money>,
    /// Without it the order waits for `POST /v1/orders/{id}/payment` until its reservation expires.
    payment: Option<PaymentToken>,
    /// If there is too little stock: wait for it, in the order in which orders are placed. Else the order is rejected.
    #[serde(default)]
    #[schema(required = false)]
    wait_for_stock: bool,
}

/// A product and how many of it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WantedLine {
    product_id: ProductId,
    /// Units.
    #[schema(minimum = 1, maximum = 10_000, example = 1)]
    quantity: i64,
}

/// The means of payment.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PaymentToken {
    /// A token for one use, from the payment provider.
    #[schema(example = "tok_ok", min_length = 1, max_length = 200)]
    pub token: String,
}

/// An order that was accepted.
#[derive(Serialize, ToSchema)]
pub(crate) struct PlacedOrder {
    order_id: OrderId,
    /// The number for people.
    number: i64,
    #[schema(value_type = Status, inline)]
    status: &'static str,
    lines: Vec<Line>,
    total: Money,
    created_at: Timestamp,
    /// For guests: sent as `X-Order-Token`, it reads and changes this order. Shown only here.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
}

impl PaymentToken {
    /// Notes what is wrong with the token.
    pub fn check(&self, fields: &mut Fields, field: &str) {
        fields.line(&self.token, field, 1, 200);
    }
}

impl PlaceOrder {
    fn check(&self, caller: &Caller) -> Result<(), Problem> {
        let mut fields = Fields::new();
        let expected = format!("1 to {LINES_MAX} lines");
        fields.check((1..=LINES_MAX).contains(&self.lines.len()), "lines", "length", expected);
        for (index, line) in self.lines.iter().enumerate().take(LINES_MAX) {
            let good = (1..=QUANTITY_MAX).contains(&line.quantity);
            let expected = format!("1 to {QUANTITY_MAX} units");
            fields.check(good, format!("lines[{index}].quantity"), "range", expected);
            let is_first = !self.lines[..index].iter().any(|other| other.product_id == line.product_id);
            let expected = "each product once: add up its quantity in one line";
            fields.check(is_first, format!("lines[{index}].product_id"), "duplicate", expected);
        }
        let expected = "an e-mail address, for there mail about the order goes";
        match (&self.email, caller.user_id) {
            (Some(email), _) => fields.email(email, "email"),
            (None, Some(_)) => {}
            (None, None) => fields.check(false, "email", "required", expected),
        }
        if let Some(ship_to) = &self.ship_to {
            for (text, field) in [
                (&ship_to.name, "ship_to.name"),
                (&ship_to.street, "ship_to.street"),
                (&ship_to.city, "ship_to.city"),
                (&ship_to.country, "ship_to.country"),
            ] {
                fields.line(text, field, 1, 200);
            }
            // Some fifty countries have no postal codes, and most no states.
            for (text, field) in [(&ship_to.postal_code, "ship_to.postal_code"), (&ship_to.state, "ship_to.state")] {
                fields.line(text.as_deref().unwrap_or_default(), field, 0, 200);
            }
        }
        if let Some(payment) = &self.payment {
            payment.check(&mut fields, "payment.token");
        }
        fields.finish()
    }

    /// Units that are held without a payment once this is placed. What waits for stock holds some before it is paid.
    fn unpaid_units(&self) -> i64 {
        let is_paid_at_once = self.payment.is_some() && !self.wait_for_stock;
        if is_paid_at_once { 0 } else { self.lines.iter().map(|line| line.quantity).sum() }
    }

    fn draft(self, order_id: OrderId, number: i64, buyer: Buyer, currency: Currency, token: &str) -> Draft {
        Draft {
            order_id,
            number,
            user_id: buyer.user_id,
            email: buyer.email,
            follows_account: buyer.follows_account,
            placed_from: buyer.placed_from,
            expected_total: self.expected_total,
            ship_to: self.ship_to.map(Address::from),
            lines: self.lines.iter().map(|line| (line.product_id, line.quantity)).collect(),
            currency,
            payment_token: self.payment.map(|payment| payment.token),
            access_digest: ObjectToken::digest(token.as_bytes()).to_vec(),
        }
    }
}

impl From<CannotPlace> for Problem {
    fn from(refusal: CannotPlace) -> Self {
        match refusal {
            CannotPlace::ProductUnknown(lines) => {
                let detail = "some lines name a product that is not for sale: see `errors`";
                let errors = lines.into_iter().map(|index| FieldError {
                    field: format!("lines[{index}].product_id"),
                    code: "product_unknown",
                    detail: "a product of GET /v1/products".to_owned(),
                });
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "product_unknown", detail).with_errors(errors.collect())
            }
            CannotPlace::PriceChanged { total } => {
                let detail = format!("the total is {total} by now: see `total`, and order again if that is right");
                let total = serde_json::to_value(total).expect("money is plain data");
                Self::new(StatusCode::CONFLICT, "price_changed", detail).with_extension("total", total)
            }
            CannotPlace::ProductChanging(lines) => {
                let detail = "a change of a product is not carried out yet, and its price may be another than here: \
                    try again later";
                let errors = lines.into_iter().map(|index| FieldError {
                    field: format!("lines[{index}].product_id"),
                    code: "product_changing",
                    detail: "a product whose latest change is carried out".to_owned(),
                });
                Self::new(StatusCode::CONFLICT, "product_changing", detail).with_errors(errors.collect())
            }
            CannotPlace::CurrenciesDiffer => {
                let detail =
                    "a product is priced in another currency than the shop sells in: the shop is configured with two";
                Self::new(StatusCode::CONFLICT, "currencies_differ", detail)
            }
            CannotPlace::TotalTooLarge => Self::invalid_body(vec![FieldError {
                field: "lines".to_owned(),
                code: "range",
                detail: "an order whose total can be counted: order less at once".to_owned(),
            }]),
        }
    }
}

/// Places an order. The answer comes at once; stock and money are decided in the background.
#[utoipa::path(
    post, path = "/v1/orders", operation_id = "place_order", tag = "orders", request_body = PlaceOrder,
    params(IdempotencyKey),
    responses(
        (status = 201, body = PlacedOrder, headers(("Location" = String))),
        (status = 409, body = ProblemBody, description = "`price_changed` with the current `total`, \
            `product_changing`, `currencies_differ`"),
        (status = 422, body = ProblemBody, description = "`product_unknown`"),
        (status = 429, body = ProblemBody, description = "`unpaid_limit`"),
    )
)]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    caller: Caller,
    client: ClientAddress,
    request: RequestInfo,
    KeyedBody { input, key }: KeyedBody<PlaceOrder>,
) -> Result<RepeatableResponse, Problem> {
    input.check(&caller)?;
    let scope = idempotency::scope(&caller, input.email.as_deref().unwrap_or_default());
    ctx.idempotency.once(key, scope, |claim| place_once(&ctx, &caller, client, &request, claim, input)).await
}

async fn place_once(
    ctx: &Ctx,
    caller: &Caller,
    client: ClientAddress,
    request: &RequestInfo,
    claim: Arc<Claim>,
    mut input: PlaceOrder,
) -> Result<RepeatableResponse, Problem> {
    ctx.admit()?;
    let buyer = Buyer::of(ctx, caller, client, input.email.take()).await?;
    let units = if caller.is_automation() { 0 } else { input.unpaid_units() };
    let _until_committed = unpaid::admit(ctx, &buyer, units).await?;
    let access_token = ObjectToken::make(&ctx.ids);
    let wait_for_stock = input.wait_for_stock;
    let draft =
        input.draft(ctx.ids.next(), numbers::next(ctx).await?, buyer, ctx.state.settings.currency, &access_token);
    let (status, answer) = decide(ctx, || async {
        let wanted: Vec<ProductId> = draft.lines.iter().map(|(product_id, _)| *product_id).collect();
        let (products, changing) = store::products(&ctx.db, wanted).await?;
        let now = ctx.clock.now();
        let order = place(draft.clone(), &products, &changing, now)?;
        let ttl = ctx.state.settings.reservation_ttl();
        let expires_at = expires_at(now, ttl);
        let batch = store::insert(&order).emit(order.version, &order.placed(wait_for_stock)).schedule(
            store::EXPIRE_RESERVATION.name,
            order.order_id,
            expires_at,
        );
        let (status, location) = (order.status, format!("/v1/orders/{}", order.order_id));
        let answer = RepeatableResponse::created(&location, &PlacedOrder::new(order, access_token.clone()));
        ctx.commit(batch, request.cause_keyed(claim.keep(&answer))).await?;
        Ok((status, answer))
    })
    .await?;
    ctx.state.by_status.count([status.as_str()]);
    Ok(answer)
}

impl PlacedOrder {
    fn new(order: Order, access_token: String) -> Self {
        Self {
            order_id: order.order_id,
            number: order.number,
            status: order.status.as_str(),
            lines: order.lines.into_iter().map(Line::from).collect(),
            total: order.total,
            created_at: order.created_at,
            // A customer's account opens the order; nobody learns the token.
            access_token: order.user_id.is_none().then_some(access_token),
        }
    }
}
