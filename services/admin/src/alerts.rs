//! Reads of alerts, and the alert as clients see it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use events::AlertId;
use kernel::Timestamp;
use serde::{Deserialize, Serialize};
use service::http::{Listing, Page, PathId, Problem, QueryOf};
use utoipa::{IntoParams, ToSchema};

use crate::Ctx;
use crate::domain::{self, Kind, Status};
use crate::store::alerts as store;

/// Something that an admin should know.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Alert {
    alert_id: AlertId,
    #[schema(value_type = Kind, inline)]
    kind: &'static str,
    /// It is `resolved` by itself, when its cause is gone.
    #[schema(value_type = Status, inline)]
    status: &'static str,
    /// The beginning of what it is about, which may be earlier than the alert.
    since: Timestamp,
    /// The id of the product, purchase order, payment, order or endpoint, or the name of the service.
    #[schema(example = "019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d")]
    subject: String,
    #[schema(example = "Laptop (123): 2 available, at or below the threshold of 5")]
    detail: String,
    /// The account of the admin who has seen it, or `automation`.
    #[serde(skip_serializing_if = "Option::is_none")]
    acknowledged_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acknowledged_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolved_at: Option<Timestamp>,
}

impl From<domain::Alert> for Alert {
    fn from(alert: domain::Alert) -> Self {
        Self {
            alert_id: alert.alert_id,
            kind: alert.kind.as_str(),
            status: alert.status.as_str(),
            since: alert.since,
            subject: alert.subject,
            detail: alert.detail,
            acknowledged_by: alert.acknowledged_by,
            acknowledged_at: alert.acknowledged_at,
            resolved_at: alert.resolved_at,
        }
    }
}

/// The alerts to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only those in this status.
    #[param(value_type = Option<Status>, inline)]
    status: Option<String>,
    /// Only those of this kind.
    #[param(value_type = Option<Kind>, inline)]
    kind: Option<String>,
}

/// A name of a filter.
fn named<T: std::str::FromStr<Err = String>>(field: &str, text: Option<&str>) -> Result<Option<T>, Problem> {
    text.map(str::parse).transpose().map_err(|expected: String| {
        Problem::new(StatusCode::BAD_REQUEST, "invalid_query", format!("{field}: {expected}"))
    })
}

/// Alerts, newest first. A resolved one is kept for 90 days.
#[utoipa::path(get, path = "/v1/alerts", operation_id = "list_alerts", tag = "admin",
    params(Filter, Page),
    responses((status = 200, body = Listing<Alert>)))]
pub(crate) async fn list(
    State(ctx): State<Ctx>,
    page: Page,
    QueryOf(filter): QueryOf<Filter>,
) -> Result<Json<Listing<Alert>>, Problem> {
    let status = named("status", filter.status.as_deref())?;
    let kind = named("kind", filter.kind.as_deref())?;
    let alerts = store::page(&ctx.db, status, kind, page.before(), page.rows()).await?;
    let listing = page.listing(alerts, |alert| alert.alert_id.into());
    Ok(Json(listing.map(Alert::from)))
}

/// One alert.
#[utoipa::path(get, path = "/v1/alerts/{id}", operation_id = "get_alert", tag = "admin",
    params(("id" = AlertId, Path)),
    responses((status = 200, body = Alert)))]
pub(crate) async fn get(State(ctx): State<Ctx>, PathId(alert_id): PathId<AlertId>) -> Result<Json<Alert>, Problem> {
    Ok(Json(read(&ctx, alert_id).await?.into()))
}

/// The alert; 404 if there is none.
pub(crate) async fn read(ctx: &Ctx, alert_id: AlertId) -> Result<domain::Alert, Problem> {
    store::alert(&ctx.db, alert_id).await?.ok_or_else(|| Problem::not_found("alert"))
}
