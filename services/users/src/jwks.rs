//! `GET /.well-known/jwks.json`: the public keys, for whoever else wants to check a token (RFC 7517).

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::KeyId;
use serde::Serialize;
use service::http::Problem;
use utoipa::ToSchema;

use crate::domain::SigningKey;
use crate::{Ctx, store};

/// A set of keys.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeySet {
    keys: Vec<Jwk>,
}

/// An Ed25519 public key (RFC 8037 §2).
#[derive(Serialize, ToSchema)]
struct Jwk {
    #[schema(example = "OKP")]
    kty: &'static str,
    #[schema(example = "Ed25519")]
    crv: &'static str,
    #[schema(example = "sig")]
    r#use: &'static str,
    #[schema(example = "EdDSA")]
    alg: &'static str,
    kid: KeyId,
    /// The 32 bytes of the key, as base64url.
    x: String,
}

impl From<SigningKey> for Jwk {
    fn from(key: SigningKey) -> Self {
        let x = URL_SAFE_NO_PAD.encode(&key.public_key);
        Self { kty: "OKP", crv: "Ed25519", r#use: "sig", alg: "EdDSA", kid: key.key_id, x }
    }
}

/// The public keys by which access tokens are checked.
#[utoipa::path(get, path = "/.well-known/jwks.json", operation_id = "list_signing_keys", tag = "users", responses((status = 200, body = KeySet)))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
) -> Result<([(HeaderName, &'static str); 1], Json<KeySet>), Problem> {
    let now = ctx.clock.now();
    let keys = store::signing_keys(&ctx.db).await?.into_iter().filter(|key| now < key.times.not_after);
    // A key is published an hour before it signs, so five minutes are none too many.
    Ok(([(header::CACHE_CONTROL, "public, max-age=300")], Json(KeySet { keys: keys.map(Jwk::from).collect() })))
}
