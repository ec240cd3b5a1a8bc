//! A user closed their account: the mails about it go, and so do requests for mails to its address, with their mails.
//! Those about orders go when each order forgets its customer.

use events::UserDeleted;
use kernel::Version;
use service::{Committed, Delivery, Failure};

use crate::store::back_in_stock as requests;
use crate::{Ctx, store};

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<UserDeleted>) -> Result<Committed, Failure> {
    let UserDeleted { user_id, version } = delivery.event;
    let mut mails = store::mails_of_user(&ctx.db, user_id).await?;
    // Also those of its mails: an account from before addresses were kept has no other.
    let mut addresses = store::recipients(&ctx.db, user_id).await?;
    addresses.extend(requests::address(&ctx.db, user_id).await?);
    let asked = requests::requests_of_emails(&ctx.db, &addresses).await?;
    let topics = asked.iter().map(|(request_id, _)| *request_id).collect();
    mails.extend(store::mails_of_topics(&ctx.db, topics).await?);
    let batch = store::delete(&mails).and(requests::delete(asked));
    let batch = batch.and(requests::put_address(user_id, "", Version::from_stored(version)));
    Ok(ctx.commit(batch, delivery.cause()).await?)
}
