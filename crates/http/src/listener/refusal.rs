//! What is answered to requests that never reach a route.

use axum::http::StatusCode;
use kernel::{Ids, RequestId};

use crate::problem::{CONTENT_TYPE, Problem};

/// The longest path and query, in bytes.
pub(crate) const URI_BYTES_MAX: usize = 8 * 1024;

/// The problem behind the status of a request that was refused before it was one.
pub(crate) fn refusal(status: StatusCode) -> Problem {
    let (code, detail) = match status {
        StatusCode::REQUEST_TIMEOUT => {
            ("request_timeout", "the request did not arrive in time: send it again".to_owned())
        }
        StatusCode::URI_TOO_LONG => {
            ("uri_too_long", format!("path and query have at most {} KiB together", URI_BYTES_MAX / 1024))
        }
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            let most = super::HEAD_BYTES_MAX / 1024;
            ("headers_too_large", format!("request line and headers have at most {most} KiB and 100 headers"))
        }
        _ => ("malformed_request", "this is not HTTP/1.1 as RFC 9112 has it".to_owned()),
    };
    Problem::new(status, code, detail)
}

/// The whole answer, for a connection that ends with it.
pub(super) fn last_words(status: StatusCode, ids: &Ids) -> Vec<u8> {
    let request_id = ids.next::<RequestId>().to_string();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {CONTENT_TYPE}\r\nx-content-type-options: nosniff\r\n\
         x-request-id: {request_id}\r\nconnection: close\r\n"
    );
    let body = refusal(status).document(request_id);
    let mut words = format!("{head}content-length: {}\r\n\r\n", body.len()).into_bytes();
    words.extend(body);
    words
}
