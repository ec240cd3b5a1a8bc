//! Somebody opened an account: welcome them.

use events::UserRegistered;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::compose::{Letter, write_each};
use crate::domain::Topic;
use crate::templates::Content;

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<UserRegistered>>) -> Result<Committed, Failure> {
    write_each(ctx, deliveries, |event| Some(letter(event))).await
}

fn letter(user: &UserRegistered) -> Letter<'_> {
    let content = Content::Welcome { username: &user.username };
    Letter { topic: Topic::User(user.user_id), recipient: &user.email, content }
}
