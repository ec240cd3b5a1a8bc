//! Callers: the admin token, an admin's account, a customer, or a guest.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use kernel::{Clock, SessionId, UserId};
use sha2::{Digest, Sha256};
use storage::accounts::Standing;
use subtle::ConstantTimeEq;

use super::keyring::Keyring;
use super::token::{self, Claims};
use super::{Accounts, ObjectToken, Problem};

/// Checks tokens. Holds digests and public keys only.
#[derive(Clone, Debug)]
pub struct Auth {
    admins: Vec<[u8; 32]>,
    clock: Clock,
    keyrings: Vec<Keyring>,
    object_tokens: Vec<&'static ObjectToken>,
    accounts: Option<Arc<dyn Accounts>>,
}

impl Auth {
    /// Accepts the admin tokens with these digests, and no user's: see [`with_keys`](Self::with_keys).
    pub fn new(admins: Vec<[u8; 32]>, clock: Clock) -> Self {
        Self { admins, clock, keyrings: Vec::new(), object_tokens: Vec::new(), accounts: None }
    }

    /// The same, and accepts users' tokens that were signed by a key of these rings.
    #[must_use]
    pub fn with_keys(&self, keyrings: Vec<Keyring>) -> Self {
        Self { keyrings, ..self.clone() }
    }

    /// The same, and asks there who is banned and who is an admin. Without it no account is either.
    #[must_use]
    pub fn with_accounts(self, accounts: Arc<dyn Accounts>) -> Self {
        Self { accounts: Some(accounts), ..self }
    }

    /// The same, and reads the headers of these tokens.
    #[must_use]
    pub fn with_object_tokens(self, object_tokens: Vec<&'static ObjectToken>) -> Self {
        Self { object_tokens, ..self }
    }

    /// The tokens of single objects.
    pub(super) fn object_tokens(&self) -> &[&'static ObjectToken] {
        &self.object_tokens
    }

    /// True if these headers carry an admin token: cheaper than [`caller`](Self::caller), for no user's token is
    /// checked.
    pub(super) fn is_admin(&self, headers: &HeaderMap) -> bool {
        let authorization = headers.get(header::AUTHORIZATION).and_then(|value| bearer(value.as_bytes()));
        authorization.is_some_and(|token| self.is_admin_token(token))
    }

    fn is_admin_token(&self, token: &[u8]) -> bool {
        let sent = digest(token);
        self.admins.iter().any(|admin| bool::from(sent.ct_eq(admin)))
    }

    /// The caller without any `Authorization`.
    pub(super) fn guest(&self, headers: &HeaderMap) -> Caller {
        let sent = self.object_tokens.iter().find_map(|token| headers.get(token.header));
        let object_token = sent.map(|value| ObjectToken::digest(value.as_bytes()));
        Caller { is_admin: false, user_id: None, session_id: None, object_token }
    }

    /// The account's standing at this moment.
    pub(super) async fn standing(&self, user_id: UserId) -> Result<Standing, Problem> {
        match &self.accounts {
            Some(accounts) => accounts.standing(user_id).await,
            None => Ok(Standing::default()),
        }
    }

    /// The sender of these headers, by the token alone, and the claims of a user's. A user is nobody's admin yet, may be
    /// banned, and may have signed in before a ban. 401 for any token that isn't good, all kinds alike; no token is a
    /// guest.
    pub(super) fn caller(&self, headers: &HeaderMap) -> Result<(Caller, Option<Claims>), Problem> {
        let guest = self.guest(headers);
        let mut authorizations = headers.get_all(header::AUTHORIZATION).iter();
        let Some(authorization) = authorizations.next() else { return Ok((guest, None)) };
        let bearer = bearer(authorization.as_bytes()).filter(|_| authorizations.next().is_none());
        let token = bearer.ok_or_else(Problem::unauthenticated)?;
        if self.is_admin_token(token) {
            return Ok((Caller { is_admin: true, ..guest }, None));
        }
        let now = self.clock.now();
        let find = |key_id| self.keyrings.iter().find_map(|keys| keys.find(key_id, now));
        let claims = token::verify(token, find, now).ok_or_else(Problem::unauthenticated)?;
        let caller = Caller { user_id: Some(claims.sub), session_id: Some(claims.sid), ..guest };
        Ok((caller, Some(claims)))
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

/// The sender of the request: an extractor. The route's [`Policy`](super::Policy) has let them in already.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Sent the admin token, or the token of an account with the role `admin`.
    pub is_admin: bool,
    /// The user whose token was sent: a customer, or an admin's account.
    pub user_id: Option<UserId>,
    /// By which sign-in.
    pub session_id: Option<SessionId>,
    /// The [digest](ObjectToken::digest) of the token of one object that was sent.
    pub object_token: Option<[u8; 32]>,
}

impl Caller {
    /// True if the caller may access this user's things.
    pub fn owns(&self, user_id: UserId) -> bool {
        self.is_admin || self.user_id == Some(user_id)
    }

    /// True for the admin token: automation, which no limit on people holds up.
    pub fn is_automation(&self) -> bool {
        self.is_admin && self.user_id.is_none()
    }

    /// Name of the caller as events and tables keep it: the id of the account, `automation` for the admin token, else
    /// `guest`.
    pub fn actor(&self) -> String {
        match self.user_id {
            Some(user_id) => user_id.to_string(),
            None if self.is_admin => "automation".to_owned(),
            None => "guest".to_owned(),
        }
    }

    /// True if the caller sent an object's token with this digest.
    pub fn holds_object_token(&self, expected: &[u8]) -> bool {
        self.object_token.is_some_and(|sent| bool::from(sent.as_slice().ct_eq(expected)))
    }

    /// The same as bytes.
    pub fn object_token(&self) -> Option<&[u8]> {
        self.object_token.as_ref().map(<[u8; 32]>::as_slice)
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

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use kernel::{KeyId, SignedDuration, Uuid};
    use storage::published_keys::PublishedKey;

    use super::token::{public_key, sign};
    use super::*;

    fn bearing(values: &[&str]) -> HeaderMap {
        let value = |text: &&str| (header::AUTHORIZATION, HeaderValue::from_str(text).unwrap());
        values.iter().map(value).collect()
    }

    #[test]
    fn a_user_is_let_in_once_the_key_is_known_and_until_it_ends() {
        let (clock, hands) = Clock::mock("2026-01-01T12:00:00Z".parse().unwrap());
        let keys = Keyring::default();
        let auth = Auth::new(Vec::new(), clock.clone()).with_keys(vec![keys.clone()]);
        let seed = [7; 32];
        let key_id: KeyId = Uuid::from_u128(3).into();
        let claims = Claims::new(Uuid::from_u128(1).into(), Uuid::from_u128(2).into(), clock.now());
        let token = sign(key_id, &claims, &seed).unwrap();
        let caller = || auth.caller(&bearing(&[&format!("Bearer {token}")])).map(|(caller, _)| caller.user_id);

        assert_eq!(caller(), Err(Problem::unauthenticated()), "the key was not published yet");
        let not_after = clock.now() + SignedDuration::from_mins(1);
        keys.add(PublishedKey { key_id, public_key: public_key(&seed), not_after });
        assert_eq!(caller(), Ok(Some(claims.sub)));
        hands.advance(SignedDuration::from_mins(1));
        assert_eq!(caller(), Err(Problem::unauthenticated()), "the key has ended");
    }

    #[test]
    fn an_actor_is_an_account_before_it_is_automation() {
        let caller = |is_admin, user_id| Caller { is_admin, user_id, session_id: None, object_token: None };
        let ada: UserId = Uuid::from_u128(1).into();
        assert_eq!(caller(true, None).actor(), "automation");
        assert_eq!(caller(true, Some(ada)).actor(), ada.to_string());
        assert_eq!(caller(false, Some(ada)).actor(), ada.to_string());
        assert_eq!(caller(false, None).actor(), "guest");
        let automation = [(true, None), (true, Some(ada)), (false, None)].map(|(a, b)| caller(a, b).is_automation());
        assert_eq!(automation, [true, false, false]);
    }

    #[test]
    fn one_authorization_is_read_whatever_the_case_of_its_scheme_and_two_are_none() {
        let auth = Auth::new(vec![digest(b"secret")], Clock::system());
        let is_admin = |values: &[&str]| auth.caller(&bearing(values)).map(|(caller, _)| caller.is_admin);
        assert_eq!(is_admin(&[]), Ok(false));
        assert_eq!(is_admin(&["bearer secret"]), Ok(true));
        for wrong in [&["Basic secret"][..], &["secret"], &["Bearer"], &["Bearer secret", "Bearer secret"]] {
            assert_eq!(is_admin(wrong), Err(Problem::unauthenticated()), "{wrong:?}");
        }
    }
}
