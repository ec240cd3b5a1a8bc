//! What surrounds the routes of all services: ids, logs, metrics, caps, panics, health.

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::{Extension, Json, Router};
use bus::{Broker, Health};
use kernel::{Clock, Ids, RequestId};
use serde::Serialize;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::ToSchema;
use utoipa::openapi::OpenApi;
use utoipa_axum::routes;

use super::address::ClientAddress;
use super::auth::Auth;
use super::capacity::{self, Capacity};
use super::limit::Limiter;
use super::problem::Problem;
use super::request;
use super::trace::RequestSpan;
use super::{Policy, Routes};
use crate::telemetry::Metrics;
use crate::traces::Tracer;
use crate::{Operator, Settings, Tasks};

/// The largest body, in bytes.
pub const BODY_BYTES_MAX: usize = 256 * 1024;

/// The longest `X-Request-Id` that is taken over, in characters.
const REQUEST_ID_MAX: usize = 128;

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the shell needs to know about the process.
#[derive(Clone)]
pub struct Shell {
    /// All services of the process.
    pub operators: Vec<Operator>,
    /// The broker that they share.
    pub broker: Arc<dyn Broker>,
    /// Counters and histograms.
    pub metrics: Arc<Metrics>,
    /// Spans of requests.
    pub tracer: Tracer,
    /// Who is let in.
    pub auth: Arc<Auth>,
    /// Request ids.
    pub ids: Ids,
    /// The time.
    pub clock: Clock,
    /// What all services share.
    pub settings: Arc<Settings>,
    /// How much it can carry.
    pub capacity: Capacity,
    /// Tells whether the process is draining.
    pub tasks: Tasks,
}

/// What the shell's own routes need.
#[derive(Clone)]
struct Own {
    shell: Shell,
    /// The API's description, for programs and for people.
    document: Arc<str>,
    page: Arc<str>,
}

impl Shell {
    /// The process's whole HTTP surface, from the routes of its services and their description.
    /// `page` makes a page for people from the whole description.
    pub fn wrap(self, routes: Router, mut openapi: OpenApi, page: impl FnOnce(&OpenApi) -> String) -> Router {
        let own = Routes::new()
            .add(Policy::Guest, routes!(healthz))
            .add(Policy::Guest, routes!(readyz))
            .add(Policy::AdminOrLocal, routes!(metrics))
            .add(Policy::Guest, routes!(document))
            .add(Policy::Guest, routes!(docs));
        let (own, described) = own.describe();
        openapi.merge(described);
        let writes =
            Writes { limiter: Limiter::new(self.settings.limits.writes, self.clock.clone()), auth: self.auth.clone() };
        let document = openapi.to_pretty_json().expect("the description is plain data");
        let own = own.with_state(Own { shell: self.clone(), document: document.into(), page: page(&openapi).into() });
        own.layer(Extension(self.auth.clone()))
            .merge(routes)
            .fallback(async || Problem::not_found("route: GET /openapi.json lists them all"))
            .method_not_allowed_fallback(async || {
                let detail = "this route does not take this method: see the Allow header";
                Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
            })
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .layer(middleware::from_fn_with_state(writes, limit_writes))
            .layer(middleware::from_fn_with_state(self.capacity.clone(), capacity::within))
            .layer(CatchPanicLayer::custom(panicked))
            .layer(middleware::from_fn_with_state(Arc::new(self), around))
    }
}

fn panicked(panic: Box<dyn Any + Send>) -> Response {
    tracing::error!(panic = crate::runner::panic_text(&*panic), "a request's handler panicked");
    Problem::internal().into_response()
}

/// Gives the request its id, measures it, logs it.
async fn around(State(shell): State<Arc<Shell>>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = request_id(&request).unwrap_or_else(|| shell.ids.next::<RequestId>().to_string());
    let address = ClientAddress::find(request.extensions(), request.headers(), &shell.settings.trusted_proxies);
    request.extensions_mut().insert(address);
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let span = RequestSpan::begin(&shell.tracer, &mut request, known(&method), &route, &id);
    let mut response = request::under_id(id.clone(), next.run(request)).await;
    let (status, took) = (response.status(), began.elapsed());
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID.clone(), value);
    }
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let service: &'static str = response.extensions().get().map_or("shell", |ServedBy(service)| service);
    shell.metrics.answered(service, format!("{} {route}", known(&method)), status.as_u16(), took);
    if let Some(span) = span {
        span.answered(service, status);
    }
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    tracing::debug!(request_id = id, %method, route, status = status.as_u16(), duration_ms, "request");
    response
}

/// What the limit of writes needs.
#[derive(Clone)]
struct Writes {
    limiter: Limiter,
    auth: Arc<Auth>,
}

/// Reads cost little and change nothing, so only what may write is counted.
async fn limit_writes(State(writes): State<Writes>, address: ClientAddress, request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if !reads
        && !writes.auth.is_admin(request.headers())
        && let Err(refused) = writes.limiter.check_address(address.0)
    {
        return refused.into_response();
    }
    next.run(request).await
}

/// The method's name, or one name for all that HTTP doesn't define: a client must not make up labels.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}

fn request_id(request: &Request) -> Option<String> {
    let text = request.headers().get(&REQUEST_ID)?.to_str().ok()?;
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte));
    (plain && (1..=REQUEST_ID_MAX).contains(&text.len())).then(|| text.to_owned())
}

/// Which service answered.
#[derive(Clone, Copy)]
struct ServedBy(&'static str);

/// Marks the answers of these routes as those of a service, for the metrics.
pub fn served_by(service: &'static str, routes: Router) -> Router {
    routes.layer(middleware::map_response(move |mut response: Response| {
        response.extensions_mut().insert(ServedBy(service));
        std::future::ready(response)
    }))
}

/// Whether requests are taken, and what is in the way.
#[derive(Serialize, ToSchema)]
struct Readiness {
    /// `ready`, `degraded` or `unavailable`.
    status: &'static str,
    checks: Vec<Check>,
}

/// One thing that has to work.
#[derive(Serialize, ToSchema)]
struct Check {
    name: String,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Whether the process lives.
#[utoipa::path(get, path = "/healthz", operation_id = "check_health", tag = "process", responses((status = 200, content_type = "text/plain", body = String)))]
async fn healthz() -> &'static str {
    "ok\n"
}

/// The API's description.
#[utoipa::path(get, path = "/openapi.json", operation_id = "get_api_description", tag = "process", responses((status = 200, body = Object)))]
async fn document(State(own): State<Own>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], own.document.to_string())
}

/// The API's description for people.
#[utoipa::path(get, path = "/docs", operation_id = "get_api_page", tag = "process", responses((status = 200, content_type = "text/html", body = String)))]
async fn docs(State(own): State<Own>) -> Html<String> {
    Html(own.page.to_string())
}

/// Whether requests are taken.
///
/// 503 only while draining or without a store; a broken broker is `degraded`, for orders are still accepted.
#[utoipa::path(
    get, path = "/readyz", operation_id = "check_readiness", tag = "process",
    responses((status = 200, body = Readiness), (status = 503, body = Readiness))
)]
async fn readyz(State(Own { shell, .. }): State<Own>) -> Response {
    let mut checks: Vec<Check> = Vec::with_capacity(shell.operators.len() + 2);
    for operator in &shell.operators {
        let reason = operator.check_store().await.err().map(|error| error.to_string());
        checks.push(Check { name: format!("store.{}", operator.service()), ok: reason.is_none(), reason });
    }
    let stores_ok = checks.iter().all(|check| check.ok);
    let broker = match shell.broker.health() {
        Health::Ready => None,
        Health::Degraded { reason } => Some(reason),
    };
    let broker_ok = broker.is_none();
    checks.push(Check { name: format!("broker.{}", shell.broker.name()), ok: broker_ok, reason: broker });
    if shell.tasks.is_stopping() {
        checks.push(Check { name: "process".to_owned(), ok: false, reason: Some("it is draining".to_owned()) });
    }
    let (code, status) = match (stores_ok && !shell.tasks.is_stopping(), broker_ok) {
        (true, true) => (StatusCode::OK, "ready"),
        (true, false) => (StatusCode::OK, "degraded"),
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
    };
    (code, Json(Readiness { status, checks })).into_response()
}

/// Counters and histograms, as OpenMetrics. Open to whoever asks from this machine itself.
#[utoipa::path(
    get, path = "/metrics", operation_id = "get_metrics", tag = "process",
    responses((status = 200, content_type = "application/openmetrics-text", body = String))
)]
async fn metrics(State(Own { shell, .. }): State<Own>) -> impl IntoResponse {
    let text = shell.metrics.render(&shell.operators, &shell.broker.health(), shell.clock.now()).await;
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
}
