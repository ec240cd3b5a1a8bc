//! Conditional requests (RFC 9110 §13): `ETag`, `If-Match` and `If-None-Match`.
//!
//! The tag of a resource is a digest of its JSON body, so it changes whenever the body does, for whatever reason.

use axum::Json;
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::Problem;
use super::request::is_read;

/// The names as they are described.
pub(super) const ETAG: &str = "ETag";
pub(super) const IF_MATCH: &str = "If-Match";
pub(super) const IF_NONE_MATCH: &str = "If-None-Match";

/// Bytes of the digest that make a tag: no two bodies share them by chance.
const TAG_BYTES: usize = 16;

/// The tag of a resource with this JSON body.
pub(super) fn tag_of(body: &[u8]) -> HeaderValue {
    let digest = URL_SAFE_NO_PAD.encode(&Sha256::digest(body)[..TAG_BYTES]);
    HeaderValue::try_from(format!("\"{digest}\"")).expect("base64url is visible ASCII")
}

/// A resource as JSON, with its tag. For the resource that the request is about, not for lists or other things.
#[derive(Clone, Copy, Debug)]
pub struct Tagged<T>(pub T);

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => {
                let json = HeaderValue::from_static("application/json");
                ([(header::CONTENT_TYPE, json), (header::ETAG, tag_of(&body))], body).into_response()
            }
            // As axum answers it.
            Err(_) => Json(self.0).into_response(),
        }
    }
}

/// Stands between the parts of a tag; no digest has it.
const SEPARATOR: u8 = b'.';

/// The response with a tag of two parts, `"CHANGES.SHOWN"`: for a resource that shows more than what its clients change,
/// such as a product with its rating. The second part is the tag that the response has, which stands for all that is
/// shown. The first stands for `changes`, as [`IfMatch::check_changes`] compares it.
pub fn tagged_by(changes: &impl Serialize, mut response: Response) -> Response {
    let changes = serde_json::to_vec(changes).map(|changes| tag_of(&changes));
    if let (Ok(changes), Some(shown)) = (changes, response.headers().get(header::ETAG)) {
        let tag = [b"\"", inside(changes.as_bytes()), &[SEPARATOR], inside(shown.as_bytes()), b"\""].concat();
        let tag = HeaderValue::from_bytes(&tag).expect("digests in quotation marks are visible ASCII");
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// The text of a tag between its quotation marks.
fn inside(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"\"").and_then(|tag| tag.strip_suffix(b"\"")).unwrap_or(tag)
}

/// The condition of a request that changes a resource: an extractor. 400 `invalid_condition` if it can't be read.
///
/// Named in the description as `params(IfMatch)`. A route without it refuses requests with a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IfMatch(Option<Condition>);

impl IfMatch {
    /// 412 `version_mismatch` unless the client knows the resource as it is now.
    pub fn check<T: Serialize>(&self, current: impl FnOnce() -> T) -> Result<(), Problem> {
        let Some(condition) = &self.0 else { return Ok(()) };
        let body = serde_json::to_vec(&current()).map_err(|_| Problem::internal())?;
        if condition.holds_strongly(&tag_of(&body)) { Ok(()) } else { Err(version_mismatch()) }
    }

    /// The same for a resource that is [tagged by](tagged_by) what its clients change: the rest of a tag is not compared.
    pub fn check_changes<T: Serialize>(&self, current: impl FnOnce() -> T) -> Result<(), Problem> {
        match &self.0 {
            None => Ok(()),
            Some(condition) => Self(Some(condition.of_changes())).check(current),
        }
    }
}

fn version_mismatch() -> Problem {
    let detail = "this was changed since you read it: read it again, and send its new ETag as If-Match";
    Problem::new(StatusCode::PRECONDITION_FAILED, "version_mismatch", detail)
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Condition::sent(&parts.headers, &header::IF_MATCH).map(Self).map_err(|Malformed| {
            let detail = "If-Match: expected `*` or entity tags in quotation marks, as an ETag header has them";
            Problem::new(StatusCode::BAD_REQUEST, "invalid_condition", detail)
        })
    }
}

impl IntoParams for IfMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![parameter(IF_MATCH, "The ETag of what was read: the request is refused if it is no longer so.")]
    }
}

/// The mark of a route whose answer has a tag that `If-None-Match` may name: `params(IfNoneMatch)`.
#[derive(Clone, Copy, Debug)]
pub struct IfNoneMatch;

impl IntoParams for IfNoneMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![parameter(IF_NONE_MATCH, "The ETag of what was read: the answer is 304 if it is still so.")]
    }
}

fn parameter(name: &str, description: &str) -> Parameter {
    let text = ObjectBuilder::new().schema_type(Type::String);
    let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Header);
    parameter.schema(Some(text)).description(Some(description)).build()
}

/// The headers of a read that depend on the state of what is read.
#[derive(Clone, Debug)]
pub(super) struct ReadConditions {
    if_match: Option<Condition>,
    if_none_match: Option<Condition>,
}

impl ReadConditions {
    /// Those of a request. One that can't be read is as good as none: a read changes nothing.
    pub fn of(method: &Method, headers: &HeaderMap) -> Option<Self> {
        let has_any = headers.contains_key(header::IF_MATCH) || headers.contains_key(header::IF_NONE_MATCH);
        (is_read(method) && has_any).then(|| Self {
            if_match: Condition::sent(headers, &header::IF_MATCH).unwrap_or_default(),
            if_none_match: Condition::sent(headers, &header::IF_NONE_MATCH).unwrap_or_default(),
        })
    }

    /// 304 without a body if the client has this answer already, 412 if it must not get it.
    pub fn apply(&self, response: Response) -> Response {
        let Some(tag) = response.headers().get(header::ETAG).filter(|_| response.status() == StatusCode::OK) else {
            return response;
        };
        if self.if_match.as_ref().is_some_and(|condition| !condition.holds_strongly(tag)) {
            return version_mismatch().into_response();
        }
        if !self.if_none_match.as_ref().is_some_and(|condition| condition.holds_weakly(tag)) {
            return response;
        }
        let (mut parts, _body) = response.into_parts();
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(header::CONTENT_TYPE);
        parts.headers.remove(header::CONTENT_LENGTH);
        Response::from_parts(parts, Body::empty())
    }
}

/// `*`, or entity tags.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    Any,
    Tags(Vec<EntityTag>),
}

/// An entity tag as it was sent, with its quotation marks.
#[derive(Clone, Debug, PartialEq, Eq)]
struct EntityTag {
    is_weak: bool,
    opaque: Vec<u8>,
}

/// The header is not what RFC 9110 says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Malformed;

impl Condition {
    /// All lines of the header are one list.
    fn sent(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Self>, Malformed> {
        let lines: Vec<&[u8]> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
        if lines.is_empty() { Ok(None) } else { Self::parse(&lines.join(&b","[..])).map(Some) }
    }

    fn parse(text: &[u8]) -> Result<Self, Malformed> {
        if text.trim_ascii() == b"*" {
            return Ok(Self::Any);
        }
        let (mut tags, mut rest) = (Vec::new(), text.trim_ascii());
        while !rest.is_empty() {
            // Empty elements of a list are passed over (RFC 9110 §5.6.1.2).
            if let Some(after) = rest.strip_prefix(b",") {
                rest = after.trim_ascii_start();
                continue;
            }
            let (tag, after) = EntityTag::first(rest)?;
            tags.push(tag);
            rest = after.trim_ascii_start();
            if !rest.is_empty() && !rest.starts_with(b",") {
                return Err(Malformed);
            }
        }
        if tags.is_empty() { Err(Malformed) } else { Ok(Self::Tags(tags)) }
    }

    /// The same about the first parts of tags.
    fn of_changes(&self) -> Self {
        let first_part = |tag: &EntityTag| {
            let part = inside(&tag.opaque).split(|byte| *byte == SEPARATOR).next().unwrap_or_default();
            EntityTag { is_weak: tag.is_weak, opaque: [b"\"", part, b"\""].concat() }
        };
        match self {
            Self::Any => Self::Any,
            Self::Tags(tags) => Self::Tags(tags.iter().map(first_part).collect()),
        }
    }

    /// A weak tag never matches strongly (§8.8.3.2); ours are strong.
    fn holds_strongly(&self, current: &HeaderValue) -> bool {
        self.holds(|tag| !tag.is_weak && tag.opaque == current.as_bytes())
    }

    fn holds_weakly(&self, current: &HeaderValue) -> bool {
        self.holds(|tag| tag.opaque == current.as_bytes())
    }

    fn holds(&self, matches: impl Fn(&EntityTag) -> bool) -> bool {
        match self {
            Self::Any => true,
            Self::Tags(tags) => tags.iter().any(matches),
        }
    }
}

impl EntityTag {
    /// The tag with which the text begins, and what follows it.
    fn first(text: &[u8]) -> Result<(Self, &[u8]), Malformed> {
        let (is_weak, quoted) = text.strip_prefix(b"W/").map_or((false, text), |rest| (true, rest));
        let inside = quoted.strip_prefix(b"\"").ok_or(Malformed)?;
        let length = inside.iter().position(|&byte| byte == b'"').ok_or(Malformed)?;
        let is_plain = inside[..length].iter().all(|&byte| byte == 0x21 || byte >= 0x23 && byte != 0x7f);
        if !is_plain {
            return Err(Malformed);
        }
        let (opaque, rest) = quoted.split_at(length + 2);
        Ok((Self { is_weak, opaque: opaque.to_vec() }, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(lines: &[&str]) -> Result<Option<Condition>, Malformed> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::IF_MATCH, line.parse().unwrap());
        }
        Condition::sent(&headers, &header::IF_MATCH)
    }

    #[test]
    fn a_condition_is_a_star_or_tags_in_quotation_marks() {
        let current = HeaderValue::from_static("\"a,b\"");
        // (lines, whether it holds strongly and weakly)
        let table: [(&[&str], (bool, bool)); 9] = [
            (&["*"], (true, true)),
            (&[" * "], (true, true)),
            (&["\"a,b\""], (true, true)),
            (&["W/\"a,b\""], (false, true)),
            (&["\"x\", \"a,b\""], (true, true)),
            (&["\"x\"", "\"a,b\""], (true, true)),
            (&[",, \"a,b\" ,"], (true, true)),
            (&["\"x\",\"\",W/\"y\""], (false, false)),
            (&["\"A,B\""], (false, false)),
        ];
        for (lines, expected) in table {
            let condition = sent(lines).unwrap().unwrap();
            assert_eq!((condition.holds_strongly(&current), condition.holds_weakly(&current)), expected, "{lines:?}");
        }
        assert_eq!(sent(&[]), Ok(None));
        for malformed in
            ["", ",", "a", "\"a", "a\"", "\"a\" \"b\"", "\"a\"b", "w/\"a\"", "W/ \"a\"", "*, \"a\"", "\"a b\""]
        {
            assert_eq!(sent(&[malformed]), Err(Malformed), "{malformed}");
        }
    }

    #[test]
    fn a_change_compares_the_first_part_of_a_tag_and_a_read_all_of_it() {
        let tag = |changes: i64, shown: &str| {
            tagged_by(&changes, Tagged(shown).into_response()).headers()[header::ETAG].clone()
        };
        assert_ne!(tag(1, "a"), tag(1, "b"));
        assert_ne!(tag(1, "a"), tag(2, "a"));
        let changes = |lines: &[&str]| IfMatch(sent(lines).unwrap());
        let shown = tag(1, "a");
        let shown = shown.to_str().unwrap();
        for (lines, expected) in [
            (&[shown][..], true),
            (&[tag(1, "b").to_str().unwrap()], true),
            (&[tag(2, "a").to_str().unwrap()], false),
            (&["\"x\"", shown], true),
            (&[&format!("W/{shown}")], false),
            (&["*"], true),
            (&[], true),
        ] {
            assert_eq!(changes(lines).check_changes(|| 1).is_ok(), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_read_is_answered_304_only_if_the_client_has_what_it_would_get() {
        let tag = tag_of(b"{\"a\":1}");
        let read = |name: HeaderName, value: &HeaderValue| {
            let headers = HeaderMap::from_iter([(name, value.clone())]);
            let answer = Tagged(serde_json::json!({"a": 1})).into_response();
            ReadConditions::of(&Method::GET, &headers).unwrap().apply(answer)
        };
        let same = read(header::IF_NONE_MATCH, &tag);
        assert_eq!((same.status(), same.headers().get(header::ETAG)), (StatusCode::NOT_MODIFIED, Some(&tag)));
        let other = HeaderValue::from_static("\"other\"");
        assert_eq!(read(header::IF_NONE_MATCH, &other).status(), StatusCode::OK);
        assert_eq!(read(header::IF_NONE_MATCH, &HeaderValue::from_static("nonsense")).status(), StatusCode::OK);
        assert_eq!(read(header::IF_MATCH, &tag).status(), StatusCode::OK);
        assert_eq!(read(header::IF_MATCH, &other).status(), StatusCode::PRECONDITION_FAILED);
        assert!(ReadConditions::of(&Method::POST, &HeaderMap::from_iter([(header::IF_NONE_MATCH, tag)])).is_none());
    }

    #[test]
    fn a_change_needs_the_tag_of_what_is_there() {
        let now = serde_json::json!({"a": 1});
        let tag = tag_of(&serde_json::to_vec(&now).unwrap());
        let condition = |text: &str| IfMatch(Some(Condition::parse(text.as_bytes()).unwrap()));
        assert_eq!(IfMatch(None).check(|| &now), Ok(()));
        assert_eq!(condition("*").check(|| &now), Ok(()));
        assert_eq!(condition(tag.to_str().unwrap()).check(|| &now), Ok(()));
        let refused = condition(tag.to_str().unwrap()).check(|| serde_json::json!({"a": 2})).unwrap_err();
        assert_eq!((refused.status().as_u16(), refused.code()), (412, "version_mismatch"));
    }
}
