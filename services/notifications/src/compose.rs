//! From events to mails: what a mail says is decided once, in the commit that records its event.

use std::collections::HashSet;

use kernel::{Event, Timestamp, Version};
use service::storage::Batch;
use service::{Committed, Delivery, Failure, causes};

use crate::domain::{Mail, Status, Topic, header_text};
use crate::send_mail::SEND_MAIL;
use crate::templates::{Content, Rendered};
use crate::{Ctx, store};

/// What an event makes us write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Letter<'a> {
    pub topic: Topic,
    pub recipient: &'a str,
    pub content: Content<'a>,
}

/// Writes the letter of each event that has one, unless it was written before.
///
/// With a mail server it is queued and its timer set; without, it is captured, which is no outside effect.
pub(crate) async fn write_each<E: Event>(
    ctx: Ctx,
    deliveries: Vec<Delivery<E>>,
    letter: impl Fn(&E) -> Option<Letter<'_>> + Send + Sync,
) -> Result<Committed, Failure> {
    let letters = || deliveries.iter().filter_map(|delivery| Some((letter(&delivery.event)?, delivery.origin())));
    let topics = letters().map(|(letter, _)| letter.topic.id()).collect();
    let mut written: HashSet<_> = store::written(&ctx.db, topics).await?.into_iter().collect();
    let now = ctx.clock.now();
    let mut batch = Batch::new();
    for (letter, origin) in letters() {
        if written.insert((letter.topic.id(), letter.content.template())) {
            batch = batch.and(write(&ctx, &letter, now).caused_by(origin));
        }
    }
    Ok(ctx.commit(batch, causes(deliveries)).await?)
}

fn write(ctx: &Ctx, letter: &Letter<'_>, now: Timestamp) -> Batch {
    let mail_id = ctx.ids.next();
    let Rendered { subject, text, html } = letter.content.render();
    let mail = Mail {
        mail_id,
        message_id: ctx.state.message_id(mail_id),
        topic_id: letter.topic.id(),
        order_id: letter.topic.order_id(),
        template: letter.content.template(),
        recipient: header_text(letter.recipient),
        subject: header_text(&subject),
        text,
        html,
        status: Status::Queued,
        attempts: 0,
        error: None,
        created_at: now,
        sent_at: None,
        version: Version::FIRST,
    };
    if ctx.state.captures() {
        store::insert(&mail.captured(now))
    } else {
        store::insert(&mail).schedule(SEND_MAIL.name, mail_id, now)
    }
}
