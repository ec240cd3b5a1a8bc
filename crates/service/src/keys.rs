//! Keeps a service's keyring as its store has it.

use std::sync::Arc;
use std::time::Duration;

use storage::published_keys;

use crate::{CtxParts, Tasks};

/// The time between two looks into the store. Another instance may have handled the event that published a key;
/// a key is published long before it signs.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Loads the keys that the service received before.
pub(crate) async fn load(ctx: &CtxParts) -> Result<(), storage::Error> {
    ctx.keys.replace(published_keys::known(&ctx.db, ctx.clock.now()).await?);
    Ok(())
}

/// Looks for new keys until the tasks stop, and forgets those whose tokens are good no longer.
pub(crate) async fn keep(ctx: Arc<CtxParts>, tasks: Tasks) {
    while !tasks.is_stopping() {
        tokio::select! {
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            () = tasks.stopping() => return,
        }
        if let Err(error) = look(&ctx).await {
            kernel::warn_limited!(service = ctx.db.service(), %error, "the keys that check tokens can't be read");
        }
    }
}

async fn look(ctx: &CtxParts) -> Result<(), storage::Error> {
    let now = ctx.clock.now();
    if ctx.keys.has_outdated(now) {
        published_keys::forget(&ctx.db, now).await?;
    }
    load(ctx).await
}
