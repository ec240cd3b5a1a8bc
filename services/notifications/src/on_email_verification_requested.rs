//! A user wants to show that they read mail of their address: mail the link.

use events::EmailVerificationRequested;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::compose::{Letter, write_each_occasion};
use crate::domain::Topic;
use crate::templates::Content;

pub(crate) async fn handle_many(
    ctx: Ctx,
    deliveries: Vec<Delivery<EmailVerificationRequested>>,
) -> Result<Committed, Failure> {
    write_each_occasion(ctx, deliveries, |event, occasion| {
        let content = Content::Verification { username: &event.username, token: &event.token };
        Some(Letter { topic: Topic::Account(occasion, event.user_id), recipient: &event.email, content })
    })
    .await
}
