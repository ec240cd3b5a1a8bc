//! Access tokens: JWTs that the users service signs with Ed25519 and every service checks by itself.
//!
//! A token is checked against one form, not read with goodwill: three header fields, one algorithm, all claims,
//! by the clock that everything else goes by.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode};
use kernel::{KeyId, SessionId, SignedDuration, Timestamp, UserId};
use serde::{Deserialize, Serialize};

/// How long a token is good. What was taken away from its user holds until then, so it is short.
pub const LIFETIME: SignedDuration = SignedDuration::from_mins(15);

/// How far the clocks of two machines may be apart.
const LEEWAY: SignedDuration = SignedDuration::from_secs(5);

/// A token of this size or more is refused unread: ours have some 500 bytes.
pub(super) const BYTES_MAX: usize = 4096;

/// RFC 9068 §2.1: says that it is an access token, so that no other JWT passes for one.
const TYPE: &str = "at+jwt";

const ISSUER: &str = "tradepost/users";
const AUDIENCE: &str = "tradepost";
const USE: &str = "access";

/// What a token says. Every claim is required, none beside them is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    iss: String,
    aud: String,
    /// Who.
    pub sub: UserId,
    /// By which sign-in.
    pub sid: SessionId,
    iat: i64,
    nbf: i64,
    exp: i64,
    token_use: String,
}

/// The header as it must be: `jku`, `jwk`, `x5u`, `crit` and the like are unknown fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StrictHeader {
    alg: String,
    typ: String,
    kid: String,
}

impl Claims {
    /// What a token for this user and sign-in says, from now on.
    pub fn new(user_id: UserId, session_id: SessionId, now: Timestamp) -> Self {
        let issued = now.as_second();
        Self {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user_id,
            sid: session_id,
            iat: issued,
            nbf: issued,
            exp: issued + LIFETIME.as_secs(),
            token_use: USE.to_owned(),
        }
    }

    fn are_good_at(&self, now: Timestamp) -> bool {
        let (now, leeway) = (now.as_second(), LEEWAY.as_secs());
        let began = self.iat <= now + leeway && self.nbf <= now + leeway;
        let lasts = now < self.exp.saturating_add(leeway) && self.exp.saturating_sub(self.iat) <= LIFETIME.as_secs();
        began && lasts && self.token_use == USE
    }
}

/// The header of a token that this key signs.
pub fn header(key_id: KeyId) -> Header {
    Header { typ: Some(TYPE.to_owned()), kid: Some(key_id.to_string()), ..Header::new(Algorithm::EdDSA) }
}

/// The library checks signature, algorithm, issuer and audience. Its clock is the machine's, so times are ours to check.
static VALIDATION: LazyLock<Validation> = LazyLock::new(|| {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["iss", "aud", "sub", "nbf", "exp"]);
    validation
});

/// The token's claims, if it is good; `find` knows the keys. What is wrong with a token is nobody's business.
pub(super) fn verify(token: &[u8], find: impl Fn(KeyId) -> Option<DecodingKey>, now: Timestamp) -> Option<Claims> {
    if token.len() >= BYTES_MAX {
        return None;
    }
    let token = str::from_utf8(token).ok()?;
    let mut segments = token.split('.');
    let (head, _, _, None) = (segments.next()?, segments.next()?, segments.next()?, segments.next()) else {
        return None;
    };
    let header: StrictHeader = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(head).ok()?).ok()?;
    if header.alg != "EdDSA" || header.typ != TYPE {
        return None;
    }
    let key = find(header.kid.parse().ok()?)?;
    let claims = decode::<Claims>(token, &key, &VALIDATION).ok()?.claims;
    claims.are_good_at(now).then_some(claims)
}
