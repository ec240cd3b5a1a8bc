//! A user has another address: later orders take it. Placed ones keep theirs.

use events::UserProfileUpdated;
use kernel::Version;
use service::{Committed, Delivery, Failure};

use crate::{Ctx, store};

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<UserProfileUpdated>) -> Result<Committed, Failure> {
    let event = &delivery.event;
    let batch = store::put_user(event.user_id, &event.email, Version::from_stored(event.version));
    Ok(ctx.commit(batch, delivery.cause()).await?)
}
