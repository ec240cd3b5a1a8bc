//! The HTTP surface of a process: its services' routes, health, metrics, the description, and a record of each request.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Json, Router};
use bus::{Broker, Health};
use http::auth::Auth;
use http::overload::{Limiter, Overload};
use http::routes;
use http::{Policy, Routes, SharedDocument, current_request_id};
use kernel::{Clock, Ids};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::OpenApi;

use crate::request_span::RequestSpan;
use crate::telemetry::Metrics;
use crate::traces::Tracer;
use crate::{Operator, Settings, Tasks};

/// The parts of a process that its HTTP surface shows or uses.
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
    /// Tokens of admins and users.
    pub auth: Arc<Auth>,
    /// Request ids.
    pub ids: Ids,
    /// The time.
    pub clock: Clock,
    /// The parts that all services share.
    pub settings: Arc<Settings>,
    /// Bounds on load.
    pub overload: Overload,
    /// The AsyncAPI document of the shop's events.
    pub asyncapi: fn() -> String,
    /// True while the process is draining.
    pub tasks: Tasks,
}

/// The state of the shell's own routes.
#[derive(Clone)]
struct Own {
    shell: Shell,
    description: Arc<LazyDescription>,
}

/// The API's description, for programs and for people.
struct Description {
    document: SharedDocument,
    page: SharedDocument,
}

/// A description that is made when it is first asked for.
///
/// Making it takes some megabytes, several times its size: a process that nobody asks does without.
struct LazyDescription {
    made: OnceLock<Description>,
    make: Box<dyn Fn() -> Description + Send + Sync>,
}

impl LazyDescription {
    async fn get(self: Arc<Self>, part: fn(&Description) -> &SharedDocument) -> SharedDocument {
        if let Some(made) = self.made.get() {
            return part(made).clone();
        }
        let making = tokio::task::spawn_blocking(move || part(self.made.get_or_init(&self.make)).clone());
        making.await.expect("the description is plain data, and tests make this one")
    }
}

impl Shell {
    /// The process's whole HTTP surface, from the routes of its services. `describe` describes the routes of the whole
    /// shop, in whichever process they are, and is given the description of those that every process has; `page` makes a
    /// page for people from it. Both are called when somebody asks for the description, and only then.
    pub fn wrap(
        self,
        routes: Router,
        describe: impl Fn(&OpenApi) -> String + Send + Sync + 'static,
        page: impl Fn(&str) -> String + Send + Sync + 'static,
    ) -> Router {
        let own = Routes::new()
            .add(Policy::Public, routes!(healthz))
            .add(Policy::Public, routes!(readyz))
            .add(Policy::AdminOrLocal, routes!(metrics))
            .add(Policy::Public, routes!(document))
            .add(Policy::Public, routes!(events))
            .add(Policy::Public, routes!(docs))
            .add_internal(Policy::Public, "/", get(root));
        let of_own = own.openapi();
        let make = move || {
            let document = describe(&of_own);
            Description {
                page: SharedDocument::new("text/html; charset=utf-8", page(&document)),
                document: SharedDocument::new("application/json", document),
            }
        };
        let description = Arc::new(LazyDescription { made: OnceLock::new(), make: Box::new(make) });
        let state = Own { shell: self.clone(), description };
        let layers = self.layers();
        let routes = layers.protect(own.finish(state, self.auth.clone()).merge(routes));
        layers.identify(routes.layer(middleware::from_fn_with_state(Arc::new(self), observed)))
    }

    fn layers(&self) -> http::Shell {
        http::Shell {
            auth: self.auth.clone(),
            ids: self.ids.clone(),
            writes: Limiter::new(self.settings.limits.writes, self.clock.clone()),
            trusted_proxies: self.settings.trusted_proxies.clone().into(),
            cors_origins: self.settings.cors_origins.clone().into(),
            overload: self.overload.clone(),
        }
    }
}

/// Measures the request, logs it, and records its span.
async fn observed(State(shell): State<Arc<Shell>>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = current_request_id();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let span = RequestSpan::begin(&shell.tracer, &mut request, known(&method), &route, &id);
    let response = next.run(request).await;
    let (status, took) = (response.status(), began.elapsed());
    let service: &'static str = response.extensions().get().map_or("shell", |ServedBy(service)| service);
    shell.metrics.answered(service, format!("{} {route}", known(&method)), status.as_u16(), took);
    if let Some(span) = span {
        span.answered(service, status);
    }
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    tracing::debug!(request_id = id, %method, route, status = status.as_u16(), duration_ms, "request");
    response
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

/// The service that answered.
#[derive(Clone, Copy)]
struct ServedBy(&'static str);

/// Marks the answers of these routes as those of a service, for the metrics.
pub fn served_by(service: &'static str, routes: Router) -> Router {
    routes.layer(middleware::map_response(move |mut response: Response| {
        response.extensions_mut().insert(ServedBy(service));
        std::future::ready(response)
    }))
}

/// The readiness for requests, and the obstacles.
#[derive(Serialize, ToSchema)]
struct Readiness {
    #[schema(value_type = Status, inline)]
    status: &'static str,
    checks: Vec<HealthCheck>,
}

/// The state of a process.
#[derive(Clone, Copy)]
enum Status {
    Ready,
    Degraded,
    Unavailable,
}

kernel::named!(Status { Ready = "ready", Degraded = "degraded", Unavailable = "unavailable" });

/// One thing that has to work.
#[derive(Serialize, ToSchema)]
struct HealthCheck {
    name: String,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Answers that the process lives.
#[utoipa::path(
    get, path = "/healthz", operation_id = "check_health", tag = "process",
    responses((status = 200, content_type = "text/plain", body = String))
)]
async fn healthz() -> &'static str {
    "ok\n"
}

/// The API's description.
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "get_api_description", tag = "process",
    responses((status = 200, body = Object))
)]
async fn document(State(own): State<Own>) -> SharedDocument {
    own.description.get(|made| &made.document).await
}

/// The description of the shop's events, as AsyncAPI 3.
#[utoipa::path(
    get, path = "/asyncapi.json", operation_id = "get_event_description", tag = "process",
    responses((status = 200, body = Object))
)]
async fn events(State(Own { shell, .. }): State<Own>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], (shell.asyncapi)())
}

/// The API's description for people.
#[utoipa::path(
    get, path = "/docs", operation_id = "get_api_page", tag = "process",
    responses((status = 200, content_type = "text/html", body = String))
)]
async fn docs(State(own): State<Own>) -> SharedDocument {
    own.description.get(|made| &made.page).await
}

/// Leads a browser from the address that `up` prints to the API's description.
async fn root() -> Redirect {
    Redirect::temporary("/docs")
}

/// Answers if requests are taken.
///
/// 503 only while draining or without a store; a broken broker is `degraded`, for orders are still accepted.
#[utoipa::path(
    get, path = "/readyz", operation_id = "check_readiness", tag = "process",
    responses((status = 200, body = Readiness), (status = 503, body = Readiness))
)]
async fn readyz(State(Own { shell, .. }): State<Own>) -> Response {
    let mut checks: Vec<HealthCheck> = Vec::with_capacity(shell.operators.len() + 2);
    for operator in &shell.operators {
        let reason = operator.check_store().await.err().map(|error| error.to_string());
        checks.push(HealthCheck { name: format!("store.{}", operator.service()), ok: reason.is_none(), reason });
    }
    let stores_ok = checks.iter().all(|check| check.ok);
    let broker = match shell.broker.health() {
        Health::Ready => None,
        Health::Degraded { reason } => Some(reason),
    };
    let broker_ok = broker.is_none();
    checks.push(HealthCheck { name: format!("broker.{}", shell.broker.name()), ok: broker_ok, reason: broker });
    if shell.tasks.is_stopping() {
        checks.push(HealthCheck { name: "process".to_owned(), ok: false, reason: Some("it is draining".to_owned()) });
    }
    let (code, status) = match (stores_ok && !shell.tasks.is_stopping(), broker_ok) {
        (true, true) => (StatusCode::OK, Status::Ready),
        (true, false) => (StatusCode::OK, Status::Degraded),
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, Status::Unavailable),
    };
    (code, Json(Readiness { status: status.as_str(), checks })).into_response()
}

/// Counters and histograms, as OpenMetrics. Open to whoever asks from this machine itself.
#[utoipa::path(
    get, path = "/metrics", operation_id = "get_metrics", tag = "process",
    responses((status = 200, content_type = "application/openmetrics-text", body = String))
)]
async fn metrics(State(Own { shell, .. }): State<Own>) -> impl IntoResponse {
    shell.metrics.set_degraded(shell.broker.health() != Health::Ready);
    for operator in &shell.operators {
        operator.measure(&shell.metrics, shell.clock.now()).await;
    }
    let text = shell.metrics.render();
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
}
