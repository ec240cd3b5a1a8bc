//! `PATCH /v1/webhooks/{id}`: changes an endpoint, or enables it again.

use axum::extract::State;
use events::EndpointId;
use serde::Deserialize;
use service::decide;
use service::http::{Body, Fields, IfMatch, PathId, Problem, ProblemBody, RequestInfo, Tagged};
use service::storage::Batch;
use url::Url;
use utoipa::ToSchema;

use crate::domain::{Change, Endpoint};
use crate::fields::EventTypes;
use crate::queries::{Webhook, found};
use crate::{Ctx, fields, selection, store};

/// The changes; a field that is left out stays as it is. The limits are those of a new endpoint.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateWebhook {
    #[serde(default, deserialize_with = "service::http::present")]
    #[schema(value_type = String, required = false, example = "https://erp.example.com/tradepost", max_length = 2048)]
    url: Option<String>,
    #[serde(default, deserialize_with = "service::http::present")]
    #[schema(value_type = Vec<EventTypes>, required = false, example = json!(["orders.*"]), min_items = 1,
        max_items = 100)]
    event_types: Option<Vec<String>>,
    #[serde(default, deserialize_with = "service::http::present")]
    #[schema(value_type = String, required = false, example = "The ERP", min_length = 1, max_length = 200)]
    description: Option<String>,
    /// True: events from now on are sent. False: nothing is sent any more, and what is queued fails.
    #[serde(default, deserialize_with = "service::http::present")]
    #[schema(value_type = bool, required = false)]
    enabled: Option<bool>,
}

impl UpdateWebhook {
    fn validate(self) -> Result<(Change, Option<Url>), Problem> {
        let Self { url, event_types, description, enabled } = self;
        let mut wrong = Fields::new();
        let is_empty = url.is_none() && event_types.is_none() && description.is_none() && enabled.is_none();
        let expected = "at least one of `url`, `event_types`, `description` and `enabled`";
        wrong.check(!is_empty, "body", "empty", expected);
        let url = url.and_then(|url| fields::check_url(&mut wrong, &url));
        if let Some(event_types) = &event_types {
            fields::check_event_types(&mut wrong, event_types);
        }
        if let Some(description) = &description {
            fields::check_description(&mut wrong, description);
        }
        wrong.finish()?;
        Ok((Change { url: url.as_ref().map(Url::to_string), description, event_types, is_enabled: enabled }, url))
    }
}

/// Changes an endpoint, or enables one that is disabled: the events from then on are sent to it.
#[utoipa::path(patch, path = "/v1/webhooks/{id}", operation_id = "update_webhook", tag = "webhooks",
    request_body = UpdateWebhook, params(("id" = EndpointId, Path), IfMatch),
    responses(
        (status = 200, body = Webhook),
        (status = 503, body = ProblemBody, description = "`broker_unavailable`: its events would be missed"),
    ))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    PathId(endpoint_id): PathId<EndpointId>,
    if_match: IfMatch,
    request: RequestInfo,
    Body(input): Body<UpdateWebhook>,
) -> Result<Tagged<Webhook>, Problem> {
    let (change, url) = input.validate()?;
    if let Some(url) = &url {
        found(&ctx, endpoint_id).await?;
        fields::check_address(&ctx, url).await?;
    }
    let endpoint = decide(&ctx, || async {
        let before = found(&ctx, endpoint_id).await?;
        if_match.check(|| Webhook::from(&before))?;
        let bound = bind(&ctx, &before, &change).await?;
        let Some((after, event)) = before.changed(&change, ctx.clock.now()) else { return Ok(before) };
        let mut batch = store::update(&after).and(bound);
        if let Some(event) = event {
            batch = batch.emit(after.version.next(), &event);
        }
        ctx.commit(batch, request.cause()).await?;
        Ok(after)
    })
    .await?;
    Ok(Tagged(Webhook::from(&endpoint)))
}

/// Has the events delivered that the endpoint wants after the change, if it wants others than before.
async fn bind(ctx: &Ctx, before: &Endpoint, change: &Change) -> Result<Batch, Problem> {
    let types = change.event_types.as_ref().unwrap_or(&before.event_types);
    let is_enabled = change.is_enabled.unwrap_or(before.is_enabled());
    if !is_enabled || (before.is_enabled() && *types == before.event_types) {
        return Ok(Batch::new());
    }
    Ok(ctx.bind(&selection(types)).await?)
}
