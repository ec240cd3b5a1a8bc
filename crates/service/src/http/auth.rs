//! Who asks: the admin, a customer, or a guest.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use kernel::{Clock, SessionId, UserId};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::keyring::Keyring;
use super::{Problem, token};

/// Checks tokens. Holds digests and public keys only.
#[derive(Clone, Debug)]
pub struct Auth {
    admins: Vec<[u8; 32]>,
    clock: Clock,
    keyrings: Vec<Keyring>,
}

impl Auth {
    /// Accepts the admin tokens with these digests, and no user's: see [`with_keys`](Self::with_keys).
    pub fn new(admins: Vec<[u8; 32]>, clock: Clock) -> Self {
        Self { admins, clock, keyrings: Vec::new() }
    }

    /// The same, and accepts users' tokens that were signed by a key of these rings.
    #[must_use]
    pub fn with_keys(&self, keyrings: Vec<Keyring>) -> Self {
        Self { keyrings, ..self.clone() }
    }

    /// Whether these headers carry an admin token: cheaper than [`caller`](Self::caller), for no user's token is checked.
    pub(super) fn is_admin(&self, headers: &HeaderMap) -> bool {
        let authorization = headers.get(header::AUTHORIZATION).and_then(|value| bearer(value.as_bytes()));
        authorization.is_some_and(|token| self.is_admin_token(token))
    }

    fn is_admin_token(&self, token: &[u8]) -> bool {
        let sent = digest(token);
        self.admins.iter().any(|admin| bool::from(sent.ct_eq(admin)))
    }

    /// Who sent these headers. 401 for any token that isn't good, all kinds alike; no token is a guest.
    pub fn caller(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        let order_token = headers.get("x-order-token").map(|value| digest(value.as_bytes()));
        let guest = Caller { is_admin: false, user_id: None, session_id: None, order_token };
        let mut authorizations = headers.get_all(header::AUTHORIZATION).iter();
        let Some(authorization) = authorizations.next() else { return Ok(guest) };
        let bearer = bearer(authorization.as_bytes()).filter(|_| authorizations.next().is_none());
        let token = bearer.ok_or_else(Problem::unauthenticated)?;
        if self.is_admin_token(token) {
            return Ok(Caller { is_admin: true, ..guest });
        }
        let now = self.clock.now();
        let find = |key_id| self.keyrings.iter().find_map(|keys| keys.find(key_id, now));
        let claims = token::verify(token, find, now).ok_or_else(Problem::unauthenticated)?;
        Ok(Caller { user_id: Some(claims.sub), session_id: Some(claims.sid), ..guest })
    }
}

/// The token of `Bearer …`; the scheme's case doesn't matter (RFC 9110 §11.1).
fn bearer(authorization: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = authorization.split_at_checked(b"Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
}

/// SHA-256 of a token: what is kept instead of it. Tokens are 256 random bits, so no salt is needed.
pub fn digest(token: &[u8]) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// Who sent the request: an extractor. The route's [`Policy`](super::Policy) has let them in already.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Sent the admin token.
    pub is_admin: bool,
    /// The user whose token was sent: a customer.
    pub user_id: Option<UserId>,
    /// By which sign-in.
    pub session_id: Option<SessionId>,
    order_token: Option<[u8; 32]>,
}

impl Caller {
    /// Whether the caller may have what belongs to this user.
    pub fn owns(&self, user_id: UserId) -> bool {
        self.is_admin || self.user_id == Some(user_id)
    }

    /// Whether the caller sent the order token with this digest.
    pub fn holds_order_token(&self, expected: &[u8]) -> bool {
        self.order_token.is_some_and(|sent| bool::from(sent.as_slice().ct_eq(expected)))
    }

    /// The digest of the order token that the caller sent.
    pub fn order_token(&self) -> Option<&[u8]> {
        self.order_token.as_ref().map(<[u8; 32]>::as_slice)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| {
            tracing::error!(uri = %parts.uri, "the route has no policy");
            Problem::internal()
        })
    }
}
