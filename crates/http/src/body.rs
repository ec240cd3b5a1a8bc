//! Bodies, queries and path parameters that are checked before a handler sees them.

use std::error::Error;
use std::str::FromStr;

use axum::body::{Body as Incoming, Bytes, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::problem::{FieldError, Problem};
use super::refusal::{TooSlow, refusal};
use super::strict_objects::Objects;
use super::wording::plain;

/// The largest body, in bytes.
pub const BODY_BYTES_MAX: usize = 256 * 1024;

/// Takes in a body; `held` is called with the bytes that have arrived, before they are kept.
///
/// 413 at once for a body that says that it is too large, and for any other as soon as it is; 408 for one that does
/// not arrive in time.
pub(super) async fn arrive(
    mut body: Incoming,
    bytes_max: usize,
    mut held: impl FnMut(usize) -> Result<(), Problem>,
) -> Result<Bytes, Problem> {
    check_announced(&body, bytes_max)?;
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| incomplete(&error))?.into_data() else { continue };
        if whole.len() + data.len() > bytes_max {
            return Err(too_large(bytes_max));
        }
        held(data.len())?;
        // Most bodies arrive in one piece.
        if whole.is_empty() && body.is_end_stream() {
            return Ok(data);
        }
        // Copied: a piece of a few bytes would keep the whole buffer that it was read into.
        whole.extend_from_slice(&data);
    }
    Ok(whole.into())
}

/// 413 for a body that says beforehand that it is too large.
pub(super) fn check_announced(body: &Incoming, bytes_max: usize) -> Result<(), Problem> {
    let is_too_large = usize::try_from(body.size_hint().lower()).map_or(true, |bytes| bytes > bytes_max);
    if is_too_large { Err(too_large(bytes_max)) } else { Ok(()) }
}

fn too_large(bytes_max: usize) -> Problem {
    let detail = format!("a body has at most {} KiB", bytes_max / 1024);
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
}

fn incomplete(error: &(dyn Error + 'static)) -> Problem {
    let mut reason = Some(error);
    while let Some(error) = reason {
        if error.is::<TooSlow>() {
            return refusal(StatusCode::REQUEST_TIMEOUT);
        }
        reason = error.source();
    }
    Problem::malformed_body("the body ended before it was complete")
}

/// A JSON body.
///
/// 415 for another content type, 413 above the cap, 400 `malformed_body` for what is no JSON or of the wrong shape,
/// 422 `invalid_body` for unknown, missing or bad fields.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        parse(&read(request, state).await?).map(Self)
    }
}

/// The bytes of a JSON body.
pub(super) async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    if !is_json(&request) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "send the body as `Content-Type: application/json`",
        ));
    }
    Bytes::from_request(request, state).await.map_err(|_| Problem::malformed_body("the body can't be read"))
}

/// The value of these bytes.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let parsed = serde_path_to_error::deserialize(Objects(&mut json)).map_err(|error| rejected(&error))?;
    json.end().map_err(|error| Problem::malformed_body(format!("after the document: {error}")))?;
    Ok(parsed)
}

fn is_json(request: &Request) -> bool {
    let value = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.is_some_and(|value| {
        let essence = value.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/json")
    })
}

fn rejected(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let path = error.path().to_string();
    let inner = error.inner();
    if inner.classify() != Category::Data {
        return Problem::malformed_body(format!("not JSON: {inner}"));
    }
    let text = inner.to_string();
    let message = text.split(" at line ").next().unwrap_or(&text);
    let detail = plain(message);
    let named = |prefix: &str| message.strip_prefix(prefix)?.split('`').next().map(str::to_owned);
    let inside = |field: String| if path == "." { field } else { format!("{path}.{field}") };
    if let Some(field) = named("unknown field `") {
        // The path leads to the field itself where it leads anywhere.
        let field = if path.ends_with(&field) { path } else { inside(field) };
        return Problem::invalid_body(vec![FieldError { field, code: "unknown_field", detail }]);
    }
    if let Some(field) = named("missing field `") {
        return Problem::invalid_body(vec![FieldError { field: inside(field), code: "required", detail }]);
    }
    let whole = if path == "." { "body".to_owned() } else { path.clone() };
    let field = named("duplicate field `").map_or(whole, inside);
    if message.starts_with("invalid type") || message.starts_with("duplicate field") {
        let problem = Problem::malformed_body(format!("{field}: {detail}"));
        return problem.with_errors(vec![FieldError { field, code: "shape", detail }]);
    }
    Problem::invalid_body(vec![FieldError { field, code: "invalid", detail }])
}

/// Query parameters; 400 `invalid_query` for unknown or bad ones.
#[derive(Debug)]
pub struct QueryOf<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for QueryOf<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let parsed = Query::<T>::try_from_uri(&parts.uri).map_err(|rejection| {
            let text = rejection.body_text();
            let text = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
            let detail = match text.split_once(": ") {
                Some((parameter, message)) => format!("{parameter}: {}", plain(message)),
                None => plain(text),
            };
            Problem::new(StatusCode::BAD_REQUEST, "invalid_query", detail)
        })?;
        Ok(Self(parsed.0))
    }
}

/// The one id in the path; 404 for text that is no id, for nothing has it.
#[derive(Debug)]
pub struct PathId<T>(pub T);

impl<S: Send + Sync, T: FromStr> FromRequestParts<S> for PathId<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let missing = || Problem::not_found("thing: the id in the path is not one that the shop gave out");
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| missing())?;
        text.parse().map(Self).map_err(|_| missing())
    }
}
