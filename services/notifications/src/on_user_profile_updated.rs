//! A user has another address: it is kept, so that the requests for mails to it end with the account.

use events::UserProfileUpdated;
use kernel::Version;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::store::back_in_stock as store;

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<UserProfileUpdated>) -> Result<Committed, Failure> {
    let event = &delivery.event;
    let batch = store::put_address(event.user_id, &event.email, Version::from_stored(event.version));
    Ok(ctx.commit(batch, delivery.cause()).await?)
}
