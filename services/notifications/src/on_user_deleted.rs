//! A user closed their account: the mails about it go. Those about orders go when each order forgets its customer.

use events::UserDeleted;
use service::{Committed, Delivery, Failure};

use crate::{Ctx, store};

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<UserDeleted>) -> Result<Committed, Failure> {
    let mails = store::mails_of_user(&ctx.db, delivery.event.user_id).await?;
    Ok(ctx.commit(store::delete(&mails), delivery.cause()).await?)
}
