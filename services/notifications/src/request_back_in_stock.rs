//! `POST /v1/products/{id}/back-in-stock`: asks for one mail when the product is in stock again.

use axum::extract::State;
use axum::http::StatusCode;
use events::ProductId;
use serde::Deserialize;
use service::decide;
use service::http::{Body, Fields, PathId, Problem, ProblemBody, RequestInfo};
use utoipa::ToSchema;

use crate::Ctx;
use crate::domain::back_in_stock::CannotRequest;
use crate::mail_back_in_stock::MAIL_BACK_IN_STOCK;
use crate::store::back_in_stock as store;

/// The recipient of the mail.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BackInStock {
    /// The address to mail to.
    #[schema(example = "ada@example.com", max_length = 254)]
    email: String,
}

impl From<CannotRequest> for Problem {
    fn from(refusal: CannotRequest) -> Self {
        match refusal {
            CannotRequest::NotForSale => Self::not_found("product"),
            CannotRequest::InStock => {
                Self::new(StatusCode::CONFLICT, "in_stock", "the product is in stock: it can be ordered now")
            }
            CannotRequest::TooMany { max } => {
                let detail = format!("this address waits for {max} products already: end some by the link in a mail");
                Self::new(StatusCode::CONFLICT, "too_many_requests_open", detail)
            }
        }
    }
}

/// Asks for a mail when a product that is sold out is in stock again. There is one mail for each request; asked again
/// before it was sent, it stays one.
#[utoipa::path(post, path = "/v1/products/{id}/back-in-stock",
    operation_id = "request_back_in_stock", tag = "notifications", request_body = BackInStock,
    params(("id" = ProductId, Path)),
    responses(
        (status = 202, description = "the mail is sent when there are units again"),
        (status = 409, body = ProblemBody, description = "`in_stock`, `too_many_requests_open`"),
    ))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    PathId(product_id): PathId<ProductId>,
    request: RequestInfo,
    Body(input): Body<BackInStock>,
) -> Result<StatusCode, Problem> {
    let mut fields = Fields::new();
    fields.email(&input.email, "email");
    fields.finish()?;
    decide(&ctx, || async {
        let product = store::product(&ctx.db, product_id).await?;
        let open = store::open_of_email(&ctx.db, &input.email).await?;
        let now = ctx.clock.now();
        if let Some(asked) = product.request(ctx.ids.next(), &input.email, &open, now)? {
            // Units may have come since the product was read: the timer looks again.
            let batch = store::insert_request(&asked).schedule(MAIL_BACK_IN_STOCK.name, product_id, now);
            ctx.commit(batch, request.cause()).await?;
        }
        Ok(StatusCode::ACCEPTED)
    })
    .await
}
