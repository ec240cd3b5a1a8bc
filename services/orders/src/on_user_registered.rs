//! Somebody opened an account: orders that name no address take this one.

use events::UserRegistered;
use kernel::Version;
use service::{Committed, Delivery, Failure};

use crate::{Ctx, store};

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<UserRegistered>) -> Result<Committed, Failure> {
    let event = &delivery.event;
    let batch = store::put_user(event.user_id, &event.email, Version::FIRST);
    Ok(ctx.commit(batch, delivery.cause()).await?)
}
