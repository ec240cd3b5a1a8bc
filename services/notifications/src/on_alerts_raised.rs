//! Alerts were raised: the admin is mailed about all of them at once.

use events::AlertsRaised;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::compose::{Letter, write_each};
use crate::domain::Topic;
use crate::templates::Content;

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<AlertsRaised>>) -> Result<Committed, Failure> {
    write_each(ctx, deliveries, |event| Some(letter(event))).await
}

fn letter(digest: &AlertsRaised) -> Letter<'_> {
    let content = Content::Alerts { alerts: &digest.alerts, rest: digest.rest };
    Letter { topic: Topic::Digest(digest.digest_id), recipient: &digest.to, content }
}
