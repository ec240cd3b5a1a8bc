//! A user has a new password: say so, in case it was somebody else.

use events::UserPasswordChanged;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::compose::{Letter, write_each_occasion};
use crate::domain::Topic;
use crate::templates::Content;

pub(crate) async fn handle_many(
    ctx: Ctx,
    deliveries: Vec<Delivery<UserPasswordChanged>>,
) -> Result<Committed, Failure> {
    write_each_occasion(ctx, deliveries, |event, occasion| {
        let content = Content::PasswordChanged { username: &event.username };
        Some(Letter { topic: Topic::Account(occasion, event.user_id), recipient: &event.email, content })
    })
    .await
}
