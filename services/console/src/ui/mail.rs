//! A mail's HTML as a document of its own, for a frame that may do nothing.

use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use service::http::Problem;

use super::Pages;
use super::forward;

/// The largest mail that is shown.
const MAIL_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Nothing is fetched and no script runs, whatever the mail says; its own styles are shown.
const CONTENT_SECURITY_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox";

#[derive(Deserialize)]
struct Mail {
    html: String,
}

/// Answers with the HTML of a mail.
pub(super) async fn html(pages: State<Pages>, mut request: Request) -> Result<Response, Problem> {
    let path = request.uri().path().strip_suffix("/html").and_then(|path| path.parse().ok());
    *request.uri_mut() = path.ok_or_else(|| Problem::not_found("mail"))?;
    let response = forward::handler(pages, request).await?;
    if response.status() != StatusCode::OK {
        return Ok(response);
    }
    let body = to_bytes(response.into_body(), MAIL_BYTES_MAX).await.map_err(|_| Problem::not_found("mail so small"))?;
    let Mail { html } = serde_json::from_slice(&body).map_err(|_| Problem::not_found("mail"))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, html).into_response())
}
