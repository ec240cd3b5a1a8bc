//! Problems of requests that are refused before a route is looked at.

use axum::http::StatusCode;

use crate::problem::Problem;

/// The longest path and query, in bytes.
pub(crate) const URI_BYTES_MAX: usize = 8 * 1024;

/// The body did not arrive in time.
#[derive(Debug, thiserror::Error)]
#[error("the body did not arrive in time")]
pub(crate) struct TooSlow;

/// The problem behind the status of a request that was refused before it was one.
pub(crate) fn refusal(status: StatusCode) -> Problem {
    let (code, detail) = match status {
        StatusCode::REQUEST_TIMEOUT => {
            ("request_timeout", "the request did not arrive in time: send it again".to_owned())
        }
        StatusCode::URI_TOO_LONG => {
            ("uri_too_long", format!("path and query have at most {} KiB together", URI_BYTES_MAX / 1024))
        }
        _ => ("malformed_request", "this is not HTTP/1.1 as RFC 9112 has it".to_owned()),
    };
    Problem::new(status, code, detail)
}
