//! The layers around all routes: ids, addresses, bounds, panics, and answers where there is no route.

use std::any::Any;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Extension;
use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use kernel::{Ids, RequestId, panic_text};
use tower_http::catch_panic::CatchPanicLayer;

use super::address::{ClientAddress, Network};
use super::auth::Auth;
use super::body::{self, BODY_BYTES_MAX};
use super::cors::{self, Origin};
use super::host;
use super::overload::{Limiter, Overload};
use super::problem::Problem;
use super::refusal::{URI_BYTES_MAX, refusal};
use super::request::is_read;
use super::request_id;

/// The longest `X-Request-Id` that is taken over, in characters.
const REQUEST_ID_MAX: usize = 128;

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The layers around the routes of a process. What a process observes of its requests goes between the two layers.
#[derive(Clone, Debug)]
pub struct Shell {
    /// Admins are exempt from the limit of writes.
    pub auth: Arc<Auth>,
    /// Request ids.
    pub ids: Ids,
    /// The writes that one address may send.
    pub writes: Limiter,
    /// Proxies whose word about a client's address is taken.
    pub trusted_proxies: Arc<[Network]>,
    /// Origins whose pages may read answers.
    pub cors_origins: Arc<[Origin]>,
    /// Bounds on the load.
    pub overload: Overload,
}

impl Shell {
    /// The inner layer: refuses what is too much, answers where there is no route, survives panics.
    pub fn protect(&self, routes: Router) -> Router {
        routes
            .fallback(async || Problem::not_found("route: GET /openapi.json lists them all"))
            .method_not_allowed_fallback(async || {
                let detail = "this route does not take this method: see the Allow header";
                Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
            })
            // In one step, for each costs a request two allocations and a copy of it. The last is the innermost.
            .layer((
                Extension(self.overload.in_flight.clone()),
                middleware::from_fn_with_state(Arc::new(self.clone()), bounded),
                CatchPanicLayer::custom(panicked),
                DefaultBodyLimit::max(BODY_BYTES_MAX),
            ))
    }

    /// Counts writes. Reads cost little and change nothing.
    fn limit_writes(&self, address: ClientAddress, request: &Request) -> Result<(), Problem> {
        let reads = is_read(request.method()) || request.method() == Method::OPTIONS;
        if reads || self.auth.is_admin(request.headers()) { Ok(()) } else { self.writes.check_address(address.ip) }
    }

    /// The outer layer: gives each request its id and the address of its client.
    pub fn identify(&self, routes: Router) -> Router {
        cors::layer(routes, &self.cors_origins, self.auth.object_tokens())
            .layer(middleware::from_fn_with_state(Arc::new(self.clone()), identified))
    }
}

fn panicked(panic: Box<dyn Any + Send>) -> Response {
    tracing::error!(panic = panic_text(&*panic), "a request's handler panicked");
    Problem::internal().into_response()
}

async fn identified(State(shell): State<Arc<Shell>>, mut request: Request, next: Next) -> Response {
    let request_id = shell.ids.next::<RequestId>();
    let id = sent_id(&request).unwrap_or_else(|| request_id.to_string());
    let address = ClientAddress::find(request.extensions(), request.headers(), &shell.trusted_proxies);
    request.extensions_mut().insert(request_id);
    request.extensions_mut().insert(address);
    let header_value = HeaderValue::from_str(&id);
    let answer = async {
        match check_form(&request) {
            Ok(()) => next.run(request).await,
            Err(problem) => problem.into_response(),
        }
    };
    let mut response = request_id::under_id(id, answer).await;
    if let Ok(id) = header_value {
        response.headers_mut().insert(REQUEST_ID.clone(), id);
    }
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Refuses a request without a proper `Host`. RFC 9112 is for requests over a connection: one that this process sends
/// to itself has none.
fn check_form(request: &Request) -> Result<(), Problem> {
    let is_connected = request.extensions().get::<ConnectInfo<SocketAddr>>().is_some();
    host::check(request.version(), request.headers())
        .or_else(|problem| if is_connected { Err(problem) } else { Ok(()) })
}

/// Refuses what is too much before a route is looked at and before anything of the body is asked for, and charges the
/// answer to its client. Answers to writes are small and say what has been done, so they are never refused.
async fn bounded(State(shell): State<Arc<Shell>>, address: ClientAddress, request: Request, next: Next) -> Response {
    if request.uri().path_and_query().is_some_and(|uri| uri.as_str().len() > URI_BYTES_MAX) {
        return refusal(StatusCode::URI_TOO_LONG).into_response();
    }
    let refused =
        body::check_announced(request.body(), BODY_BYTES_MAX).and_then(|()| shell.limit_writes(address, &request));
    if let Err(problem) = refused {
        return problem.into_response();
    }
    let reads = is_read(request.method());
    let response = next.run(request).await;
    if reads { shell.overload.unsent.charge(address, response) } else { response }
}

fn sent_id(request: &Request) -> Option<String> {
    let text = request.headers().get(&REQUEST_ID)?.to_str().ok()?;
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte));
    (plain && (1..=REQUEST_ID_MAX).contains(&text.len())).then(|| text.to_owned())
}
