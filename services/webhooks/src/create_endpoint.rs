//! `POST /v1/webhooks`: a new endpoint.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use events::EndpointId;
use kernel::SignedDuration;
use serde::{Deserialize, Serialize};
use service::decide;
use service::http::{Body, Fields, Problem, ProblemBody, RequestInfo};
use url::Url;
use utoipa::ToSchema;

use crate::domain::{self, NewEndpoint};
use crate::fields::EventTypes;
use crate::queries::Webhook;
use crate::store::{self, CLEAN_UP, ENDPOINTS_MAX};
use crate::{Ctx, fields, selection, signature};

/// The time from the creation of an endpoint to its first clean-up.
const CLEAN_UP_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// A new endpoint.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateWebhook {
    /// A public address to which events are sent by `POST`.
    #[schema(example = "https://erp.example.com/tradepost", max_length = 2048)]
    url: String,
    /// Types, `*` for all, or prefixes.
    #[schema(value_type = Vec<EventTypes>, min_items = 1, max_items = 100,
        example = json!(["orders.*", "payments.payment_refunded.v1"]))]
    event_types: Vec<String>,
    /// A single line.
    #[serde(default, deserialize_with = "service::http::present")]
    #[schema(value_type = String, required = false, example = "The ERP", min_length = 1, max_length = 200)]
    description: Option<String>,
}

/// A new endpoint with its secret, which is shown in no other answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CreatedWebhook {
    #[serde(flatten)]
    webhook: Webhook,
    /// The key of the signatures.
    #[schema(example = "whsec_plJ3nmyCDGBKInavdOK15jsl")]
    secret: String,
}

impl CreateWebhook {
    fn validate(self) -> Result<(NewEndpoint, Url), Problem> {
        let mut wrong = Fields::new();
        let url = fields::check_url(&mut wrong, &self.url);
        fields::check_event_types(&mut wrong, &self.event_types);
        if let Some(description) = &self.description {
            fields::check_description(&mut wrong, description);
        }
        wrong.finish()?;
        let url = url.expect("the URL was checked");
        let Self { event_types, description, .. } = self;
        Ok((NewEndpoint { url: url.to_string(), description, event_types }, url))
    }
}

fn too_many() -> Problem {
    let detail = format!("a shop has at most {ENDPOINTS_MAX} endpoints: delete one that is not used");
    Problem::new(StatusCode::CONFLICT, "too_many_webhooks", detail)
}

/// Adds an endpoint: events from now on are sent to it. The answer has its secret, once.
#[utoipa::path(post, path = "/v1/webhooks", operation_id = "create_webhook", tag = "webhooks",
    request_body = CreateWebhook,
    responses(
        (status = 201, body = CreatedWebhook, headers(("Location" = String))),
        (status = 409, body = ProblemBody, description = "`too_many_webhooks`"),
        (status = 503, body = ProblemBody, description = "`broker_unavailable`: its events would be missed"),
    ))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    request: RequestInfo,
    Body(input): Body<CreateWebhook>,
) -> Result<(StatusCode, HeaderMap, Json<CreatedWebhook>), Problem> {
    let (new, url) = input.validate()?;
    fields::check_address(&ctx, &url).await?;
    let endpoint_id: EndpointId = ctx.ids.next();
    let endpoint = decide(&ctx, || async {
        let many = i64::try_from(ENDPOINTS_MAX).unwrap_or(i64::MAX);
        if store::count(&ctx.db).await? >= many {
            return Err(too_many());
        }
        let bound = ctx.bind(&selection(&new.event_types)).await?;
        // After that: events from now on are sent to it.
        let now = ctx.clock.now();
        let endpoint = domain::Endpoint::new(endpoint_id, new.clone(), signature::new_secret(&ctx.ids), now);
        let batch = store::insert(&endpoint, &ctx.ids).and(bound);
        ctx.commit(batch.schedule(CLEAN_UP.name, endpoint_id, now + CLEAN_UP_AFTER), request.cause()).await?;
        Ok(endpoint)
    })
    .await?;
    let location = HeaderValue::try_from(format!("/v1/webhooks/{endpoint_id}")).expect("an id is visible ASCII");
    let secret = endpoint.secret.reveal().to_owned();
    let answer = CreatedWebhook { webhook: Webhook::from(&endpoint), secret };
    Ok((StatusCode::CREATED, HeaderMap::from_iter([(header::LOCATION, location)]), Json(answer)))
}
