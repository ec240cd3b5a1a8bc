//! Errors as RFC 9457 `application/problem+json`.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::request_id::current_request_id;

/// The answer to a refused request. `code` is stable: clients may match on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    errors: Vec<FieldError>,
    retry_after_s: Option<u32>,
    /// Boxed: few problems have one, and every handler returns a problem by value.
    extension: Option<Box<(&'static str, Value)>>,
}

/// The defect of one field of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Path of the field, as in `lines[0].quantity`.
    pub field: String,
    /// Stable code.
    pub code: &'static str,
    /// The expected value.
    pub detail: String,
}

/// The document.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemBody {
    /// `about:blank`: `code` distinguishes kinds, and `title` is the status in words (RFC 9457 §4.2.1).
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// Stable code.
    code: &'static str,
    /// The failure, and the remedy.
    detail: String,
    /// The request's id, as in the logs.
    request_id: String,
    /// The fields at fault, where the body or query is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    /// A member that only this `code` has (RFC 9457 §3.2).
    #[serde(flatten)]
    #[schema(ignore)]
    extension: Map<String, Value>,
}

/// The longest text of a problem, in characters: longer than any of ours that names what a shop has.
const TEXT_MAX: usize = 300;

/// Fields that one problem names at most: more than a body of the shop has lines.
const ERRORS_MAX: usize = 200;

/// The answer to a request whose row changed at each of its attempts to commit.
const BUSY: &str = "busy";

/// The answer to a request whose idempotency key belongs to one that is being carried out.
const IN_FLIGHT: &str = "idempotency_key_in_flight";

/// The answer to whoever is shut out.
pub(super) const BANNED: &str = "banned";

/// The answer to a token of a sign-in that has ended.
pub(super) const SESSION_ENDED: &str = "session_ended";

impl Problem {
    /// A problem with a stable code and a text that says what to do.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), errors: Vec::new(), retry_after_s: None, extension: None }
    }

    /// 404 `not_found`: it isn't there, or it is someone else's.
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("there is no such {what}"))
    }

    /// 401 `unauthenticated`: no token, or one that isn't good. All kinds alike.
    pub fn unauthenticated() -> Self {
        let detail = "a valid token is needed, as in `Authorization: Bearer …`: sign in, or use the admin token";
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail)
    }

    /// 401 `session_ended`: a token that was good, of a sign-in that has ended.
    pub fn session_ended() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, SESSION_ENDED, "this sign-in has ended: sign in again")
    }

    /// 403 `forbidden`: a good token, of somebody who may not do this.
    pub fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "this is for the admin")
    }

    /// 403 `banned`: a good token, of an account that is shut out.
    pub fn banned() -> Self {
        Self::new(StatusCode::FORBIDDEN, BANNED, "this account is banned: ask the shop why")
    }

    /// 400 `malformed_body`: not JSON, or not of the right shape.
    pub fn malformed_body(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed_body", detail)
    }

    /// 422 `invalid_body`: fields that are unknown or have bad values.
    pub fn invalid_body(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [only] => format!("{}: {}", only.field, only.detail),
            many => format!("{} fields are not as expected: see `errors`", many.len()),
        };
        Self { errors, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_body", detail) }
    }

    /// 400 `invalid_query`: parameters that have bad values.
    pub fn invalid_query(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [only] => format!("{}: {}", only.field, only.detail),
            many => format!("{} parameters are not as expected: see `errors`", many.len()),
        };
        Self { errors, ..Self::new(StatusCode::BAD_REQUEST, "invalid_query", detail) }
    }

    /// 429 `too_many_requests`: wait so long, then try again.
    pub fn too_many_requests(detail: impl Into<String>, wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail)
            .retry_after(u32::try_from(seconds.max(1)).unwrap_or(u32::MAX))
    }

    /// 503 `overloaded`: there is more work than can be taken.
    pub fn overloaded(detail: impl Into<String>, retry_after_s: u32) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", detail).retry_after(retry_after_s)
    }

    /// Adds the fields at fault.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }

    /// Adds a member of the document that belongs to this `code` (RFC 9457 §3.2).
    #[must_use]
    pub fn with_extension(mut self, name: &'static str, value: Value) -> Self {
        self.extension = Some(Box::new((name, value)));
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// Seconds after which to try again, where it was said.
    pub fn retry_after_s(&self) -> Option<u32> {
        self.retry_after_s
    }

    /// 409 `idempotency_key_in_flight`: the same key's request is being carried out.
    pub(super) fn idempotency_key_in_flight() -> Self {
        let detail = "a request with this Idempotency-Key is being carried out: repeat it to get its answer";
        Self::new(StatusCode::CONFLICT, IN_FLIGHT, detail).retry_after(1)
    }

    pub(super) fn is_in_flight(&self) -> bool {
        self.code == IN_FLIGHT
    }

    /// True if a row had changed since it was read: read and decide again.
    pub fn is_conflict(&self) -> bool {
        self.code == BUSY
    }
}

impl From<storage::Error> for Problem {
    fn from(error: storage::Error) -> Self {
        use storage::Error;
        match error {
            // Of a request's causes only its key can have been committed before: repeated, it gets that answer.
            Error::AlreadyDone { .. } => Self::idempotency_key_in_flight(),
            Error::Conflict { .. } | Error::LeaseLost { .. } => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                BUSY,
                "too many others change the same thing at this moment: try again",
            )
            .retry_after(1),
            Error::OutboxFull { .. } => {
                kernel::warn_limited!(%error, "a request was refused");
                let detail = "too much unfinished work: retry later";
                Self::overloaded(detail, 5)
            }
            Error::Unknown { .. } => {
                kernel::error_limited!(%error, "a request may have been carried out or not");
                let detail = "it is unknown if this was carried out: \
                    look before you repeat it, or repeat it under the same Idempotency-Key";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "outcome_unknown", detail).retry_after(5)
            }
            Error::Unavailable { .. } | Error::Unusable { .. } => {
                kernel::error_limited!(%error, "a request was refused");
                let detail = "the store is unavailable: retry later";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", detail).retry_after(5)
            }
            Error::Corrupt { .. } | Error::Broken { .. } | Error::Newer { .. } => {
                tracing::error!(%error, "a request failed");
                Self::internal()
            }
        }
    }
}

impl Problem {
    /// 500 `internal`: a defect. Says nothing about the inside.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "something went wrong inside: the log has more under this request id",
        )
    }
}

impl Problem {
    /// The document, for an answer with this request id.
    ///
    /// Its texts may name what the client sent, and must not send all of it back.
    fn document(mut self, request_id: String) -> Vec<u8> {
        clip(&mut self.detail);
        self.errors.truncate(ERRORS_MAX);
        for error in &mut self.errors {
            clip(&mut error.field);
            clip(&mut error.detail);
        }
        let body = ProblemBody {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            code: self.code,
            detail: self.detail,
            request_id,
            errors: self.errors,
            extension: self.extension.map(|it| (it.0.to_owned(), it.1)).into_iter().collect(),
        };
        serde_json::to_vec(&body).expect("a problem is plain data")
    }
}

fn clip(text: &mut String) {
    if let Some((cut, _)) = text.char_indices().nth(TEXT_MAX) {
        text.truncate(cut);
        text.push('…');
    }
}

/// The media type of a problem.
pub(super) const CONTENT_TYPE: &str = "application/problem+json";

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, retry_after_s) = (self.status, self.retry_after_s);
        let content_type = [(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE))];
        let mut response = (status, content_type, self.document(current_request_id())).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// Reads a JSON field whose absence differs from null: absent, by `#[serde(default)]`, is `None`; null is up to `T`.
pub fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(value: D) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

/// Collects what is wrong with a body, so that one answer names every field.
#[derive(Debug, Default)]
pub struct Fields(Vec<FieldError>);

impl Fields {
    /// Nothing wrong yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes the field unless it is good.
    pub fn check(&mut self, good: bool, field: impl Into<String>, code: &'static str, expected: impl Into<String>) {
        if !good {
            self.0.push(FieldError { field: field.into(), code, detail: expected.into() });
        }
    }

    /// Checks that text has between `min` and `max` characters, and no control characters but line breaks and tabs.
    pub fn text(&mut self, text: &str, field: &str, min: usize, max: usize) {
        let length = text.trim().chars().count();
        let expected = match min {
            0 => format!("at most {max} characters"),
            _ => format!("{min} to {max} characters"),
        };
        self.check(length >= min && text.chars().count() <= max, field, "length", expected);
        let plain = text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t'));
        self.check(plain, field, "characters", "no control characters");
    }

    /// Checks that text has between `min` and `max` characters on a single line that shows what it says.
    pub fn line(&mut self, text: &str, field: &str, min: usize, max: usize) {
        self.text(text, field, min, max);
        let expected = "a single line, without control characters and without what reorders text";
        self.check(kernel::text::is_single_line(text), field, "line", expected);
    }

    /// Checks that text could be an e-mail address: a dot-atom, `@`, a domain name in any script, at most 254 bytes as
    /// it is sent (RFC 5321 §4.1.2, RFC 5890).
    pub fn email(&mut self, email: &str, field: &str) {
        let is_address = kernel::email::ascii(email).is_some();
        self.check(is_address, field, "email", "an e-mail address as in ada@example.com or ada@müller.de");
    }

    /// 422 if any field was noted.
    pub fn finish(self) -> Result<(), Problem> {
        if self.0.is_empty() { Ok(()) } else { Err(Problem::invalid_body(self.0)) }
    }
}
