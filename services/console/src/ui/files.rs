//! The files of the web pages, which are in the program: compressed when it was built.

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use service::http::Problem;

/// One file.
struct File {
    path: &'static str,
    /// Its bytes, compressed by gzip.
    gzip: &'static [u8],
    /// A digest of its bytes.
    etag: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// The page for every address that is no file: the script shows what the address asks for.
const INDEX: &str = "index.html";

/// The rules of the pages: nothing is fetched from elsewhere, and no script or style stands in a page.
const CONTENT_SECURITY_POLICY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

/// Answers with a file of the pages.
pub(super) async fn handler(uri: Uri, headers: HeaderMap) -> Result<Response, Problem> {
    let path = uri.path().strip_prefix("/ui/").unwrap_or_default();
    let is_page = !path.rsplit('/').next().unwrap_or_default().contains('.');
    let find = |path: &str| FILES.iter().find(|file| file.path == path);
    let file = find(path).or_else(|| find(INDEX).filter(|_| is_page));
    let file = file.ok_or_else(|| Problem::not_found("file of the dashboard: its pages begin at /ui/"))?;
    if !accepts_gzip(&headers) {
        let detail = "the files of the dashboard are compressed: send Accept-Encoding: gzip, as every browser does";
        return Err(Problem::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", detail));
    }
    let mut response = if is_known(&headers, file.etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let encoding = (header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        ([(header::CONTENT_TYPE, content_type(file.path)), encoding], Bytes::from_static(file.gzip)).into_response()
    };
    let values = [
        (header::ETAG, file.etag),
        (header::VARY, "accept-encoding"),
        // Asked for again each time, which costs an answer without a body.
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::REFERRER_POLICY, "same-origin"),
    ];
    for (name, value) in values {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

fn content_type(path: &str) -> HeaderValue {
    HeaderValue::from_static(match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    })
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|encoding| {
        let (name, quality) = encoding.split_once(';').unwrap_or((encoding, ""));
        let is_refused = quality.trim().strip_prefix("q=").is_some_and(|it| it.parse() == Ok(0.0));
        matches!(name.trim(), "gzip" | "*") && !is_refused
    })
}

fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let sent = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    sent.flat_map(|value| value.split(',')).any(|sent| sent.trim().trim_start_matches("W/") == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answer(path: &str, encodings: &[&str]) -> Result<Response, Problem> {
        let encoding = |it: &&str| (header::ACCEPT_ENCODING, HeaderValue::from_str(it).unwrap());
        handler(path.parse().unwrap(), encodings.iter().map(encoding).collect()).await
    }

    #[tokio::test]
    async fn a_page_of_any_address_is_the_index_and_a_file_that_is_none_is_not() {
        for path in ["/ui/", "/ui/orders", "/ui/orders/019a", "/ui/index.html", "/ui/%F0%9F"] {
            let response = answer(path, &["br, gzip"]).await.unwrap();
            assert_eq!(response.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8", "{path}");
            assert_eq!(response.headers()[header::CONTENT_SECURITY_POLICY], CONTENT_SECURITY_POLICY);
        }
        let script = answer("/ui/app.js", &["*;q=0.5"]).await.unwrap();
        assert_eq!(script.headers()[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
        assert_eq!(answer("/ui/none.js", &["gzip"]).await.unwrap_err().code(), "not_found");
    }

    #[tokio::test]
    async fn only_who_understands_gzip_gets_it() {
        for encodings in [&[][..], &["br"], &["gzip;q=0"]] {
            assert_eq!(answer("/ui/", encodings).await.unwrap_err().code(), "not_acceptable", "{encodings:?}");
        }
    }

    #[tokio::test]
    async fn a_file_that_a_browser_has_is_not_sent_again() {
        let first = answer("/ui/app.js", &["gzip"]).await.unwrap();
        let mut headers = first.headers().clone();
        headers.insert(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone());
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        let again = handler("/ui/app.js".parse().unwrap(), headers).await.unwrap();
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    }

    #[test]
    fn all_files_together_are_below_their_bound() {
        let compressed: usize = FILES.iter().map(|file| file.gzip.len()).sum();
        const { assert!(BYTES <= 800_000, "the files of the pages are too large for the program") };
        assert!(compressed <= 300_000, "{compressed} bytes compressed");
    }
}
