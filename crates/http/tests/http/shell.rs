//! The layers around all routes, asked in process.

use std::io::Error;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use futures_util::stream::pending;
use serde_json::Value;
use tower::ServiceExt;
use tradepost_http::BODY_BYTES_MAX;
use tradepost_http::overload::Overload;

use crate::support::{ADMIN_TOKEN, router, shell};

/// An outdated token.
const STALE: &str = "Bearer eyJhbGciOiJFZERTQSJ9.e30.AAAA";

async fn send(router: &Router, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let body = to_bytes(body, 16 << 20).await.unwrap();
    (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

fn post(path: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post(path).header(header::CONTENT_TYPE, "application/json").body(body.into()).unwrap()
}

fn bearing(mut request: Request<Body>, authorization: &str) -> Request<Body> {
    request.headers_mut().insert(header::AUTHORIZATION, authorization.parse().unwrap());
    request
}

#[tokio::test]
async fn an_outdated_token_is_no_obstacle_on_public_routes_and_is_refused_where_it_would_matter() {
    let router = router(&shell());
    for public in [get("/v1/public"), get("/healthz"), post("/v1/sign-in", "{\"sent\": []}")] {
        let path = public.uri().clone();
        assert!(send(&router, bearing(public, STALE)).await.0.is_success(), "{path}");
    }
    for guarded in [get("/v1/guest"), get("/v1/own"), get("/v1/local"), post("/v1/send", "{\"sent\": []}")] {
        let path = guarded.uri().clone();
        assert_eq!(send(&router, bearing(guarded, STALE)).await.0, StatusCode::UNAUTHORIZED, "{path}");
    }
    let admin = send(&router, bearing(get("/v1/public"), &format!("Bearer {ADMIN_TOKEN}"))).await;
    assert_eq!(admin.2, "{\"is_admin\":true}");
}

#[tokio::test]
async fn no_cache_keeps_what_is_one_persons() {
    let router = router(&shell());
    let kept = async |request| send(&router, request).await.1.get(header::CACHE_CONTROL).cloned();
    for personal in [get("/v1/own"), get("/v1/local"), post("/v1/send", "{\"sent\": []}"), post("/v1/sign-in", "{}")] {
        let path = personal.uri().clone();
        assert_eq!(kept(personal).await.unwrap(), "no-store", "{path}");
    }
    assert_eq!(kept(get("/v1/public")).await, None);
}

#[tokio::test]
async fn an_answer_names_what_was_sent_and_does_not_repeat_all_of_it() {
    let router = router(&shell());
    let long = "a".repeat(BODY_BYTES_MAX - 16);
    for request in [
        post("/v1/send", format!("{{\"{long}\": 1}}")),
        post("/v1/send", format!("{{\"sent\": {{\"{long}\": 1}}}}")),
        post("/v1/send", format!("{{\"sent\": \"{long}\"}}")),
        get(&format!("/v1/public?{}=1", "a".repeat(8_000))),
        get(&format!("/{}", "a".repeat(8_000))),
    ] {
        let (status, _, text) = send(&router, request).await;
        assert!(status.is_client_error() && text.len() < 2_000, "{status}: {} bytes", text.len());
        assert!(serde_json::from_str::<Value>(&text).unwrap()["code"].is_string());
    }
}

#[tokio::test]
async fn pages_of_the_origins_that_are_named_may_read_answers_and_others_may_not() {
    let shell = tradepost_http::Shell { cors_origins: Arc::new(["https://shop.example".parse().unwrap()]), ..shell() };
    let router = router(&shell);
    let preflight = |origin: &str| {
        let request = Request::options("/v1/send").header(header::ORIGIN, origin);
        let request = request.header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST");
        request.header(header::ACCESS_CONTROL_REQUEST_HEADERS, "content-type").body(Body::empty()).unwrap()
    };
    let (status, headers, _) = send(&router, preflight("https://shop.example")).await;
    assert_eq!(
        (status, &headers[header::ACCESS_CONTROL_ALLOW_ORIGIN]),
        (StatusCode::OK, &"https://shop.example".parse().unwrap())
    );
    let allowed = headers[header::ACCESS_CONTROL_ALLOW_HEADERS].to_str().unwrap();
    for name in ["authorization", "content-type", "x-ticket", "idempotency-key", "if-match", "if-none-match"] {
        assert!(allowed.contains(name), "{name} is missing in {allowed}");
    }
    let mut asked = get("/v1/own");
    asked.headers_mut().insert(header::ORIGIN, "https://shop.example".parse().unwrap());
    let answered = send(&router, asked).await.1;
    assert!(answered[header::ACCESS_CONTROL_EXPOSE_HEADERS].to_str().unwrap().contains("x-request-id"));
    let refused = send(&router, preflight("https://evil.example")).await.1;
    assert!(!refused.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
    let without = send(&self::router(&crate::support::shell()), preflight("https://shop.example")).await.1;
    assert!(!without.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN), "nothing is allowed without the setting");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_beyond_what_the_process_can_carry_are_refused_and_health_is_still_answered() {
    let overload = Overload::new(&[]).with_room(1, Duration::from_millis(100));
    let router = router(&tradepost_http::Shell { overload, ..shell() });
    let mut announced = pin!(send(&router, post("/v1/send", Body::from_stream(pending::<Result<Vec<u8>, Error>>()))));
    assert!(futures_util::poll!(&mut announced).is_pending());
    let taken = send(&router, post("/v1/send", "{\"sent\": []}")).await;
    assert_eq!(taken.0, StatusCode::ACCEPTED, "what has not arrived takes nobody's place");

    let mut first = pin!(send(&router, get("/v1/endless")));
    assert!(futures_util::poll!(&mut first).is_pending());
    let (status, headers, text) = send(&router, get("/v1/guest")).await;
    assert_eq!((status.as_u16(), &headers[header::RETRY_AFTER]), (429, &"1".parse().unwrap()), "{text}");
    let admin = format!("Bearer {ADMIN_TOKEN}");
    let (status, _, text) = send(&router, bearing(get("/v1/guest"), &admin)).await;
    assert_eq!(status.as_u16(), 503, "not even the admin has room: {text}");
    assert!(text.contains("\"overloaded\""), "{text}");
    assert_eq!(send(&router, get("/healthz")).await.0, StatusCode::OK);
    let question = send(&router, bearing(get("/internal/operator/users"), &admin)).await;
    assert_eq!(question.0, StatusCode::OK, "a console is answered, and takes nobody's place");
    let (status, _, text) = first.await;
    assert!(status.as_u16() == 503 && text.contains("\"timed_out\""), "{text}");
    assert_eq!(send(&router, get("/v1/guest")).await.0, StatusCode::OK);
}
