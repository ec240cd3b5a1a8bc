//! Access tokens: JWTs that the users service signs with Ed25519 and every service checks by itself.
//!
//! A token is checked against one form, not read with goodwill: three header fields, one algorithm, all claims,
//! by the clock that everything else uses.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::Error;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use kernel::{KeyId, SessionId, SignedDuration, Timestamp, UserId};
use ring::signature::KeyPair as _;
use serde::{Deserialize, Serialize};

use crate::signatures;

/// The lifetime of a token. A sign-in that its user has ended holds until then in most services, so it is short; a ban or
/// the loss of a role takes effect at once.
pub const LIFETIME: SignedDuration = SignedDuration::from_mins(15);

/// The greatest difference between the clocks of two machines.
const LEEWAY: SignedDuration = SignedDuration::from_secs(5);

/// A token of this size or more is refused unread: ours have some 500 bytes.
pub(super) const BYTES_MAX: usize = 4096;

/// RFC 9068 §2.1: says that it is an access token, so that no other JWT passes for one.
const TYPE: &str = "at+jwt";

const ISSUER: &str = "tradepost/users";
const AUDIENCE: &str = "tradepost";
const USE: &str = "access";

/// The claims of a token. Every claim is required, none beside them is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    iss: String,
    aud: String,
    /// The user.
    pub sub: UserId,
    /// By which sign-in.
    pub sid: SessionId,
    /// The second since 1970 in which it was issued.
    pub(super) iat: i64,
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
    /// The claims of a token for this user and sign-in, from now on.
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

/// A token that says these claims, signed by the key pair that this seed makes (RFC 8032 §5.1.5).
pub fn sign(key_id: KeyId, claims: &Claims, seed: &[u8; 32]) -> Result<String, Error> {
    signatures::install();
    encode(&header(key_id), claims, &EncodingKey::from_ed_der(seed))
}

/// The key that checks what this seed signs.
pub fn public_key(seed: &[u8; 32]) -> Vec<u8> {
    signatures::pair(seed).public_key().as_ref().to_vec()
}

fn header(key_id: KeyId) -> Header {
    Header { typ: Some(TYPE.to_owned()), kid: Some(key_id.to_string()), ..Header::new(Algorithm::EdDSA) }
}

/// The library checks signature, algorithm, issuer and audience. Its clock is the machine's, so times are ours to
/// check.
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
    signatures::install();
    let claims = decode::<Claims>(token, &key, &VALIDATION).ok()?.claims;
    claims.are_good_at(now).then_some(claims)
}

#[cfg(test)]
mod tests {
    use kernel::Uuid;
    use serde_json::{Value, json};

    use super::*;

    const KEY_ID: &str = "019b7a37-11d4-7c02-a1b3-6f4e2d90c7aa";

    fn now() -> Timestamp {
        "2026-01-01T12:00:00Z".parse().unwrap()
    }

    fn good_header() -> Value {
        json!({"alg": "EdDSA", "typ": "at+jwt", "kid": KEY_ID})
    }

    fn good_claims() -> Value {
        let (user_id, session_id) = (Uuid::from_u128(1).into(), Uuid::from_u128(2).into());
        serde_json::to_value(Claims::new(user_id, session_id, now())).unwrap()
    }

    const SEED: [u8; 32] = [7; 32];

    /// A token with a signature that fits, whatever it says.
    fn signed(header: &str, claims: &str) -> String {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(signatures::pair(&SEED).sign(message.as_bytes()));
        format!("{message}.{signature}")
    }

    fn is_good_at(token: &str, now: Timestamp) -> bool {
        let find = |key_id: KeyId| (key_id.to_string() == KEY_ID).then(|| DecodingKey::from_ed_der(&public_key(&SEED)));
        verify(token.as_bytes(), find, now).is_some()
    }

    #[test]
    fn a_token_is_good_from_its_beginning_to_its_end_by_our_clock() {
        let token = signed(&good_header().to_string(), &good_claims().to_string());
        for (seconds, expected) in [(-6, false), (-5, true), (0, true), (900, true), (904, true), (905, false)] {
            assert_eq!(is_good_at(&token, now() + SignedDuration::from_secs(seconds)), expected, "at {seconds} s");
        }
    }

    #[test]
    fn a_header_of_another_form_is_refused_even_where_the_signature_fits() {
        let with = |field: &str, value: Value| {
            let mut header = good_header();
            header[field] = value;
            header.to_string()
        };
        for header in [
            with("alg", json!("none")),
            with("alg", json!("nOnE")),
            with("alg", json!("HS256")),
            with("alg", json!("ES256")),
            with("typ", json!("JWT")),
            with("typ", Value::Null),
            with("kid", json!("019b7a37-11d4-7c02-a1b3-6f4e2d90c7ab")),
            with("kid", json!("../keys/1' or 1=1")),
            with("kid", Value::Null),
            with("jku", json!("https://evil.example/jwks.json")),
            with("jwk", json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})),
            with("x5u", json!("https://evil.example/cert")),
            with("x5c", json!(["AAAA"])),
            with("crit", json!(["exp"])),
            with("b64", json!(false)),
            with("zip", json!("DEF")),
            good_header().to_string().replacen('{', "{\"alg\":\"EdDSA\",", 1),
            "[]".to_owned(),
            "{".repeat(1_000),
        ] {
            assert!(!is_good_at(&signed(&header, &good_claims().to_string()), now()), "{header}");
        }
    }

    #[test]
    fn claims_of_another_form_are_refused_even_where_the_signature_fits() {
        let with = |field: &str, value: Value| {
            let mut claims = good_claims();
            claims[field] = value;
            claims.to_string()
        };
        let without = |field: &str| {
            let mut claims = good_claims();
            claims.as_object_mut().unwrap().remove(field);
            claims.to_string()
        };
        let mut table: Vec<String> = ["iss", "aud", "sub", "sid", "iat", "nbf", "exp", "token_use"].map(without).into();
        let later = now().as_second() + 3_600;
        table.extend([
            with("iss", json!("somebody")),
            with("aud", json!("another shop")),
            with("aud", json!(["tradepost", "another shop"])),
            with("sub", json!("ada")),
            with("token_use", json!("refresh")),
            with("role", json!("admin")),
            with("nbf", json!(later)),
            with("iat", json!(later)),
            with("exp", json!(later)),
            with("exp", json!(i64::MAX)),
            with("exp", json!("2027-01-01T00:00:00Z")),
            with("exp", json!(1.5)),
            with("iat", json!(i64::MIN)),
            good_claims().to_string().replacen('{', "{\"sub\":\"019b7a37-11d4-7c02-a1b3-6f4e2d90c7aa\",", 1),
        ]);
        for claims in table {
            assert!(!is_good_at(&signed(&good_header().to_string(), &claims), now()), "{claims}");
        }
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let good = signed(&good_header().to_string(), &good_claims().to_string());
        let parts: Vec<&str> = good.split('.').collect();
        let padded = format!("{}=.{}.{}", parts[0], parts[1], parts[2]);
        for text in [
            "",
            ".",
            "..",
            "a.b.c",
            &good[..good.len() - 1],
            &format!("{good}."),
            &format!("{good}.{}", parts[2]),
            &format!("{}.{}.", parts[0], parts[1]),
            &format!("{}.{}.{}", parts[0], parts[1], "A".repeat(86)),
            &format!("{good} "),
            &padded,
            &"a".repeat(BYTES_MAX),
            &format!("{good}{}", "A".repeat(BYTES_MAX)),
        ] {
            assert!(!is_good_at(text, now()), "{text}");
        }
        assert!(is_good_at(&good, now()));
    }
}
