//! A key by which tokens are checked: every service reacts to it, so that each checks tokens by itself.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use events::SigningKeyPublished;
use storage::published_keys::{self, PublishedKey};

use crate::{Committed, Ctx, Delivery, Failure};

/// Bytes of an Ed25519 public key (RFC 8032 §5.1.5).
const KEY_BYTES: usize = 32;

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<SigningKeyPublished>) -> Result<Committed, Failure> {
    let SigningKeyPublished { key_id, public_key, not_after } = &delivery.event;
    let bytes = URL_SAFE_NO_PAD.decode(public_key).ok().filter(|bytes| bytes.len() == KEY_BYTES);
    let public_key = bytes.ok_or_else(|| Failure::park("public_key is no Ed25519 key of 32 bytes in base64url"))?;
    let key = PublishedKey { key_id: *key_id, public_key, not_after: *not_after };
    let committed = ctx.commit(published_keys::put(&key), delivery.cause()).await?;
    ctx.keys.add(key);
    Ok(committed)
}
