//! Answers that can be kept.

use std::fmt;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::conditions::tag_of;

/// The form in which answers are kept; another form gets another number.
const FORM: u8 = 2;

/// The form of earlier versions: without the byte that says whether there is a tag.
const FORM_WITHOUT_TAG: u8 = 1;

static IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A whole answer with a JSON body, which can be kept and given again byte for byte.
#[derive(Clone, PartialEq, Eq)]
pub struct RepeatableResponse {
    status: StatusCode,
    location: Option<HeaderValue>,
    is_tagged: bool,
    body: Vec<u8>,
    is_repeated: bool,
}

impl RepeatableResponse {
    /// Any status, with a JSON body.
    pub fn new(status: StatusCode, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("an answer is plain data");
        Self { status, location: None, is_tagged: false, body, is_repeated: false }
    }

    /// 201 with a `Location`, which is a path, and a JSON body.
    pub fn created(location: &str, body: &impl Serialize) -> Self {
        let location = HeaderValue::from_str(location).expect("a path of ids is visible ASCII");
        Self { location: Some(location), ..Self::new(StatusCode::CREATED, body) }
    }

    /// The same with an `ETag`: the body is the resource as a read shows it.
    #[must_use]
    pub fn tagged(self) -> Self {
        Self { is_tagged: true, ..self }
    }

    /// The number of the form, the status in two bytes, one that says whether there is a tag, the length of `Location`
    /// in two, `Location`, the body.
    pub(super) fn encode(&self) -> Vec<u8> {
        let location = self.location.as_ref().map_or(&b""[..], HeaderValue::as_bytes);
        let length = u16::try_from(location.len()).expect("a path of ids is short");
        let status = self.status.as_u16().to_be_bytes();
        [&[FORM], &status[..], &[u8::from(self.is_tagged)], &length.to_be_bytes(), location, &self.body].concat()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (&[form, s1, s2], rest) = bytes.split_first_chunk()?;
        let (is_tagged, rest) = match form {
            FORM => rest.split_first().map(|(&tagged, rest)| (tagged == 1, rest))?,
            FORM_WITHOUT_TAG => (false, rest),
            _ => return None,
        };
        let (&length, rest) = rest.split_first_chunk()?;
        let (location, body) = rest.split_at_checked(u16::from_be_bytes(length).into())?;
        let location = (!location.is_empty()).then(|| HeaderValue::from_bytes(location)).transpose().ok()?;
        let status = StatusCode::from_u16(u16::from_be_bytes([s1, s2])).ok()?;
        Some(Self { status, location, is_tagged, body: body.to_vec(), is_repeated: true })
    }
}

/// Without the body, which may carry a token.
impl fmt::Debug for RepeatableResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RepeatableResponse").field("status", &self.status).finish_non_exhaustive()
    }
}

impl IntoResponse for RepeatableResponse {
    fn into_response(self) -> Response {
        let tag = self.is_tagged.then(|| tag_of(&self.body));
        let mut response = (self.status, self.body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.extend(tag.map(|tag| (header::ETAG, tag)));
        headers.extend(self.location.map(|location| (header::LOCATION, location)));
        if self.is_repeated {
            headers.insert(IDEMPOTENCY_REPLAYED.clone(), HeaderValue::from_static("true"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_answer_is_the_same_and_other_bytes_are_none() {
        let body = serde_json::json!({"order_id": 7, "name": "é"});
        for answer in [
            RepeatableResponse::created("/v1/orders/7", &body),
            RepeatableResponse::new(StatusCode::OK, &body).tagged(),
            RepeatableResponse::new(StatusCode::ACCEPTED, &body),
        ] {
            let kept = answer.encode();
            assert_eq!(
                RepeatableResponse::decode(&kept),
                Some(RepeatableResponse { is_repeated: true, ..answer.clone() })
            );
            assert_eq!(RepeatableResponse::decode(&[&[FORM + 1], &kept[1..]].concat()), None, "another form");
            for length in 0..kept.len() - answer.body.len() {
                assert_eq!(RepeatableResponse::decode(&kept[..length]), None, "cut after {length} bytes");
            }
        }
    }

    #[test]
    fn an_answer_that_an_earlier_version_kept_is_given_again() {
        let kept = [&b"\x01\x00\xc9\x00\x0c/v1/orders/7"[..], b"{}"].concat();
        let answer = RepeatableResponse::created("/v1/orders/7", &serde_json::json!({}));
        assert_eq!(RepeatableResponse::decode(&kept), Some(RepeatableResponse { is_repeated: true, ..answer }));
    }
}
