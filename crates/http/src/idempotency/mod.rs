//! Requests with an `Idempotency-Key`: however often one is sent, it is carried out once and answered alike.
//!
//! The answer is made before the commit, which writes it beside the effect; see [`Keyed`]. So it is there exactly if
//! the effect is, after a crash as well. A request that is refused writes nothing, and its key stays unused.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use kernel::{Clock, Keyed};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use storage::Db;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::auth::Caller;
use super::{Problem, body};

mod response;

pub use response::RepeatableResponse;

/// The longest key, in characters.
const KEY_LENGTH_MAX: usize = 255;

/// Keyed requests that one service carries out at once: more than it decides in a second, and 10 MB of keys at the
/// most.
const IN_FLIGHT_MAX: usize = 16_384;

/// The owner of the admin token's keys.
const AUTOMATION: &str = "automation";

/// The names as they are described.
pub(super) const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
pub(super) const IDEMPOTENCY_REPLAYED: &str = "Idempotency-Replayed";

/// A JSON body as [`Body`](super::Body) takes it, and the `Idempotency-Key` that came with it.
///
/// 400 `invalid_idempotency_key` unless the key has 1 to 255 visible ASCII characters.
#[derive(Debug)]
pub struct KeyedBody<T> {
    /// The request.
    pub input: T,
    /// Under which key, if any.
    pub key: Option<SentKey>,
}

/// A key, and a digest of what was asked under it.
pub struct SentKey {
    key: String,
    digest: [u8; 32],
}

/// The `Idempotency-Key` of a request without a body: an extractor, and as `params(IdempotencyKey)` the description of
/// the header for every route that takes it. A route without it refuses requests with a key.
#[derive(Debug)]
pub struct IdempotencyKey(pub Option<SentKey>);

impl IntoParams for IdempotencyKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let text = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(KEY_LENGTH_MAX));
        let description = "Visible ASCII that nobody can guess, such as a random UUID. Repeated within 24 hours with \
            the same body, the request gets the same answer and changes nothing.";
        let parameter = ParameterBuilder::new().name(IDEMPOTENCY_KEY).parameter_in(ParameterIn::Header);
        vec![parameter.schema(Some(text)).description(Some(description)).build()]
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let asked = asked(&parts.method, &parts.uri);
        let key = sent_key(&parts.headers)?.map(|key| SentKey { key, digest: asked.finalize().into() });
        Ok(Self(key))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for KeyedBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let key = sent_key(request.headers())?;
        let asked = asked(request.method(), request.uri());
        let bytes = body::read(request, state).await?;
        let input = body::parse(&bytes)?;
        let key = key.map(|key| SentKey { key, digest: asked.chain_update(&bytes).finalize().into() });
        Ok(Self { input, key })
    }
}

/// The digest of a request before its body.
fn asked(method: &Method, uri: &Uri) -> Sha256 {
    [method.as_str(), uri.path()].iter().fold(Sha256::new(), |asked, part| asked.chain_update(part).chain_update([0]))
}

fn sent_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut sent = headers.get_all(IDEMPOTENCY_KEY).iter();
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

/// Owner of the keys that this caller sends: the user, the admin token, or the guest with this e-mail address or this
/// order. Neither of the first two is an address or an order, so no guest can take their keys.
pub fn scope(caller: &Caller, guest: &str) -> String {
    match caller.user_id {
        Some(user_id) => user_id.to_string(),
        None if caller.is_admin => AUTOMATION.to_owned(),
        None => guest.to_lowercase(),
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
enum Turn {
    /// Carry it out, and end with [`Claim::finish`].
    First(Claim),
    /// Answer as it was answered before.
    Repeated(RepeatableResponse),
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

    /// Answers a request: carries it out, or repeats the answer that it was given before. `carry_out` commits with
    /// [`Claim::keep`].
    pub async fn once<Fut>(
        &self,
        key: Option<SentKey>,
        scope: String,
        carry_out: impl FnOnce(Arc<Claim>) -> Fut,
    ) -> Result<RepeatableResponse, Problem>
    where
        Fut: Future<Output = Result<RepeatableResponse, Problem>>,
    {
        match self.claim(key, scope).await? {
            Turn::Repeated(answer) => Ok(answer),
            Turn::First(claim) => {
                let claim = Arc::new(claim);
                let outcome = carry_out(claim.clone()).await;
                claim.finish(outcome).await
            }
        }
    }

    /// Takes the key, if there is one, for this request.
    ///
    /// 422 `idempotency_key_reused` if something else was asked under it, 409 `idempotency_key_in_flight` while the
    /// same key's request is being carried out.
    async fn claim(&self, key: Option<SentKey>, scope: String) -> Result<Turn, Problem> {
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

    async fn find(&self, key: &Key) -> Result<Option<RepeatableResponse>, Problem> {
        let kept = storage::idempotency::find(&self.db, &key.scope, &key.key, self.clock.now()).await?;
        let Some(kept) = kept else { return Ok(None) };
        if kept.digest != key.digest {
            let detail = "this Idempotency-Key was used with a different request: a new request needs a new key";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", detail));
        }
        let answer = RepeatableResponse::decode(&kept.answer);
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
    pub fn keep(&self, answer: &RepeatableResponse) -> Option<Keyed> {
        let Key { scope, key, digest } = self.held.as_ref()?.key.clone();
        Some(Keyed { scope, key, digest, answer: answer.encode() })
    }

    /// The outcome, or the answer of another process that carried out the same request meanwhile.
    async fn finish(&self, outcome: Result<RepeatableResponse, Problem>) -> Result<RepeatableResponse, Problem> {
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
            let detail = "too many requests are being carried out: retry later";
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

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

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
            let headers = keys
                .iter()
                .map(|key| (HeaderName::from_static("idempotency-key"), HeaderValue::from_bytes(key).unwrap()));
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
