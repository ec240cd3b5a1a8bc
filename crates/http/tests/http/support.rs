//! A few routes behind the shell.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use kernel::{Clock, Ids};
use serde::{Deserialize, Serialize};
use tradepost_http::auth::{Auth, Caller, digest};
use tradepost_http::overload::{Limiter, Limits, Overload};
use tradepost_http::{Body, ObjectToken, Policy, RequestInfo, Routes, SharedDocument, Shell};

pub const ADMIN_TOKEN: &str = "an-admin-token-for-tests-only-0123456789";

/// More of it than a system takes for a client that does not read.
pub const LARGE_BYTES: usize = 7 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sent {
    #[expect(dead_code, reason = "only its shape matters")]
    sent: Vec<String>,
}

#[derive(Serialize)]
struct Seen {
    is_admin: bool,
}

pub fn shell() -> Shell {
    let clock = Clock::system();
    Shell {
        auth: Arc::new(
            Auth::new(vec![digest(ADMIN_TOKEN.as_bytes())], clock.clone()).with_object_tokens(vec![&TICKET]),
        ),
        ids: Ids::new(clock.clone()),
        writes: Limiter::new(Limits::NONE.writes, clock),
        trusted_proxies: Arc::new([]),
        cors_origins: Arc::new([]),
        overload: Overload::new(&[]),
    }
}

/// A token of single objects, as a service declares it.
static TICKET: ObjectToken = ObjectToken { header: "X-Ticket", scheme: "ticket", description: "A ticket." };

pub fn router(shell: &Shell) -> Router {
    let seen = async |caller: Caller| Json(Seen { is_admin: caller.is_admin });
    let send = async |_: RequestInfo, _: Body<Sent>| StatusCode::ACCEPTED;
    let shared = SharedDocument::new("text/plain", "x".repeat(LARGE_BYTES));
    let routes = Routes::new()
        .add_internal(Policy::Public, "/healthz", get(async || "ok\n"))
        .add_internal(Policy::Public, "/v1/public", get(seen))
        .add_internal(Policy::Guest, "/v1/guest", get(seen))
        .add_internal(Policy::Own, "/v1/own", get(seen))
        .add_internal(Policy::AdminOrLocal, "/v1/local", get(seen))
        .add_internal(Policy::Guest, "/v1/send", post(send))
        .add_internal(Policy::Public, "/v1/endless", get(std::future::pending::<()>))
        .add_internal(Policy::Admin, "/internal/operator/users", get(seen))
        .add_internal(Policy::Public, "/v1/sign-in", post(send))
        .add_internal(Policy::Public, "/v1/large", get(async || "x".repeat(LARGE_BYTES)))
        .add_internal(Policy::Public, "/v1/shared", get(async move || shared.clone()))
        .finish((), shell.auth.clone());
    shell.identify(shell.protect(routes))
}
