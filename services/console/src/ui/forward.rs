//! Requests of the pages to the public interface.

use axum::extract::{Request, State};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use service::http::Problem;

use super::Pages;

/// The path under which the pages reach the public interface.
const PREFIX: &str = "/ui/api";

/// The header that every change carries. A form of another site can't send it, and a script of one has to ask first.
const MARK: &str = "x-tradepost-console";

/// Headers of a page's request that say something about the page alone.
static OF_THE_PAGE: [HeaderName; 3] = [header::COOKIE, header::ORIGIN, header::REFERER];

/// Sends the request on by the right of the session.
pub(super) async fn handler(State(pages): State<Pages>, mut request: Request) -> Result<Response, Problem> {
    let cookie = cookie_of(request.headers()).ok_or_else(Problem::unauthenticated)?;
    let session = pages.session(&cookie).await.ok_or_else(Problem::unauthenticated)?;
    if !request.method().is_safe() {
        check_origin(request.headers())?;
    }
    *request.uri_mut() = public(request.uri())?;
    for name in &OF_THE_PAGE {
        request.headers_mut().remove(name);
    }
    // What is known of the request here would be taken for what is known of it there.
    request.extensions_mut().clear();
    Ok(pages.api.send_by(&session.credential, request).await.into_response())
}

/// The address of the public interface.
fn public(uri: &Uri) -> Result<Uri, Problem> {
    let path = uri.path_and_query().map_or("", PathAndQuery::as_str).strip_prefix(PREFIX).unwrap_or_default();
    let is_public = path.starts_with("/v1/");
    let uri = Some(path).filter(|_| is_public).and_then(|path| path.parse().ok());
    uri.ok_or_else(|| Problem::not_found("route: the pages reach what is under /v1/"))
}

/// Refuses a change that another site asked for.
pub(super) fn check_origin(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let is_marked = headers.contains_key(MARK);
    let is_of_this_site = text(&HeaderName::from_static("sec-fetch-site")).is_none_or(|site| site == "same-origin");
    let host = text(&header::HOST);
    let is_of_this_host = match text(&header::ORIGIN) {
        None => true,
        Some(origin) => origin.split_once("://").map(|(_, host)| host) == host,
    };
    if is_marked && is_of_this_site && is_of_this_host {
        return Ok(());
    }
    let detail = "only the pages of this address may change something by a session: another site asked for it";
    Err(Problem::new(StatusCode::FORBIDDEN, "cross_site_request", detail))
}

/// The cookie's name: browsers know an address by its host alone, and a machine may have several shops.
pub(super) fn cookie_name(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let port = host.rsplit_once(':').map_or("", |(_, port)| port);
    let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    if is_port { format!("tradepost_console_{port}") } else { "tradepost_console".to_owned() }
}

/// The value of the session's cookie.
pub(super) fn cookie_of(headers: &HeaderMap) -> Option<String> {
    let name = cookie_name(headers);
    let sent = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut cookies = sent.flat_map(|value| value.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    cookies.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn a_change_is_asked_for_by_a_page_of_this_address() {
        let marked = ("x-tradepost-console", "1");
        let allowed = |pairs: &[_]| check_origin(&headers(pairs)).is_ok();
        assert!(allowed(&[marked]));
        assert!(allowed(&[
            marked,
            ("host", "shop:80"),
            ("origin", "http://shop:80"),
            ("sec-fetch-site", "same-origin")
        ]));
        assert!(!allowed(&[]));
        assert!(!allowed(&[("host", "shop"), ("origin", "http://shop")]), "a form can send this");
        assert!(!allowed(&[marked, ("host", "shop"), ("origin", "http://evil")]));
        assert!(!allowed(&[marked, ("host", "shop"), ("origin", "http://shop:81")]));
        assert!(!allowed(&[marked, ("host", "shop"), ("origin", "null")]));
        assert!(!allowed(&[marked, ("sec-fetch-site", "same-site")]));
    }

    #[test]
    fn the_pages_reach_the_public_interface_alone() {
        let reached = |path: &str| public(&path.parse().unwrap()).ok().map(|uri| uri.to_string());
        assert_eq!(reached("/ui/api/v1/orders?limit=2").as_deref(), Some("/v1/orders?limit=2"));
        for path in ["/ui/api/internal/settled", "/ui/api/metrics", "/ui/api/", "/ui/api//v1/orders", "/ui/apiv1/"] {
            assert_eq!(reached(path), None, "{path}");
        }
    }

    #[test]
    fn shops_of_one_machine_have_cookies_of_their_own() {
        let sent = headers(&[("host", "127.0.0.1:8080"), ("cookie", "a=b; tradepost_console_8080=one")]);
        assert_eq!(cookie_of(&sent).as_deref(), Some("one"));
        let other = headers(&[("host", "127.0.0.1:8081"), ("cookie", "tradepost_console_8080=one")]);
        assert_eq!(cookie_of(&other), None);
        let plain = headers(&[("host", "shop.example"), ("cookie", "tradepost_console=two")]);
        assert_eq!(cookie_of(&plain).as_deref(), Some("two"));
        assert_eq!(cookie_name(&headers(&[("host", "[::1]")])), "tradepost_console");
    }
}
