//! The `Host` of a request, as RFC 9112 §3.2 requires it.

use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, Version, header};

use super::problem::Problem;

/// 400 `malformed_request` unless the request has exactly one `Host` that is a host, or none in HTTP/1.0.
pub(super) fn check(version: Version, headers: &HeaderMap) -> Result<(), Problem> {
    let mut sent = headers.get_all(header::HOST).iter();
    let is_good = match (sent.next(), sent.next()) {
        (None, _) => version < Version::HTTP_11,
        (Some(host), None) => is_host(host.as_bytes()),
        (Some(_), Some(_)) => false,
    };
    if is_good {
        return Ok(());
    }
    let detail = "a request of HTTP/1.1 has exactly one Host header, with a host and at most a port";
    Err(Problem::new(StatusCode::BAD_REQUEST, "malformed_request", detail))
}

/// `uri-host [ ":" port ]`. It may be empty: so does a client send it whose target has no host.
fn is_host(text: &[u8]) -> bool {
    let Ok(authority) = Authority::try_from(text) else { return text.is_empty() };
    let after_host = authority.as_str().strip_prefix(authority.host());
    let port = after_host.map(|rest| rest.strip_prefix(':').unwrap_or(rest));
    port.is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn is_taken(version: Version, hosts: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, HeaderValue::from_str(host).unwrap());
        }
        check(version, &headers).is_ok()
    }

    #[test]
    fn a_request_has_one_host_that_is_a_host() {
        for good in ["shop", "shop.example", "shop.example:8080", "127.0.0.1", "[::1]:8080", ""] {
            assert!(is_taken(Version::HTTP_11, &[good]), "{good}");
        }
        for bad in ["a b", "shop/", "shop:80:80", "user@shop", "shop:port", "http://shop", "[::1"] {
            assert!(!is_taken(Version::HTTP_11, &[bad]), "{bad}");
            assert!(!is_taken(Version::HTTP_10, &[bad]), "{bad}");
        }
        assert!(!is_taken(Version::HTTP_11, &[]) && is_taken(Version::HTTP_10, &[]));
        assert!(!is_taken(Version::HTTP_11, &["a", "b"]) && !is_taken(Version::HTTP_11, &["a", "a"]));
    }
}
