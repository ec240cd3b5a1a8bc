//! The `ETag` of a product, which is `"CHANGES.SHOWN"`.
//!
//! `CHANGES` stands for the product's version, `SHOWN` for all that is shown: its rating and its stock too. A read
//! compares the whole tag, so a client gets the new rating. A change compares the first part alone: it was decided on
//! what an admin wrote, which neither a review nor a sale alters.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Request, header};
use axum::response::{IntoResponse, Response};
use kernel::Version;
use service::http::idempotency::RepeatableResponse;
use service::http::{IfMatch, Problem, Tagged};

use crate::queries::Product;

/// Stands between the parts; no digest has it.
const SEPARATOR: u8 = b'.';

/// A product as JSON, with its tag.
pub(crate) struct TaggedProduct(pub Product);

impl IntoResponse for TaggedProduct {
    fn into_response(self) -> Response {
        let version = self.0.version();
        with_version(version, Tagged(self.0).into_response())
    }
}

/// The answer to the request that created a product, as it was given first or is given again.
pub(crate) fn created(answer: RepeatableResponse) -> Response {
    with_version(Version::FIRST, answer.into_response())
}

/// The response, whose tag is that of its body, with the tag of a product.
fn with_version(version: Version, mut response: Response) -> Response {
    let changes = Tagged(version).into_response();
    let tags = changes.headers().get(header::ETAG).zip(response.headers().get(header::ETAG));
    let tag = tags.map(|(changes, shown)| [inside(changes), &[SEPARATOR], inside(shown)].concat());
    if let Some(tag) = tag {
        let quoted = [b"\"", tag.as_slice(), b"\""].concat();
        let tag = HeaderValue::from_bytes(&quoted).expect("digests in quotation marks are visible ASCII");
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// The part of a tag between its quotation marks.
fn inside(tag: &HeaderValue) -> &[u8] {
    let tag = tag.as_bytes();
    tag.strip_prefix(b"\"").and_then(|tag| tag.strip_suffix(b"\"")).unwrap_or(tag)
}

/// The condition of a request that changes a product: an extractor, described as `params(IfMatch)`.
#[derive(Clone, Debug)]
pub(crate) struct IfProductMatch(IfMatch);

impl IfProductMatch {
    /// 412 `version_mismatch` unless the client knows the product in this version.
    pub fn check(&self, version: Version) -> Result<(), Problem> {
        self.0.check(|| version)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfProductMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let (mut conditions, ()) = Request::new(()).into_parts();
        for line in parts.headers.get_all(header::IF_MATCH) {
            conditions.headers.append(header::IF_MATCH, without_shown(line));
        }
        IfMatch::from_request_parts(&mut conditions, state).await.map(Self)
    }
}

/// The tags of a line, each up to the separator. All else stays as it was sent, for [`IfMatch`] to judge.
fn without_shown(line: &HeaderValue) -> HeaderValue {
    let mut is_tag = false;
    let parts = line.as_bytes().split(|byte| *byte == b'"').map(|part| {
        let end = part.iter().position(|byte| is_tag && *byte == SEPARATOR).unwrap_or(part.len());
        is_tag = !is_tag;
        &part[..end]
    });
    let parts: Vec<&[u8]> = parts.collect();
    HeaderValue::from_bytes(&parts.join(&b'"')).unwrap_or_else(|_| line.clone())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::*;

    fn tag(body: &str, version: i64) -> HeaderValue {
        let response = with_version(Version::from_stored(version), Tagged(body).into_response());
        response.headers()[header::ETAG].clone()
    }

    #[test]
    fn a_tag_changes_with_all_that_is_shown_and_its_first_part_with_the_version_alone() {
        assert_ne!(tag("a", 1), tag("b", 1));
        assert_ne!(tag("a", 1), tag("a", 2));
        assert_eq!(without_shown(&tag("a", 1)), without_shown(&tag("b", 1)));
        assert_ne!(without_shown(&tag("a", 1)), without_shown(&tag("a", 2)));
        let own = Tagged(Version::FIRST).into_response();
        assert_eq!(without_shown(&tag("a", 1)), own.headers()[header::ETAG]);
    }

    #[test]
    fn only_the_end_of_a_tag_is_cut() {
        for (line, expected) in [
            ("*", "*"),
            ("\"a.b\"", "\"a\""),
            ("W/\"a.b\", \"c\" , \"d.e.f\"", "W/\"a\", \"c\" , \"d\""),
            ("\"a.b", "\"a"),
            ("a.b", "a.b"),
            ("", ""),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_MATCH, line.parse().unwrap());
            assert_eq!(without_shown(&headers[header::IF_MATCH]), expected, "{line}");
        }
    }
}
