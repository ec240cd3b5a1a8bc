//! Requests with an `Idempotency-Key`: however often one is sent, it is carried out once and answered alike.
//!
//! The answer is made before the commit, which writes it beside the effect; see [`Keyed`]. So it is there exactly if
//! the effect is, after a crash as well. A request that is refused writes nothing, and its key stays unused.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kernel::{Clock, Keyed};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use storage::Db;

use super::auth::Caller;
use super::{Problem, body};

/// The longest key, in characters.
const KEY_LENGTH_MAX: usize = 255;

/// Keyed requests that one service carries out at once: more than it decides in a second, and 10 MB of keys at the most.
const IN_FLIGHT_MAX: usize = 16_384;

/// Whose keys the admin token's are.
const AUTOMATION: &str = "automation";

/// The form in which answers are kept; another form gets another number.
const FORM: u8 = 1;

static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
static IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A JSON body as [`Body`](super::Body) takes it, and the `Idempotency-Key` that came with it.
///
/// 400 `invalid_idempotency_key` unless the key has 1 to 255 visible ASCII characters.
#[derive(Debug)]
pub struct KeyedBody<T> {
    /// What is asked for.
    pub input: T,
    /// Under which key, if any.
    pub key: Option<SentKey>,
}

/// A key, and a digest of what was asked under it.
pub struct SentKey {
    key: String,
    digest: [u8; 32],
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for KeyedBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let key = sent_key(request.headers())?;
        let mut asked = Sha256::new();
        for part in [request.method().as_str(), request.uri().path()] {
            asked.update(part);
            asked.update([0]);
        }
        let bytes = body::read(request, state).await?;
        let input = body::parse(&bytes)?;
        let key = key.map(|key| SentKey { key, digest: asked.chain_update(&bytes).finalize().into() });
        Ok(Self { input, key })
    }
}

fn sent_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut sent = headers.get_all(&IDEMPOTENCY_KEY).iter();
    let Some(key) = sent.next() else { return Ok(None) };
    let is_good = (1..=KEY_LENGTH_MAX).contains(&key.len()) && key.as_bytes().iter().all(u8::is_ascii_graphic);
    match key.to_str() {
        Ok(key) if is_good && sent.next().is_none() => Ok(Some(key.to_owned())),
        _ => {
            let detail =
                format!("one Idempotency-Key of 1 to {KEY_LENGTH_MAX} visible ASCII characters, such as a UUID");
            Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_idempotency_key", detail))
        }
    }
}

impl fmt::Debug for SentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SentKey").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Whose keys they are that this caller sends: the user's, the admin token's, or those of the guest with this e-mail
/// address. Neither of the first two is an address, so no guest can take their keys.
pub fn scope(caller: &Caller, guest_email: &str) -> String {
    match caller.user_id {
        Some(user_id) => user_id.to_string(),
        None if caller.is_admin => AUTOMATION.to_owned(),
        None => guest_email.to_lowercase(),
    }
}

/// The keyed requests of one service. Clones share what they know.
#[derive(Clone)]
pub struct Idempotency {
    db: Db,
    clock: Clock,
    in_use: KeysInUse,
}

/// The way to answer a request with a key.
#[derive(Debug)]
pub enum Turn {
    /// Carry it out, and end with [`Claim::finish`].
    First(Claim),
    /// Answer as it was answered before.
    Repeated(Answer),
}

/// The right to carry out a request: nobody else in this process does so under its key before it is dropped.
#[derive(Debug)]
pub struct Claim {
    held: Option<Held>,
    idempotency: Idempotency,
}

impl Idempotency {
    /// No request is being carried out. Answers are kept in the service's store.
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock, in_use: KeysInUse::default() }
    }

    /// Takes the key, if there is one, for this request.
    ///
    /// 422 `idempotency_key_reused` if something else was asked under it, 409 `idempotency_key_in_flight` while the
    /// same key's request is being carried out.
    pub async fn claim(&self, key: Option<SentKey>, scope: String) -> Result<Turn, Problem> {
        let first = |held| Ok(Turn::First(Claim { held, idempotency: self.clone() }));
        let Some(SentKey { key, digest }) = key else { return first(None) };
        let key = Key { scope, key, digest };
        // Taken before it is looked up: whoever had it before has committed by then. Repetitions of what is done
        // already don't get in each other's way.
        let taken = self.in_use.take(key.clone());
        match (self.find(&key).await?, taken) {
            (Some(answer), _) => Ok(Turn::Repeated(answer)),
            (None, taken) => first(Some(taken?)),
        }
    }

    async fn find(&self, key: &Key) -> Result<Option<Answer>, Problem> {
        let kept = storage::idempotency::find(&self.db, &key.scope, &key.key, self.clock.now()).await?;
        let Some(kept) = kept else { return Ok(None) };
        if kept.digest != key.digest {
            let detail = "this Idempotency-Key was used with a different request: a new request needs a new key";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", detail));
        }
        let answer = Answer::decode(&kept.answer);
        answer.map(Some).ok_or_else(|| {
            let service = self.db.service();
            tracing::error!(service, "an answer is kept in a form that this Tradepost doesn't know");
            Problem::internal()
        })
    }
}

impl fmt::Debug for Idempotency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Idempotency").field("service", &self.db.service()).finish_non_exhaustive()
    }
}

impl Claim {
    /// The row that the commit writes, so that this answer is given to whoever repeats the request.
    pub fn keep(&self, answer: &Answer) -> Option<Keyed> {
        let Key { scope, key, digest } = self.held.as_ref()?.key.clone();
        Some(Keyed { scope, key, digest, answer: answer.encode() })
    }

    /// The outcome, or the answer of another process that carried out the same request meanwhile.
    pub async fn finish(self, outcome: Result<Answer, Problem>) -> Result<Answer, Problem> {
        match (&self.held, outcome) {
            (Some(held), Err(problem)) if problem.is_in_flight() => {
                self.idempotency.find(&held.key).await?.ok_or(problem)
            }
            (_, outcome) => outcome,
        }
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    scope: String,
    key: String,
    digest: [u8; 32],
}

/// The keys whose requests this process is carrying out. Cheap to clone; clones are one.
#[derive(Clone, Default)]
struct KeysInUse(Arc<Mutex<HashSet<(String, String)>>>);

impl KeysInUse {
    fn take(&self, key: Key) -> Result<Held, Problem> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.len() >= IN_FLIGHT_MAX {
            let detail = "the shop carries out more requests than it may at once: try again later";
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", detail).retry_after(1));
        }
        if !taken.insert(key.id()) {
            return Err(Problem::idempotency_key_in_flight());
        }
        Ok(Held { key, in_use: self.clone() })
    }
}

impl Key {
    fn id(&self) -> (String, String) {
        (self.scope.clone(), self.key.clone())
    }
}

/// A key that is taken until this is dropped, also when the client hangs up: what it may still commit then, the store
/// keeps from being done twice.
struct Held {
    key: Key,
    in_use: KeysInUse,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.in_use.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key.id());
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").field("key", &self.key.key).finish_non_exhaustive()
    }
}

/// A whole answer, which can be kept and given again byte for byte.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    status: StatusCode,
    location: HeaderValue,
    body: Vec<u8>,
    is_repeated: bool,
}

impl Answer {
    /// 201 with a `Location`, which is a path, and a JSON body.
    pub fn created(location: &str, body: &impl Serialize) -> Self {
        Self {
            status: StatusCode::CREATED,
            location: HeaderValue::from_str(location).expect("a path of ids is visible ASCII"),
            body: serde_json::to_vec(body).expect("an answer is plain data"),
            is_repeated: false,
        }
    }

    /// The number of the form, the status and the length of `Location` in two bytes each, `Location`, the body.
    fn encode(&self) -> Vec<u8> {
        let location = self.location.as_bytes();
        let length = u16::try_from(location.len()).expect("a path of ids is short");
        let status = self.status.as_u16().to_be_bytes();
        [&[FORM], &status[..], &length.to_be_bytes(), location, &self.body].concat()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let ([FORM, s1, s2, l1, l2], rest) = bytes.split_first_chunk()? else { return None };
        let (location, body) = rest.split_at_checked(u16::from_be_bytes([*l1, *l2]).into())?;
        Some(Self {
            status: StatusCode::from_u16(u16::from_be_bytes([*s1, *s2])).ok()?,
            location: HeaderValue::from_bytes(location).ok()?,
            body: body.to_vec(),
            is_repeated: true,
        })
    }
}

/// Without the body, which may carry a token.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("status", &self.status).finish_non_exhaustive()
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::LOCATION, self.location);
        if self.is_repeated {
            headers.insert(IDEMPOTENCY_REPLAYED.clone(), HeaderValue::from_static("true"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(scope: &str, key: &str) -> Key {
        Key { scope: scope.to_owned(), key: key.to_owned(), digest: [0; 32] }
    }

    #[test]
    fn a_key_has_1_to_255_visible_characters_and_comes_once() {
        let (longest, too_long) = ("k".repeat(255), "k".repeat(256));
        // (keys, whether they are good)
        let table: [(&[&[u8]], bool); 9] = [
            (&[], true),
            (&[b"k"], true),
            (&[b"!~\"019360a4\""], true),
            (&[longest.as_bytes()], true),
            (&[too_long.as_bytes()], false),
            (&[b""], false),
            (&[b"two words"], false),
            (&["schlüssel".as_bytes()], false),
            (&[b"one", b"one"], false),
        ];
        for (keys, is_good) in table {
            let headers = keys.iter().map(|key| (IDEMPOTENCY_KEY.clone(), HeaderValue::from_bytes(key).unwrap()));
            let found =
                sent_key(&headers.collect::<Vec<_>>().into_iter().fold(HeaderMap::new(), |mut map, (name, value)| {
                    map.append(name, value);
                    map
                }));
            assert_eq!(found.is_ok(), is_good, "{keys:?}");
            assert_eq!(found.is_ok_and(|key| key.is_none()), keys.is_empty(), "{keys:?}");
        }
    }

    #[test]
    fn a_kept_answer_is_the_same_and_other_bytes_are_none() {
        let answer = Answer::created("/v1/orders/7", &serde_json::json!({"order_id": 7, "name": "é"}));
        let kept = answer.encode();
        assert_eq!(Answer::decode(&kept), Some(Answer { is_repeated: true, ..answer }));
        assert_eq!(Answer::decode(&[&[FORM + 1], &kept[1..]].concat()), None, "another form");
        for length in 0..1 + 2 + 2 + "/v1/orders/7".len() {
            assert_eq!(Answer::decode(&kept[..length]), None, "cut after {length} bytes");
        }
    }

    #[test]
    fn a_key_is_taken_until_its_request_ends_and_each_sender_has_their_own() {
        let in_use = KeysInUse::default();
        let held = in_use.take(key("ada@example.com", "k")).unwrap();
        let refused = in_use.take(Key { digest: [1; 32], ..key("ada@example.com", "k") }).unwrap_err();
        assert_eq!((refused.status().as_u16(), refused.code()), (409, "idempotency_key_in_flight"));
        let _other = in_use.take(key("eve@example.com", "k")).unwrap();
        drop(held);
        in_use.take(key("ada@example.com", "k")).unwrap();
    }

    #[test]
    fn keys_beyond_the_bound_are_refused_until_others_end() {
        let in_use = KeysInUse::default();
        let mut held: Vec<Held> =
            (0..IN_FLIGHT_MAX).map(|nth| in_use.take(key("ada", &nth.to_string())).unwrap()).collect();
        assert_eq!(in_use.take(key("ada", "more")).unwrap_err().code(), "overloaded");
        held.pop();
        in_use.take(key("ada", "more")).unwrap();
    }
}
