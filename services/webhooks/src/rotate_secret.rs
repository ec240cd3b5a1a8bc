//! `POST /v1/webhooks/{id}/rotate-secret`: a new secret. The one before signs for another day.

use axum::Json;
use axum::extract::State;
use events::EndpointId;
use kernel::Timestamp;
use serde::Serialize;
use service::decide;
use service::http::{IfMatch, PathId, Problem, RequestInfo};
use utoipa::ToSchema;

use crate::queries::{Webhook, found};
use crate::{Ctx, signature, store};

/// A new secret, which is shown in no other answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RotatedSecret {
    webhook_id: EndpointId,
    /// The key of the signatures.
    #[schema(example = "whsec_plJ3nmyCDGBKInavdOK15jsl")]
    secret: String,
    /// The time until which the secret before signs too.
    previous_secret_until: Option<Timestamp>,
}

/// Gives an endpoint a new secret. For a day each message has two signatures, by the new secret and by the one before.
#[utoipa::path(post, path = "/v1/webhooks/{id}/rotate-secret", operation_id = "rotate_webhook_secret", tag = "webhooks",
    params(("id" = EndpointId, Path), IfMatch),
    responses((status = 200, body = RotatedSecret)))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    PathId(endpoint_id): PathId<EndpointId>,
    if_match: IfMatch,
    request: RequestInfo,
) -> Result<Json<RotatedSecret>, Problem> {
    let endpoint = decide(&ctx, || async {
        let before = found(&ctx, endpoint_id).await?;
        if_match.check(|| Webhook::from(&before))?;
        let after = before.rotated(signature::new_secret(&ctx.ids), ctx.clock.now());
        ctx.commit(store::update(&after), request.cause()).await?;
        Ok(after)
    })
    .await?;
    Ok(Json(RotatedSecret {
        webhook_id: endpoint_id,
        secret: endpoint.secret.reveal().to_owned(),
        previous_secret_until: endpoint.previous.map(|(_, until)| until),
    }))
}
