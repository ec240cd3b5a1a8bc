//! Somebody opened an account: welcome them, and keep the address, whose requests for mails end with the account.

use events::UserRegistered;
use kernel::Version;
use service::storage::Batch;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::compose::{Letter, write_each_and};
use crate::domain::Topic;
use crate::store::back_in_stock::put_address;
use crate::templates::Content;

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<UserRegistered>>) -> Result<Committed, Failure> {
    let users = deliveries.iter().map(|delivery| &delivery.event);
    let addresses =
        users.fold(Batch::new(), |batch, user| batch.and(put_address(user.user_id, &user.email, Version::FIRST)));
    write_each_and(ctx, deliveries, addresses, |event| Some(letter(event))).await
}

fn letter(user: &UserRegistered) -> Letter<'_> {
    let content = Content::Welcome { username: &user.username };
    Letter { topic: Topic::User(user.user_id), recipient: &user.email, content }
}
