//! Pages of other origins that may read answers (CORS, as the Fetch standard defines it).

use std::str::FromStr;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, Method, Uri, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::ObjectToken;

/// Time for which a browser may cache a permission.
const PREFLIGHT_AGE: Duration = Duration::from_mins(10);

/// An origin, as in `https://shop.example`, or `*` for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(HeaderValue);

/// The text is no origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an origin, as in https://shop.example or http://localhost:5173, nor *")]
pub struct BadOrigin;

impl FromStr for Origin {
    type Err = BadOrigin;

    /// Browsers send scheme and authority in lower case and nothing after them, and these are compared as texts.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_origin = |text: &str| {
            let uri = text.parse::<Uri>().ok()?;
            let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
            Some(format!("{scheme}://{authority}") == text && !authority.as_str().contains('@'))
        };
        let is_lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
        if text == "*" || (is_lower && is_origin(text) == Some(true)) {
            HeaderValue::from_str(text).map(Self).map_err(|_| BadOrigin)
        } else {
            Err(BadOrigin)
        }
    }
}

/// Answers preflights and marks answers for these origins. Nothing changes without any.
///
/// Tokens are sent as headers that a page sets itself, never by the browser, so credentials are not allowed.
pub(super) fn layer(routes: Router, origins: &[Origin], object_tokens: &[&'static ObjectToken]) -> Router {
    if origins.is_empty() {
        return routes;
    }
    let allowed = if origins.iter().any(|origin| origin.0 == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(origins.iter().map(|origin| origin.0.clone()))
    };
    let name = HeaderName::from_static;
    let known = [
        header::AUTHORIZATION,
        header::CONTENT_TYPE,
        header::IF_MATCH,
        header::IF_NONE_MATCH,
        name("idempotency-key"),
        name("x-request-id"),
        name("traceparent"),
    ];
    let of_objects = object_tokens.iter().filter_map(|token| HeaderName::from_bytes(token.header.as_bytes()).ok());
    let layer = CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers(known.into_iter().chain(of_objects).collect::<Vec<_>>())
        .expose_headers([
            header::ETAG,
            header::LOCATION,
            header::RETRY_AFTER,
            name("idempotency-replayed"),
            name("x-request-id"),
        ])
        .max_age(PREFLIGHT_AGE);
    routes.layer(layer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_a_browser_sends_and_no_more() {
        for good in ["https://shop.example", "http://localhost:5173", "http://[::1]:8080", "app://shop", "*"] {
            assert!(good.parse::<Origin>().is_ok(), "{good}");
        }
        for bad in ["", "shop.example", "https://shop.example/", "https://Shop.example", "https://a@b", "null", "a b"] {
            assert_eq!(bad.parse::<Origin>(), Err(BadOrigin), "{bad}");
        }
    }
}
