//! The time of a key is over: the next one is made, and published before it signs.

use kernel::KeyId;
use service::storage::Batch;
use service::{Committed, Failure, Timer};

use crate::{Ctx, signing_key, store};

pub(crate) async fn handle(ctx: Ctx, timer: Timer) -> Result<Committed, Failure> {
    let (keys, now) = (store::signing_keys(&ctx.db).await?, ctx.clock.now());
    let key_id: KeyId = timer.key.into();
    let newest = keys.last().filter(|key| key.key_id == key_id);
    let mut batch = match newest {
        Some(key) => signing_key::make(&ctx.ids, Some(key), now, now < key.times.not_after),
        // A start found that no key could sign, and made the next one.
        None => Batch::new(),
    };
    for outdated in keys.iter().filter(|key| key.times.not_after <= now) {
        batch = batch.and(store::delete_signing_key(outdated));
    }
    Ok(ctx.commit(batch, timer.cause()).await?)
}
