//! Key pairs: made, published to the others, and used. The private half stays in this service's store.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use events::SigningKeyPublished;
use kernel::{Cause, Ids, RequestCause, Timestamp, Version};
use service::CannotStart;
use service::http::Problem;
use service::http::token::{self, Claims};
use service::storage::{Batch, Error};

use crate::domain::{PrivateKey, SigningKey, Times, signer};
use crate::{Ctx, store};

/// Tries to have a key at the start: another process may make the same one, and then this one reads it.
const TRIES: usize = 5;

/// A new key pair, and the batch that keeps it, publishes it, and sets the time of its rotation.
pub(crate) fn make(ids: &Ids, newest: Option<&SigningKey>, now: Timestamp, there_is_another: bool) -> Batch {
    let seed = *ids.secret().bytes();
    let key = SigningKey {
        key_id: ids.next(),
        generation: newest.map_or(1, |key| key.generation + 1),
        public_key: token::public_key(&seed),
        private_key: PrivateKey(seed),
        times: Times::of_new(now, there_is_another),
        version: Version::FIRST,
    };
    store::insert_signing_key(&key).emit(key.version, &published(&key))
}

fn published(key: &SigningKey) -> SigningKeyPublished {
    let public_key = URL_SAFE_NO_PAD.encode(&key.public_key);
    SigningKeyPublished { key_id: key.key_id, public_key, not_after: key.times.not_after }
}

/// At each start: makes the first key, or the next one if no key can sign, and publishes all keys,
/// for a service may be new or may have lost its store.
pub(crate) async fn ensure(ctx: Ctx) -> Result<(), CannotStart> {
    for _ in 1..TRIES {
        match try_to_ensure(&ctx).await {
            Err(Error::Conflict { .. }) => {}
            done => return Ok(done?),
        }
    }
    Ok(try_to_ensure(&ctx).await?)
}

async fn try_to_ensure(ctx: &Ctx) -> Result<(), Error> {
    let (keys, now) = (store::signing_keys(&ctx.db).await?, ctx.clock.now());
    let known = keys.iter().filter(|key| now < key.times.not_after);
    let mut batch = known.fold(Batch::new(), |batch, key| batch.emit(key.version, &published(key)));
    if signer(&keys, now, token::LIFETIME).is_none() {
        batch = batch.and(make(&ctx.ids, keys.last(), now, false));
    }
    let start = RequestCause { request_id: ctx.ids.next(), traceparent: None, keyed: None };
    ctx.commit(batch, Cause::Request(start)).await?;
    Ok(())
}

/// An access token that says these claims.
pub(crate) async fn sign(ctx: &Ctx, claims: &Claims) -> Result<String, Problem> {
    let keys = store::signing_keys(&ctx.db).await?;
    let key = signer(&keys, ctx.clock.now(), token::LIFETIME).ok_or_else(|| {
        tracing::error!("no key can sign: the timer `rotate_signing_key` is late");
        Problem::internal()
    })?;
    token::sign(key.key_id, claims, &key.private_key.0).map_err(|error| {
        tracing::error!(%error, "a token could not be signed");
        Problem::internal()
    })
}
